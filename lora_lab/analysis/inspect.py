"""An adapter layer by layer, as plain numbers."""

from __future__ import annotations

import math
from typing import Any

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis import rank as measures
from lora_lab.analysis.spectrum import spectra


def inspect_adapter(weights: AdapterWeights) -> list[dict[str, Any]]:
    """Per layer: name, shape (out, in), rank, alpha, scaling, ‖ΔW‖_F, σ descending, rank measures.

    A measure that is undefined because ΔW = 0 is None, so that the rows are valid JSON.
    """
    rows = []
    for layer, sigma in zip(weights.layers, spectra(weights.layers), strict=True):
        rows.append(
            {
                "name": layer.name,
                "shape": list(layer.shape),
                "rank": layer.rank,
                "alpha": layer.alpha,
                "scaling": layer.scaling,
                "delta_norm": float((sigma**2).sum() ** 0.5),
                "singular_values": sigma.tolist(),
                "numerical_rank": measures.numerical_rank(sigma, layer.shape),
                "stable_rank": _defined(measures.stable_rank(sigma)),
                "effective_rank": _defined(measures.effective_rank(sigma)),
                "energy_rank_90": measures.energy_rank(sigma, 0.9),
                "energy_rank_99": measures.energy_rank(sigma, 0.99),
            }
        )
    return rows


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
