"""Whether a tokenizer surely takes a time and a memory in proportion to its text.

Its file is a program of a kind: regular expressions that may look back again and again, texts put
in the place of others, tokens put around each row. What usual tokenizers have is known to be cheap;
of everything else it is not said, and it is tried out before it is used.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# What usual tokenizers search for besides what `is_cheap` can tell, each seen to be cheap.
KNOWN = {
    r"\s*[\r\n]+", r"\s*[\r\n]", r"\s+(?!\S)", r"^▁+$", r" +▁", r"\s+$",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
}  # fmt: skip
MANY = 32  # repeats that count as any number
OPTIONAL = 6  # parts of one branch that may be there or not
LONGEST = 1000  # characters of a regular expression
WORD = 200  # characters of one word, of which WordPiece looks for each part: usual are 100
PIECE = 64  # characters of one piece, of which Unigram looks for all at each place: usual are 16
STEPS = 50  # of normalizing and of cutting, each of which goes over the text
AROUND = 64  # tokens put around a row
AFFIX = 64  # characters of what each word is looked up with, or is put in the place of unknown ones
# Bytes that all steps together may make of one; of usual tokenizers ALBERT's make the most, 198.
GROWTH = 256
# What each may make of one byte; of a form of Unicode it is known, of the others the worst case is
# one letter, at either side of which something is put.
FORMS = {"NFC": 3, "NFD": 3, "NFKC": 11, "NFKD": 11, "Lowercase": 1.5, "BertNormalizer": 3}
FACTORS = {**FORMS, "ByteLevel": 3, "WordPiece": 3, "BPEDecoder": 3, "CTC": 3}
# A regular expression for one character, or for so many of it.
ONE = re.compile(r"(?:\\[sdw]|\\[pP]\{\w+\}|\[[^\[\]\\]+\]|[^][(){}|*+?^$\\])(?:\+|\{(\d+),?\})?")


class _Branch(NamedTuple):
    """One alternative: whether it may repeat without end, or be of several lengths."""

    text: str
    endless: bool
    varied: bool
    cheap: bool


def is_cheap(pattern: str) -> bool:
    """Whether a search for `pattern` goes over a text about once.

    It does where nothing has to come behind a part that repeats without end, since then a match
    that got there is one, and no group that repeats has several lengths.
    """
    if len(pattern) > LONGEST:
        return False
    try:
        branches, end = _branches(pattern, 0)
    except (IndexError, ValueError, RecursionError):
        return False
    return end == len(pattern) and all(branch.cheap or branch.text in KNOWN for branch in branches)


def _branches(text: str, at: int) -> tuple[list[_Branch], int]:
    """The alternatives from `at` on, and where they end: at a closing bracket or the end."""
    found = []
    while True:
        begin, endless, cheap, optional = at, False, True, 0
        while at < len(text) and text[at] not in "|)":
            only_looks = text.startswith(("(?=", "(?!", "(?<"), at)
            inner, at = _atom(text, at)
            if only_looks and any(branch.endless for branch in inner):
                cheap = False  # nothing of what it goes over is taken: the next place does again
            fewest, most, at = _times(text, at)
            varied = any(branch.varied for branch in inner) or len(inner) > 1
            cheap = cheap and all(branch.cheap for branch in inner)
            if most > 1 and varied:
                cheap = False
            if endless and fewest > 0:
                cheap = False  # what has to follow may be missing, and then all is tried again
            optional += fewest < most or varied
            endless = endless or most > MANY or any(branch.endless for branch in inner)
        cheap = cheap and optional <= OPTIONAL
        found.append(_Branch(text[begin:at], endless, endless or optional > 0, cheap))
        if at == len(text) or text[at] == ")":
            return found, at
        at += 1


def _atom(text: str, at: int) -> tuple[list[_Branch], int]:
    """What is in the group at `at`, nothing for one character, and the place behind it."""
    if text[at] == "\\":
        if text[at + 1] in "pP":
            return [], text.index("}", at) + 1
        if text[at + 1].isdigit() or text[at + 1] in "kgKGX":
            raise ValueError(text)  # a group again
        return [], at + 2
    if text[at] == "[":
        return [], _class_end(text, at)
    if text[at] != "(":
        return [], at + 1
    begin = at + 1
    if text[begin] == "?":
        while text[begin] not in ":=!>":
            begin += 1
        begin += 1
        if not set(text[at + 2 : begin]) <= set("imsx-:=!>"):
            raise ValueError(text)
    inner, end = _branches(text, begin)
    if text[end] != ")":
        raise ValueError(text)
    return inner, end + 1


def _class_end(text: str, at: int) -> int:
    """The place behind a class of characters; classes may stand in it."""
    first = at + 1 + (text[at + 1] == "^")
    i = first
    while text[i] != "]" or i == first:
        if text[i] == "[":
            i = _class_end(text, i)
        else:
            i += 2 if text[i] == "\\" else 1
    return i + 1


def _times(text: str, at: int) -> tuple[int, int, int]:
    """How often at least and at most, and the place behind that."""
    sign, rest = text[at : at + 1], at + 1
    if sign in ("*", "+", "?") and sign:
        found = (0 if sign != "+" else 1, 1 if sign == "?" else 10**9)
    elif sign == "{" and (inner := text[rest : text.index("}", rest)]).replace(",", "").isdigit():
        low, comma, high = inner.partition(",")
        found = (int(low or 0), int(high) if high else 10**9 if comma else int(low))
        rest += len(inner) + 1
    else:
        return 1, 1, at
    while text[rest : rest + 1] in ("?", "+") and text[rest : rest + 1]:  # lazy or possessive
        rest += 1
    return *found, rest


def surely_cheap(backend: Any) -> bool:
    """Whether a tokenizer of the library `tokenizers` has nothing in it that may run away."""
    model = backend.model
    if getattr(model, "max_input_chars_per_word", 0) > WORD:
        return False
    affixes = ("continuing_subword_prefix", "end_of_word_suffix", "unk_token")
    if any(len(getattr(model, name, None) or "") > AFFIX for name in affixes):
        return False
    pieces = backend.get_vocab(False) if type(model).__name__ == "Unigram" else ()
    if any(len(piece) > PIECE for piece in pieces):
        return False
    if max(map(backend.num_special_tokens_to_add, (False, True))) > AROUND:
        return False
    parts = (backend.normalizer, backend.pre_tokenizer, backend.decoder, backend.post_processor)
    try:
        tables = [json.loads(part.__getstate__()) if part is not None else None for part in parts]
    except (TypeError, ValueError, RecursionError):
        return False
    return steps_are_cheap(tables[:2]) and steps_are_cheap(tables[2]) and _is_once(tables[3])


def steps_are_cheap(value: Any) -> bool:
    """Whether a text stays about as long in all of these steps, and is gone over about once."""
    steps = list(_walk(value))
    patterns = [step.get("pattern") for step in steps]
    sought = [pattern["Regex"] for pattern in patterns if _is_table(pattern, "Regex")]
    return len(steps) <= STEPS and all(map(is_cheap, map(str, sought))) and _growth(steps) <= GROWTH


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _is_table(value: Any, key: str) -> bool:
    return isinstance(value, dict) and key in value


def _is_once(value: Any) -> bool:
    """Whether a template puts each text there once, and little around it."""
    for step in _walk(value):
        for side in ("single", "pair"):
            parts = step.get(side) or ()
            names = [str(part["Sequence"]) for part in parts if _is_table(part, "Sequence")]
            ids = {str(part["Sequence"]["id"]) for part in parts if _is_table(part, "Sequence")}
            if len(names) > len(ids) or len(parts) > AROUND:
                return False
    return True


def _growth(steps: list[dict[str, Any]]) -> float:
    """How many bytes there may be of one behind all of these steps."""
    grown, forms, own = 1.0, 1.0, False
    for step in steps:
        kind, factor = step["type"], _factor(step)
        if kind in FORMS:
            forms *= factor
        elif kind == "Precompiled" and not own:  # a table of such forms: what has them keeps them
            factor = max(factor / forms, 1)
        own = own or kind in ("Precompiled", "ByteLevel") or not _put(step).isascii()
        grown *= factor
    return grown


def _put(step: dict[str, Any]) -> str:
    return str(step.get("content") or step.get("prepend") or "")


def _factor(step: dict[str, Any]) -> float:
    """How many bytes a step makes of one, at most."""
    kind, put = step["type"], len(_put(step).encode("utf-8", "replace"))
    if kind == "Precompiled":
        return _longest_replacement(str(step.get("precompiled_charsmap", "")))
    if kind == "Metaspace":
        return 1 + len(str(step.get("replacement", "")).encode("utf-8", "replace"))
    if kind == "Prepend":
        return 1 + put
    if kind != "Replace":
        return FACTORS.get(kind, 1) if isinstance(kind, str) else 1
    pattern = step.get("pattern")
    fewest = len(str(pattern.get("String", "")).encode()) if isinstance(pattern, dict) else 0
    if _is_table(pattern, "Regex"):
        found = ONE.fullmatch(str(pattern["Regex"]))
        fewest = int(found[1] or 1) if found else 0
    return max(put / fewest, 1) if fewest else 1 + put  # nothing is found beside each letter


def _longest_replacement(charsmap: str) -> int:
    """Bytes of the longest text that SentencePiece's table of characters puts for one: behind the
    length of a trie and the trie, texts that end with 0."""
    try:
        raw = base64.b64decode(charsmap, validate=True)
    except ValueError:
        return GROWTH + 1
    texts = raw[4 + int.from_bytes(raw[:4], "little") :]
    return max(1, max((len(text) for text in texts.split(b"\0")), default=0))
