"""Closing the window: what was learned is saved first, and where it is not, the person decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lora_lab.records import ErrorRecord, SavedRecord, State, StateRecord
from lora_lab.training.commands import Save
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.dialogs import choose


class Leaving(QObject):
    """Asks, saves, and says when the window may go; the shown run pauses meanwhile."""

    allowed = Signal()  # all is saved, or the person gives up what is not
    waiting = Signal(bool)  # for the save; False: the lab stays open
    export_requested = Signal()

    def __init__(
        self, sessions: Sessions, ask: Callable[[str, str, str, str], bool], window: QWidget
    ) -> None:
        super().__init__(window)
        self._sessions, self._ask, self._window = sessions, ask, window
        self.choose: Callable[[str, str, Sequence[str]], int] = partial(choose, window)
        self.pending = False
        self._resume = False  # the run was training when it was asked to end
        sessions.on(SavedRecord, lambda _: self._on_saved())
        sessions.failed.connect(self._on_failed)
        sessions.on(StateRecord, self._on_state)

    def start(self) -> None:
        """The close button and Quit."""
        sessions = self._sessions
        if self.pending or sessions.leaving:
            return
        if sessions.running and not self._ask(
            self.tr("Training is running. Close the lab?"),
            self.tr("The current step is finished and the adapter is saved."),
            self.tr("&Save and close"),
            self.tr("Keep training"),
        ):
            return
        self._resume = sessions.pause()
        self._save()

    def _save(self, parent: str = "") -> None:
        sessions = self._sessions
        self.pending = bool(sessions.step) and sessions.request(Save(parent))
        if self.pending:
            self.waiting.emit(True)
        else:  # nothing was learned, or nobody is there to save it
            self.allowed.emit()

    def _on_saved(self) -> None:
        if self.pending:
            self.pending = False
            self.allowed.emit()

    def _on_state(self, record: StateRecord) -> None:
        if self.pending and record.state in (State.FAILED, State.CLOSED):
            self._on_saved()  # it has saved what it could and says so itself

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        if self.pending and isinstance(record, ErrorRecord) and record.ends(Save):
            self.pending = False
            self._decide(record.message)

    def _decide(self, reason: str) -> None:
        """The save was refused: where else, or not at all."""
        tr = self.tr
        answer = self.choose(
            tr("The run is not saved. Close the lab?"),
            reason,
            (
                tr("Save in another &folder…"),
                tr("&Export the adapter…"),
                tr("Close &without saving"),
                tr("&Keep the lab open"),
            ),
        )
        if answer == 0 and (parent := self.ask_folder()):
            self._save(parent)
            return
        if answer == 2:
            self.allowed.emit()
            return
        self.waiting.emit(False)
        if answer == 1:
            self.export_requested.emit()
        elif self._resume and self._sessions.paused:
            self._sessions.toggle()

    def ask_folder(self) -> str:
        """Where a folder of the run is to be made; "" where none was chosen."""
        return QFileDialog.getExistingDirectory(self._window, self.tr("Save the run in"))
