"""A text and what it is to become, as tokens of an encoder and of a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lora_lab.data.encode import blocks, quiet, vocabulary
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Row, Table
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.data.values import as_text
from lora_lab.errors import DataError
from lora_lab.progress import Report, silent


@dataclass(frozen=True)
class Answered(Example):
    """A row as an `Example` of both texts, the source first; each of them by itself, too."""

    source: Example
    target: Example

    width: ClassVar[int] = 2

    @classmethod
    def of(cls, source: Example, target: Example) -> Answered:
        return cls(
            np.concatenate([source.ids, target.ids]),
            np.concatenate([source.supervised, target.supervised]),
            source.cut + target.cut, source.number, source, target,
        )  # fmt: skip

    def texts(self) -> tuple[Example, ...]:
        return (self.source, self.target)

    @classmethod
    def joined(cls, texts: Sequence[dict[str, Any]], chat: bool) -> Answered:
        del chat
        source, target = (Example(**text) for text in texts)
        return cls.of(source, target)

    @staticmethod
    def length(tokens: np.ndarray) -> np.ndarray:
        """Tokens of the longer text before the cut, which is of each by itself."""
        return tokens.max(1)

    @staticmethod
    def room(tokens: np.ndarray) -> np.ndarray:
        """Tokens of both."""
        return tokens.sum(1)


def encode_sources(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    prefix: str = "",
    longest: tuple[int, int] | None = None,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Answered], tuple[str, ...]]:
    """Rows with their sources, `prefix` before each, and their targets; and notes.

    Both are written as the tokenizer writes them, targets by its own rule for targets; of one that
    is cut no end is learned. `longest` are limits of the model, of source and target, where they
    differ. Raises DataError for rows that are empty (unless `skip_bad`), and where none is left.
    """
    _check_languages(table, tokenizer)
    limits = [min(max_length, most) for most in longest or (max_length, max_length)]
    left = LeftOut(table, skip_bad)
    writer = TokenWriter(Answered, vocabulary(tokenizer))

    def said() -> Iterator[tuple[int, str, str]]:
        for number, row in table.rows:
            try:
                yield number, *texts_of(row, mapping)
            except BadRow as error:
                left.add(number, error)

    for block in blocks(said(), len(table.rows), report):
        sources = [prefix + source for _, source, _ in block]
        with quiet():
            whole = tokenizer(sources)["input_ids"]
            kept = tokenizer(sources, truncation=True, max_length=limits[0])["input_ids"]
            targets = tokenizer(text_target=[target for _, _, target in block])["input_ids"]
        for (number, *_), before, ids, target in zip(block, whole, kept, targets, strict=True):
            source = np.array(ids, dtype=np.int32)
            asked = np.zeros(len(source), dtype=bool)
            one = Example(source, asked, len(before) - len(source), number)
            writer.add(Answered.of(one, _target(target, limits[1], number, tokenizer)))
    notes = () if tokenizer.eos_token_id is not None else (
        "the tokenizer has no token that ends a text, so no end is learned",
    )  # fmt: skip
    found = writer.rows()
    return found, left.check(len(found), "", (*notes, *writer.notes()))


def texts_of(row: Row, mapping: Mapping) -> tuple[str, str]:
    """Source and target of one row. Raises BadRow with the reason."""
    source, target = (as_text(_cell(row, mapping.column(role))) for role in ("source", "target"))
    if (more := mapping.column("context")) and (context := as_text(row.get(more))).strip():
        source = f"{source}\n\n{context}"
    for text, what in ((source, "source"), (target, "target")):
        if not text.strip():
            raise BadRow(f"the {what} is empty")
    return source, target


def _cell(row: Row, column: str | None) -> Any:
    """What stands in a column, or in one entry of it: `translation.de`."""
    name = column or ""
    if name in row:
        return row[name]
    outer, _, inner = name.partition(".")
    value = row.get(outer)
    return value.get(inner) if isinstance(value, dict) else None


def _target(ids: Sequence[int], limit: int, number: int, tokenizer: Any) -> Example:
    end = tokenizer.eos_token_id
    if end is not None and end not in ids[-2:]:  # behind it some write the language
        ids = [*ids, end]
    kept = np.array(ids[:limit], dtype=np.int32)
    return Example(kept, np.ones(len(kept), dtype=bool), len(ids) - len(kept), number)


def _check_languages(table: Table, tokenizer: Any) -> None:
    """Raise DataError where the tokenizer marks languages and is not told which."""
    if hasattr(tokenizer, "tgt_lang") and not (tokenizer.src_lang and tokenizer.tgt_lang):
        raise DataError(
            f"{table.path.name}: The tokenizer marks the language of a text and names none for "
            'targets. Set "src_lang" and "tgt_lang" in its tokenizer_config.json.'
        )
