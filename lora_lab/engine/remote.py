"""RemoteSession: the session of another process, with the face of `training.session.Session`.

One thread listens and turns what comes into records, so that a window drains them as it does those
of its own. When the connection ends without a word it looks for the engine again, and where that
is gone it says so: the run stands in its folder and can be resumed.
"""

from __future__ import annotations

import math
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lora_lab.config import RunConfig, checked
from lora_lab.engine.backlog import Backlog
from lora_lab.engine.door import SCHEMA
from lora_lab.engine.lines import PIECE, Lines
from lora_lab.engine.openings import folder_of, pack_opening
from lora_lab.engine.places import Place, live_place
from lora_lab.engine.remote_controls import RemoteControls
from lora_lab.engine.start import Gone, Starting, connect
from lora_lab.engine.wire import Strange, dumped, parsed, unpack_records
from lora_lab.errors import Cancelled, LabError
from lora_lab.opening_records import LoadedRecord, OpeningRecord
from lora_lab.records import FolderRecord, Record, State, StateRecord, StepRecord
from lora_lab.runs.record_sense import Sense
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.runs.saves import resumable
from lora_lab.training.drained import Drained
from lora_lab.training.opening import Opening

MOST = 2**30  # bytes of one message of an engine: data and spectra of a large model
PARTS = 2**22, 2**25  # lists and values in it: 200,000 records may have waited
LOOK = 0.1  # seconds between two looks whether it is to end
GREETED = 10.0  # seconds in which an engine greets
SENDING = 10.0  # seconds in which it takes what is said to it
GONE = 2.0  # seconds in which an engine that was lost is looked for


class RemoteSession(Drained):
    """One engine, watched and, where nobody else does, edited from here."""

    outlives = True  # the run goes on when this process ends

    def __init__(
        self,
        run: Path,
        *,
        config: RunConfig,
        starting: Starting | None = None,
        opening: Opening | None = None,
        paused: bool = True,
        watch: bool = False,
        notes: bool = True,
    ) -> None:
        """Attach to the engine of `run`, or open `opening` in the one that is `starting`.

        `notes`: whether its end is a note of the desktop where nobody watches.
        """
        super().__init__("lora-lab-remote")
        self.run = run
        self.config = config  # the engine says with what it was opened
        self.edits = not watch  # until the engine says
        self.lost = False  # the engine has ended without a word
        self.failure = ""  # why the run, or its engine, has failed
        self.greeted = False  # the engine has answered
        self.pid = starting.pid if starting is not None else 0  # of the engine
        self.controls = RemoteControls(self.config.hyper, paused, self._say)
        self._starting, self._opening = starting, opening
        self._watch, self._notes = watch, notes
        self._connection: socket.socket | None = None
        self._sending = threading.Lock()
        self._folder = str(run)
        self._sense = Sense(f"What the engine of {run.name} says")
        self._asked_to_end = self._let_go = False
        self._until: float = math.inf

    def request_close(self, save: bool = True) -> None:
        """End the run at the step in hand, and its engine; CLOSED is the last record."""
        self._asked_to_end = True
        self._say({"do": "end", "save": save})

    def let_go(self) -> None:
        """Leave the engine to itself: the run goes on."""
        self._let_go = True

    # -- the thread that listens ------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._publish(StateRecord(State.LOADING, 0))
            self._listen(self._arrive())
        except Cancelled:
            pass
        except LabError as error:
            self._publish(StateRecord(State.FAILED, self._step, str(error)))
        except Exception as error:  # noqa: BLE001 - a failure of any kind becomes a record
            message = f"{type(error).__name__}: {error}"
            self._publish(StateRecord(State.FAILED, self._step, message, traceback.format_exc()))
        finally:
            self._hang_up()
            self._publish(StateRecord(State.CLOSED, self._step))

    def _arrive(self) -> Place:
        """Start the engine, or find it, and say hello; raises LabError."""
        place, starting = None, self._starting
        if starting is not None:
            self._publish(OpeningRecord("Starting the engine", -1))
            starting.wait(lambda: self._asked_to_end)  # let go, it still has to be told what to do
            place = starting.place
        else:
            place = live_place(self.run)
            if place is None:
                raise Gone(f"{self.run.name} does not train in the background.")
        self._greet(place)
        if self._opening is not None:
            self._say(
                {
                    "do": "open", "opening": pack_opening(self._opening),
                    "paused": self.controls.paused, "notes": self._notes,
                }
            )  # fmt: skip
        return place

    def _greet(self, place: Place) -> None:
        key = place.key()
        connection = connect(place)
        connection.settimeout(SENDING)
        role = "watch" if self._watch else "edit"
        try:
            connection.sendall(dumped({"hello": {"schema": SCHEMA, "key": key, "role": role}}))
        except OSError as error:
            connection.close()
            raise Gone(f"The engine of {self.run.name} has ended.") from error
        self._connection = connection
        if self._asked_to_end:  # before there was anybody to ask
            self._say({"do": "end"})

    def _listen(self, place: Place) -> None:
        lines = Lines(MOST)
        while not self._let_go:
            data = self._received()
            if data is None:
                continue
            if data:
                for line in lines.take(data):
                    if self._hear(parsed(line, *PARTS)):
                        return
            elif not self._found_again(place):
                self._say_lost()
                return
            else:
                lines = Lines(MOST)

    def _received(self) -> bytes | None:
        """What has come; nothing where the connection has ended, None where nothing came yet."""
        assert self._connection is not None
        try:
            if not select.select([self._connection], [], [], LOOK)[0]:
                return None
            return self._connection.recv(16 * PIECE)
        except OSError:
            return b""

    def _found_again(self, place: Place) -> bool:
        """Whether the engine is there after all: it lets go of one who does not read for long."""
        until = time.monotonic() + GONE
        while place.live and not self._let_go and time.monotonic() < until:
            with suppress(Gone):
                self._hang_up()
                self._opening = None
                self._greet(place)
                return True
            threading.Event().wait(LOOK)
        return False

    def _say_lost(self) -> None:
        if self._asked_to_end and self._state in (State.LOADING, State.FAILED):
            return
        self.lost = True
        step = resumable(Path(self._folder))
        words = f"The engine of {Path(self._folder).name} has ended without a word."
        if step is None:
            words += " It had no checkpoint yet."
        else:
            words += f" The run can be resumed from step {step:,}."
        self._publish(StateRecord(State.FAILED, self._step, words))

    def _hear(self, message: dict[str, Any]) -> bool:
        """Follow one message; whether it was the last. Raises LabError."""
        if "records" in message:
            return self._heard(unpack_records(message["records"]))
        elif "stands" in message:
            self.controls.stands(message["stands"])
        elif "backlog" in message:
            return self._heard(_backlog(message["backlog"]).records())
        elif "hello" in message:
            self._welcomed(message["hello"])
        elif "config" in message:
            self.config = checked(RunConfig, message["config"])
        elif "edits" in message:
            self.edits = message["edits"] is True
        elif "refused" in message:
            raise LabError(str(message["refused"])[:1000])
        return False

    def _heard(self, records: Iterable[Record]) -> bool:
        """Publish what the engine says that can be so; whether it was the last. Raises LabError."""
        for record in records:
            if isinstance(record, StateRecord) and record.state is State.CLOSED:
                return True
            if (sound := self._sense.taken(record)) is not None:
                self._publish(sound)
        return False

    def _welcomed(self, hello: Any) -> None:
        if not isinstance(hello, dict) or hello.get("schema") != SCHEMA:
            raise Strange("The engine speaks another version than this lab. Use the lab that "
                          "started it, or end it there and resume the run here.")  # fmt: skip
        self.edits, self.greeted = hello.get("edits") is True, True
        self.pid = pid if type(pid := hello.get("pid")) is int else 0
        if hello.get("config") is not None:
            self.config = checked(RunConfig, hello["config"])

    def _publish(self, record: Record) -> None:
        if isinstance(record, StepRecord):
            self._step = record.step
        elif isinstance(record, StateRecord):
            self._state = record.state
            if record.state is State.FAILED:
                self.failure = record.message
        elif isinstance(record, FolderRecord):
            self._folder = record.path
        with self._lock:
            self._records.append(record)

    def _say(self, message: dict[str, Any]) -> None:
        with self._sending:
            if self._connection is not None:
                with suppress(OSError):  # the thread that listens notices it as well
                    self._connection.sendall(dumped(message))

    def _hang_up(self) -> None:
        with self._sending:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def _backlog(table: Any) -> Backlog:
    match table:
        case {"loaded": loaded, "folder": str(folder), "until": int(until), "recent": recent,
              "stands": stands}:  # fmt: skip
            model = [r for r in unpack_records(loaded) if isinstance(r, LoadedRecord)]
            return Backlog(
                model[0] if model else None, folder, until,
                tuple(unpack_records(recent)), tuple(unpack_records(stands)),
            )  # fmt: skip
    raise Strange("What stands in the engine is not told as it should be.")


def attach(run: Path, *, watch: bool = False) -> RemoteSession:
    """A session of the engine that trains `run`; raises Gone where there is none, or LabError."""
    if live_place(run) is None:
        raise Gone(f"{run.name} does not train in the background.")
    return RemoteSession(run, config=SavedConfig.read(run).config, watch=watch)


def end(run: Path, gives_up: Callable[[], bool] = lambda: False) -> RemoteSession:
    """End the run that trains in the background, saved; the session of it, with all its records.

    Raises Gone where there is none, Cancelled where `gives_up` says so, and LabError where it ended
    otherwise.
    """
    session = attach(run, watch=True)
    session.start()
    asked = False
    try:
        while not session.join(LOOK):
            if gives_up():
                raise Cancelled(f"{run.name} was asked to end, and may still be saving.")
            if session.greeted and not asked:
                asked = True
                session.request_close()
    finally:
        session.let_go()
        session.join()
    if session.failure:
        raise LabError(session.failure)
    return session


def begin(opening: Opening, *, paused: bool = True) -> RemoteSession:
    """A session of a new engine that opens `opening`; raises LabError where none can be started."""
    run = folder_of(opening)
    starting = Starting(run)
    return RemoteSession(
        run, config=opening.config, starting=starting, opening=opening, paused=paused
    )  # fmt: skip
