"""Which tokens stand in a span of a text, where the tokenizer does not tell where they stand.

Tokenizers written in Python give no places. But the tokens of a beginning of a text are those that
the whole begins with, wherever the beginning ends with a token: so each edge is found by trying.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lora_lab.data.left_out import BadRow

REACH = 64  # characters around an edge in which its token is looked for


class Edge(NamedTuple):
    """A place in a text: the tokens before it, and the characters of the token that it cuts."""

    tokens: int
    begin: int
    end: int  # as `begin` where no token is cut


def asked_tokens(
    tokenizer: Any, text: str, spans: Sequence[tuple[int, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """(ids (tokens) of int32, (tokens) of bool: most of the token stands in one of `spans`).

    Raises BadRow where it cannot be told.
    """
    ids = _ids(tokenizer, text)
    asked = np.zeros(len(ids), dtype=bool)
    for begin, end in spans:
        first, last = (edge(tokenizer, text, ids, place) for place in (begin, end))
        asked[first.tokens : last.tokens] = True
        for cut in (first, last):
            if cut.begin < cut.end:
                inside = min(end, cut.end) - max(begin, cut.begin)
                asked[cut.tokens] = 2 * inside > cut.end - cut.begin
    return np.array(ids, dtype=np.int32), asked


def edge(tokenizer: Any, text: str, ids: list[int], place: int) -> Edge:
    """Where a place lies among the tokens `ids` of a text. Raises BadRow where that is not seen."""
    for begin in range(place, max(-1, place - REACH), -1):
        before = _ids(tokenizer, text[:begin])
        if ids[: len(before)] == before:
            break
    else:
        raise _hidden(text, place)
    if begin == place:
        return Edge(len(before), place, place)
    for end in range(place + 1, min(len(text), place + REACH) + 1):
        upto = _ids(tokenizer, text[:end])
        if len(upto) > len(before) and ids[: len(upto)] == upto:
            if len(upto) > len(before) + 1:
                break  # several tokens that share characters
            return Edge(len(before), begin, end)
    raise _hidden(text, place)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []


def _hidden(text: str, place: int) -> BadRow:
    around = text[max(0, place - 10) : place + 10]
    return BadRow(
        f"the tokenizer does not tell which token stands at {around!r}, where an answer begins or "
        "ends; a fast tokenizer (tokenizer.json) would"
    )
