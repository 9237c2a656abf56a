"""An adapter from two checkpoints: the best rank-r fit of W_tuned − W_base in each layer.

Tensor by tensor, so that a model larger than memory works. By Eckart and Young no other rank-r
matrix is nearer; the error that is reported is measured on the factors that were made, and the
bound beside it is that of the exact spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.models.inspect import TensorInfo, describe, read_tensor
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN

UNCHANGED = 1e-7  # ‖ΔW‖/‖W‖ at and below which a layer is as it was, to rounding
GPT2 = ("c_attn", "c_proj", "c_fc")  # layers of GPT-2 that hold W transposed
EMBEDDINGS = ("embed_tokens", "wte", "wpe", "word_embeddings", "position_embeddings", "lm_head")


@dataclass(frozen=True)
class LayerFit:
    """How well one layer was fitted."""

    name: str
    rank: int
    delta_norm: float  # ‖W_tuned − W_base‖_F
    error: float  # ‖ΔW − s·B·A‖_F/‖ΔW‖_F of the factors
    bound: float  # √(Σ_{i>r}σ²/Σσ²): no rank-r matrix is nearer


@dataclass(frozen=True)
class Extraction:
    """The adapter and how near it is, layer by layer."""

    weights: AdapterWeights
    fits: tuple[LayerFit, ...]
    notes: tuple[str, ...]


def extract(base: Path, tuned: Path, rank: int, *, report: Report = silent) -> Extraction:
    """Fit every weight matrix that both have and that differs.

    Raises CheckpointError for files that cannot be read, AdapterError where there is nothing to fit
    or the two are not of one architecture.
    """
    if rank < 1:
        raise AdapterError(f"A rank must be a whole number from 1, not {rank}.")
    first, second = describe(base), describe(tuned)
    ours = {tensor.name: tensor for tensor in first.tensors}
    theirs = {tensor.name: tensor for tensor in second.tensors}
    both = [name for name in ours if name in theirs and _adaptable(name, ours[name])]
    if not both:
        raise AdapterError("The two checkpoints have no weight matrix of one name in common.")
    if wrong := [name for name in both if ours[name].shape != theirs[name].shape]:
        raise AdapterError(
            f"{wrong[0]} has another shape in each: these are not one model before and after."
        )
    layers, fits, same = [], [], 0
    for number, name in enumerate(both):
        report(f"Fitting {name.removesuffix('.weight')}", number / len(both))
        layer, fit = _fit(name, base, tuned, rank, first.model_type)
        if layer is None or fit is None:
            same += 1
            continue
        layers.append(layer)
        fits.append(fit)
    if not layers:
        raise AdapterError("No weight differs between the two, so there is nothing to extract.")
    notes = [f"{same} matrices do not differ and got no factors"] if same else []
    missed = _missed(base, tuned, ours, theirs, both)
    if missed:
        notes.append(
            f"{len(missed)} other tensors differ (biases, norms, embeddings: {missed[0]}) and are "
            "not in the adapter"
        )
    weights = AdapterWeights(PLAIN, tuple(layers), base=str(base), extra={"notes": tuple(notes)})
    return Extraction(weights, tuple(fits), tuple(notes))


def _adaptable(name: str, tensor: TensorInfo) -> bool:
    module = name.removesuffix(".weight").rpartition(".")[2]
    whole = name.endswith(".weight") and len(tensor.shape) in (2, 4) and min(tensor.shape[:2]) > 1
    return (
        whole
        and tensor.dtype in ("float32", "float16", "bfloat16", "float64")
        and (module not in EMBEDDINGS)
    )


@torch.no_grad()
def _fit(
    name: str, base: Path, tuned: Path, rank: int, model_type: str
) -> tuple[LayerWeights | None, LayerFit | None]:
    before, after = read_tensor(base, name), read_tensor(tuned, name)
    shape = tuple(before.shape)
    module = name.removesuffix(".weight")
    transposed = model_type == "gpt2" and module.rpartition(".")[2] in GPT2
    delta = after.double().sub_(before.double()).flatten(1)
    weight_norm = float(before.double().norm())
    del before, after
    delta = delta.t() if transposed else delta
    norm = float(delta.norm())
    if not math.isfinite(norm):
        raise AdapterError(f"{name} has values that are NaN or infinite.")
    if norm <= UNCHANGED * weight_norm:
        return None, None
    U, sigma, Vh = _leading(delta, rank)
    root = sigma.sqrt()
    A, B = (root[:, None] * Vh).float(), (U * root).float()
    left = float((delta - B.double() @ A.double()).norm())
    kept = float(sigma.square().sum())
    kind = "conv1d_linear" if transposed else "conv" if len(shape) == 4 else "linear"
    layer = LayerWeights(
        module, A.contiguous(), B.contiguous(), float(len(A)), 1.0, kind,
        shape if kind != "linear" else (),
    )  # fmt: skip
    bound = math.sqrt(max(0.0, norm**2 - kept)) / norm
    return layer, LayerFit(module, len(A), norm, left / norm, bound)


def _leading(delta: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The first `rank` singular triplets, from the eigenvectors of the smaller Gram matrix.

    Squaring loses what is below √eps·σ_1 in float64, 1e-8·σ_1: less than the float32 factors
    hold. A dense SVD takes eight times as long at 4096².
    """
    wide = delta.shape[0] <= delta.shape[1]
    M = delta if wide else delta.t()  # (n, m), n ≤ m
    values, vectors = torch.linalg.eigh(M @ M.t())
    count = min(rank, len(values))
    U = vectors[:, -count:].flip(1)  # (n, count)
    Y = U.t() @ M  # (count, m): σ·Vᵀ
    sigma = Y.norm(dim=1)
    keep = sigma > 1e-7 * sigma[0]
    U, Y, sigma = U[:, keep], Y[keep], sigma[keep]
    Vh = Y / sigma[:, None]
    return (U, sigma, Vh) if wide else (Vh.t(), sigma, U.t())


def _missed(
    base: Path,
    tuned: Path,
    ours: dict[str, TensorInfo],
    theirs: dict[str, TensorInfo],
    fitted: Sequence[str],
) -> list[str]:
    """Tensors beside the fitted ones that differ, or that only the tuned model has."""
    missed = [name for name in theirs if name not in ours]
    for name in ours:
        if name in fitted or name not in theirs:
            continue
        same = ours[name].shape == theirs[name].shape
        if not same or not torch.equal(read_tensor(base, name), read_tensor(tuned, name)):
            missed.append(name)
    return missed
