"""LyCORIS' other products as two exact factors: LoHa, LoKr, Tucker cores, whole differences.

| kind | tensors | ΔW/s as a matrix (out × in·kernel) | rank at most |
|---|---|---|---|
| LoHa | hada_w1_a, _b, hada_w2_a, _b (hada_t1, _t2) | (w1_a·w1_b) ∘ (w2_a·w2_b) | r² |
| LoKr | lokr_w1 or _a, _b; lokr_w2 or _a, _b (lokr_t2) | w1 ⊗ w2 | rank w1 · rank w2 |
| LoRA with a core | lora_up, lora_mid, lora_down | up·(mid ∘ down) | r |
| difference | diff | diff | min(out, in) |

(LyCORIS 4.1 functional/{loha,lokr,general}.py; ComfyUI weight_adapter/ computes the same.) What
depends on W beside ΔW is read with the base alone: a magnitude for each input (wd_on_output off).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.components import is_flat
from lora_lab.formats.factors import FLOATS, UNKNOWN, layer_of_factors
from lora_lab.formats.laid_out import Laid, check_laid_out
from lora_lab.names import shown

Parts = dict[str, torch.Tensor]
Pair = tuple[torch.Tensor, torch.Tensor]  # left (out × r), right (r × columns)

PLAIN = ("lora_down.weight", "lora_up.weight")
FORMULAS = {
    "hada_w1_a": "LoHa", "lokr_w1": "LoKr", "lokr_w1_a": "LoKr",
    "lora_mid.weight": "LoRA with a Tucker core", "diff": "whole differences",
}  # fmt: skip
KNOWN = (
    "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1",
    "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "lora_mid.weight",
    "diff", "diff_b", "w_norm", "b_norm",
)  # fmt: skip
# What no product of the file's own tensors gives: W decides as well.
OTHERS = {
    "oft_blocks": "OFT (or BOFT), which turns the rows of W", "oft_diag": "OFT, which turns W",
    "a1.weight": "GLoRA, whose ΔW depends on W", "on_input": "IA3, which scales W",
    "set_weight": "weights that replace those of the base",
}  # fmt: skip
BIASES = ("diff_b", "b_norm", "w_norm")


class Change(NamedTuple):
    """s·left·right, and the native shape of W where the tensors show it, else ()."""

    left: torch.Tensor
    right: torch.Tensor
    scaling: float
    shape: tuple[int, ...]


def other(key: str) -> str:
    """What a tensor of this name is a part of, where its ΔW depends on W; "" for all others."""
    for word, what in OTHERS.items():
        if key.endswith((f".{word}", f".{word}.weight")):
            return what if word.startswith("oft") or is_flat(key.split(".")[0]) else ""
    return ""


def kind_of(parts: Parts) -> str:
    """What the tensors of one module are, in words; "" for a plain LoRA layer."""
    return next((what for key, what in FORMULAS.items() if key in parts), "")


def check_sizes(groups: Mapping[str, Parts]) -> None:
    """Raise AdapterError where the products of a file are too large, before any is multiplied."""
    found, known = [], {}
    for name, parts in groups.items():
        if not kind_of(parts):
            continue
        shapes = tuple((key, tensor.shape) for key, tensor in parts.items())
        if shapes not in known:  # most layers have those of another one
            on_paper = {key: tensor.to("meta") for key, tensor in parts.items()}
            left, right, *_ = _checked(name, on_paper, None)
            known[shapes] = *left.shape, right.shape[1]
        found.append(Laid(name, *known[shapes], sum(x.numel() for x in parts.values())))
    check_laid_out(found)


def layer(
    name: str,
    parts: Parts,
    alpha: float | None,
    shape: tuple[int, ...],
    weight: Callable[[], torch.Tensor] | None,
    scaling: float | None = None,
) -> LayerWeights:
    """The layer of `parts`, whose W has `shape` (() where nobody knows) and is read by `weight`.

    `scaling` takes the place of the α over the rank of the tensors.

    Where neither tensors nor base tell a linear layer from a convolution, its kind is UNKNOWN.
    Raises AdapterError for what does not fit together.
    """
    for key, tensor in parts.items():
        if tensor.dtype not in FLOATS or not torch.isfinite(tensor).all():
            raise AdapterError(f"{shown(name)}: its {key} holds other things than finite floats")
    change = _checked(name, parts, alpha)
    change = change if scaling is None else change._replace(scaling=scaling)
    native = change.shape or shape
    out, columns = change.left.shape[0], change.right.shape[1]
    if native and (native[0] != out or torch.Size(native[1:]).numel() != columns):
        raise AdapterError(
            f"{shown(name)} is {out} × {columns} in the file and {list(native)} in the base: it is "
            "for another base"
        )
    magnitude = parts.get("dora_scale")
    if magnitude is not None and not _of_outputs(magnitude, out):
        change, magnitude = _by_inputs(name, change, magnitude, native, weight), None
    left, right = _narrowed((change.left, change.right))
    rank, wide = left.shape[1], _wide(parts)
    kernel = native[2:]
    made = layer_of_factors(
        name,
        right.to(wide).reshape(rank, -1, *kernel).contiguous(),
        left.to(wide).reshape(out, rank, *(1,) * len(kernel)).contiguous(),
        change.scaling * rank,
        change.scaling,
        magnitude=magnitude,
    )
    return made if native else replace(made, kind=UNKNOWN)


def _checked(name: str, parts: Parts, alpha: float | None) -> Change:
    try:
        return _change(parts, alpha)
    except (RuntimeError, LookupError, ValueError) as error:
        raise AdapterError(f"{shown(name)}: its tensors do not multiply: {error}") from None


def _change(parts: Parts, alpha: float | None) -> Change:
    own, wide = {key: tensor.double() for key, tensor in parts.items()}, _wide(parts)
    if "diff" in own:
        return Change(*_trivial(own["diff"].flatten(1)), 1.0, tuple(own["diff"].shape))
    if set(PLAIN) <= set(own) and "lora_mid.weight" not in own:
        left, right = _half(own["lora_up.weight"], own["lora_down.weight"], None)
        kernel = own["lora_down.weight"].shape[2:]
        shape = (left.shape[0], right.shape[1] // torch.Size(kernel).numel(), *kernel)
        return Change(left, right, _scale(alpha, left.shape[1]), shape)
    if "hada_w1_a" in own:
        first = _half(own["hada_w1_a"], own["hada_w1_b"], own.get("hada_t1"))
        second = _half(own["hada_w2_a"], own["hada_w2_b"], own.get("hada_t2"))
        left, right = _entrywise(first, second, wide)
        shape = _kernel(left, right, own.get("hada_t1"))
        return Change(left, right, _scale(alpha, own["hada_w1_b"].shape[0]), shape)
    if "lora_mid.weight" in own:
        up, down = own["lora_up.weight"].flatten(1), own["lora_down.weight"].flatten(1)
        left, right = _half(up.t(), down, own["lora_mid.weight"])
        shape = _kernel(left, right, own["lora_mid.weight"])
        return Change(left, right, _scale(alpha, down.shape[0]), shape)
    return _kronecker(own, alpha, wide)


def _entrywise(first: Pair, second: Pair, wide: torch.dtype) -> Pair:
    """(w1_a·w1_b) ∘ (w2_a·w2_b): every column of the one with every column of the other, or the
    matrix itself where that takes less."""
    (a, b), (c, d) = first, second
    if len(a) != len(c) or b.shape[1] != d.shape[1]:
        raise ValueError(f"{len(a)} × {b.shape[1]} and {len(c)} × {d.shape[1]}")
    if len(b) * len(d) > min(len(a), b.shape[1]):
        return _trivial((a @ b) * (c @ d))
    a, b, c, d = (tensor.to(wide) for tensor in (a, b, c, d))
    return (a[:, :, None] * c[:, None]).flatten(1), (b[:, None] * d).flatten(0, 1)


def _kronecker(own: Parts, alpha: float | None, wide: torch.dtype) -> Change:
    rank = None
    if "lokr_w1" in own:
        first = _trivial(own["lokr_w1"])
    else:
        first, rank = _half(own["lokr_w1_a"], own["lokr_w1_b"], None), own["lokr_w1_b"].shape[0]
    core, whole = own.get("lokr_t2"), own.get("lokr_w2")
    if whole is not None:
        second = _trivial(whole.flatten(1))
    else:
        second = _half(own["lokr_w2_a"], own["lokr_w2_b"].flatten(1), core)
        rank = own["lokr_w2_b"].shape[0]
    pairs = zip(_narrowed(first), _narrowed(second), strict=True)
    left, right = (_kron(one.to(wide), two.to(wide)) for one, two in pairs)
    kernel = core if core is not None else whole
    # Both whole: no rank divides the α, and the scale is 1 (LyCORIS and ComfyUI alike).
    return Change(left, right, _scale(alpha, rank) if rank else 1.0, _kernel(left, right, kernel))


def _kron(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """torch.kron, which does not take every order of a tensor's numbers in memory."""
    size = len(one) * len(two), one.shape[1] * two.shape[1]
    return (one[:, None, :, None] * two[:, None]).reshape(size)


def _half(a: torch.Tensor, b: torch.Tensor, core: torch.Tensor | None) -> Pair:
    """a·b, or with a core (i, j, *kernel) the sum over i, j of a[i, out]·core[i, j]·b[j, in]."""
    if core is None:
        left, right = a.flatten(1), b.flatten(1)
    else:
        left, right = a.t(), (core.movedim(1, -1) @ b).movedim(-1, 1).flatten(1)
    if left.shape[1] != right.shape[0]:
        raise ValueError(f"{list(left.shape)} and {list(right.shape)}")
    return left, right


def _narrowed(pair: Pair) -> Pair:
    """Factors of no higher rank than their product can have."""
    left, right = pair
    return _trivial(left @ right) if len(right) > min(len(left), right.shape[1]) else pair


def _kernel(left: torch.Tensor, right: torch.Tensor, core: torch.Tensor | None) -> tuple[int, ...]:
    """The native shape where a tensor has a kernel's dimensions."""
    if core is None or core.dim() < 3:
        return ()
    kernel = tuple(core.shape[2:])
    return left.shape[0], right.shape[1] // torch.Size(kernel).numel(), *kernel


def _trivial(matrix: torch.Tensor) -> Pair:
    """The matrix as a product with an identity on its shorter side."""
    out, columns = matrix.shape
    eye = torch.eye(min(out, columns), dtype=matrix.dtype, device=matrix.device)
    return (eye, matrix) if out <= columns else (matrix, eye)


def _scale(alpha: float | None, rank: int) -> float:
    return alpha / rank if alpha else 1.0


def _of_outputs(magnitude: torch.Tensor, out: int) -> bool:
    """By ComfyUI's rule: one number for each row of W, which a square layer has too."""
    return magnitude.shape[:1] == (out,) and magnitude.numel() == out


def _by_inputs(
    name: str,
    change: Change,
    magnitude: torch.Tensor,
    shape: tuple[int, ...],
    weight: Callable[[], torch.Tensor] | None,
) -> Change:
    """ΔW of DoRA with a magnitude m for each input: V·diag(m/‖V's column‖) − W, V = W + s·B·A."""
    if weight is None:
        raise AdapterError(
            f"{shown(name)}: its dora_scale has a magnitude for each input (LyCORIS without "
            "wd_on_output, OneTrainer), and such a ΔW depends on W. Give the base model (--base)"
        )
    W = weight().double()
    if W.dim() < 2 or (shape and tuple(W.shape) != tuple(shape)):
        raise AdapterError(f"{shown(name)} is {list(W.shape)} in the base: it is for another base")
    if magnitude.numel() != W.shape[1]:
        raise AdapterError(
            f"{shown(name)}: a dora_scale of the shape {list(magnitude.shape)} fits neither the "
            f"{W.shape[0]} outputs nor the {W.shape[1]} inputs"
        )
    delta = change.left.double() @ change.right.double()
    V = W + (change.scaling * delta).reshape(W.shape)
    beside = (1, -1, *(1,) * (W.dim() - 2))
    norms = V.transpose(0, 1).flatten(1).norm(dim=1).reshape(beside)
    delta = V * (magnitude.double().reshape(beside) / norms) - W
    return Change(*_trivial(delta.flatten(1)), 1.0, tuple(W.shape))


def _wide(parts: Parts) -> torch.dtype:
    """float32, or float64 where the file has it: products of half precision need more digits."""
    wide = any(tensor.dtype == torch.float64 for tensor in parts.values())
    return torch.float64 if wide else torch.float32
