"""Which session is shown, which is being opened, and which ones are still saving.

Opening starts a candidate beside the shown session. When its model stands ready it takes the place,
and the old one finishes its step, saves and ends; when it fails, the old one stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LoadedRecord, OpeningRecord
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    ErrorRecord,
    FolderRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    State,
    StateRecord,
)
from lora_lab.ui.session.bridge import PATIENCE, Collector, SessionBridge
from lora_lab.ui.session.dispatch import Dispatcher
from lora_lab.ui.session.standing import Standing

if TYPE_CHECKING:
    from lora_lab.engine.mirrored import MirroredRun
    from lora_lab.engine.remote import RemoteSession
    from lora_lab.training.commands import Command
    from lora_lab.training.opening import Opening
    from lora_lab.training.session import Session

    AnySession = Session | RemoteSession | MirroredRun

R = TypeVar("R")


class Sessions(QObject):
    """One shown, at most one candidate, and old ones until their threads are joined."""

    state_changed = Signal()  # of the shown session, or of what is being opened
    failed = Signal(object)  # ErrorRecord or StateRecord with a message, of any session
    shown_failed = Signal(object)  # the same, of the shown one alone
    opening_failed = Signal()  # the candidate could not be opened; what was shown stays
    stopped = Signal()  # the shown run has ended before its last step; its model stays
    ticked = Signal(object)  # Tick of any session: what the window spent on it
    all_ended = Signal()  # after `close_all`: no thread is left

    def __init__(
        self,
        open_session: Callable[[Opening], AnySession],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._open_session = open_session
        self._left: list[AnySession] = []  # openings that were given up and have not ended
        self._panels: Sequence[Collector] = ()
        self._dispatcher = Dispatcher()
        self._ids = count(1)
        self._shown: SessionBridge | None = None
        self._candidate: SessionBridge | None = None
        self._old: list[SessionBridge] = []
        self._heir: Callable[[], AnySession] | None = None  # what follows the shown one
        self._resume_shown = False  # it was paused for a candidate that may fail
        self._leaving = False
        self._saved_step = 0  # of the shown run: what was learned up to there is on disk
        self.gave_up = False  # the last thing that was opened could not be
        self.standing = Standing(self)
        self.standing.asked.connect(lambda _, hyper: self._set_hyper(hyper))
        self.folder: Path | None = None  # of the shown run, once it has one

    def on(self, kind: type[R], callback: Callable[[R], object]) -> None:
        """`callback` receives every record of this type that the shown session says, in order.

        Of steps that follow each other in one tick it is the newest; an OpeningRecord is of the
        session that is being opened. It holds for every session that is shown from now on.
        """
        self._dispatcher.on(kind, callback)

    def show_on(self, panels: Sequence[Collector]) -> None:
        """These panels collect and draw what every shown session says from now on."""
        self._panels = panels

    @property
    def shown(self) -> SessionBridge | None:
        return self._shown

    @property
    def id(self) -> int:
        """Of the shown session, as `open` handed it out; 0 while none is shown."""
        return self._shown.id if self._shown is not None else 0

    @property
    def paused(self) -> bool:
        """Whether the shown session was asked to pause, or not yet to train."""
        return self._shown is not None and self._shown.paused

    @property
    def config(self) -> RunConfig | None:
        """What the shown session was opened with."""
        return self.standing.config

    @property
    def state(self) -> State:
        """Of the shown session."""
        return self.standing.state

    @property
    def step(self) -> int:
        """The newest step of the shown session that has arrived."""
        return self.standing.step

    @property
    def opening(self) -> bool:
        return self._candidate is not None

    @property
    def leaving(self) -> bool:
        """Whether everything was asked to end."""
        return self._leaving

    @property
    def serving(self) -> bool:
        """Whether the shown session takes edits and commands."""
        shown = self._shown
        return shown is not None and not shown.closing and not self._leaving

    @property
    def running(self) -> bool:
        return self.serving and self.state is State.RUNNING

    @property
    def apart(self) -> bool:
        """Whether the shown run is in a process of its own."""
        return self._shown is not None and not self._shown.ended and self._shown.session.outlives

    @property
    def edits(self) -> bool:
        """Whether the shown run is changed from here; one may be watched that another edits."""
        return self._shown is not None and (not self.apart or self._shown.session.edits)

    @property
    def stays(self) -> bool:
        """Whether the shown run continues by itself when it is left."""
        return self._shown is not None and not self._shown.ended and _stays(self._shown)

    @property
    def moving(self) -> bool:
        """Whether the shown run is on its way into another process, or back."""
        return self._heir is not None or self._candidate_is_heir

    @property
    def _candidate_is_heir(self) -> bool:
        candidate, shown = self._candidate, self._shown
        return candidate is not None and shown is not None and candidate.id == shown.id

    @property
    def unsaved(self) -> bool:
        """Whether the shown run has learned what is not on disk, and would end if it were left."""
        return self.serving and not self.stays and self.step != self._saved_step

    def open(self, opening: Opening) -> int:
        """Start a candidate: a new run, one that is resumed, or one that branches off.

        A shown run pauses meanwhile. The id that the session is known by from now on is returned;
        0 where everything was asked to end, and nothing is opened.
        """
        return self.show(self._open_session(opening)) if not self._leaving else 0

    def show(self, session: AnySession) -> int:
        """Start a candidate of a session that was made elsewhere; as `open`."""
        if self._leaving:
            return 0
        if self._candidate is not None:
            self._retire(self._candidate, save=False)
        if not self.stays:
            self.pause(for_opening=True)
        return self._start(session, next(self._ids))

    def succeed(self, heir: Callable[[], AnySession]) -> None:
        """End the shown session, saved, and let what `heir` makes then take its place and its id.

        It may raise LabError; then nothing is opened.
        """
        if self.serving and self._shown is not None:
            self._heir = heir
            self._shown.request_close(save=True)
            self.state_changed.emit()

    def _start(self, session: AnySession, id: int) -> int:
        bridge = SessionBridge(session, self, id)
        self._candidate, self.gave_up = bridge, False
        bridge.arrived.connect(lambda record: self._on_arrived(bridge, record))
        bridge.closed.connect(lambda: self._on_closed(bridge))
        bridge.ticked.connect(self.ticked)
        bridge.start()
        self.state_changed.emit()
        return bridge.id

    def cancel_opening(self) -> None:
        """Cancel what is being opened; what is shown stays, and goes on if it was training."""
        if self._candidate is not None:
            self._candidate.request_close(save=False)

    def skip_measuring(self) -> None:
        """Leave what is measured before the first step."""
        if self.serving:
            self._shown.session.controls.skipping = True

    def toggle(self) -> None:
        """Train, or pause; after the end of a run: as many steps again."""
        if self.serving:
            controls = self._shown.session.controls
            # The request counts, not the last state: a second press need not wait for an echo.
            if controls.paused:
                controls.resume()
            else:
                controls.pause()

    def train_on(self, further: int) -> None:
        """Train the shown run, which has ended, for so many steps more."""
        if self.serving and self.paused:
            self._shown.session.controls.resume(further)

    def pause(self, for_opening: bool = False) -> bool:
        """Pause the shown run after its step; whether it was to train.

        `for_opening`: another one is to be opened, and where it cannot be, this one trains on.
        """
        training = self.serving and not self.paused
        if training:
            self._shown.session.controls.pause()
            self._resume_shown = for_opening
        return training

    def request(self, command: Command) -> bool:
        """Queue a command for the shown session; False where it no longer serves."""
        if not self.serving:
            return False
        self._shown.session.controls.request(command)
        return True

    def cancel_command(self, command: Command) -> None:
        """End this command, of a session that goes as well; what it moved is put back."""
        for bridge in self._alive():
            bridge.session.controls.cancel(command)

    def stop(self) -> None:
        """End the shown run at the step in hand; its model stays, and `toggle` trains on."""
        if self.serving:
            self._shown.session.controls.finish()

    def close_all(self) -> None:
        """Let every session finish its step, save and end; `all_ended` follows.

        One that trains in a process of its own is left to itself.
        """
        self._leaving = True
        for bridge in self._alive():
            bridge.request_close(let_go=_stays(bridge))
        self.state_changed.emit()
        self._check_all_ended()

    def finish(self) -> bool:
        """Close every session and wait for its thread; for when no event loop runs any more.

        False where an opening does not end: nothing of it is kept, and the process may.
        """
        self._leaving = True
        for bridge in self._alive():
            bridge.request_close(let_go=_stays(bridge))
            session = bridge.session
            if not session.join(PATIENCE if session.state is State.LOADING else None):
                self._left.append(session)
        return all(session.join(0) for session in self._left)

    def _set_hyper(self, hyper: Hyperparameters) -> None:
        if self.serving:
            self._shown.session.controls.set_hyper(hyper)

    def _alive(self) -> list[SessionBridge]:
        shown = [b for b in (self._shown, self._candidate) if b is not None and not b.ended]
        return [*shown, *self._old]

    def _retire(self, bridge: SessionBridge, *, save: bool) -> None:
        bridge.show_on([])
        if bridge.ended:
            bridge.deleteLater()
        else:
            self._old.append(bridge)
            bridge.request_close(save=save, let_go=_stays(bridge))

    def _on_arrived(self, bridge: SessionBridge, record: Record) -> None:
        """The one way of every record: what stands here first, then whoever subscribed to it."""
        if bridge is self._candidate:
            if isinstance(record, LoadedRecord):
                self._adopt(bridge)
            elif isinstance(record, OpeningRecord):
                self._dispatcher.dispatch(record)
        if bridge is self._shown:
            self._follow(record)
            self._dispatcher.dispatch(record)
            if isinstance(record, StateRecord) and record.state is not State.CLOSED:
                self.state_changed.emit()
                if record.state is State.STOPPED:
                    self.stopped.emit()
        failed = isinstance(record, StateRecord) and record.state is State.FAILED
        if failed or isinstance(record, ErrorRecord):
            if bridge is self._shown:
                self.shown_failed.emit(record)
            self.failed.emit(record)

    def _adopt(self, bridge: SessionBridge) -> None:
        """The candidate takes the place of what was shown."""
        if self._shown is not None:
            self._retire(self._shown, save=True)
        self._shown, self._candidate, self._resume_shown = bridge, None, False
        self.folder, self._saved_step = None, 0
        self.standing.config, self.standing.state = bridge.session.config, State.LOADING
        bridge.show_on(self._panels)

    def _follow(self, record: Record) -> None:
        self.standing.take(record)
        if isinstance(record, AppliedRecord | ErrorRecord):
            # A request that was refused or mended is replaced by the engine itself.
            self.standing.settle(self._shown.session.controls.hyper)
        elif isinstance(record, FolderRecord):
            self.folder = Path(record.path)
        elif isinstance(record, SavedRecord | CheckpointRecord | ResumedRecord):
            self._saved_step = record.step

    def _on_closed(self, bridge: SessionBridge) -> None:
        if not bridge.session.join(0):
            self._left.append(bridge.session)
        if bridge in self._old:
            self._old.remove(bridge)
            bridge.deleteLater()
        elif bridge is self._shown and self._heir is not None:
            self._inherit(bridge.id)
        elif bridge is self._candidate:
            self._candidate, self.gave_up = None, True
            bridge.deleteLater()
            if self._resume_shown and self.serving:
                self._shown.session.controls.resume()
            self._resume_shown = False
            self.opening_failed.emit()
        self.state_changed.emit()
        self._check_all_ended()

    def _inherit(self, id: int) -> None:
        """The shown session has ended for another to take its place."""
        heir, self._heir = self._heir, None
        if self._leaving or heir is None:
            return
        try:
            self._start(heir(), id)
        except LabError as error:
            self.gave_up = True
            self.failed.emit(ErrorRecord(self.step, str(error)))
            self.opening_failed.emit()

    def _check_all_ended(self) -> None:
        if self._leaving and not self._alive():
            self.all_ended.emit()


def _stays(bridge: SessionBridge) -> bool:
    """Whether its run continues by itself when it is left: it trains, in another process."""
    session = bridge.session
    return session.outlives and not (bridge.closing or (bridge.paused and session.edits))
