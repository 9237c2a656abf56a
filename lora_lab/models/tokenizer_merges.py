"""Vocabularies without merges, of which the library makes one of each cut of a piece into two.

Pieces that begin with each other have far more of them than letters, and fill the memory.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from lora_lab.errors import CheckpointError

MERGE, LETTER = 350, 4  # bytes that one merge takes, and each letter of its piece, as measured
MOST = 2**30  # bytes of all; the merges of the largest vocabularies take a quarter of that


def check_merges(texts: Iterable[str | bytes]) -> None:
    """Raise CheckpointError for pieces of which far more merges would be made than any have."""
    texts = list(texts)
    if sum(len(text) * (MERGE + LETTER * len(text)) for text in texts) <= MOST:
        return  # whatever they begin with
    room: int = MOST
    within: list[Any] = []  # each begins with those before it
    for text in sorted(set(texts)):  # type: ignore[type-var]  # of one kind
        while within and not text.startswith(within[-1]):
            within.pop()
        room -= len(within) * (MERGE + LETTER * len(text))
        within.append(text)
        if room < 0:
            raise CheckpointError(
                "Pieces of its tokenizer begin with each other far more often than those of any "
                "other. Choose a model with a usual one."
            )


def bound_merges() -> None:
    """Let the library look at pieces in this way before it makes merges of them, from now on, and
    read a file of tiktoken's where it is: of a copy elsewhere nobody knows whose it is, or when."""
    # By its module's name: of the package it may be a function that is called alike.
    slow: Any = importlib.import_module("transformers.convert_slow_tokenizer")
    importlib.import_module("transformers.tokenization_utils_base")

    os.environ["TIKTOKEN_CACHE_DIR"] = ""
    for name, module in list(sys.modules.items()):
        usual = vars(module).get("generate_merges") if name.startswith("transformers.") else None
        if usual is not None and not hasattr(usual, "__wrapped__"):
            module.generate_merges = _looking(usual)  # type: ignore[attr-defined]
    of_bytes: Any = slow.TikTokenConverter  # which makes them by itself
    usual = getattr(of_bytes, "load_tiktoken_bpe", None)
    if usual is not None and not hasattr(usual, "__wrapped__"):
        of_bytes.load_tiktoken_bpe = staticmethod(_looked_at(usual))


def _looking(usual: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(usual)
    def merges(vocab: Any, *arguments: Any, **named: Any) -> Any:
        check_merges(vocab)
        return usual(vocab, *arguments, **named)

    return merges


def _looked_at(usual: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(usual)
    def ranks(*arguments: Any, **named: Any) -> Any:
        check_merges(found := usual(*arguments, **named))
        return found

    return ranks
