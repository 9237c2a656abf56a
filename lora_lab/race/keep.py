"""A lane of a race written down as a run of its own, which opens and continues where it stands."""

from __future__ import annotations

from pathlib import Path

from lora_lab.errors import LabError
from lora_lab.race.lane import Lane
from lora_lab.records import FolderRecord, State, StateRecord
from lora_lab.training.saving.journal import Journal


def keep(lane: Lane) -> Path:
    """The folder of the new run, in user data; the lane itself goes on as it would have.

    Raises LabError where it has made no step, or where the disk refuses it.
    """
    experiment = lane.experiment
    if not experiment.step:
        raise LabError(f"Lane {lane.name} has made no step yet, so there is nothing to keep.")
    journal = Journal.new(experiment)
    path: Path | None = None
    try:
        state = lane.state if lane.ended else State.PAUSED
        end = StateRecord(state, experiment.step, goal=experiment.stage.end)
        for record in (*lane.kept, end):
            for found in journal.note(record):
                if isinstance(found, FolderRecord):
                    path = Path(found.path)
        for _ in journal.save_in():
            continue
        for _ in journal.leave(save=False):
            continue
    finally:
        journal.close()
    if path is None:
        raise LabError(f"Lane {lane.name} could not be kept: no folder could be made for it.")
    return path
