"""A tokenizer tried out in the child process on the very texts that it is to read.

What it does to a text it does every time: where it ends there in time, it does so here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer

from lora_lab.apart.limits import allow
from lora_lab.errors import CheckpointError

SECONDS, CHARACTER = 0.5, 3e-6  # of processor time for a text, and for each character of it
LOADING, MEGABYTE, MOST = 1.0, 5.0, 20.0  # seconds to load one, for each megabyte, and at most
TOKENS, BESIDE = 64, 1000  # for each character of a text, and beyond that

_known: dict[str, Any] = {}  # the last one, by its digest


def tried(
    data: Any, digest: str, tokenizer: int, decode: bool
) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Encode each text, or decode each list of ids, and say after each that it is done.

    `data` is the tokenizer in `tokenizer` bytes, 0 where it was given before, and the list in JSON.
    Where it was not, the first part says so. Raises CheckpointError.
    """
    if tokenizer:
        allow(min(LOADING + MEGABYTE * tokenizer / 2**20, MOST))
        _known.clear()
        _known[digest] = Tokenizer.from_str(bytes(data[:tokenizer]).decode())
    if digest not in _known:
        yield {"unknown": True}, b""
        return
    found = _known[digest]
    for value in json.loads(bytes(data[tokenizer:])):
        allow(SECONDS + CHARACTER * len(value))
        if decode:
            found.decode(value, skip_special_tokens=False)
        elif len(found.encode(value).ids) > BESIDE + TOKENS * len(value):
            raise CheckpointError("it makes more tokens of a text than the text can have")
        yield {}, b""
