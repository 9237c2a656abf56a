"""The σ of one layer clipped: what the validation data say of it, and doing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lora_lab.adapters import LoRALayer
from lora_lab.adapters.resize import clip, clip_maps
from lora_lab.errors import LabError
from lora_lab.measured import ClippedRecord, ClipRecord
from lora_lab.records import AppliedRecord, Record
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.saves import listed
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure.cut_preview import standing_in
from lora_lab.variants import VARIANTS


def measure_clip(experiment: Experiment, name: str, keep: int, ceiling: float) -> ClipRecord:
    """Evaluate with that layer's σ clipped and with all as it is; what is live stays.

    Raises LabError for a layer whose σ are not those of plain factors, and for one that is not
    there.
    """
    layer = _plain(experiment, name)
    M, N, _ = clip_maps(layer, keep, ceiling)
    rows = []
    for live in experiment.lora_layers:
        row = live.layer_weights()
        if live is layer:
            A = (N @ row.lora_A.double()).to(row.lora_A.dtype)
            B = (row.lora_B.double() @ M).to(row.lora_B.dtype)
            row = replace(row, lora_A=A, lora_B=B)
        rows.append(row)
    before = experiment.held_out(enabled=True)
    with standing_in(experiment, tuple(rows)):
        clipped = experiment.held_out(enabled=True)
    assert before is not None
    assert clipped is not None
    return ClipRecord(
        experiment.step, name, keep, ceiling, clipped.loss, before.loss, clipped.accuracy,
        before.accuracy,
    )  # fmt: skip


def clip_layer(
    experiment: Experiment, folder: RunFolder | None, name: str, keep: int, ceiling: float
) -> Iterator[Record]:
    """Clip that layer, and say so; raises LabError with nothing changed, as `measure_clip` does."""
    layer = _plain(experiment, name)
    clip(layer, keep, ceiling, experiment.optimizer, experiment.generator)
    experiment.ramps = [ramp for ramp in experiment.ramps if ramp.layer is not layer]
    kept = False
    if folder is not None:
        folder.settle()
        saves = listed(folder.path)  # of an earlier edit one would take back more than this clip
        kept = any(at == experiment.step and path.name.startswith("kept") for at, path in saves)
    experiment.edits += 1
    yield ClippedRecord(experiment.step, name, keep, ceiling, kept)
    words = f"σ of {name} clipped at {ceiling:.3g}" if ceiling < float("inf") else ""
    words = words or f"{name} keeps its first {keep} σ"
    yield AppliedRecord(experiment.step, experiment.hyper, (), (words,))
    yield experiment.spectrum()


def _plain(experiment: Experiment, name: str) -> LoRALayer:
    variant = VARIANTS[experiment.config.variant]
    layer = experiment.layers.get(name)
    if not variant.exact_sigma or not isinstance(layer, LoRALayer) or layer.locked:
        why = f"{variant} has no plain factors" if layer is not None else "it is not adapted here"
        if isinstance(layer, LoRALayer) and layer.locked:
            why = layer.locked[0][1]
        raise LabError(f"The σ of {name} cannot be clipped: {why}.")
    return layer
