"""A finished adapter is written as requested: in a format, verified, or merged into its base.

The command line and the window deliver here; what comes back is plain, so that both can show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.exported import ExportReport, LayerCheck
from lora_lab.figures import counted
from lora_lab.formats.components import alone
from lora_lab.formats.factors import cast
from lora_lab.formats.library_proof import library_of
from lora_lab.formats.peft_beside import without_copies
from lora_lab.formats.portable import fold
from lora_lab.formats.verify import exporting
from lora_lab.models.base import Base
from lora_lab.plain import plain
from lora_lab.progress import Report, silent, to_end
from lora_lab.variants import VARIANTS
from lora_lab.workshop.lost import lost, refuse_ruin
from lora_lab.workshop.merge_base import MergedReport, merging
from lora_lab.workshop.places import key_of, skeleton_for, tied_sources
from lora_lab.workshop.requests import MERGED, Delivered, Delivery

FOLDING = ("peft-portable", "diffusers")  # formats that fold s into B
TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def deliver(
    weights: AdapterWeights,
    delivery: Delivery,
    report: Report = silent,
    words: Sequence[str] = (),
    read: AdapterWeights | None = None,
) -> Delivered:
    """`delivering` to its end, with its stages told to `report`, which may raise Cancelled."""
    return to_end(delivering(weights, delivery, words, read), report)


def delivering(
    weights: AdapterWeights,
    delivery: Delivery,
    words: Sequence[str] = (),
    read: AdapterWeights | None = None,
) -> Generator[tuple[str, float] | Delivered, None, None]:
    """Write and verify, or merge into the base; `words` on what was done before come first.

    Stage by stage, and at last what was delivered; closed at a stage, it leaves no trace. `read` is
    the adapter as its file had it, where `weights` were cut since: what is lost is told against it.
    Raises LabError, and then nothing at the target has changed.
    """
    changed, read = bool(read or delivery.dtype), read or weights
    if delivery.base:
        weights = replace(weights, base=delivery.base)
    beside: tuple[str, ...] = ()
    if delivery.format != "peft" and any(not layer.saved for layer in weights.whole):
        weights, beside = without_copies(weights, _reader(weights))
    if delivery.prove:
        library_of(delivery.format)  # known before anything is computed
    if delivery.format == MERGED:
        yield from _merge(weights, delivery, (*words, *beside))
        return
    if not weights.layers:
        raise AdapterError(
            f"{VARIANTS[weights.variant].subject} has no low-rank factors to export. Export it "
            "merged into its base."
        )
    if delivery.dtype:
        uncast = weights
        weights = in_type(weights, delivery.dtype, delivery.format)
        refuse_ruin(lost(uncast, weights), delivery.dtype)
    target = Path(delivery.target).expanduser()
    how = delivery.format, delivery.overwrite, delivery.prove, delivery.component
    with closing(exporting(weights, target, *how)) as stages:
        for result in stages:
            if isinstance(result, ExportReport):
                break
            yield result
    size = f"{result.bytes:,} bytes, {result.keys} tensors"
    lines = proof = (
        f"re-read and compared: largest error of ΔW {result.largest_error:.1e} "
        f"over {counted(len(result.layers), 'layer')} (mean {result.mean_error:.1e})",
        *([f"proved by {result.proved}"] if result.proved else ()),
        f"SHA-256 {result.sha256}",
    )
    facts = plain(result)
    if changed:
        loss = lost(read, weights)
        lines = (loss.words(), *lines)
        facts |= {"largest_loss": loss.worst[1], "losses": loss.layers}
    facts |= {
        "largest_error": result.largest_error,
        "mean_error": result.mean_error,
    }
    said = (*words, *beside, *lines)
    yield Delivered(result.path, size, said, result.notes, facts, result, proof)


def report_of(delivered: Delivered, step: int, loss: float) -> ExportReport:
    """What was delivered, as a run keeps it; it is the adapter of `step`, with that loss or nan."""
    of = {"of_step": step, "validation_loss": None if math.isnan(loss) else loss}
    if delivered.report is not None:
        lost = tuple(words for words in delivered.words if words not in delivered.proof)
        return replace(delivered.report, notes=(*lost, *delivered.report.notes), **of)
    rows = tuple(LayerCheck(row["name"], 0, row["measured"]) for row in delivered.facts["layers"])
    notes = (*delivered.words, *delivered.notes)
    return ExportReport(MERGED, delivered.path, rows, 0, delivered.facts["bytes"], "", notes, **of)


def in_type(weights: AdapterWeights, dtype: str, format: str = "peft") -> AdapterWeights:
    """The factors in another type; where the format folds s into B, it is folded before.

    Raises AdapterError for a type that no format writes.
    """
    if dtype not in TYPES:
        raise AdapterError(
            f"There is no dtype {dtype!r} for factors; there are {', '.join(TYPES)}."
        )
    if format in FOLDING:
        weights = replace(weights, layers=tuple(fold(layer) for layer in weights.layers))
    return cast(weights, TYPES[dtype])


def _reader(weights: AdapterWeights) -> Callable[[str], torch.Tensor | None]:
    """The weight of a module in the adapter's base, as far as there is one: its own, or a tied."""
    if not weights.base or not Path(weights.base).exists():
        return lambda name: None
    base = Base(Path(weights.base))
    tied = {
        name.removesuffix(".weight"): source.keys[0]
        for name, source in tied_sources(skeleton_for(base, weights)).items()
        if source.converter is None
    }

    def weight_of(name: str) -> torch.Tensor | None:
        key = key_of(name, base) or tied.get(name, "")
        return base.read(key) if key else None

    return weight_of


def _loss_words(result: MergedReport) -> str:
    """What rounding loses of ΔW; "" where no layer has factors."""
    if not result.layers:
        return ""
    worst = max(result.layers, key=lambda layer: layer.measured)
    return (
        f"merged {counted(len(result.layers), 'layer')} into {worst.dtype}; rounding loses at most "
        f"{100 * worst.measured:.2g} % of ΔW (predicted {100 * worst.predicted:.2g} %), in "
        f"{worst.name}"
    )


def _merge(
    weights: AdapterWeights, delivery: Delivery, words: Sequence[str]
) -> Generator[tuple[str, float] | Delivered, None, None]:
    base = Path(weights.base)
    if not weights.base or not base.exists():
        where = f"there is none at {weights.base}" if weights.base else "none is named"
        raise AdapterError(
            f"A merged checkpoint needs the base model, and {where}. Name its folder or file."
        )
    if delivery.component:
        weights, told = alone(weights, delivery.component)
        words = (*words, *told)
    target = Path(delivery.target).expanduser()
    how = delivery.overwrite, delivery.untie, delivery.original
    with closing(merging(weights, base, target, *how)) as stages:
        for result in stages:
            if isinstance(result, MergedReport):
                break
            yield result
    size = f"{result.bytes:,} bytes of weights"
    line = _loss_words(result) or f"wrote {counted(len(weights.whole), 'layer')} as trained"
    facts = {
        "format": MERGED,
        "path": result.path,
        "bytes": result.bytes,
        "largest_loss": result.largest,
        "layers": plain(result.layers),
        "notes": list(result.notes),
    }
    yield Delivered(result.path, size, (*words, line), result.notes, facts)
