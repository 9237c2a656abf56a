"""Snapshots along a run: which steps, and a disk that refuses one is reported once."""

from __future__ import annotations

from collections.abc import Iterator

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import system_reason
from lora_lab.records import ErrorRecord, Record, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.snapshots import steps_of, write_snapshot
from lora_lab.training.experiment import Experiment


class Snapshots:
    """Those that the config of an experiment asks for; of full fine-tuning there are none."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        count = experiment.config.snapshots if experiment.has_factors else 0
        self._steps = set(steps_of(count, experiment.config.max_steps)) if count else set()
        begins = bool(self._steps) and experiment.step == 0
        # The folder may be made at the first step, when A is no longer what it was.
        self._start = self._factors() if begins else ()
        self._refused = False

    def note(self, record: Record, folder: RunFolder | None) -> Iterator[Record]:
        """Keep what is due after this record; it yields that the disk would not."""
        if not isinstance(record, StepRecord) or folder is None or not self._steps:
            return
        try:
            if self._start:
                start, self._start = self._start, ()
                write_snapshot(folder.path, 0, start)
            if record.step in self._steps:
                write_snapshot(folder.path, record.step, self._factors())
        except OSError as error:
            if not self._refused:
                self._refused = True
                yield ErrorRecord(
                    record.step,
                    f"A snapshot was not kept: {system_reason(error)}. Training continues.",
                )

    def _factors(self) -> tuple[LayerWeights, ...]:
        return tuple(layer.layer_weights() for layer in self._experiment.lora_layers)
