"""JSON, and what Python writes of lists, from strangers: a short text may name much, and is weighed
before it is read."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from itertools import islice
from typing import Any

# Of one row: a minute of sound as numbers has a million, a picture of 512 × 512 three for each
# pixel. Each unit takes up to 80 bytes once it is read, whatever it is.
VALUES = 2**21
WEIGHTS = {",": 1, "[": 2, ":": 3, "{": 4}
WORDS = (
    2**15
)  # of a list as Python writes it, whose reader takes 500 bytes and holds Python for each
# What no repr of Python writes (that of 2 has u'' for texts), and what may hide words from whoever
# counts them.
HIDING = r"'''|\"\"\"|#|(?![bu]['\"])\w+['\"]"
WORD = re.compile(rf"""({HIDING})|'[^']*'?|"[^"]*"?|\w+|\S""")


class TooMuch(ValueError):
    """A text that names more values than are read of one row."""

    def __init__(self, said: str = "") -> None:
        super().__init__(said or f"over {VALUES:,} values, too many for one row")


def parsed(text: str | bytes, hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The value of a JSON text. Raises ValueError, TooMuch among them, for what is none."""
    if is_much(text):
        raise TooMuch
    try:
        return json.loads(text, object_pairs_hook=hook)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_much(text: str | bytes) -> bool:
    """Whether a text of JSON names more values than a row has."""
    if len(text) * max(WEIGHTS.values()) <= VALUES:
        return False
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if _weight(text) <= VALUES:
        return False
    bare = text.replace("\\\\", "").replace('\\"', "")
    outside = bare.split('"', 2 * VALUES)[::2]  # of texts, in which a comma is none
    return len(outside) > VALUES or sum(map(_weight, outside)) > VALUES


def _weight(text: str) -> int:
    return sum(weight * text.count(mark) for mark, weight in WEIGHTS.items())


def literal(text: str) -> Any:
    """What Python's repr wrote, literals alone: nothing is executed. Raises ValueError."""
    bare = text.replace("\\\\", "").replace("\\'", "").replace('\\"', "")
    words = islice(WORD.finditer(bare), WORDS + 1)
    for place, word in enumerate(words):
        if place == WORDS:
            raise TooMuch(f"over {WORDS:,} words as Python writes it: write it as JSON")
        if word[1]:
            raise ValueError("no literal")
    try:
        return ast.literal_eval(text.strip())
    except (SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(str(error)) from None
