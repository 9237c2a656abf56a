"""Words with a tag each, as tokens: the first piece of a word is asked for, the others are not.

The words are joined by spaces and tokenized as the running text that a model was trained on; which
word a token belongs to is read from its place in the characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from lora_lab.data.encode import blocks, known_label, quiet, segments, vocabulary
from lora_lab.data.json_text import parsed
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Table
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.data.values import as_label, as_text, is_missing, natural_order
from lora_lab.errors import DataError
from lora_lab.progress import Report, silent

NONE = -100  # the tag of a token that the loss does not look at, as in transformers
IGNORED = str(NONE)  # what tables write of it
OUTSIDE = "O"
TAGS = 10_000  # different ones; tags of forms of words are some thousands
MOST = 2**20  # words of a row


@dataclass(frozen=True)
class Tagged(Example):
    """A row whose supervised tokens have a tag each."""

    tags: np.ndarray  # (tokens) of int64: the number of a tag, or NONE


def encode_tags(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    classes: Sequence[str] | None = None,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Tagged], tuple[str, ...], tuple[str, ...]]:
    """(rows, names of the tags, notes). `classes` None takes the tags there are, O first; -100 is
    none of them, and its word is not asked for.

    Raises DataError for rows without as many tags as words and tags that are none of `classes`,
    unless `skip_bad`, and for a tokenizer that does not tell where its tokens stand.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise DataError(
            f"{table.path.name}: Tags need a fast tokenizer, which tells where each token stands."
        )
    left = LeftOut(table, skip_bad)
    known = None if classes is None else dict.fromkeys(classes)
    places: dict[str, int] = {}  # of the tags, as they come
    lost = ignored = 0

    def said() -> Iterator[tuple[int, list[str], list[str]]]:
        for number, row in table.rows:
            try:
                cells = (row.get(mapping.column(role)) for role in ("tokens", "tags"))
                words, tags = map(listed, cells)
                if len(words) != len(tags):
                    raise BadRow(f"there are {len(words):,} tokens and {len(tags):,} tags")
                tags = [tag if tag == IGNORED else known_label(tag, known) for tag in tags]
            except BadRow as error:
                left.add(number, error)
                continue
            for tag in filter(IGNORED.__ne__, tags):
                places.setdefault(tag, len(places))
            if len(places) > TAGS:
                raise DataError(
                    f"{table.path.name}: there are over {TAGS:,} different tags up to row "
                    f"{number:,}, too many to learn. Choose the column of the tags."
                )
            yield number, words, tags

    writer = TokenWriter(Tagged, vocabulary(tokenizer))
    for block in blocks(said(), len(table.rows), report):
        texts = [" ".join(words) for _, words, _ in block]
        with quiet():
            whole = tokenizer(texts)["input_ids"]
            kept = tokenizer(
                texts, truncation=True, max_length=max_length, return_offsets_mapping=True
            )
        for place, (number, words, tags) in enumerate(block):
            ids = np.array(kept["input_ids"][place], dtype=np.int32)
            firsts = first_pieces(texts[place], words, kept["offset_mapping"][place])
            numbers = np.full(len(ids), NONE, dtype=np.int64)
            for token, word in firsts.items():
                numbers[token] = places.get(tags[word], NONE)
            cut = len(whole[place]) - len(ids)
            lost += 0 if cut else len(words) - len(firsts)
            ignored += tags.count(IGNORED)
            if (numbers != NONE).any():
                types = segments(kept.get("token_type_ids"), place)
                example = Tagged(ids, numbers != NONE, cut, number, numbers, types=types)
                writer.add(example, "\0".join(tags[word] for word in firsts.values()).encode())
            elif not firsts:
                lost += len(words) if cut else 0
    if not places:
        raise DataError(f"{table.path.name}: no row with tokens and tags is left.")
    names = tuple(classes or in_order(set(places)))
    if len(names) == 1:
        raise DataError(f"{table.path.name}: all tags are {names[0]}, so nothing is learned.")
    numbered = {name: number for number, name in enumerate(names)}
    rows = writer.rows().with_tags(np.array([numbered[tag] for tag in places]))
    if not rows:
        raise DataError(f"{table.path.name}: no word has a token of its own, so none is learned.")
    notes = (*left.notes(), *writer.notes())
    if lost:
        many = f"{lost:,} words have" if lost > 1 else "1 word has"
        notes = (*notes, f"{many} no token of their own, so their tags are not learned")
    if ignored:
        many = f"{ignored:,} words are" if ignored > 1 else "1 word is"
        notes = (*notes, f"{many} tagged {IGNORED}, so not learned")
    return rows, names, notes


def listed(value: Any) -> list[str]:
    """The words or tags of a cell: a list, one written as JSON, or text with spaces between.

    Raises BadRow where there are none, or one of them is empty.
    """
    if is_missing(value):
        raise BadRow("there are no tokens or no tags")
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError):  # or it is a text that begins with a bracket
            value = parsed(value)
    if isinstance(value, list | tuple):
        parts = [as_label(part) for part in value]
    else:
        parts = as_text(value).split(None, MOST)
    if len(parts) > MOST:
        raise BadRow(f"there are over {MOST:,} tokens or tags")
    if not parts:
        raise BadRow("there are no tokens or no tags")
    if not all(parts):
        raise BadRow(f"token or tag {parts.index('') + 1:,} is empty")
    return parts


def first_pieces(
    text: str, words: Sequence[str], offsets: Sequence[tuple[int, int]]
) -> dict[int, int]:
    """Token → word for the first token of each word; `text` is the words with spaces between.

    A token that only holds a space, or stands for no characters, belongs to no word.
    """
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    found: dict[int, int] = {}
    seen = set()
    for token, (begin, end) in enumerate(offsets):
        while begin < end and text[begin].isspace():
            begin += 1
        if begin == end:
            continue
        word = int(np.searchsorted(starts, begin, side="right")) - 1
        if word not in seen:
            seen.add(word)
            found[token] = word
    return found


def in_order(names: set[str]) -> list[str]:
    """O first, then by kind and by prefix: O, B-LOC, I-LOC, B-PER …; numbers by their value."""

    def key(name: str) -> tuple[Any, ...]:
        prefix, _, kind = name.partition("-")
        return (name != OUTSIDE, natural_order(kind or name), prefix)

    return sorted(names, key=key)


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """(kind, first word, last word) of every entity, by the rule of conlleval that seqeval has.

    B, S and what follows another kind begin one, E and S end it, an I behind O begins one too.
    """
    found: set[tuple[str, int, int]] = set()
    begin, kind, before = -1, "", OUTSIDE
    for place, tag in enumerate((*tags, OUTSIDE)):
        prefix, _, name = tag.partition("-")
        inside = prefix in ("I", "E") and before in ("B", "I") and name == kind
        if not inside and begin >= 0:
            found.add((kind, begin, place - 1))
            begin = -1
        if not inside and prefix != OUTSIDE:
            begin, kind = place, name
        before = prefix
    return found


def are_entities(names: Sequence[str]) -> bool:
    """Whether tags mark entities: O, and B-, I-, E- or S- before a kind."""
    marked = [name for name in names if name != OUTSIDE]
    return bool(marked) and all(name[:2] in ("B-", "I-", "E-", "S-") for name in marked)
