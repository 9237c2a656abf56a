"""Which directions of a layer two runs have in common (LoRA §7.2): four views of it, and chance."""

from __future__ import annotations

import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.rank import numerical_rank
from lora_lab.analysis.subspace import as_matrix, delta_directions, phi_or_nan
from lora_lab.errors import AdapterError

# What is compared: A as the paper has it, what training made of its start, and ΔW on either side.
VIEWS = {
    "A": "A",
    "change": "A − A₀",
    "right": "ΔW, what it reads",
    "left": "ΔW, what it writes",
}


def directions(layer: LayerWeights, view: str, start: LayerWeights | None = None) -> torch.Tensor:
    """Orthonormal directions of a layer (n × p), by falling σ; n is in, or out for "left".

    "A" are the right singular vectors of A, "change" those of A − A₀ with A₀ from `start`, "right"
    and "left" those of ΔW = s·B·A. p is the numerical rank: 0 where there is nothing yet. Float64.
    Raises AdapterError for factors that are not finite, and where A₀ is not known or of another
    rank.
    """
    if view in ("right", "left"):
        U, _, Vh = delta_directions(layer)
        return U if view == "left" else Vh.mT
    A = as_matrix(layer.lora_A, f"Layer {layer.name}: lora_A")  # (r, in)
    if view == "change":
        if start is None:
            raise AdapterError(f"Layer {layer.name}: the start of A is not known.")
        if start.lora_A.shape != layer.lora_A.shape:
            raise AdapterError(
                f"Layer {layer.name}: A had rank {start.rank} at the start and has {layer.rank} "
                "now, so that A − A₀ has no meaning."
            )
        A = A - as_matrix(start.lora_A, f"Layer {layer.name}: A₀")
    _, sigma, Vh = torch.linalg.svd(A, full_matrices=False)
    if view == "change" and start is not None:  # what is rounding beside A₀ is no change
        sigma = sigma * (sigma > torch.finfo(layer.lora_A.dtype).eps * start.lora_A.norm())
    p = numerical_rank(sigma.numpy(), tuple(A.shape), "float64")
    return Vh[:p].mT


def similarity_of(X: torch.Tensor, Y: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """φ(i, j) of two bases for i ≤ rows, j ≤ columns; nan where a direction is missing."""
    return phi_or_nan((X, rows), (Y, columns))


def by_chance(n: int, rows: int, columns: int) -> torch.Tensor:
    """E φ(i, j) = max(i, j)/n of random subspaces of an n-dimensional space (rows × columns).

    E‖X_iᵀY_j‖² = i·j/n, and φ divides it by min(i, j).
    """
    i = torch.arange(1, rows + 1, dtype=torch.float64)[:, None]
    j = torch.arange(1, columns + 1, dtype=torch.float64)
    return torch.maximum(i, j).clamp_max(n) / n
