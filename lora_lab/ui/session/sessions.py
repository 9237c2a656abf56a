"""Which session is shown, which is being opened, and which ones are still saving.

Opening starts a candidate beside the shown session. When its model stands ready it takes the place,
and the old one finishes its step, saves and ends; when it fails, the old one stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lora_lab.config import Hyperparameters, Origin, RunConfig
from lora_lab.records import LoadedRecord, State, StateRecord
from lora_lab.ui.session.bridge import SessionBridge

if TYPE_CHECKING:
    from lora_lab.training.commands import Command
    from lora_lab.training.session import Session
    from lora_lab.ui.panels.panel import Panel

# What the shown session says is said by `Sessions` again, so that nobody needs to reconnect.
SHOWN_ONLY = (
    "applied", "data_read", "measured", "counted", "evaluated", "stepped", "exporting", "exported",
    "called_off", "saved", "merge_measured", "cut_measured", "intruders_counted",
    "memory_estimated", "speed_measured", "rate_tried", "rate_found", "rank_hinted", "told",
    "broke", "went_back", "housed",
)  # fmt: skip


class Sessions(QObject):
    """One shown, at most one candidate, and old ones until their threads are joined."""

    loaded = Signal(object)  # LoadedRecord of the shown session, or of its next stage
    opening_told = Signal(object)  # OpeningRecord of the candidate
    data_read = Signal(object)  # DataRecord
    applied = Signal(object)
    measured = Signal(object)
    counted = Signal(object)
    evaluated = Signal(object)
    stepped = Signal(object)
    exporting = Signal(object)  # ExportingRecord
    exported = Signal(object)
    called_off = Signal(object)  # CalledOffRecord
    saved = Signal(object)
    merge_measured = Signal(object)
    cut_measured = Signal(object)
    intruders_counted = Signal(object)  # IntruderRecord
    memory_estimated = Signal(object)
    speed_measured = Signal(object)
    rate_tried = Signal(object)
    rate_found = Signal(object)
    rank_hinted = Signal(object)
    told = Signal(object)  # NewsRecord
    broke = Signal(object)  # NonFiniteRecord
    went_back = Signal(object)  # ResumedRecord
    housed = Signal(object)  # FolderRecord
    state_changed = Signal()  # of the shown session, or of what is being opened
    failed = Signal(object)  # ErrorRecord or StateRecord with a message, of any session
    shown_failed = Signal(object)  # the same, of the shown one alone
    given_up = Signal()  # the candidate could not be opened; what was shown stays
    stopped = Signal()  # the shown run has ended before its last step; its model stays
    all_ended = Signal()  # after `close_all`: no thread is left

    def __init__(
        self,
        open_session: Callable[..., Session],
        panels: Sequence[Panel],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._open_session = open_session
        self._panels = panels
        self._shown: SessionBridge | None = None
        self._candidate: SessionBridge | None = None
        self._old: list[SessionBridge] = []
        self._resume_shown = False  # it was paused for a candidate that may fail
        self._leaving = False
        self.gave_up = False  # the last thing that was opened could not be
        self.state = State.CLOSED
        self.step = 0
        self.folder: Path | None = None  # of the shown run, once it has one

    @property
    def shown(self) -> SessionBridge | None:
        return self._shown

    @property
    def config(self) -> RunConfig | None:
        """What the shown session was opened with."""
        return self._shown.session.config if self._shown is not None else None

    @property
    def wished(self) -> Hyperparameters | None:
        """The newest wish that the shown session was told."""
        return self._shown.session.controls.hyper if self._shown is not None else None

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

    def open(
        self, config: RunConfig, resume: Path | None = None, branch: Origin | None = None
    ) -> None:
        """Start a candidate on `config`, on a run to resume, or where a new one branches off.

        A shown run pauses meanwhile.
        """
        if self._leaving:
            return
        if self._candidate is not None:
            self._retire(self._candidate, save=False)
        if self.running:
            self._resume_shown = True
            self._shown.session.controls.pause()
        more = {"resume": resume} if resume is not None else {}
        more |= {"branch": branch} if branch is not None else {}
        bridge = SessionBridge(self._open_session(config, **more), self)
        self._candidate, self.gave_up = bridge, False
        bridge.loaded.connect(lambda record: self._on_loaded(bridge, record))
        bridge.state_changed.connect(lambda record: self._on_state(bridge, record))
        bridge.closed.connect(lambda: self._on_closed(bridge))
        bridge.failed.connect(self.failed)
        bridge.opening_told.connect(self.opening_told)
        bridge.start()
        self.state_changed.emit()

    def cancel_opening(self) -> None:
        """Call off what is being opened; what is shown stays, and goes on if it was training."""
        if self._candidate is not None:
            self._candidate.request_close(save=False)

    def toggle(self) -> None:
        """Train, or pause; after the end of a run: as many steps again."""
        if self.serving:
            controls = self._shown.session.controls
            # The wish counts, not the last state: a second press need not wait for an echo.
            if controls.paused:
                controls.resume()
            else:
                controls.pause()

    def set_hyper(self, hyper: Hyperparameters) -> None:
        if self.serving:
            self._shown.session.controls.set_hyper(hyper)

    def request(self, command: Command) -> bool:
        """Queue a command for the shown session; False where it no longer serves."""
        if not self.serving:
            return False
        self._shown.session.controls.request(command)
        return True

    def break_off(self, command: Command) -> None:
        """End this command, of a session that goes as well; what it moved is put back."""
        for bridge in self._alive():
            bridge.session.controls.break_off(command)

    def stop(self) -> None:
        """End the shown run at the step in hand; its model stays, and `toggle` trains on."""
        if self.serving:
            self._shown.session.controls.finish()

    def close_all(self) -> None:
        """Let every session finish its step, save and end; `all_ended` follows."""
        self._leaving = True
        for bridge in self._alive():
            bridge.request_close(save=True)
        self.state_changed.emit()
        self._check_all_ended()

    def finish(self) -> None:
        """Close every session and wait for its thread; for when no event loop runs any more."""
        self._leaving = True
        for bridge in self._alive():
            bridge.request_close(save=True)
            bridge.session.join()

    def _alive(self) -> list[SessionBridge]:
        shown = [b for b in (self._shown, self._candidate) if b is not None and not b.ended]
        return [*shown, *self._old]

    def _retire(self, bridge: SessionBridge, *, save: bool) -> None:
        bridge.show_on([])
        if bridge is self._shown:
            for name in SHOWN_ONLY:
                getattr(bridge, name).disconnect(getattr(self, name))
            bridge.failed.disconnect(self.shown_failed)
        if bridge.ended:
            bridge.deleteLater()
        else:
            self._old.append(bridge)
            bridge.request_close(save=save)

    def _on_loaded(self, bridge: SessionBridge, record: LoadedRecord) -> None:
        if bridge is self._candidate:
            if self._shown is not None:
                self._retire(self._shown, save=True)
            self._shown, self._candidate, self._resume_shown = bridge, None, False
            self.folder = None
            self.state, self.step = State.LOADING, 0
            for name in SHOWN_ONLY:
                getattr(bridge, name).connect(getattr(self, name))
            bridge.failed.connect(self.shown_failed)
            bridge.stepped.connect(self._on_stepped)
            bridge.housed.connect(lambda record: self._on_housed(bridge, record))
            bridge.show_on(self._panels)
        if bridge is self._shown:
            self.step = 0
            self.loaded.emit(record)

    def _on_stepped(self, record) -> None:
        if self.sender() is self._shown:
            self.step = record.step

    def _on_housed(self, bridge: SessionBridge, record) -> None:
        if bridge is self._shown:
            self.folder = Path(record.path)

    def _on_state(self, bridge: SessionBridge, record: StateRecord) -> None:
        if bridge is self._shown and record.state is not State.CLOSED:
            self.state, self.step = record.state, record.step
            self.state_changed.emit()
            if record.state is State.STOPPED:
                self.stopped.emit()

    def _on_closed(self, bridge: SessionBridge) -> None:
        if bridge in self._old:
            self._old.remove(bridge)
            bridge.deleteLater()
        elif bridge is self._candidate:
            self._candidate, self.gave_up = None, True
            bridge.deleteLater()
            if self._resume_shown and self.serving:
                self._shown.session.controls.resume()
            self._resume_shown = False
            self.given_up.emit()
        self.state_changed.emit()
        self._check_all_ended()

    def _check_all_ended(self) -> None:
        if self._leaving and not self._alive():
            self.all_ended.emit()
