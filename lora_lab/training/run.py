"""One whole run: the base made first where the config asks for it, then the adapter, journalled."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from lora_lab.config import Origin, RunConfig
from lora_lab.errors import Cancelled, LabError
from lora_lab.progress import Report, silent
from lora_lab.records import (
    CancelledRecord,
    ExportingRecord,
    FolderRecord,
    Record,
    State,
    StateRecord,
)
from lora_lab.runs import checkpoints
from lora_lab.runs.data_fingerprint import data_fingerprint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import METRICS, summary_of
from lora_lab.runs.past import past_records
from lora_lab.training.controls import Controls
from lora_lab.training.devices import is_lost
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.optim import Stage
from lora_lab.training.pretrain import base_path, pretrain
from lora_lab.training.saving.go_back import branch_off
from lora_lab.training.saving.journal import Journal
from lora_lab.training.saving.state import restore, resumed_record


def run(
    config: RunConfig,
    controls: Controls,
    *,
    folder: Path | None = None,
    resume: Path | None = None,
    branch: Origin | None = None,
    until: int | None = None,
    serve_after_training: bool = False,
    save_at_end: Callable[[], bool] = lambda: True,
    report: Report = silent,
) -> Iterator[Record]:
    """Open `config`, train, and keep a journal in a run folder; yield every record.

    `folder` None makes one in user data at the first step. The adapter is saved there when
    training ends, is stopped, or fails; checkpoints as it goes. `resume` is a run folder that goes
    on from its newest checkpoint, with its own settings in place of `config`, to step `until` where
    that is given. `branch` begins a new run where another one stood; what `config` says otherwise
    holds from there on. `report` hears how far the opening is. Raises LabError
    where something cannot be opened, and Cancelled where `report` does.
    """
    made, notes, resumed = "", (), None
    if resume is not None:
        resumed = RunFolder.at(resume)
        config = resumed.load_config()
        resumed.lock()  # before anything is loaded, and before anything in it is touched
    elif config.pretraining is not None and config.model is None:
        yield from pretrain(config, controls)
        if controls.stopping:
            return
        base = base_path(config)
        if not base.exists():
            raise LabError(
                "The base was not trained to its end, so there is nothing to adapt. "
                "Open the preset again to train it from the start."
            )
        made = f"trained here in {config.pretraining.max_steps:,} steps"
        # A copy that keeps the very same `hyper`, which is how the loop knows that it is applied.
        config = config.model_copy(update={"model": str(base), "pretraining": None})
    try:
        experiment = Experiment.build(config, base=made, report=report)
        wished = experiment.hyper
        if resumed is not None:
            notes = _restored(experiment, resumed, until, ended=serve_after_training)
            if not serve_after_training and experiment.step >= experiment.stage.end:
                controls.pause()  # cut off after its last step: only its end is left to be written
            controls.settle(controls.hyper, experiment.hyper)
        elif branch is not None:
            step, notes = branch_off(experiment, Path(branch.run), branch.step)
            branch = Origin(branch.run, step)
            if wished == experiment.hyper:
                controls.settle(controls.hyper, experiment.hyper)
        journal = Journal(experiment, folder, resumed, notes, branch)
    except BaseException:
        if resumed is not None:
            resumed.close()
        raise
    past = resume or (Path(branch.run) if branch is not None else None)
    try:
        yield experiment.loaded()
        if past is not None:
            yield from past_records(past / METRICS, experiment.step)
            yield resumed_record(experiment, notes)
        if experiment.task.data is not None:
            yield experiment.task.data
        if journal.folder is not None:
            yield FolderRecord(0, str(journal.folder.path))
        report("Measuring the untrained model", -1)
        records = train(
            experiment, controls, serve_after_training=serve_after_training,
            folder=lambda: journal.folder, before_edit=journal.before_edit,
        )  # fmt: skip
        for record in records:
            if not isinstance(record, ExportingRecord | CancelledRecord):  # nothing came of it yet
                yield from journal.note(record)
            yield record
            if isinstance(record, StateRecord) and record.state in (State.FINISHED, State.STOPPED):
                yield from journal.save()
        if save_at_end():
            yield from journal.save()
        journal.end(failed=False)
    except Cancelled:  # while the untrained model was measured
        journal.end(failed=False)
        raise
    except Exception as error:
        if is_lost(error):
            journal.end(failed=True)
            message = _lost(experiment, journal, error)
            journal.fail(message, traceback.format_exc())
            raise LabError(message) from error
        yield from journal.save()  # what was learned is kept, whatever went wrong
        journal.fail(f"{type(error).__name__}: {error}", traceback.format_exc())
        journal.end(failed=True)
        raise
    except BaseException:  # the caller is going: saved as well, but nobody listens
        for _ in journal.save():
            continue
        journal.end(failed=False)
        raise
    finally:
        journal.close()


def _lost(experiment: Experiment, journal: Journal, error: Exception) -> str:
    saved, folder = journal.last_save, journal.folder
    kept = "Nothing was saved yet."
    if saved is not None and folder is not None:
        kept = (
            f"The checkpoint of step {saved:,} is intact: start the lab again, and resume "
            f"{folder.path.name} there (lora-lab resume {folder.path.name}), on another device "
            "with the same settings if this one does not come back."
        )
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"The device {experiment.device} was lost at step {experiment.step:,} ({reason}). {kept}"


def _restored(
    experiment: Experiment, run: RunFolder, until: int | None, ended: bool
) -> tuple[str, ...]:
    """Put the newest whole checkpoint back; raises LabError where there is none.

    So it does where the run is done and its end is written, unless one that has `ended` is to be
    looked at.
    """
    checkpoints.tidy(run.path)
    found = checkpoints.latest(run.path)
    notes = restore(experiment, found.tensors, found.facts)
    known = run.about().get("data_fingerprint", "")
    if known and known != data_fingerprint(experiment.config.data):
        notes += ("the data has changed since: the rows that follow will differ",)
    if until is not None:
        experiment.stage = Stage(experiment.stage.begin, until)
    done = summary_of(run.path).state in (State.FINISHED.value, State.STOPPED.value)
    if experiment.step >= experiment.stage.end and done and not ended:
        raise LabError(
            f"{run.path.name} has finished at step {experiment.step:,}. Say up to which step to "
            "continue (--steps)."
        )
    return notes
