"""Rows as tokens: what the model will see, and which tokens the loss asks it to predict."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar

import numpy as np

from lora_lab.data.chat_template import ChatTemplate, ChatText
from lora_lab.data.dialogue import chat, pieces
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Table
from lora_lab.data.seams import encode_pieces
from lora_lab.data.token_places import asked_tokens
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.data.values import as_label, as_text, look_alike, natural_order
from lora_lab.errors import DataError
from lora_lab.names import few
from lora_lab.progress import Report, silent

Target = TypeVar("Target")
Row = TypeVar("Row")
Tokens = tuple[np.ndarray, np.ndarray]  # ids of int32, and of bool: supervised

BLOCK = 500  # rows that are tokenized at a time
TEXTS = 2**21  # characters of them, of which each takes a tokenizer up to 250 bytes meanwhile


def encode_rows(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    stops: frozenset[str] = frozenset(),
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Example], tuple[str, ...]]:
    """Rows as token ids to be predicted, and notes. The end of a text is a label token as well.

    Prompt and completion are tokenized apart, since at generation the prompt comes alone; chats in
    one piece, as their template writes them, one example for every answer where the template
    rewrites what was said before. `stops` are the tokens that end an answer besides the
    tokenizer's own. Raises DataError for rows that are empty or do not have their form (unless
    `skip_bad`), and where nothing is left.
    """
    left = LeftOut(table, skip_bad)
    template = chat_template_of(table, tokenizer, stops) if mapping.form == "chat" else None
    writer = TokenWriter(Example, vocabulary(tokenizer))
    encode = encode_pieces if template is None else encode_chats

    def said() -> Iterator[tuple[int, Any]]:  # number in the file, pieces or a text with its spans
        for number, row in table.rows:
            try:
                if template is None:
                    yield number, pieces(row, mapping)
                else:
                    yield from ((number, text) for text in template.examples(chat(row, mapping)))
            except BadRow as error:
                left.add(number, error)

    def encoded(block: list[tuple[int, Any]]) -> list[Tokens | BadRow]:
        with quiet():
            return list(encode([parts for _, parts in block], tokenizer))

    for block, tokens in ahead(blocks(said(), len(table.rows), report), encoded):
        for (number, _), found in zip(block, tokens, strict=True):
            if isinstance(found, BadRow):
                left.add(number, found)
                continue
            ids, asked = found
            asked[:1] = False  # nothing comes before the first token
            ids, asked, cut = ids[:max_length], asked[:max_length], max(0, len(ids) - max_length)
            if asked.any():
                writer.add(Example(ids, asked, cut, number))
            else:
                left.too_long += 1
    examples = writer.rows()
    notes = template.notes() if template else ()
    if template is None and tokenizer.eos_token_id is None:
        notes = ("the tokenizer has no token that ends a text, so no end is learned",)
    reason = f"within {max_length:,} tokens nothing is to be predicted"
    return examples, left.check(len(examples), reason, (*notes, *writer.notes()))


def blocks(rows: Iterable[Row], count: int, report: Report) -> Iterator[list[Row]]:
    """`rows`, about `count` of them, some at a time to be tokenized together."""
    done, block, size = 0, list[Row](), 0
    for row in rows:
        block.append(row)
        size += _length(row)
        if len(block) == BLOCK or size > TEXTS:
            report("Reading the tokens", min(1.0, done / max(1, count)))
            yield block
            done += len(block)
            block, size = [], 0
    if block:
        report("Reading the tokens", min(1.0, done / max(1, count)))
        yield block


def _length(part: Any) -> int:
    """The characters in a row, whatever holds them."""
    if isinstance(part, str):
        return len(part)
    return (
        sum(map(_length, part))
        if isinstance(part, list | tuple)
        else len(getattr(part, "text", ""))
    )


def ahead(blocks: Iterable[Row], work: Callable[[Row], Target]) -> Iterator[tuple[Row, Target]]:
    """Each block with the `work` on it, which a thread does while the next block is made."""
    with ThreadPoolExecutor(1, "tokens") as worker:
        before: tuple[Row, Future[Target]] | None = None
        for block in blocks:
            begun = block, worker.submit(work, block)
            if before:
                yield before[0], before[1].result()
            before = begun
        if before:
            yield before[0], before[1].result()


def vocabulary(tokenizer: Any) -> int:
    """What all tokens of a tokenizer are below."""
    return 1 + max(tokenizer.get_vocab().values(), default=0)


def chat_template_of(table: Table, tokenizer: Any, stops: frozenset[str]) -> ChatTemplate:
    """The tokenizer's template; raises DataError where it has none."""
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            f"{table.path.name}: The tokenizer has no chat template, and these rows are messages. "
            "Take a model that was made for chats, or data with prompt and completion."
        )
    return ChatTemplate(tokenizer, stops)


def encode_texts(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    classes: Sequence[str] | None = None,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Example], np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(examples, number of each one's class (n) of int64, names of the classes, notes).

    `classes` None takes those there are, in their natural order. Raises DataError for empty texts,
    missing labels and labels that are none of `classes`, unless `skip_bad`.
    """

    def class_of(value: Any) -> str:
        if not (name := as_label(value)):
            raise BadRow("there is no label")
        return known_label(name, known)

    known = None if classes is None else dict.fromkeys(classes)
    examples, found, notes = encode_predicted(
        table, mapping, tokenizer, max_length, "label", class_of, skip_bad=skip_bad, report=report
    )
    names = tuple(classes) if classes else tuple(sorted(set(found), key=natural_order))
    if classes is None and (alike := look_alike(names)):
        shown = "; ".join(" and ".join(map(repr, group)) for group in alike[:3])
        notes = (*notes, f"classes that look alike are kept apart: {shown}")
    places = {name: place for place, name in enumerate(names)}
    return examples, np.array([places[x] for x in found], dtype=np.int64), names, notes


def known_label(name: str, classes: dict[str, None] | None) -> str:
    """`name`; raises BadRow where classes are given and it is none of them."""
    if classes is not None and name not in classes:
        raise BadRow(f"label {name[:40]!r} is none of {few(classes)[:80]}")
    return name


def encode_predicted(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    target: str,
    read: Callable[[Any], Target],
    *,
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Example], list[Target], tuple[str, ...]]:
    """Texts, or pairs of them, with what `read` makes of the cell of the role `target`; and notes.

    `read` raises BadRow for a cell that says nothing. Raises DataError as `encode_texts` does.
    """
    left = LeftOut(table, skip_bad)
    text, pair = mapping.column("text"), mapping.column("pair")
    targets: list[Target] = []
    equal: dict[Target, Target] = {}  # so that one name is held once

    def said() -> Iterator[tuple[int, str, str]]:
        for number, row in table.rows:
            try:
                content = as_text(row.get(text))
                other = as_text(row.get(pair)) if pair else ""
                if not content.strip():
                    raise BadRow("the text is empty")
                found = read(row.get(mapping.column(target)))
            except BadRow as error:
                left.add(number, error)
                continue
            targets.append(found if isinstance(found, float) else equal.setdefault(found, found))
            yield number, content, other

    writer = TokenWriter(Example, vocabulary(tokenizer))
    for block in blocks(said(), len(table.rows), report):
        seconds = [other for _, _, other in block] if pair else None
        with quiet():
            whole = tokenizer([content for _, content, _ in block], seconds)
            names = [name for name in ("input_ids", "token_type_ids") if name in whole]
            kept = {name: list(whole[name]) for name in names}
            lengths = [len(ids) for ids in whole["input_ids"]]
            if cut := [i for i, length in enumerate(lengths) if length > max_length]:
                shorter = tokenizer(
                    [block[i][1] for i in cut],
                    [seconds[i] for i in cut] if seconds else None,
                    truncation=True,
                    max_length=max_length,
                )
                for name in names:
                    for i, row in zip(cut, shorter[name], strict=True):
                        kept[name][i] = row
        for place, (number, *_) in enumerate(block):
            ids = np.array(kept["input_ids"][place], dtype=np.int32)
            nothing, cut_off = np.zeros(len(ids), dtype=bool), lengths[place] - len(ids)
            types = segments(kept.get("token_type_ids"), place)
            writer.add(Example(ids, nothing, cut_off, number, types=types))
    if not targets:
        both = f"a text and a {target}" if mapping.column(target) != text else "a text"
        raise DataError(f"{table.path.name}: no row with {both} is left.")
    return writer.rows(), targets, (*left.notes(), *writer.notes())


def segments(types: Sequence[Sequence[int]] | None, place: int) -> np.ndarray | None:
    """(tokens) of int8: the segments of one row, where the tokenizer names any but 0."""
    return np.array(types[place], dtype=np.int8) if types and any(types[place]) else None


def encode_chats(rows: list[ChatText], tokenizer: Any) -> Iterator[Tokens | BadRow]:
    """In one piece; a token is asked for where most of it stands in what is asked for.

    A row comes as BadRow where the tokenizer does not show that.
    """
    if not getattr(tokenizer, "is_fast", False):
        for row in rows:
            try:
                yield asked_tokens(tokenizer, row.text, row.spans)
            except BadRow as error:
                yield error
        return
    encoded = tokenizer(
        [row.text for row in rows], add_special_tokens=False, return_offsets_mapping=True,
        return_attention_mask=False, return_token_type_ids=False,
    )  # fmt: skip
    for row, ids, places in zip(rows, encoded["input_ids"], encoded["offset_mapping"], strict=True):
        flat = np.fromiter(chain.from_iterable(places), np.int32, 2 * len(places))
        begins, ends = flat.reshape(-1, 2).T
        asked = np.zeros(len(row.text) + 1, np.int32)  # of each character, and how many before it
        for begin, end in row.spans:
            asked[begin + 1 : end + 1] = 1
        before = np.cumsum(asked)
        yield np.array(ids, dtype=np.int32), 2 * (before[ends] - before[begins]) > ends - begins


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warning that a text is longer than the model: it is cut afterwards."""
    logger = logging.getLogger("transformers.tokenization_utils_base")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
