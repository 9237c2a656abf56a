"""Outcome: what a run amounts to, gathered from its records as they pass."""

from __future__ import annotations

import math
from typing import Any

from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.records import (
    CountsRecord,
    EvalRecord,
    FolderRecord,
    Record,
    SpectrumRecord,
    StepRecord,
)


class Outcome:
    """The last word of each kind of record, and the lowest loss; a new stage starts afresh."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.best_loss = math.inf
        self.best: EvalRecord | None = None  # of the lowest validation loss
        self.step: StepRecord | None = None
        self.counts: CountsRecord | None = None
        self.spectrum: SpectrumRecord | None = None
        self.evaluations: dict[bool, EvalRecord] = {}
        self.folder: FolderRecord | None = None
        self.data: DataRecord | None = None
        self.stage = ""

    def note(self, record: Record) -> None:
        match record:
            case StepRecord():
                self.step = record
                self.best_loss = min(self.best_loss, record.loss)
            case LoadedRecord():
                self._clear()
                self.stage = record.stage
            case CountsRecord():
                self.counts = record
            case SpectrumRecord():
                self.spectrum = record
            case EvalRecord():
                self.best = record if record.best else self.best
                self.evaluations[record.enabled] = record
            case FolderRecord():
                self.folder = record
            case DataRecord(path=path) if path:  # data that a preset brings is no news
                self.data = record

    def facts(self) -> dict[str, Any]:
        """Plain values, ready for JSON; a loss or count that was never seen is None."""
        step, counts, spectrum = self.step, self.counts, self.spectrum
        return {
            "final_loss": step.loss if step else None,
            "best_loss": self.best_loss if step else None,
            "steps": step.step if step else 0,
            "seconds": round(step.seconds, 3) if step else 0.0,
            "parameters": counts
            and {"adapter": counts.adapter, "frozen": counts.frozen, "total": counts.total},
            "singular_values": {
                layer.name: layer.sigma.tolist() for layer in (spectrum.layers if spectrum else ())
            },
            "best_step": self.best.step if self.best else None,
            "best_evaluation": _evaluation(self.best),
            "adapter_on": _evaluation(self.evaluations.get(True)),
            "adapter_off": _evaluation(self.evaluations.get(False)),
            "run": self.folder.path if self.folder else None,
            "data": self.data and _data(self.data),
        }


def _data(record: DataRecord) -> dict[str, Any]:
    return {
        "path": record.path,
        "form": record.form,
        "columns": dict(record.roles),
        "train_rows": record.train_rows,
        "validation_rows": record.validation_rows,
        "cut_rows": record.cut_rows,
        "tokens": record.tokens,
        "label_tokens": record.supervised_tokens,
        "notes": list(record.notes),
    }


def _evaluation(record: EvalRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "loss": record.loss,
        "accuracy": record.accuracy,
        "keep_loss": record.keep_loss,
        "keep_accuracy": record.keep_accuracy,
        "correct": list(record.correct),
        "total": list(record.total),
        "figures": dict(record.figures),
    }
