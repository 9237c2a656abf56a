"""The numbers behind each view of the spectrum, as columns for a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lora_lab.rules import discarded, energy_tails
from lora_lab.ui.panels.panel import Columns
from lora_lab.ui.panels.spectrum.scene import Scene


def _sources(scene: Scene, name: str, sigma: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Whose σ of that layer are drawn: this run's, the truth, and those of other runs."""
    yield "this run", sigma
    if len(scene.true):
        yield "true", scene.true
    for other in scene.others:
        if len(theirs := other.of(name)):
            yield other.run.name, theirs


def spectrum_columns(scene: Scene) -> Columns:
    """A row for each σ: whose, of which layer, i, σ_i, and whether it is above rounding."""
    columns: Columns = {"source": [], "layer": [], "i": [], "sigma": [], "above_rounding": []}
    for layer in scene.shown:
        for source, sigma in _sources(scene, layer.name, layer.sigma):
            own = layer.numerical_rank if source == "this run" else len(sigma)
            for i, value in enumerate(sigma.tolist(), 1):
                _add(columns, source, layer.name, i, value, int(i <= own))
    return columns


def history_columns(scene: Scene) -> Columns:
    """A row for each step that is held, each layer and each σ of it; of several layers σ₁."""
    columns: Columns = {"step": [], "layer": [], "i": [], "sigma": []}
    steps = scene.history.steps.tolist()
    if len(scene.shown) == 1:
        name = scene.shown[0].name
        for step, row in zip(steps, scene.history.layer(name).tolist(), strict=True):
            for i, value in enumerate(row, 1):
                if value == value:
                    _add(columns, step, name, i, value)
        return columns
    first = scene.history.first()
    for place, step in enumerate(steps):
        for name, value in zip(scene.history.names, first[:, place].tolist(), strict=True):
            if value == value:
                _add(columns, step, name, 1, value)
    return columns


def energy_columns(scene: Scene) -> Columns:
    """A row for each rank: the share of Σσ² that is kept and discarded, of all shown together."""
    columns: Columns = {"source": [], "layer": [], "rank": [], "kept": [], "discarded": []}
    where = scene.shown[0].name if len(scene.shown) == 1 else "all layers"
    rows: dict[str, list[np.ndarray]] = {}
    for layer in scene.shown:
        for source, sigma in _sources(scene, layer.name, layer.sigma):
            rows.setdefault(source, []).append(sigma)
    for source, sigma in rows.items():
        for rank, lost in enumerate(discarded(energy_tails(sigma).sum(axis=0)).tolist()):
            _add(columns, source, where, rank, 1 - lost, lost)
    return columns


def _add(columns: Columns, *values: Any) -> None:
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)
