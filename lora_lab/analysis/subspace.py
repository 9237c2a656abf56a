"""Subspaces of W, A and ΔW: their singular vectors, and how far two of them agree.

Everything is computed in float64 on the CPU, whatever the dtype and device of the input: autocast
and TF32 do not touch float64, half precision is widened first, and no gradient is recorded. ΔW is
never formed. Input that is not finite or does not fit raises AdapterError, which names it.
"""

from __future__ import annotations

import math

import torch

from lora_lab.adapters import AdapterLayer
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.rank import numerical_rank
from lora_lab.analysis.spectrum import CANCELLED
from lora_lab.errors import AdapterError

Adapted = AdapterLayer | LayerWeights


def as_matrix(M: torch.Tensor, what: str) -> torch.Tensor:
    """M as a finite float64 matrix on the CPU, detached; a copy unless it is one already.

    Raises AdapterError, naming `what`, unless M is real, has two dimensions and at least one entry,
    and holds neither NaN nor infinity.
    """
    if M.ndim != 2 or M.numel() == 0 or M.is_complex():
        raise AdapterError(f"{what} is not a real matrix: {M.dtype} of shape {tuple(M.shape)}.")
    M = M.detach().cpu().double()
    if not torch.isfinite(M).all():
        raise AdapterError(f"{what} holds values that are NaN or infinite.")
    return M


def singular_factors(
    A: torch.Tensor, B: torch.Tensor, scaling: float, of: str = ""
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The thin SVD s·B·A = U·diag(σ)·Vh for A (r × in) and B (out × r), by QR of both factors.

    B = Q_B R_B and Aᵀ = Q_A R_A give B·A = Q_B (R_B R_Aᵀ) Q_Aᵀ, so only an (r × r) core is
    decomposed. Returns U (out × q), σ (q,) descending and Vh (q × in) in float64, with
    q = min(out, in, r). Where σ_i is zero or rounding, e.g. all of it at B = 0, the vectors i are
    orthonormal but arbitrary. `of` opens the error messages, e.g. "Layer fc1: ".

    Raises AdapterError where a factor or s is not finite, or the ranks of A and B differ.
    """
    A, B = as_matrix(A, f"{of}lora_A"), as_matrix(B, f"{of}lora_B")
    if B.shape[1] != A.shape[0]:
        raise AdapterError(f"{of}lora_A has rank {A.shape[0]}, but lora_B has {B.shape[1]}.")
    if not math.isfinite(scaling):
        raise AdapterError(f"{of}scaling is {scaling}.")
    Q_A, R_A = torch.linalg.qr(A.mT)  # (in, r), (r, r)
    Q_B, R_B = torch.linalg.qr(B)  # (out, r), (r, r)
    core = as_matrix(scaling * (R_B @ R_A.mT), f"{of}scaling·lora_B·lora_A")  # may overflow
    U, sigma, Vh = torch.linalg.svd(core, full_matrices=False)
    return Q_B @ U, sigma, Vh @ Q_A.mT


def weight_of(W: torch.Tensor, layer: Adapted) -> torch.Tensor:
    """as_matrix(W); AdapterError unless W has the shape (out × in) of the layer's ΔW."""
    W, (out, into) = as_matrix(W, f"Layer {layer.name}: W"), layer.shape
    if W.shape != (out, into):
        raise AdapterError(
            f"Layer {layer.name}: W is {W.shape[0]} × {W.shape[1]}, but ΔW is {out} × {into}."
        )
    return W


def delta_directions(layer: Adapted) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """U (out × p), σ (p,) and Vh (p × in) of a layer's real ΔW, only what is above rounding.

    p is the numerical rank: 0 for ΔW = 0, and less than r after a rank grew and before its new
    columns of B, which start at zero, have moved. Those directions would be arbitrary. ΔW is formed
    only where it has no factors (full fine-tuning, DoRA), and then costs a dense SVD.

    Raises AdapterError where ΔW is not finite, or is DoRA's and W is not at hand.
    """
    of = f"Layer {layer.name}: "
    if isinstance(layer, LayerWeights):
        if layer.magnitude is not None:
            raise AdapterError(f"{of}the ΔW of DoRA needs the base model: name it (--base).")
        factors = layer.lora_A, layer.lora_B, layer.scaling
    else:
        factors = layer.factors()
    if factors is None:
        M = as_matrix(layer.delta_weight(), f"{of}ΔW")
        U, sigma, Vh = torch.linalg.svd(M, full_matrices=False)
    else:
        A, B, scaling = factors
        U, sigma, Vh = singular_factors(A, B, scaling, of)
        terms = abs(scaling) * (A.norm(dim=1).cpu().double() * B.norm(dim=0).cpu().double()).sum()
        if sigma[0] <= CANCELLED * torch.finfo(A.dtype).eps * terms:
            sigma = torch.zeros_like(sigma)  # as PiSSA's terms cancel before any training
    p = numerical_rank(sigma.numpy(), tuple(layer.shape), "float64")
    return U[:, :p], sigma[:p], Vh[:p]


def similarity(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """φ(i,j) = ‖X_iᵀ Y_j‖_F² / min(i,j) for all i ≤ p, j ≤ q at once (LoRA §7.2, eq. 4).

    X (n × p) and Y (n × q) have orthonormal columns, and X_i is the first i of them. φ is the mean
    of cos² of the principal angles: 1 where one span holds the other, 0 where they are orthogonal,
    and in the metric form 1 − d²/p at i = j = p with d² = p − Σcos². (The paper's appendix G prints
    (1 − d²)/p, which is not 1 for equal spans.) Entry [i−1, j−1] of the float64 (p × q) is φ(i,j).

    Raises AdapterError where n differs, or columns are not orthonormal to √eps of their dtype.
    """
    X, Y = _orthonormal(X, "X"), _orthonormal(Y, "Y")
    _same_space(X, Y)
    shared = (X.mT @ Y).square().cumsum(0).cumsum(1)
    i = torch.arange(1, X.shape[1] + 1)[:, None]
    j = torch.arange(1, Y.shape[1] + 1)
    return (shared / torch.minimum(i, j)).clamp_(max=1.0)


def similarity_of_delta(layer1: Adapted, layer2: Adapted) -> torch.Tensor:
    """φ between the top singular vectors of two layers' ΔW = s·B·A: gauge invariant.

    Compared is what ΔW reads, in the space of the inputs, as LoRA §7.2 does with A. Float64
    (r1 × r2), r capped at min(out, in); nan beyond the numerical rank, so all nan where a ΔW = 0.

    Raises AdapterError where a factor is not finite or the spaces differ.
    """
    directions = []
    for layer in (layer1, layer2):
        _, sigma, Vh = delta_directions(layer)
        rank = max(len(sigma), min(getattr(layer, "rank", 0), *layer.shape))
        directions.append((Vh.mT, rank))
    return phi_or_nan(*directions)


def principal_angles(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """The angles θ in [0, π/2] between the spans of X (n × p) and Y (n × q), largest first.

    Columns need not be orthonormal, only independent. cos θ are the singular values of Q_Xᵀ Q_Y and
    sin θ those of (I − Q_X Q_Xᵀ) Q_Y; θ = atan2(sin, cos) is accurate to rounding everywhere,
    where arccos alone loses all angles below √eps (Björck & Golub 1973). Float64 (min(p, q),).

    Raises AdapterError where n differs, or the columns of X or Y depend on one another.
    """
    X, Y = _basis(X, "X"), _basis(Y, "Y")
    _same_space(X, Y)
    if X.shape[1] < Y.shape[1]:
        X, Y = Y, X  # the smaller one is projected, so that there are as many sines as cosines
    cross = X.mT @ Y
    cos = torch.linalg.svdvals(cross)  # descending: the smallest angle first
    sin = torch.linalg.svdvals(Y - X @ cross)  # descending: the largest angle first
    return torch.atan2(sin, cos.flip(0))


def phi_or_nan(first: tuple[torch.Tensor, int], second: tuple[torch.Tensor, int]) -> torch.Tensor:
    """φ of two bases in a map of the sizes beside them; nan where a direction is missing."""
    (X, rows), (Y, columns) = first, second
    _same_space(X, Y)
    result = torch.full((rows, columns), float("nan"), dtype=torch.float64)
    if X.shape[1] and Y.shape[1]:
        result[: X.shape[1], : Y.shape[1]] = similarity(X, Y)
    return result


def _same_space(X: torch.Tensor, Y: torch.Tensor) -> None:
    if X.shape[0] != Y.shape[0]:
        raise AdapterError(
            f"Directions of a {X.shape[0]}- and a {Y.shape[0]}-dimensional space do not compare."
        )


def _orthonormal(X: torch.Tensor, what: str) -> torch.Tensor:
    eps = torch.finfo(X.dtype).eps if X.is_floating_point() else torch.finfo(torch.float64).eps
    X = as_matrix(X, what)
    error = float((X.mT @ X - torch.eye(X.shape[1], dtype=X.dtype)).abs().max())
    if error > eps**0.5:
        raise AdapterError(f"The columns of {what} are not orthonormal: off by {error:.1e}.")
    return X


def _basis(X: torch.Tensor, what: str) -> torch.Tensor:
    """An orthonormal basis (n × p) of the span of X (n × p)."""
    X = as_matrix(X, what)
    Q, R = torch.linalg.qr(X)
    p = X.shape[1]
    if numerical_rank(torch.linalg.svdvals(R).numpy(), tuple(X.shape), "float64") < p:
        raise AdapterError(f"The {p} columns of {what} are not linearly independent.")
    return Q
