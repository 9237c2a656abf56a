"""Quantized weights told by their tensors: many files are quantized and no config says so.

| what | tensors | W |
|---|---|---|
| float8 | X.weight (e4m3, e5m2) | as it is |
| float8, int8 with scale | and X.weight_scale, .weight_scale_inv, .scale_weight | weight·scale |
| bitsandbytes int8 | X.weight (int8), X.SCB (out) | weight·SCB/127, row by row |
| bitsandbytes 4 bit | X.weight (uint8), X.weight.absmax, .quant_map, … | map[code]·absmax |
| packed otherwise | qweight, weight_packed, W_q, …_blocks, uint8 | refused by name |

A scale is one number, one for each row, or one for each block (DeepSeek's of 128 × 128; its name
says inverse, and it is multiplied). Read in transformers' and ComfyUI's loaders of these files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch

from lora_lab.errors import CheckpointError
from lora_lab.names import shown

FLOAT8 = ("float8_e4m3fn", "float8_e5m2")
SCALES = ("weight_scale_inv", "weight_scale", "scale_weight", "scale")
SECOND = "weight_scale_2"  # of NVFP4, beside packed halves of bytes
BITSANDBYTES = "SCB"
# What ends a key of weights that are packed, and what packs them so.
PACKED = {
    "qweight": "GPTQ or AWQ", "qzeros": "GPTQ or AWQ", "weight_packed": "compressed-tensors",
    "W_q": "HQQ", "_blocks": "MXFP4", "absmax": "bitsandbytes 4 bit",
    "quant_map": "bitsandbytes 4 bit", "weight_zero_point": "an asymmetric int8",
    "weight._data": "Quanto", "_qdata": "torchao", ":qdata": "torchao", SECOND: "ModelOpt's NVFP4",
}  # fmt: skip

FOUR = "bitsandbytes 4 bit"
UNDONE = ("float8 with a scale", "float8", "int8", "bitsandbytes int8", FOUR)  # by the formulas
STATE = ".quant_state.bitsandbytes__"  # behind the name of a weight of 4 bits: JSON in bytes
# What stands beside a quantized weight X.weight, behind "X." and behind "X.weight.".
OF_LAYER = (*SCALES, BITSANDBYTES, "weight_format", "input_scale", "input_scale_inv")
OF_WEIGHT = ("absmax", "quant_map", "nested_absmax", "nested_quant_map", STATE[1:])

BYTES = ("uint8", "int32", "uint32")  # uint32: MLX, with scales and biases beside it
BESIDE = ("absmax", "quant_map", "weight_zero_point", SECOND)  # tensors of any type


class Described(Protocol):
    """A tensor of a file, as models.inspect describes it."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...


def quantization(tensors: Iterable[Described]) -> str:
    """What the weights are quantized as, in words; "" for ordinary weights."""
    tensors = list(tensors)
    kinds = {tensor.name: tensor.dtype for tensor in tensors}
    for name, dtype in kinds.items():
        for ending, what in PACKED.items():
            if name.endswith(ending) and (ending in BESIDE or "float" not in dtype):
                return what
    for name, dtype in kinds.items():
        stem = name.removesuffix(".weight")
        if not name.endswith(".weight"):
            continue
        if dtype in FLOAT8:
            return "float8 with a scale" if _scale_key(name, kinds) else "float8"
        if dtype == "int8":
            return "bitsandbytes int8" if f"{stem}.{BITSANDBYTES}" in kinds else "int8"
        if dtype in BYTES and any(k.startswith(f"{stem}.weight") for k in kinds):
            return f"packed {dtype}"
    return ""


def dequantized(
    name: str, kinds: Mapping[str, str], read: Callable[[str], torch.Tensor]
) -> torch.Tensor:
    """W of `name` in float32 where it is quantized by a formula of the table, else as it is.

    `kinds` has the type of every tensor of the file. Raises CheckpointError for what is packed.
    """
    dtype = kinds[name]
    if dtype not in (*FLOAT8, "int8", *BYTES):
        return read(name)
    stem = name.removesuffix(".weight")
    if dtype in BYTES and (state := next((k for k in kinds if k.startswith(name + STATE)), "")):
        return _of_four_bits(name, kinds, read, state)
    if dtype == "int8" and f"{stem}.{BITSANDBYTES}" in kinds:
        return read(name).float() * read(f"{stem}.{BITSANDBYTES}").float()[:, None] / 127
    scale = _scale_key(name, kinds)
    packed = next((what for key, what in PACKED.items() if f"{stem}.{key}" in kinds), "")
    if packed or dtype in BYTES or (dtype == "int8" and not scale):
        raise CheckpointError(
            f"{shown(name)} is quantized ({packed or dtype}), and how to undo it is not known "
            "here. Use the model in float32, float16 or bfloat16."
        )
    W = read(name).float()
    return W if not scale else W * _spread(read(scale), W, name).float()


def beside(kinds: Mapping[str, str]) -> set[str]:
    """The tensors of a file that are no weights, but what undoes others."""
    found = set()
    for name, dtype in kinds.items():
        if name.endswith(".weight") and dtype in (*FLOAT8, "int8", *BYTES):
            stem = name.removesuffix("weight")
            found |= {stem + word for word in OF_LAYER} & set(kinds)
            found |= {
                key for key in kinds if key.startswith(tuple(f"{name}.{w}" for w in OF_WEIGHT))
            }
    return found


def _of_four_bits(
    name: str, kinds: Mapping[str, str], read: Callable[[str], torch.Tensor], state: str
) -> torch.Tensor:
    """W of bitsandbytes' four bits: two codes to a byte, the high half first, in blocks with an
    absmax, which may be in bytes itself, less a mean."""
    try:
        facts = json.loads(bytes(read(state).tolist()))
        shape, block = tuple(map(int, facts["shape"])), int(facts["blocksize"])
        absmax = read(f"{name}.absmax").float()
        if f"{name}.nested_absmax" in kinds:
            scales = read(f"{name}.nested_absmax").repeat_interleave(int(facts["nested_blocksize"]))
            wide = read(f"{name}.nested_quant_map")[absmax.long()]
            absmax = wide * scales[: len(absmax)] + float(facts["nested_offset"])
        codes = read(name).view(torch.uint8).flatten()
        halves = torch.stack([codes >> 4, codes & 15], 1).flatten().long()[: math.prod(shape)]
        W = read(f"{name}.quant_map")[halves]
        W *= absmax.repeat_interleave(block)[: len(W)]
        return W.view(shape)
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise CheckpointError(
            f"{shown(name)} is quantized ({FOUR}), and what undoes it is not whole "
            f"({type(error).__name__}). Download it again."
        ) from None


def _scale_key(name: str, kinds: Mapping[str, str]) -> str:
    stem = name.removesuffix("weight")
    return next((stem + ending for ending in SCALES if stem + ending in kinds), "")


def _spread(scale: torch.Tensor, W: torch.Tensor, name: str) -> torch.Tensor:
    """A scale in the shape of W (out × in), or one that broadcasts to it."""
    if not scale.is_floating_point():
        raise CheckpointError(
            f"{shown(name)} is quantized with exponents for scales, which are not read. Use the "
            "model in float32, float16 or bfloat16."
        )
    if scale.numel() == 1:
        return scale.reshape(())
    if scale.numel() == W.shape[0] == scale.shape[0]:
        return scale.reshape(-1, *(1,) * (W.dim() - 1))
    if scale.dim() == 2 and W.dim() == 2:
        sizes = [_block(full, parts) for full, parts in zip(W.shape, scale.shape, strict=True)]
        if all(sizes):
            spread = scale.repeat_interleave(sizes[0], 0).repeat_interleave(sizes[1], 1)
            return spread[: W.shape[0], : W.shape[1]]
    raise CheckpointError(
        f"{shown(name)} is quantized with scales of the shape {list(scale.shape)}, which do not "
        f"fit its {list(W.shape)}. Use the model in float32, float16 or bfloat16."
    )


def _block(full: int, parts: int) -> int:
    """Entries to a block: 128 where that gives so many parts, else a share without a rest."""
    if -(-full // 128) == parts:
        return 128
    return full // parts if full % parts == 0 else 0
