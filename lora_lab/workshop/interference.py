"""How adapters over one base stand to each other, pair by pair: do they push the same way?

⟨ΔW₁, ΔW₂⟩ is what their sum has beyond the two: ‖ΔW₁ + ΔW₂‖² = ‖ΔW₁‖² + ‖ΔW₂‖² + 2⟨ΔW₁, ΔW₂⟩. A
cosine near 0 means that neither disturbs the other; near −1 that they undo each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.analysis.subspace import delta_directions, principal_angles
from lora_lab.errors import AdapterError
from lora_lab.progress import Report, silent
from lora_lab.workshop.combine import factor_inner


@dataclass(frozen=True)
class LayerInterference:
    """One layer of k adapters, each (k, k) and symmetric; nan where a ΔW is 0 or not there."""

    name: str
    cosines: np.ndarray  # ⟨ΔWᵢ, ΔWⱼ⟩/(‖ΔWᵢ‖·‖ΔWⱼ‖)
    reads: np.ndarray  # smallest principal angle of the row spaces, in degrees
    writes: np.ndarray  # of the column spaces


@dataclass(frozen=True)
class Interference:
    """All layers that any of them has, and the cosines of the adapters as a whole."""

    layers: tuple[LayerInterference, ...]
    cosines: np.ndarray  # (k, k) of all layers together


@torch.no_grad()
def interference(adapters: Sequence[AdapterWeights], report: Report = silent) -> Interference:
    """Cosines and principal angles of each pair, from the factors alone.

    Raises AdapterError for fewer than two, for layers of one name with different shapes, and for
    DoRA, whose ΔW depends on W.
    """
    if len(adapters) < 2:
        raise AdapterError("Give at least two adapters.")
    rows = [{layer.name: layer for layer in weights.layers} for weights in adapters]
    names = list(dict.fromkeys(name for row in rows for name in row))
    count = len(adapters)
    gram = np.zeros((count, count))
    found = []
    for number, name in enumerate(names):
        report("Comparing layers", number / len(names))
        terms = [row.get(name) for row in rows]
        inner = _inner(name, terms)
        gram += np.nan_to_num(inner)
        found.append(LayerInterference(name, _cosines(inner), *_angles(terms)))
    return Interference(tuple(found), _cosines(gram))


def _inner(name: str, terms: Sequence[LayerWeights | None]) -> np.ndarray:
    """(k, k) of ⟨ΔWᵢ, ΔWⱼ⟩; nan where one is not there."""
    sides = []
    for layer in terms:
        if layer is not None and layer.magnitude is not None:
            raise AdapterError(f"{name}: DoRA's ΔW depends on W, so it has no cosine of its own.")
        sides.append(
            None if layer is None else (layer.scaling * layer.lora_B.double(),
                                        layer.lora_A.double())
        )  # fmt: skip
    if len({layer.shape for layer in terms if layer is not None}) > 1:
        raise AdapterError(f"{name} has different shapes: the adapters are for different bases.")
    inner = np.full((len(terms), len(terms)), math.nan)
    for i, one in enumerate(sides):
        for j, two in enumerate(sides[: i + 1]):
            if one is not None and two is not None:
                inner[i, j] = inner[j, i] = factor_inner(one, two)
    return inner


def _cosines(inner: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.clip(np.diag(inner), 0, None))
    norms[norms == 0] = math.nan
    return np.clip(inner / np.outer(norms, norms), -1, 1)


def _angles(terms: Sequence[LayerWeights | None]) -> tuple[np.ndarray, np.ndarray]:
    """The smallest principal angles in degrees, of what the ΔWs read and of what they write."""
    spaces = [None if layer is None else delta_directions(layer) for layer in terms]
    found = []
    for side in (2, 0):  # Vh, U
        angles = np.full((len(terms), len(terms)), math.nan)
        for i, one in enumerate(spaces):
            for j, two in enumerate(spaces[: i + 1]):
                if one is None or two is None or not len(one[1]) or not len(two[1]):
                    continue
                X, Y = (x[2].mT if side else x[0] for x in (one, two))
                angle = float(torch.rad2deg(principal_angles(X, Y)[-1]))
                angles[i, j] = angles[j, i] = angle
        found.append(angles)
    return found[0], found[1]
