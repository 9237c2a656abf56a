"""An adapter layer by layer, as plain numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis import rank as measures
from lora_lab.analysis.spectrum import spectra

DIRECTION = (
    "DoRA: norms, ranks and singular values are of s·B·A, the change of direction; those of ΔW "
    "need the base model (inspect --base)"
)
ITSELF = "DoRA: norms, ranks and singular values are of the real ΔW = m∘V/‖V‖ − W, V = W + s·B·A"


def inspect_adapter(weights: AdapterWeights) -> list[dict[str, Any]]:
    """Per layer: name, type, shape (out, in), rank, alpha, scaling, ‖ΔW‖_F, σ descending, measures.

    A convolution's ΔW counts as a matrix (out × in·kernel). DoRA's real ΔW depends on W as well,
    which no adapter file holds: there everything is of the change of direction s·B·A, as `of`
    says, and `magnitude` has the least, mean and largest m; it is None for all others. A measure
    that is undefined because ΔW = 0 is None, so that the rows are valid JSON.
    """
    rows = []
    for layer, sigma in zip(weights.layers, spectra(weights.layers), strict=True):
        rows.append(
            {
                "name": layer.name,
                "kind": layer.kind,
                "shape": list(layer.shape),
                "weight_shape": list(layer.weight_shape or layer.shape),
                "groups": layer.groups,
                "rank": layer.rank,
                "alpha": layer.alpha,
                "scaling": layer.scaling,
                "magnitude": _range(layer.magnitude),
                "of": "ΔW" if layer.magnitude is None else "s·B·A",
                **measured_by(sigma, layer.shape),
            }
        )
    return rows


def measured_by(sigma: np.ndarray, shape: tuple[int, int]) -> dict[str, Any]:
    """All that a row says of a matrix (out × in) with the singular values `sigma`, descending."""
    return {
        "delta_norm": float((sigma**2).sum() ** 0.5),
        "singular_values": sigma.tolist(),
        "numerical_rank": measures.numerical_rank(sigma, shape),
        "stable_rank": _defined(measures.stable_rank(sigma)),
        "effective_rank": _defined(measures.effective_rank(sigma)),
        "energy_rank_90": measures.energy_rank(sigma, 0.9),
        "energy_rank_99": measures.energy_rank(sigma, 0.99),
    }


def _range(magnitude: torch.Tensor | None) -> dict[str, float] | None:
    if magnitude is None:
        return None
    m = magnitude.double()
    return {"least": float(m.min()), "mean": float(m.mean()), "largest": float(m.max())}


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
