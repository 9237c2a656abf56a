"""The workshop from path to path: what the window asks for, with plain numbers coming back.

Nothing of torch is in what is returned, so that the window can hold and draw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis import rank as measures
from lora_lab.analysis.inspect import DIRECTION
from lora_lab.door import door
from lora_lab.errors import AdapterError
from lora_lab.figures import counted
from lora_lab.progress import Report, silent
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.one_world import aligned, settled
from lora_lab.workshop.ranks import Spectra, measured
from lora_lab.workshop.requests import Delivered, Delivery, Source, Trim


@dataclass(frozen=True)
class LayerCard:
    """One layer as numbers."""

    name: str
    kind: str
    shape: tuple[int, int]
    rank: int
    alpha: float
    scaling: float
    delta_norm: float
    stable_rank: float
    effective_rank: float


@dataclass(frozen=True)
class AdapterCard:
    """What an adapter is: convention, layers, spectra."""

    source: Source
    format: str
    title: str  # of the convention
    variant: str
    base: str
    notes: tuple[str, ...]
    layers: tuple[LayerCard, ...]
    spectra: Spectra

    @property
    def bytes(self) -> int:
        return self.spectra.bytes([layer.rank for layer in self.layers])


@door(AdapterError)
def opened(source: Source, base: str = "") -> AdapterWeights:
    """The adapter with the names of its base put in, or of `base`; raises LabError."""
    source = replace(source, base=source.base or base)
    from lora_lab.formats.recognise import base_names, open_adapter

    names = base_names(source.base) if source.base else ()
    weights = open_adapter(
        source.path, alpha=source.alpha, scale=source.scale, names=names, base=source.base
    )
    return settled(weights, source.base)


@door(AdapterError)
def card_of(source: Source, report: Report = silent) -> AdapterCard:
    """Open an adapter and measure every layer; raises LabError."""
    from lora_lab.formats.recognise import TITLES

    report("Opening the adapter", -1)
    weights = opened(source)
    report("Computing singular values", -1)
    spectra = measured(weights)
    rows = []
    for layer, sigma in zip(weights.layers, spectra.sigma, strict=True):
        rows.append(
            LayerCard(
                layer.name, layer.kind, layer.shape, layer.rank, layer.alpha, layer.scaling,
                float((sigma**2).sum() ** 0.5), measures.stable_rank(sigma),
                measures.effective_rank(sigma),
            )
        )  # fmt: skip
    notes = tuple(weights.extra["notes"])
    if any(layer.magnitude is not None for layer in weights.layers):
        notes += (DIRECTION,)
    return AdapterCard(
        source, weights.extra["format"], TITLES[weights.extra["format"]], weights.variant,
        weights.base, notes, tuple(rows), spectra,
    )  # fmt: skip


def save_cut(
    source: Source, ranks: Sequence[int], delivery: Delivery, report: Report = silent
) -> Delivered:
    """Open, truncate to `ranks`, write and verify; raises LabError."""
    from lora_lab.workshop.resize import resized

    report("Opening the adapter", -1)
    read = opened(source, delivery.base)
    smaller, cuts = resized(read, ranks, report)
    worst = max(cuts, key=lambda cut: cut.error)
    words = []
    if worst.error:
        words.append(f"largest error of truncation {100 * worst.error:.3g} % of ‖ΔW‖, {worst.name}")
    return deliver(smaller, delivery, report, words, read)


def method_errors(
    sources: Sequence[tuple[Source, float]],
    report: Report = silent,
    trim: Trim | None = None,
    rank: int | None = None,
) -> dict[str, float | str]:
    """Each method to add adapters, with the largest ‖ΔW − ΣwΔW‖/‖ΣwΔW‖, or why it cannot."""
    from lora_lab.workshop.combine import errors_by_method

    report("Opening the adapters", -1)
    return errors_by_method(under_one_name(sources), report, trim, rank)


def save_sum(
    sources: Sequence[tuple[Source, float]],
    method: str,
    rank: int | None,
    delivery: Delivery,
    report: Report = silent,
    trim: Trim | None = None,
) -> Delivered:
    """Add adapters, write and verify; raises LabError."""
    from lora_lab.workshop.combine import combine

    report("Opening the adapters", -1)
    combined = combine(under_one_name(sources, delivery.base), method, rank, trim, report)
    words = [f"largest ‖ΔW − ΣwΔW‖ of a layer: {100 * combined.error:.3g} %", *combined.notes]
    return deliver(combined.weights, delivery, report, words)


def save_extract(
    base: str, tuned: str, rank: int, delivery: Delivery, report: Report = silent
) -> Delivered:
    """Fit an adapter to two checkpoints, write and verify; raises LabError."""
    from lora_lab.workshop.extract import extract

    extraction = extract(Path(base), Path(tuned), rank, report=report)
    worst = max(extraction.fits, key=lambda fit: fit.error)
    words = [
        f"{counted(len(extraction.fits), 'layer')}; largest error {100 * worst.error:.3g} % of "
        f"‖ΔW‖, where {100 * worst.bound:.3g} % is the least possible ({worst.name})",
        *extraction.notes,
    ]
    return deliver(extraction.weights, delivery, report, words)


@door(AdapterError)
def compare_files(first: Source, second: Source, report: Report = silent) -> Any:
    """The comparison of two adapters; raises LabError."""
    from lora_lab.workshop.compare import compare

    report("Comparing", -1)
    return compare(opened(first), opened(second), first.base or second.base)


def under_one_name(
    sources: Sequence[tuple[Source, float]], base: str = ""
) -> list[tuple[AdapterWeights, float]]:
    """The adapters with their weights, one name for one weight of the base; raises LabError."""
    base = next((source.base for source, _ in sources if source.base), base)
    named = aligned([opened(source, base) for source, _ in sources], base)
    return [(weights, weight) for weights, (_, weight) in zip(named, sources, strict=True)]
