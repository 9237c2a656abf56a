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

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.strict_json import AGAIN, parse_json
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
LONGEST = 2**16  # bytes of it: it has a dozen numbers
NOT_WHOLE = "and what undoes it is not whole"
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

    `kinds` has the type of every tensor of the file. Raises CheckpointError for what is packed,
    and where what undoes it does not fit it.
    """
    if kinds[name] not in (*FLOAT8, "int8", *BYTES):
        return read(name)
    try:
        return _undone(name, kinds, read)
    except (ArithmeticError, LookupError, ValueError, TypeError, RuntimeError) as error:
        what = FOUR if _state(name, kinds) else kinds[name]
        raise CheckpointError(
            f"{shown(name)} is quantized ({what}), {NOT_WHOLE} ({type(error).__name__}).{AGAIN}"
        ) from None


def _undone(
    name: str, kinds: Mapping[str, str], read: Callable[[str], torch.Tensor]
) -> torch.Tensor:
    dtype, stem = kinds[name], name.removesuffix(".weight")
    if dtype in BYTES and (state := _state(name, kinds)):
        return _of_four_bits(name, kinds, read, state)
    if dtype == "int8" and f"{stem}.{BITSANDBYTES}" in kinds:
        largest, W = read(f"{stem}.{BITSANDBYTES}").float(), read(name).float()
        if largest.shape != W.shape[:1]:
            raise _misfit(name, largest, W)
        return W * largest[:, None] / 127
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
    quantized = {n for n, dtype in kinds.items() if dtype in (*FLOAT8, "int8", *BYTES)}
    found = set()
    for key in kinds:
        stem, behind, part = key.rpartition(".weight.")
        owner = f"{stem}.weight" if behind else f"{key.rpartition('.')[0]}.weight"
        if owner in quantized and (
            part.startswith(OF_WEIGHT) if behind else key.rpartition(".")[2] in OF_LAYER
        ):
            found.add(key)
    return found


def _of_four_bits(
    name: str, kinds: Mapping[str, str], read: Callable[[str], torch.Tensor], state: str
) -> torch.Tensor:
    """W of bitsandbytes' four bits: two codes to a byte, the high half first, in blocks with an
    absmax, which may be in bytes itself, less a mean."""
    told, where = read(state), f"{shown(name)} is quantized ({FOUR}), {NOT_WHOLE}"
    if told.numel() > LONGEST:
        raise ValueError("no table of a few numbers")
    facts = parse_json(bytes(told.tolist()), where, CheckpointError, AGAIN)
    shape = tuple(map(int, facts["shape"]))
    absmax = read(f"{name}.absmax")
    if f"{name}.nested_absmax" in kinds:
        scales, table = read(f"{name}.nested_absmax"), read(f"{name}.nested_quant_map")
        scales = _repeated(scales, int(facts["nested_blocksize"]), absmax.numel())
        absmax = table[absmax.long()] * scales + float(facts["nested_offset"])
    codes, table = read(name).view(torch.uint8).flatten(), read(f"{name}.quant_map")
    count = math.prod(shape)
    if min(shape, default=0) < 1 or (count + 1) // 2 != codes.numel():  # two to a byte
        raise ValueError("another shape")
    halves = torch.stack([codes >> 4, codes & 15], 1).flatten()[:count].long()
    W = table[halves]
    W *= _repeated(absmax.float(), int(facts["blocksize"]), count)
    return W.view(shape)


def _repeated(scales: torch.Tensor, block: int, count: int) -> torch.Tensor:
    """One scale for each of `count` numbers in blocks: no more is made than there are numbers."""
    if block < 1 or scales.numel() != -(-count // block):
        raise ValueError("not as many scales as blocks")
    return scales.flatten().repeat_interleave(min(block, count))[:count]


def _state(name: str, kinds: Mapping[str, str]) -> str:
    """The key of what says how a weight of four bits is packed; "" where there is none."""
    return next((key for kind in ("nf4", "fp4") if (key := name + STATE + kind) in kinds), "")


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
    if W.dim() and scale.numel() == W.shape[0] == scale.shape[0]:
        return scale.reshape(-1, *(1,) * (W.dim() - 1))
    if scale.dim() == 2 and W.dim() == 2:
        sizes = [_block(full, parts) for full, parts in zip(W.shape, scale.shape, strict=True)]
        if all(sizes):
            rows = scale.repeat_interleave(sizes[0], 0)[: W.shape[0]]
            return rows.repeat_interleave(sizes[1], 1)[:, : W.shape[1]]
    raise _misfit(name, scale, W)


def _misfit(name: str, scale: torch.Tensor, W: torch.Tensor) -> CheckpointError:
    return CheckpointError(
        f"{shown(name)} is quantized with scales of the shape {list(scale.shape)}, which do not "
        f"fit its {list(W.shape)}. Use the model in float32, float16 or bfloat16."
    )


def _block(full: int, parts: int) -> int:
    """Entries to a block: 128 where that gives so many parts, else a share without a rest; 0."""
    if -(-full // 128) == parts:
        return min(128, full)  # a side shorter than a block is no longer than it is
    return full // parts if parts and full % parts == 0 else 0
