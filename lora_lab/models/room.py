"""What the weights of a checkpoint take in memory, by how they are held, told from its headers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

from lora_lab.blocks.forms import FORMS, NF4, Q8_0
from lora_lab.errors import CheckpointError
from lora_lab.figures import DTYPE_BYTES

FORM_OF_BITS = {"4": NF4, "8": Q8_0}  # what the matrices of a folder are packed into
TABLES = ("embed", "lm_head", "wte", "wpe", "shared", "output")  # of a vocabulary: never packed


class Held(Protocol):
    """A tensor of a file, as its header has it."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def bytes(self) -> int: ...


def held_bytes(tensors: Iterable[Held], bits: str, dtype: str, gguf: bool) -> int:
    """Bytes of the weights: `bits` is a key of BASE_BITS, `dtype` what is left in floats."""
    total = 0.0
    for tensor in tensors:
        count = math.prod(tensor.shape)
        matrix = len(tensor.shape) == 2
        if gguf and bits == "auto" and matrix:
            total += min(tensor.bytes, count * DTYPE_BYTES[dtype])
        elif bits in FORM_OF_BITS and matrix and not any(w in tensor.name for w in TABLES):
            total += count * FORMS[FORM_OF_BITS[bits]].bits / 8
        else:
            total += count * DTYPE_BYTES[dtype]
    return int(total)


def check_room(tensors: Iterable[Held], bits: str, dtype: str, gguf: bool, name: str) -> None:
    """Raise CheckpointError for weights that this machine cannot hold, with the form that fits."""
    import psutil

    tensors, room = tuple(tensors), psutil.virtual_memory().total
    wanted = held_bytes(tensors, bits, dtype, gguf)
    if wanted <= room:
        return
    ways = ("auto",) if gguf else ("8", "4")
    sizes = {way: held_bytes(tensors, way, "bfloat16", gguf) for way in ways}
    words = (
        f"{name}: its weights take {_gb(wanted)} as {_held(bits, dtype, gguf)}, and this "
        f"machine has {_gb(room)}."
    )
    if fits := [way for way in ways if sizes[way] <= room]:
        first = fits[0]
        how = _held(first, "bfloat16", gguf)
        raise CheckpointError(
            f"{words} They fit as {how}, which takes {_gb(sizes[first])} (--base-bits {first}, "
            '"Base in" in the window).'
        )
    least = min(sizes, key=lambda way: sizes[way])
    if least == bits:
        raise CheckpointError(f"{words} No form takes less. Choose a smaller model.")
    raise CheckpointError(
        f"{words} Even as {_held(least, 'bfloat16', gguf)} they take {_gb(sizes[least])}. Choose a "
        "smaller model."
    )


def _held(bits: str, dtype: str, gguf: bool) -> str:
    if gguf and bits == "auto":
        return "they lie in the file"
    return f"{bits} bits" if bits in FORM_OF_BITS else dtype


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
