"""Going back in a run, and branching off from it: a save of an earlier step is put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.records import AppliedRecord, NewsRecord, Record
from lora_lab.runs import checkpoints
from lora_lab.runs.folder import RunFolder
from lora_lab.training.best import Best
from lora_lab.training.experiment import Experiment
from lora_lab.training.optim import Stage
from lora_lab.training.saving.state import restore, resumed_record, state_of

# Where one of these is another, so are the validation rows, and a loss on the old ones is no mark.
MEASURED_ON = (
    "data", "columns", "skip_bad_rows", "validation", "validation_data", "seed", "max_length",
)  # fmt: skip


def go_back(
    experiment: Experiment, folder: RunFolder | None, step: int | None, before_edit: bool = False
) -> Iterator[Record]:
    """Restore the save of the run that is nearest to `step`, or that from before the edit there.

    Without a `step` it is the newest edit of all; that there is none is news and no failure.

    Raises LabError, with everything as it was, where there is none or it cannot be put back.
    """
    if folder is None:
        raise LabError("Nothing has been saved yet, so there is nothing to revert to.")
    folder.settle()  # the save from before an edit may still be on its way to the disk
    if step is None:
        kept = [at for at, path in checkpoints.listed(folder.path) if path.name.startswith("kept")]
        if not kept:
            words = "No setting was changed after the first step of this run."
            yield NewsRecord(experiment.step, words)
            return
        step = kept[-1]
    find = checkpoints.before_edit if before_edit else checkpoints.nearest
    checkpoint, best = find(folder.path, step), experiment.best
    before = best.step, best.loss
    notes = put_back(experiment, checkpoint)
    if (best.step, best.loss) != before:
        folder.forget_best()  # that of then comes with the next save
        best.claim_what_is_there(experiment.has_factors)
    yield resumed_record(experiment, notes)
    words = f"back at step {experiment.step:,}"
    yield AppliedRecord(experiment.step, experiment.hyper, (), (words, *notes))
    yield experiment.counts()


def put_back(experiment: Experiment, checkpoint: checkpoints.Checkpoint) -> tuple[str, ...]:
    """Restore a checkpoint, or leave everything as it is and raise LabError."""
    before, hyper, best = state_of(experiment), experiment.hyper, experiment.best.weights
    try:
        return restore(experiment, checkpoint.tensors, checkpoint.facts)
    except LabError:
        raise
    except Exception as error:  # a checkpoint that is whole and yet not of this run
        restore(experiment, *before)
        experiment.hyper, experiment.best.weights = hyper, best
        raise LabError(f"{checkpoint.path} cannot be restored: {error}") from error


def branch_off(experiment: Experiment, run: Path, step: int) -> tuple[int, tuple[str, ...]]:
    """Let a fresh experiment begin where the run at `run` stood at about `step`.

    Returns the step and what differs. What its config says otherwise holds from here on. Raises
    LabError where the run has no such save, or its settings have other layers.
    """
    requested, parent = experiment.hyper, RunFolder.at(run).load_config()
    checkpoint = checkpoints.nearest(run, step)
    if parent.optimizer != experiment.config.optimizer:
        raise LabError("A branch keeps its optimizer: the moments of one are of no use to another.")
    notes = put_back(experiment, checkpoint)
    experiment.best.claim_what_is_there(experiment.has_factors)
    if any(getattr(parent, field) != getattr(experiment.config, field) for field in MEASURED_ON):
        experiment.best = Best()
    begin, end = experiment.stage
    if experiment.config.max_steps != parent.max_steps:
        end = begin + experiment.config.max_steps
    if end <= experiment.step:
        end = experiment.step + experiment.config.max_steps
    experiment.stage = Stage(begin, end)
    if experiment.hyper.layer_ranks != requested.layer_ranks:
        notes += ("ranks of single layers are those of the parent until the first step",)
    return experiment.step, notes
