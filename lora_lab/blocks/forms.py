"""FORMS: how numbers are packed into blocks, a row each, and the one way to undo them.

The products of a layer see a plain matrix; a form says how many bytes stand for how many numbers
and how they are undone. Forms of ggml have their blocks inside a row of W, so that rows can be
taken and moved as they lie; NF4 goes over the whole of W.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lora_lab.blocks import k_forms, nf4, plain_forms
from lora_lab.errors import CheckpointError

CHUNK = 2**18  # numbers undone at a time: what is made meanwhile stays in the cache
NF4, Q8_0 = "nf4", "q8_0"


@dataclass(frozen=True)
class Form:
    """`numbers` lie in `bytes`; `undo` makes float32 (n, numbers) of blocks (n, bytes).

    None of both: it goes over the whole matrix (NF4). `pack` is its quantizer, where it has one
    here; `bits` are those of a number, scales and all.
    """

    title: str
    bits: float
    numbers: int = 0
    bytes: int = 0
    undo: Callable[[torch.Tensor], torch.Tensor] | None = None
    pack: Callable[[torch.Tensor], torch.Tensor] | None = None

    def shape(self, rows: int, columns: int) -> tuple[int, ...]:
        """Of the tensor of bytes that W (rows, columns) is."""
        if self.undo is None:
            return (nf4.size(rows * columns),)
        return rows, columns // self.numbers * self.bytes


def _of(
    title: str,
    numbers: int,
    size: int,
    undo: Callable[[torch.Tensor], torch.Tensor],
    pack: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Form:
    return Form(title, 8 * size / numbers, numbers, size, undo, pack)


def pack_q8_0(W: torch.Tensor) -> torch.Tensor:
    """W (out, in), `in` a multiple of 32, as q8_0 of ggml: d = max|w|/127, q = round(w/d)."""
    blocks = W.detach().float().reshape(-1, 32)
    d = blocks.abs().amax(1, keepdim=True) / 127
    scaled = blocks * torch.where(d == 0, 0, 1 / d)
    q = scaled.abs().add_(0.5).floor_().mul_(scaled.sign())  # halves go away from zero
    packed = torch.cat([d.half().view(torch.uint8), q.to(torch.int8).view(torch.uint8)], 1)
    return packed.view(len(W), -1)


FORMS: dict[str, Form] = {
    NF4: Form("NF4, double quantization", 4.127, pack=nf4.pack),
    Q8_0: _of("Q8_0", 32, 34, plain_forms.q8_0, pack_q8_0),
    "q4_0": _of("Q4_0", 32, 18, plain_forms.q4_0),
    "q4_1": _of("Q4_1", 32, 20, plain_forms.q4_1),
    "q5_0": _of("Q5_0", 32, 22, plain_forms.q5_0),
    "q5_1": _of("Q5_1", 32, 24, plain_forms.q5_1),
    "q2_K": _of("Q2_K", 256, 84, k_forms.q2_K),
    "q3_K": _of("Q3_K", 256, 110, k_forms.q3_K),
    "q4_K": _of("Q4_K", 256, 144, k_forms.q4_K),
    "q5_K": _of("Q5_K", 256, 176, k_forms.q5_K),
    "q6_K": _of("Q6_K", 256, 210, k_forms.q6_K),
}


def packed(W: torch.Tensor, form: str) -> torch.Tensor:
    """W (out, in) in blocks of `form`. Raises CheckpointError where the form has no quantizer."""
    pack = FORMS[form].pack
    if pack is None:
        able = " and ".join(row.title for row in FORMS.values() if row.pack is not None)
        raise CheckpointError(f"There is no quantizer of {FORMS[form].title} here, but of {able}.")
    return pack(W)


def fits(form: str, columns: int) -> bool:
    """Whether rows of so many numbers are whole blocks."""
    return not FORMS[form].numbers or columns % FORMS[form].numbers == 0


def checked(blocks: torch.Tensor, form: str, rows: int, columns: int, name: str) -> None:
    """Raise CheckpointError where `blocks` are not those of W (rows, columns) in a known form."""
    if form not in FORMS:
        raise CheckpointError(
            f"{name} is packed as {form}, which is not known here: there are "
            f"{', '.join(FORMS)}. Choose a file in one of them."
        )
    if not fits(form, columns):
        raise CheckpointError(
            f"{name} has rows of {columns:,} numbers, which are no whole blocks of "
            f"{FORMS[form].numbers} in {form}."
        )
    wanted = FORMS[form].shape(rows, columns)
    if blocks.dtype != torch.uint8 or tuple(blocks.shape) != wanted:
        raise CheckpointError(
            f"{name}: {rows:,} × {columns:,} numbers in {form} are {math.prod(wanted):,} bytes, "
            f"and there are {blocks.nbytes:,}. Its blocks are cut short, or of another layer."
        )


@torch.library.custom_op("lora_lab::dense", mutates_args=())
def dense(
    blocks: torch.Tensor, form: str, rows: int, columns: int, dtype: torch.dtype
) -> torch.Tensor:
    """W (rows, columns) of its blocks: float32, rounded once to `dtype`.

    An operator of torch, so that a step on tensors without data sees its result alone.
    """
    out = torch.empty(rows, columns, dtype=dtype, device=blocks.device)
    row = FORMS[form]
    if row.undo is None:
        nf4.unpack(blocks, out)
        return out
    flat, target = blocks.reshape(-1, row.bytes), out.view(-1, row.numbers)
    step = CHUNK // row.numbers
    for begin in range(0, len(flat), step):
        target[begin : begin + step].copy_(row.undo(flat[begin : begin + step]))
    return out


@dense.register_fake
def _(blocks: torch.Tensor, form: str, rows: int, columns: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(rows, columns, dtype=dtype, device=blocks.device)
