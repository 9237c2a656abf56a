"""MirroredRun: a run that is trained elsewhere, watched by what comes into its folder here.

It has the face of a session, so that a window shows it in the same panels. Nothing of it can be
changed from here: each request is answered by one message.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from lora_lab.engine.wire import record_of
from lora_lab.errors import LabError, system_reason
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import ClippedRecord, GeneratedRecord
from lora_lab.opening_records import DataRecord, LoadedRecord, OpeningRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    NewsRecord,
    NonFiniteRecord,
    PaceRecord,
    PastEditRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.lines import open_lines, parsed, whole_lines
from lora_lab.runs.listing import METRICS, is_mirror
from lora_lab.runs.record_sense import Sense
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.drained import Drained

if TYPE_CHECKING:
    from lora_lab.training.commands import Command

LOOK = 0.3  # seconds between two looks for what is new
TRIES = 20  # to open the file
ROOM = 20_000  # records that wait to be shown; a stranger's file may have any number
COSTLY = {  # so many steps is one of them for who shows it
    LoadedRecord: 4000, StateRecord: 200, AppliedRecord: 200, ResumedRecord: 200, NewsRecord: 200,
    ErrorRecord: 200, DataRecord: 200, SpectrumRecord: 20, CountsRecord: 20,
}  # fmt: skip
# What a run's file is for. Paths of another machine, and what was asked for there, are not shown.
OF_A_RUN = (
    *COSTLY, StepRecord, EvalRecord, PaceRecord, PastEditRecord, ClippedRecord, NonFiniteRecord,
    GeneratedRecord, OpeningRecord,
)  # fmt: skip
FIXED = "This run trains on a cluster and is watched here: it cannot be changed. Its sweep is "\
        "stopped in the window of clusters, or by lora-lab sweep --stop."  # fmt: skip


class MirroredRun(Drained):
    """One folder, followed until it is let go."""

    outlives, edits, lost = True, False, False

    def __init__(self, run: Path) -> None:
        """Raises LabError where the folder's settings cannot be read."""
        super().__init__("lora-lab-mirrored")
        self.run, self.config = run, SavedConfig.read(run).config
        self.controls = Watching(self)
        self._over = threading.Event()
        self._waiting = 0  # what is to be shown, in steps

    def request_close(self, save: bool = True) -> None:
        """Follow it no more; where it is trained, it goes on."""
        self._over.set()

    let_go = request_close

    def say(self, record: Record) -> None:
        """Any thread may."""
        with self._lock:
            self._records.append(record)
            self._waiting += COSTLY.get(type(record), 1)

    def _taken(self) -> list[Record]:
        self._waiting = 0
        return super()._taken()

    # -- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        self.say(StateRecord(State.LOADING, 0))
        self.say(OpeningRecord("Waiting for the first news of the run", -1))
        tries = 0
        while not self._over.wait(LOOK if tries else 0):
            try:
                self._follow()
                tries = 0
            except LabError as error:
                self._fail(str(error))
                break
            except OSError as error:  # for a moment it is not there, while it is replaced
                tries += 1
                if tries == TRIES:
                    self._fail(f"{self.run} cannot be read: {system_reason(error)}.")
                    break
        self.say(StateRecord(State.CLOSED, self._step))

    def _fail(self, words: str) -> None:
        self._state = State.FAILED
        self.say(StateRecord(State.FAILED, self._step, words))

    def _follow(self) -> None:
        """Read the file from its beginning until it is another one, or nobody follows.

        Raises OSError, and LabError where it is of a model that cannot be.
        """
        sense = Sense(self.run / METRICS)
        with open_lines(self.run / METRICS) as file:
            here, known = os.fstat(file.fileno()), is_mirror(self.run)
            whole = self._step if not known else -1  # it has come as a whole: only what is missing
            while not self._over.is_set():
                for raw in whole_lines(file):
                    row = parsed(raw)
                    record = record_of(row) if row is not None else None
                    record = sense.taken(record) if record is not None else None
                    if record is not None:
                        self._take(record, whole)
                    while self._waiting > ROOM and not self._over.wait(LOOK):
                        pass
                    if self._over.is_set():
                        return
                if self._over.wait(LOOK):
                    return
                now = os.stat(self.run / METRICS)
                if not os.path.samestat(here, now) or now.st_size < file.tell():
                    return  # somebody follows it anew, or it has come as a whole

    def _take(self, record: Record, after: int) -> None:
        if not isinstance(record, OF_A_RUN):
            return
        match record:
            case StateRecord(state=State.CLOSED):
                return  # of the process there
            case ErrorRecord() if record.command:
                return
            case StateRecord():
                if record.step < after:
                    return
                self._state = record.state
            case LoadedRecord(hyper=hyper):
                if after >= 0:
                    return
                self.controls.hyper = hyper
                self.say(record)
                self.say(FolderRecord(0, str(self.run)))
                return
            case _ if getattr(record, "step", 0 if after < 0 else -1) <= after:
                return
            case AppliedRecord(hyper=hyper):
                self.controls.hyper = hyper
            case StepRecord(step=step):
                self._step = step
        self.say(record)


class Watching:
    """The face of `training.controls.Controls` where nothing can be controlled."""

    def __init__(self, session: MirroredRun) -> None:
        self._session = session
        self.hyper: Hyperparameters = session.config.hyper
        self.skipping = False

    @property
    def paused(self) -> bool:
        return self._session.state is not State.RUNNING

    def set_hyper(self, hyper: Hyperparameters) -> None:
        self._refuse()

    def pause(self) -> None:
        self._refuse()

    def resume(self, further: int = 0) -> None:
        self._refuse()

    def finish(self) -> None:
        self._refuse()

    def request(self, command: Command) -> None:
        self._refuse(type(command).__name__)

    def cancel(self, command: Command) -> None:
        """It was refused."""

    def _refuse(self, command: str = "") -> None:
        self._session.say(ErrorRecord(self._session.step, FIXED, command=command))
