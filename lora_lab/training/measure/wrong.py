"""The validation images that the open model gets wrong, to be looked at."""

from __future__ import annotations

from lora_lab.errors import Cancelled, LabError
from lora_lab.measured import WrongRecord
from lora_lab.opening_records import DataRow
from lora_lab.training.experiment import Experiment


def wrong_of(experiment: Experiment, most: int) -> WrongRecord:
    """At most `most` of each class, the surest first, with the adapter as its switch has it.

    Raises LabError where the data are no images of classes, and Cancelled where it is to end.
    """
    task = experiment.task
    if not task.shows_wrong:
        raise LabError("Only a classifier of images has images that are misclassified.")
    enabled = experiment.hyper.enabled
    found = experiment.inference.wrong(enabled, most, experiment.should_stop)
    if found is None:
        raise Cancelled("The measurement was cancelled.")
    rows = tuple(
        DataRow(
            wrong.row + 1,
            label=f"{task.classes[wrong.label]} → {task.classes[wrong.predicted]}",
            image=wrong.image,
        )
        for wrong in found.shown
    )
    return WrongRecord(
        experiment.step, enabled, task.classes, found.counts, found.total, rows,
        tuple(wrong.label for wrong in found.shown),
    )  # fmt: skip
