"""Whether a tokenizer surely takes a time and a memory in proportion to its text.

Its file is a program of a kind: regular expressions that may look back again and again, texts put
in the place of others, tokens put around each row. What usual tokenizers have is known to be cheap;
of everything else it is not said, and it is tried out before it is used.
"""

from __future__ import annotations

import base64
import json
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
GROWTH = 64  # bytes in the place of one character


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
            inner, at = _atom(text, at)
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
    if getattr(backend.model, "max_input_chars_per_word", 0) > WORD:
        return False
    pieces = backend.get_vocab(False) if type(backend.model).__name__ == "Unigram" else ()
    if any(len(piece) > PIECE for piece in pieces):
        return False
    if max(map(backend.num_special_tokens_to_add, (False, True))) > AROUND:
        return False
    parts = (backend.normalizer, backend.pre_tokenizer, backend.decoder)
    try:
        tables = [json.loads(part.__getstate__()) for part in parts if part is not None]
    except (TypeError, ValueError, RecursionError):
        return False
    steps = [step for table in tables for step in _walk(table)]
    return len(steps) <= STEPS and all(map(_step_is_cheap, steps))


def _walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _walk(inner)


def _step_is_cheap(step: dict[str, Any]) -> bool:
    pattern = step.get("pattern")
    if isinstance(pattern, dict):
        sought = pattern.get("Regex")
        if sought is not None and not is_cheap(str(sought)):
            return False
        shortest = len(str(pattern.get("String", "x")))
        if len(str(step.get("content", ""))) > max(shortest, 1):
            return False
    if step.get("type") == "Precompiled":
        return _longest_replacement(str(step.get("precompiled_charsmap", ""))) <= GROWTH
    return len(str(step.get("prepend", ""))) <= GROWTH


def _longest_replacement(charsmap: str) -> int:
    """Bytes of the longest text that SentencePiece's table of characters puts for one: behind the
    length of a trie and the trie, texts that end with 0."""
    try:
        raw = base64.b64decode(charsmap, validate=True)
    except ValueError:
        return GROWTH + 1
    texts = raw[4 + int.from_bytes(raw[:4], "little") :]
    return max((len(text) for text in texts.split(b"\0")), default=0)
