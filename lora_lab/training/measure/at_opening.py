"""What is measured before the first step: losses with the adapter off and on, unless it is known.

On a large model that takes minutes, so it says how far it is, and may be skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from lora_lab.errors import Cancelled
from lora_lab.measured import ClippedRecord
from lora_lab.progress import Report, silent
from lora_lab.records import EvalRecord, PastEditRecord, Record
from lora_lab.training.experiment import Experiment


@dataclass
class Known:
    """What the record of a resumed run holds of the model as it stands again."""

    off: bool = False
    on: EvalRecord | None = None  # of the newest adapter, if nothing was edited since

    def follow(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass the records of the past on."""
        for record in records:
            if isinstance(record, EvalRecord):
                self.off = self.off or not record.enabled
                self.on = record if record.enabled else self.on
            elif isinstance(record, PastEditRecord | ClippedRecord):
                self.on = None
            yield record

    def forget(self) -> None:
        """Base or data are others than they were."""
        self.off, self.on = False, None


def measured_at_opening(
    experiment: Experiment,
    known: Known,
    leave: Callable[[], bool],
    report: Report = silent,
) -> Generator[EvalRecord, None, bool]:
    """The losses that the run begins with; `leave` says that they are to be left out.

    Returns whether a validation was made good that was due when the run was cut off.
    """
    parts = experiment.task.evaluation_parts

    def watched(what: str) -> Callable[[], bool]:
        asked = 0

        def stop() -> bool:
            nonlocal asked
            if leave():
                return True
            with suppress(Cancelled):  # `leave` says so the next time
                report(what, min(1.0, asked / parts) if parts else -1)
            asked += 1
            return False

        stop()  # a short pass asks nothing
        asked = 0
        return stop

    untrained = None
    experiment.base_measured = known.off
    if not known.off:
        stop = watched("Measuring the model without the adapter")
        untrained = experiment.evaluate(enabled=False, should_stop=stop)
        if untrained is None:
            return False
        yield untrained
    if experiment.step:
        every, step, best = experiment.config.eval_steps, experiment.step, experiment.best
        due = bool(every) and step % every == 0
        missed = (due or step >= experiment.stage.end) and best.last != step
        at_step = known.on is not None and known.on.step == step
        if at_step and not missed and known.on.loss >= best.loss:
            return False
        stop = watched("Measuring the model with the adapter")
        trained = experiment.evaluate(should_stop=stop, due=missed)
        if trained is None:
            return False
        yield trained
        return missed
    elif experiment.hyper.enabled and untrained is not None and not experiment.continued:
        yield experiment.note_evaluation(replace(untrained, enabled=True))  # the answers are equal
    elif experiment.hyper.enabled:
        trained = experiment.evaluate(should_stop=watched("Measuring the model with the adapter"))
        if trained is not None:
            yield trained
    return False
