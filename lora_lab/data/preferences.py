"""Pairs of answers to one prompt, of which the first is preferred, as tokens.

Where both texts say the prompt themselves, it is the beginning that they share. For the loss of DPO
it does not matter where that ends: what both share counts the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lora_lab.data.chat import ROLE_KEYS, SPEAKERS, read_chat
from lora_lab.data.chat_template import ChatTemplate, ChatText
from lora_lab.data.dialogue import Piece
from lora_lab.data.encode import blocks, chat_template_of, encode_chats, quiet, vocabulary
from lora_lab.data.json_text import parsed
from lora_lab.data.left_out import BadRow, LeftOut
from lora_lab.data.mapping import Mapping
from lora_lab.data.rows import Row, Table
from lora_lab.data.seams import encode_pieces
from lora_lab.data.token_rows import Example, TokenRows
from lora_lab.data.token_writer import TokenWriter
from lora_lab.data.values import as_text
from lora_lab.progress import Report, silent

Side = list[Piece] | ChatText  # a prompt with one of its answers


@dataclass(frozen=True)
class Pair(Example):
    """A row as an `Example` of both texts, the chosen one first; each of them by itself, too."""

    chosen: Example
    rejected: Example
    chat: bool = False

    width: ClassVar[int] = 2

    @classmethod
    def of(cls, chosen: Example, rejected: Example, chat: bool) -> Pair:
        return cls(
            np.concatenate([chosen.ids, rejected.ids]),
            np.concatenate([chosen.supervised, rejected.supervised]),
            chosen.cut + rejected.cut, chosen.number, chosen, rejected, chat,
        )  # fmt: skip

    def texts(self) -> tuple[Example, ...]:
        return (self.chosen, self.rejected)

    @classmethod
    def joined(cls, texts: Sequence[dict[str, Any]], chat: bool) -> Pair:
        chosen, rejected = (Example(**text) for text in texts)
        return cls.of(chosen, rejected, chat)

    @staticmethod
    def length(tokens: np.ndarray) -> np.ndarray:
        """Tokens of the longer text before the cut, which is of each by itself."""
        return tokens.max(1)

    @staticmethod
    def room(tokens: np.ndarray) -> np.ndarray:
        """Tokens of both side by side, the shorter one padded."""
        return 2 * tokens.max(1)


def encode_pairs(
    table: Table,
    mapping: Mapping,
    tokenizer: Any,
    max_length: int,
    *,
    stops: frozenset[str] = frozenset(),
    skip_bad: bool = False,
    report: Report = silent,
) -> tuple[TokenRows[Pair], tuple[str, ...]]:
    """The pairs of a table, and notes. Texts are tokenized as `encode_rows` does, each side alone.

    Raises DataError for rows that are no pair (unless `skip_bad`), and where none is left.
    """
    left = LeftOut(table, skip_bad)
    template: ChatTemplate | None = None
    writer = TokenWriter(Pair, vocabulary(tokenizer))

    def said() -> Iterator[tuple[int, Side, Side]]:
        nonlocal template
        for number, row in table.rows:
            try:
                if messages := chats_of(row, mapping):
                    template = template or chat_template_of(table, tokenizer, stops)
                    one, other = (_written(template, side, row, mapping) for side in messages)
                else:
                    one, other = texts_of(row, mapping)
            except BadRow as error:
                left.add(number, error)
            else:
                yield number, one, other

    for block in blocks(said(), len(table.rows), report):
        sides = [side for _, *both in block for side in both]
        with quiet():
            examples = _examples(sides, [n for n, *_ in block for _ in "12"], tokenizer, max_length)
        for place, (number, side, _) in enumerate(block):
            one, other = examples[2 * place : 2 * place + 2]
            if isinstance(one, BadRow) or isinstance(other, BadRow):
                left.add(number, one if isinstance(one, BadRow) else other)
            elif one.supervised.any() and other.supervised.any():
                writer.add(Pair.of(one, other, isinstance(side, ChatText)))
            else:
                left.too_long += 1
    pairs = writer.rows()
    reason = f"within {max_length:,} tokens one of the answers does not begin"
    notes = (*(template.notes() if template else ()), *writer.notes())
    return pairs, left.check(len(pairs), reason, notes)


def texts_of(row: Row, mapping: Mapping) -> tuple[list[Piece], list[Piece]]:
    """Prompt with chosen and prompt with rejected answer. Raises BadRow with the reason."""
    chosen, rejected = (as_text(row.get(mapping.column(r))) for r in ("chosen", "rejected"))
    prompt = as_text(row.get(column)) if (column := mapping.column("prompt")) else ""
    if not chosen.strip() or not rejected.strip():
        raise BadRow(f"the {'rejected' if chosen.strip() else 'chosen'} answer is empty")
    if chosen == rejected:
        raise BadRow("the chosen and the rejected answer are the same")
    if not column:
        end = shared(chosen, rejected)
        prompt, chosen, rejected = chosen[:end], chosen[end:], rejected[end:]
    if not prompt:
        return [(chosen, True)], [(rejected, True)]
    return [(prompt, False), (chosen, True)], [(prompt, False), (rejected, True)]


def shared(one: str, other: str) -> int:
    """Characters that both begin with, up to the end of a line or to the space before a word."""
    most = min(len(one.rstrip()), len(other.rstrip())) - 1  # each has an answer left
    end = next((i for i in range(most) if one[i] != other[i]), most)
    while end > 0 and one[end - 1] != "\n" and not (one[end] == other[end] == " "):
        end -= 1
    return end


def chats_of(row: Row, mapping: Mapping) -> tuple[list[Any], list[Any]] | None:
    """Both chats whole, the messages of the prompt marked as not to be trained; None for texts.

    Raises BadRow where the answers are not of one kind, or nothing tells them apart.
    """
    answers = (row.get(mapping.column(role) or "") for role in ("chosen", "rejected"))
    chosen, rejected = map(messages_in, answers)
    if chosen is None and rejected is None:
        return None
    if not chosen or not rejected:
        raise BadRow("chosen and rejected are not both lists of messages")
    if chosen == rejected:
        raise BadRow("the chosen and the rejected answer are the same")
    given = row.get(mapping.column("prompt") or "")
    prompt = messages_in(given)
    if prompt is None:
        most = min(len(chosen), len(rejected)) - 1
        same = next((i for i in range(most) if chosen[i] != rejected[i]), most)
        prompt, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
        if not prompt and (said := as_text(given)).strip():  # a prompt of text, answers of chats
            prompt = [{"role": "user", "content": said}]
    elif chosen[: len(prompt)] == prompt == rejected[: len(prompt)]:  # said once more
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    first = chosen[:1], rejected[:1]
    if first[0] != first[1] and all(map(_is_asked, first[0] + first[1])):
        raise BadRow("chosen and rejected do not answer the same prompt")
    before = [{**turn, "train": False} if isinstance(turn, dict) else turn for turn in prompt]
    return [*before, *chosen], [*before, *rejected]


def _is_asked(turn: Any) -> bool:
    """Whether a message is one that is answered, or says how."""
    said = [turn.get(key) for key in ROLE_KEYS] if isinstance(turn, dict) else []
    who = SPEAKERS.get(str(next(filter(None, said), "")).strip().lower())
    return who in ("user", "system", "developer")


def messages_in(value: Any) -> list[Any] | None:
    """A list of messages, as it is or written as JSON; None for what is none."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = parsed(value)
        except ValueError:
            return None
        if not value or not isinstance(value[0], dict):
            return None
    return list(value) if isinstance(value, list | tuple) else None


def _written(template: ChatTemplate, messages: list[Any], row: Row, mapping: Mapping) -> ChatText:
    tools, system = (row.get(mapping.column(role) or "") for role in ("tools", "system"))
    examples = template.examples(read_chat(messages, tools, as_text(system)))
    if len(examples) > 1:
        raise BadRow("the chat template rewrites earlier turns, so the answers are no single text")
    return examples[0]


def _examples(
    sides: Sequence[Side], numbers: Sequence[int], tokenizer: Any, max_length: int
) -> list[Example | BadRow]:
    """Every side as tokens, cut to the longest length, in their order."""
    chats = [i for i, side in enumerate(sides) if isinstance(side, ChatText)]
    texts = [i for i, side in enumerate(sides) if not isinstance(side, ChatText)]
    found: dict[int, Example | BadRow] = {}
    for places, encode in ((chats, encode_chats), (texts, encode_pieces)):
        encoded = encode([sides[i] for i in places], tokenizer) if places else ()
        for place, tokens in zip(places, encoded, strict=True):
            if isinstance(tokens, BadRow):
                found[place] = tokens
                continue
            ids, asked = tokens
            asked[:1] = False  # nothing comes before the first token
            cut = max(0, len(ids) - max_length)
            found[place] = Example(ids[:max_length], asked[:max_length], cut, numbers[place])
    return [found[i] for i in range(len(sides))]
