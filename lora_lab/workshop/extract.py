"""An adapter from two checkpoints: the best rank-r fit of W_tuned − W_base in each layer.

Tensor by tensor, so that a model larger than memory works. By Eckart and Young no other rank-r
matrix is nearer; the error that is reported is measured on the factors that were made, and the
bound beside it is that of the exact spectrum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.door import door
from lora_lab.errors import AdapterError
from lora_lab.models.base import Base
from lora_lab.progress import Report, silent
from lora_lab.variants import PLAIN
from lora_lab.workshop.pair import Matrix, Pair

UNCHANGED = 1e-7  # ‖ΔW‖/‖W‖ at and below which a layer is as it was, to rounding


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


@door(AdapterError)
def extract(base: Path, tuned: Path, rank: int, *, report: Report = silent) -> Extraction:
    """Fit every weight matrix that both have and that differs, under the names of the modules.

    A head that the tuned model alone has comes along whole. Raises CheckpointError for files that
    cannot be read, AdapterError where there is nothing to fit, the two are not of one architecture,
    or a matrix may be stored either way round.
    """
    if rank < 1:
        raise AdapterError(f"A rank must be a whole number from 1, not {rank}.")
    pair = Pair(Base(base), Base(tuned))
    matrices = pair.matrices()
    if not matrices:
        raise AdapterError("The two checkpoints have no weight matrix of one name in common.")
    layers, fits, same = [], [], 0
    for number, matrix in enumerate(matrices):
        report(f"Fitting {matrix.name}", number / len(matrices))
        layer, fit = _fit(matrix, pair, rank)
        if layer is None or fit is None:
            same += 1
            continue
        layers.append(layer)
        fits.append(fit)
    if not layers:
        raise AdapterError("No weight differs between the two, so there is nothing to extract.")
    notes = [f"{same} matrices do not differ and got no factors"] if same else []
    whole = pair.heads()
    notes += [f"{layer.name} is in the tuned model alone and comes along whole" for layer in whole]
    missed = pair.missed(matrices, whole)
    if missed:
        notes.append(
            f"{len(missed)} other tensors differ (biases, norms, embeddings: {missed[0]}) and are "
            "not in the adapter"
        )
    for side in (pair.before, pair.after):
        if side.quantized:
            notes.append(f"{side.path.name} is quantized ({side.quantized}): W is what that undoes")
    extra = {"notes": tuple(notes), "task_type": pair.task_type}
    weights = AdapterWeights(PLAIN, tuple(layers), whole, base=str(base), extra=extra)
    return Extraction(weights, tuple(fits), tuple(notes))


@torch.no_grad()
def _fit(matrix: Matrix, pair: Pair, rank: int) -> tuple[LayerWeights | None, LayerFit | None]:
    before, after = pair.read(matrix)
    if before.shape != after.shape:
        raise AdapterError(
            f"{matrix.name} has another shape in each: these are not one model before and after."
        )
    shape = tuple(before.shape)
    delta = after.double().sub_(before.double()).flatten(1)
    weight_norm = float(before.double().norm())
    del before, after
    delta = delta.t() if matrix.kind == "conv1d_linear" else delta
    norm = float(delta.norm())
    if not math.isfinite(norm):
        raise AdapterError(f"{matrix.name} has values that are NaN or infinite.")
    if norm <= UNCHANGED * weight_norm:
        return None, None
    U, sigma, Vh = _leading(delta, rank)
    root = sigma.sqrt()
    A, B = (root[:, None] * Vh).float(), (U * root).float()
    left = float((delta - B.double() @ A.double()).norm())
    kept = float(sigma.square().sum())
    layer = LayerWeights(
        matrix.name, A.contiguous(), B.contiguous(), float(len(A)), 1.0, matrix.kind,
        shape if matrix.kind != "linear" else (),
    )  # fmt: skip
    bound = math.sqrt(max(0.0, norm**2 - kept)) / norm
    return layer, LayerFit(matrix.name, len(A), norm, left / norm, bound)


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
