"""Rank measures of a spectrum σ; they disagree on purpose, so more than one is shown.

All take σ as a descending non-negative array. numpy only, so that the window can use them too.
"""

from __future__ import annotations

import numpy as np

EPS = {"float32": float(np.finfo(np.float32).eps), "float64": float(np.finfo(np.float64).eps)}


def numerical_rank(sigma: np.ndarray, shape: tuple[int, int], dtype: str = "float32") -> int:
    """#{σ_i > max(out, in)·eps·σ_1}: what is above rounding; 0 for ΔW = 0."""
    if sigma.size == 0 or sigma[0] <= 0:
        return 0
    return int(np.count_nonzero(sigma > max(shape) * EPS[dtype] * sigma[0]))


def stable_rank(sigma: np.ndarray) -> float:
    """‖ΔW‖_F²/σ_1²; nan for ΔW = 0."""
    if sigma.size == 0 or sigma[0] <= 0:
        return float("nan")
    return float(np.sum(np.square(sigma / sigma[0])))


def effective_rank(sigma: np.ndarray) -> float:
    """exp(−Σ p ln p) with p = σ/Σσ (Roy & Vetterli 2007); nan for ΔW = 0."""
    total = float(np.sum(sigma))
    if not total > 0:
        return float("nan")
    p = sigma[sigma > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


def energy_rank(sigma: np.ndarray, share: float) -> int:
    """The smallest k with Σ_{i≤k} σ² ≥ share·Σσ²; 0 for ΔW = 0."""
    energy = np.cumsum(np.square(sigma))
    if energy.size == 0 or energy[-1] <= 0:
        return 0
    return int(np.searchsorted(energy, share * energy[-1] * (1 - 1e-12)) + 1)


def discarded_energy(sigma: np.ndarray, rank: int) -> float:
    """Σ_{i>rank} σ²/Σσ²: what the best rank-`rank` approximation loses (Eckart–Young)."""
    energy = np.square(sigma)
    total = float(np.sum(energy))
    return float(np.sum(energy[rank:])) / total if total > 0 else 0.0
