"""Factors whose file says no scale, or says it in a word of its own: read, never written.

| convention | keys | shapes | s |
|---|---|---|---|
| loralib | X.lora_A, X.lora_B | (r, in), (out, r) | α/r, asked for |
| parametrization | X.parametrizations.weight.0.lora_A | the same, or both turned | the same |
| PEFT without config | base_model.model.X.lora_A.weight | (r, in), (out, r) | the same |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.factor_file import read_factor_file
from lora_lab.formats.factors import layer_of_factors, scales
from lora_lab.names import shown
from lora_lab.variants import PLAIN


class Convention(NamedTuple):
    """How one program names and turns its factors."""

    title: str
    key: re.Pattern[str]  # of a factor: module path, then a or b
    kernels: bool = True  # whether a factor may be a kernel


CONVENTIONS = {
    "peft-tensors": Convention(
        "PEFT's tensors without adapter_config.json",
        re.compile(r"base_model\.model\.(.+)\.lora_([AB])(?:\.[^.]+)?\.weight"),
    ),
    "parametrization": Convention(
        "a torch parametrization (minLoRA, the tutorial)",
        re.compile(r"(.+)\.parametrizations\.weight\.\d+\.lora_([AB])"),
        kernels=False,
    ),
    "loralib": Convention("loralib", re.compile(r"(.+)\.lora_([AB])"), kernels=False),
}


def convention_of(keys: list[str]) -> str | None:
    """The first convention that any key follows."""
    return next(
        (n for n, c in CONVENTIONS.items() if any(c.key.fullmatch(key) for key in keys)), None
    )


def load(
    path: Path, name: str, alpha: float | None = None, scale: float | None = None
) -> AdapterWeights:
    """Read a file of convention `name`; `alpha`, or `scale` as s, is what the file does not say.

    Raises AdapterError where neither is given, a factor has no partner, or a LoRA key has no place.
    """
    convention = CONVENTIONS[name]
    tensors = read_factor_file(path).tensors
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    others = []
    for key, tensor in tensors.items():
        if match := convention.key.fullmatch(key):
            pairs.setdefault(match[1], {})[match[2].upper()] = tensor
        elif "lora" in key.lower():
            raise AdapterError(
                f"{path}: {shown(key)} has no place among those of {convention.title}"
            )
        else:
            others.append(key)
    rule, source = _rule(path, name, alpha, scale)
    layers = []
    for module, pair in pairs.items():
        for part in ("A", "B"):
            if part not in pair:
                raise AdapterError(f"{path}: lora_{part} of {shown(module)} is missing")
        try:
            layers.append(_layer(module, pair["A"], pair["B"], convention, rule))
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
    notes = [f"this is {convention.title}; {source}"]
    if others:
        notes.append(f"{len(others)} other tensors are no factors and were left out ({others[0]})")
    return AdapterWeights(PLAIN, tuple(layers), extra={"format": name, "notes": tuple(notes)})


def _rule(
    path: Path, name: str, alpha: float | None, scale: float | None
) -> tuple[Callable[[int], float], str]:
    """rank → s, and where it comes from."""
    title = CONVENTIONS[name].title
    if alpha is None and scale is None:
        raise AdapterError(
            f"{path}: {title} keeps no α in the file, so the size of ΔW is unknown. Give the α it "
            "was trained with (--alpha), or s itself (--scale)"
        )
    if alpha is not None and scale is not None:
        raise AdapterError(f"{path}: give either the α or the scale of {title}, not both")
    given = alpha if scale is None else scale
    assert given is not None
    if not scales(given):
        raise AdapterError(f"{path}: {given:g} is no number that scales anything")
    if scale is not None:
        return lambda rank: given, f"s = {given:g}, as it was given"
    return lambda rank: given / rank, f"s = α/r with the α = {given:g} that was given"


def _layer(
    module: str,
    A: torch.Tensor,
    B: torch.Tensor,
    convention: Convention,
    rule: Callable[[int], float],
) -> LayerWeights:
    kind = ""
    if A.dim() != B.dim() or A.dim() < 2 or (A.dim() > 2 and not convention.kernels):
        raise AdapterError(
            f"{shown(module)}: factors of the shapes {list(A.shape)} and {list(B.shape)} are not "
            "read; a convolution of loralib is another product and has no such form"
        )
    swapped = A.dim() == 2 and A.shape[0] != B.shape[1] and A.shape[1] == B.shape[0]
    if swapped:
        A, B, kind = A.t().contiguous(), B.t().contiguous(), "embedding"
    rank = A.shape[0]
    s = rule(rank)
    return layer_of_factors(module, A, B, s * rank, s, kind=kind)
