"""Autosave: checkpoints of one experiment, copied between two steps and written by a thread.

They come every few seconds of training, before edits so that those can be undone, and at pauses and
ends. The adapter of its own is written beside every few of them, for whoever wants no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psutil

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.formats import FORMATS
from lora_lab.records import CheckpointRecord, ErrorRecord, NewsRecord
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.writer import Writer
from lora_lab.training.experiment import Experiment
from lora_lab.training.saving.state import state_of
from lora_lab.training.time_budget import TimeBudget

ADAPTER_SECONDS = 30.0  # between two adapters beside the checkpoints, which hold all of it
SHARE = 0.01  # of the time that copying may take
SHARE_OF_MEMORY = 0.5  # of what is free, for the copies of a checkpoint


class Autosave:
    """What of a run stands on the disk, and what is on its way there."""

    def __init__(self, experiment: Experiment, saved: int | None = None) -> None:
        """`saved`: step of the checkpoint that the run goes on from; None: there is none."""
        self.experiment = experiment
        self.writer = Writer()
        self.saved = saved  # step of the newest checkpoint that is known to stand
        self.behind = saved is None  # something has happened that no checkpoint holds
        self.refused = False  # the disk has refused something, and that was reported
        self._interval = experiment.config.autosave_seconds
        self._budget = TimeBudget(SHARE, self._interval)
        self._took = 0.0  # seconds from the last order until it stood
        self.too_large = False  # for a copy of it: then the adapter alone is saved
        self._told_too_large = False
        self._adapter_due = time.monotonic() + ADAPTER_SECONDS
        self.adapter_next = False  # it follows the checkpoint that was just ordered
        self._best_kept: AdapterWeights | None = None  # which is known to lie in the folder

    def due(self) -> bool:
        """Whether it is time: what a crash takes is no more than the interval, writing included."""
        # A twentieth is left for a disk that takes longer this time.
        self._budget.interval = max(0.5 * self._interval, 0.95 * self._interval - self._took)
        return self._budget.due(time.perf_counter())

    def order(
        self, folder: RunFolder, then: Callable[[], None] = lambda: None, keep: bool = False
    ) -> None:
        """Copy the state now, and let the writer have it; `keep` one for going back.

        `then` is called by the writer once the checkpoint stands.
        """
        if not self._fits():
            return
        experiment = self.experiment
        with self._budget:
            tensors, facts = state_of(experiment)
        step, ordered, best = experiment.step, time.perf_counter(), experiment.best.weights
        if not keep:
            self.behind = False
            self.adapter_next = experiment.has_factors and time.monotonic() >= self._adapter_due

        def job() -> CheckpointRecord:
            folder.sync()  # a checkpoint must not be ahead of the record of its steps
            if best is not None and best is not self._best_kept:
                folder.save_best(best, FORMATS["peft"].save)
                self._best_kept = best  # only now: a job may be left out for a newer one
            written = write_checkpoint(folder.path, step, tensors, facts, keep)
            self._took = time.perf_counter() - ordered
            then()
            return CheckpointRecord(step, str(written))

        self.writer.offer(job, lasting=keep)

    def order_adapter(self, folder: RunFolder) -> None:
        """Copy the adapter, at another step than the checkpoint: no step is held up by both."""
        weights = self.experiment.weights()
        self._adapter_due, self.adapter_next = time.monotonic() + ADAPTER_SECONDS, False

        def job() -> None:
            folder.save_adapter(weights, FORMATS["peft"].save)

        self.writer.offer(job, lasting=True)

    def outcomes(self) -> Iterator[CheckpointRecord | ErrorRecord | NewsRecord]:
        """What has come of them; a disk that refuses them is reported once until it works again."""
        for outcome in self.writer.outcomes():
            if outcome is None:  # of an adapter
                continue
            if isinstance(outcome, CheckpointRecord):
                refused, self.refused, self.saved = self.refused, False, outcome.step
                yield outcome
                if refused:
                    yield NewsRecord(outcome.step, f"Saved again, at step {outcome.step:,}.")
                continue
            self.write_anew()
            if not self.refused:
                self.refused = True
                reason = getattr(outcome, "strerror", None) or outcome
                yield self._error(
                    f"The run could not be saved: {reason}. Training continues, saving is "
                    "retried, and the previous checkpoint is intact."
                )
        if self.too_large and not self._told_too_large:
            self.refused = self._told_too_large = True
            yield self._error(
                f"The run is not saved while it trains: a copy of its {self._trained() / 1e9:.1f} "
                "GB and their averages does not fit beside it into the memory that is free."
            )

    def wait(self) -> None:
        """Until all that was ordered is written, or refused."""
        self.writer.wait()

    def write_anew(self) -> None:
        """All that was written is to be written again: it was refused, or is gone."""
        self.behind, self._best_kept, self._adapter_due = True, None, 0.0

    def adapter_saved(self) -> None:
        """The adapter and the best one are written, or on their way."""
        self._best_kept, self.adapter_next = self.experiment.best.weights, False
        self._adapter_due = time.monotonic() + ADAPTER_SECONDS

    def close(self) -> None:
        self.writer.close()

    def _fits(self) -> bool:
        """Whether two more copies of the state leave the machine its memory."""
        copies = 2 * 3 * self._trained()  # the values, and Adam's two averages
        self.too_large = copies > SHARE_OF_MEMORY * psutil.virtual_memory().available
        return not self.too_large

    def _trained(self) -> int:
        return sum(p.numel() * p.element_size() for p in self.experiment.parameters())

    def _error(self, message: str) -> ErrorRecord:
        return ErrorRecord(self.experiment.step, message)
