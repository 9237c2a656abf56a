"""One matrix W taken apart: SVD, the best rank-k matrix, the pseudo-inverse; numpy only, float64.

W = U·diag(σ)·Vᵀ with σ descending (the thin SVD). Cut after k values, W_k = Σ_{i≤k} σ_i u_i v_iᵀ is
the nearest matrix of rank k in both norms (Eckart & Young 1936, Mirsky 1960):
‖W − W_k‖_F = √Σ_{i>k} σ_i² and ‖W − W_k‖_2 = σ_{k+1}. Both are predicted from σ and measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lora_lab.analysis.rank import discarded_energy, numerical_rank
from lora_lab.errors import LabError

TINY = 1e-300  # a singular value below this has no usable inverse
ONE_THREAD = 2**18  # multiplications up to which OpenBLAS starts no second thread
SAME = math.sqrt(np.finfo(np.float64).eps)  # a relative residual below √eps counts as equal


@dataclass(frozen=True)
class Decomposition:
    """The thin SVD of W (m × n), r = min(m, n): U (m × r), σ (r), Vᵀ (r × n), all float64."""

    W: np.ndarray
    U: np.ndarray
    sigma: np.ndarray
    Vt: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return self.W.shape[0], self.W.shape[1]

    @property
    def most(self) -> int:
        """r = min(m, n): how many singular values there are."""
        return len(self.sigma)

    @property
    def tolerance(self) -> float:
        """max(m, n)·eps·σ_1 of float64: a singular value up to this may be rounding alone."""
        return max(self.shape) * float(np.finfo(np.float64).eps) * float(self.sigma[0])

    @property
    def rank(self) -> int:
        """The number of singular values above `tolerance`."""
        return numerical_rank(self.sigma, self.shape, "float64")

    def condition(self, k: int) -> float:
        """σ_1/σ_k, the condition number of W_k; inf where σ_k is 0, nan for k = 0 or W = 0."""
        if k == 0 or self.sigma[0] == 0:
            return math.nan
        last = float(self.sigma[k - 1])
        return float(self.sigma[0]) / last if last else math.inf

    def energy(self, k: int) -> float:
        """Σ_{i≤k} σ²/Σσ²; nan for W = 0, which has none."""
        return math.nan if self.sigma[0] == 0 else 1.0 - discarded_energy(self.sigma, k)

    def predicted(self, k: int) -> tuple[float, float]:
        """‖W − W_k‖_F and ‖W − W_k‖_2 as σ says."""
        tail = self.sigma[k:]
        return norm(tail), float(tail[0]) if len(tail) else 0.0

    def truncated(self, k: int) -> np.ndarray:
        """W_k (m × n)."""
        return product(self.U[:, :k] * self.sigma[:k], self.Vt[:k])

    def pseudo_inverse(self, k: int) -> np.ndarray:
        """W_k⁺ = Σ_{i≤k} v_i u_iᵀ/σ_i (n × m): Moore and Penrose's, where k is the rank of W.

        Values that have no inverse in float64 are left out. A greater k than the rank inverts
        rounding errors.
        """
        some = int(np.count_nonzero(self.sigma[:k] > TINY))
        return product(self.Vt[:some].T / self.sigma[:some], self.U[:, :some].T)


@dataclass(frozen=True)
class Measured:
    """What was measured of W_k and its pseudo-inverse X, not predicted from σ."""

    k: int
    frobenius: float  # ‖W − W_k‖_F
    spectral: float  # ‖W − W_k‖_2
    penrose: tuple[float, float, float, float]  # relative residuals of the four conditions


def decompose(W: np.ndarray) -> Decomposition:
    """The thin SVD of W (m × n). Raises LabError where there is nothing to take apart."""
    W = np.asarray(W, dtype=np.float64)
    if W.ndim != 2 or W.size == 0:
        raise LabError("There is no matrix yet: wanted is at least one row with one number.")
    if not np.isfinite(W).all():
        row, column = (int(i) + 1 for i in np.argwhere(~np.isfinite(W))[0])
        raise LabError(
            f"Row {row}, column {column} is {W[row - 1, column - 1]}: a matrix with NaN or "
            "infinity has no singular values. Put a number there."
        )
    try:
        U, sigma, Vt = np.linalg.svd(W, full_matrices=False)
    except np.linalg.LinAlgError as error:
        raise LabError(f"The SVD of this matrix did not converge ({error}).") from error
    # Of the two signs of a pair (u_i, v_i) LAPACK returns either: the largest entry of v_i is > 0.
    largest = np.take_along_axis(Vt, np.abs(Vt).argmax(1)[:, None], 1)
    signs = np.where(largest < 0, -1.0, 1.0)
    return Decomposition(W, U * signs.T, sigma, Vt * signs)


def penrose(W: np.ndarray, X: np.ndarray) -> tuple[float, float, float, float]:
    """Relative residuals of Penrose's four conditions (1955), of which W⁺ alone fulfils all.

    ‖WXW − W‖/‖W‖, ‖XWX − X‖/‖X‖, ‖(WX)ᵀ − WX‖/‖WX‖, ‖(XW)ᵀ − XW‖/‖XW‖ in the Frobenius norm;
    0 where both sides are 0, inf where numbers overflow.
    """
    with np.errstate(all="ignore"):  # an X of rounding errors may be as large as 1/eps² and more
        P, Q = product(W, X), product(X, W)
        pairs = ((product(P, W), W), (product(Q, X), X), (P.T, P), (Q.T, Q))
        errors = tuple(_difference(*pair) for pair in pairs)
    return errors[0], errors[1], errors[2], errors[3]


def measure(parts: Decomposition, k: int) -> Measured:
    """Norms of W − W_k and the conditions of W_k⁺ against W; two SVDs' worth of work."""
    error = parts.W - parts.truncated(k)
    residuals = penrose(parts.W, parts.pseudo_inverse(k))
    return Measured(k, norm(error), float(np.linalg.norm(error, 2)), residuals)


def break_even(shape: tuple[int, int]) -> float:
    """m·n/(m + n): below this rank r, B (m × r) and A (r × n) are fewer numbers than W."""
    return shape[0] * shape[1] / (shape[0] + shape[1])


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A·B in strips that BLAS multiplies on one thread.

    On more of them it waits for whichever core a training has taken: 256² took 30 ms for 1 ms.
    """
    rows, inner, columns = *A.shape, B.shape[1]
    strip = max(1, ONE_THREAD // max(1, inner * columns))
    out = np.empty((rows, columns))
    for top in range(0, rows, strip):
        np.matmul(A[top : top + strip], B, out=out[top : top + strip])
    return out


def norm(M: np.ndarray) -> float:
    """The Frobenius norm, by the largest entry first, so that no square leaves float64."""
    largest = float(np.abs(M).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.square(M / largest).sum()))


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    size, apart = norm(other), norm(one - other)
    if apart == 0:
        return 0.0
    share = apart / size if size else math.inf
    return share if math.isfinite(share) else math.inf
