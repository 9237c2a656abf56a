"""Pairs of factors as one-file formats hold them: checked on the way in, shaped on the way out.

Linear layers hold down (r, in) and up (out, r); a convolution's down is (r, c, *kernel) and its up
(out, r, 1, …). PEFT's own rules are in peft_tensors.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.names import shown

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
MATRICES = ("linear", "conv1d_linear")
UNKNOWN = "unknown"  # linear or a convolution: ΔW as a matrix is known, its native shape is not


def scales(value: Any) -> bool:
    """Whether it is an α or an s: with one beyond that, ΔW or a norm of it may be infinite."""
    return type(value) in (int, float) and abs(value) < 1e30


def layer_of_factors(
    name: str,
    down: torch.Tensor,
    up: torch.Tensor,
    alpha: float | None,
    scaling: float | None = None,
    kind: str = "",
    magnitude: torch.Tensor | None = None,
) -> LayerWeights:
    """A layer of ΔW = s·up·down; alpha None is the rank, scaling None is alpha/rank.

    Raises AdapterError where the two do not belong together or a number is not finite.
    """
    for what, tensor in (("down", down), ("up", up), ("magnitude", magnitude)):
        if tensor is None:
            continue
        if tensor.dtype not in FLOATS:
            raise AdapterError(
                f"{shown(name)}: its {what} factor is of type {_type(tensor)}; only float64, "
                "float32, float16 and bfloat16 factors can be read"
            )
        if bad := int((~torch.isfinite(tensor)).sum()):
            raise AdapterError(f"{shown(name)}: {bad} values of its {what} are NaN or infinite")
    shapes = f"{list(down.shape)} and {list(up.shape)}"
    if down.dim() not in (2, 3, 4) or up.dim() != down.dim() or 0 in (*down.shape, *up.shape):
        raise AdapterError(f"{shown(name)}: factors of the shapes {shapes} are not read")
    if up.shape[1] != down.shape[0] or any(n != 1 for n in up.shape[2:]):
        raise AdapterError(f"{shown(name)}: factors of the shapes {shapes} do not multiply")
    rank, out = down.shape[0], up.shape[0]
    alpha = float(rank if alpha is None else alpha)
    scaling = alpha / rank if scaling is None else float(scaling)
    if magnitude is not None and magnitude.numel() != out:
        raise AdapterError(f"{shown(name)}: there is not one magnitude for each of {out} outputs")
    is_kernel = down.dim() > 2
    return LayerWeights(
        name,
        down.flatten(1),
        up.flatten(1),
        alpha,
        scaling,
        "conv" if is_kernel else kind if kind in (*MATRICES, "embedding") else "linear",
        (out, *down.shape[1:]) if is_kernel else (),
        magnitude=None if magnitude is None else magnitude.flatten(),
    )


def native_factors(layer: LayerWeights) -> tuple[torch.Tensor, torch.Tensor]:
    """down and up of a layer in the shapes of the file, as copies."""
    down, up = layer.lora_A.detach(), layer.lora_B.detach()
    if layer.kind == "conv":
        ones = (1,) * (len(layer.weight_shape) - 2)
        down, up = down.reshape(-1, *layer.weight_shape[1:]), up.reshape(*up.shape, *ones)
    return down.contiguous().clone(), up.contiguous().clone()


def cannot_say(weights: AdapterWeights, title: str) -> tuple[str, ...]:
    """What no file of pairs of factors alone can hold."""
    reasons = []
    for layer in weights.layers:
        if layer.kind not in (*MATRICES, "conv"):
            reasons.append(f"{layer.name}: {title} files have no layers of type {layer.kind}")
        elif layer.groups > 1:
            reasons.append(f"{layer.name}: {title} files have no convolutions in groups")
        elif layer.dilation or layer.padding_mode != "zeros":
            reasons.append(
                f"{layer.name}: what reads {title} files neither dilates nor pads otherwise "
                "than with zeros, as this convolution does"
            )
    if weights.whole:
        reasons.append(
            f"{weights.whole[0].name}: it is fully trained (modules_to_save), "
            f"which {title} files cannot hold; a "
            "PEFT folder can"
        )
    return tuple(reasons)


def cast(weights: AdapterWeights, dtype: torch.dtype) -> AdapterWeights:
    """The same adapter with its factors rounded to `dtype`; raises AdapterError on overflow."""
    layers = []
    for layer in weights.layers:
        A, B = layer.lora_A.to(dtype), layer.lora_B.to(dtype)
        if not (torch.isfinite(A).all() and torch.isfinite(B).all()):
            raise AdapterError(
                f"{layer.name}: {_type(A)} cannot hold its factors. Keep float32 or take bfloat16."
            )
        layers.append(replace(layer, lora_A=A, lora_B=B))
    return replace(weights, layers=tuple(layers))


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
