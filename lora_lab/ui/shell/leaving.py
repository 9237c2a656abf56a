"""Leaving a run, by closing or opening another: it is saved first, or the person decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lora_lab.records import ErrorRecord, SavedRecord, State, StateRecord
from lora_lab.training.commands import Save
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.dialogs import choose

if TYPE_CHECKING:
    from lora_lab.ui.runs.background_flow import BackgroundFlow

CONTINUE, SAVE, STAY = range(3)  # what becomes of a run that trains when the window is closed


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
        self.background: BackgroundFlow | None = None  # once there is one
        self.where: Callable[[], int] = self.ask_where  # one of CONTINUE, SAVE, STAY
        self.queued: Callable[[], bool] = lambda: False  # whether runs of the queue follow
        self.pending = self._asks = False
        self.continues = False  # what trains continues without the window, by the person's choice
        self._words = ("", "", "")  # the question, and two of its answers
        self._then: Callable[[bool], object] = lambda may: None  # whether the run may go
        self._resume = False  # the run was training when it was asked to end
        sessions.on(SavedRecord, lambda _: self._on_saved())
        sessions.failed.connect(self._on_failed)
        sessions.on(StateRecord, self._on_state)

    def start(self) -> None:
        """The close button, Quit, and a desktop that ends; pressed again while it asks, nothing."""
        if self.pending or self._asks or self._sessions.leaving:
            return
        self._asks = True
        try:
            ends = self._is_to_end()
        finally:
            self._asks = False
        if ends and not self._sessions.leaving:  # a signal may have come while it asked
            self._end()

    def _is_to_end(self) -> bool:
        """Whether the shown run ends with the window; what else becomes of it is begun here."""
        sessions, background = self._sessions, self.background
        self.continues = True
        if sessions.moving or (sessions.apart and not sessions.edits):
            self.allowed.emit()  # it is saved, and trains there once it is open; or it is another's
            return False
        if background is not None and background.saving:
            background.follow_with(self.allowed.emit)
            return False
        self.continues = False
        between = sessions.opening and self.queued()  # two runs of the queue
        if not (sessions.running or between):
            return True
        if background is None or not (background.may_continue or between):
            return self._ask(
                self.tr("Training is running. Close the lab?"),
                self.tr("The current step is finished and the adapter is saved."),
                self.tr("&Save and close"),
                self.tr("Keep training"),
            )
        background.held = True
        try:
            answer = self.where()
        finally:
            background.held = False
        self.continues = answer == CONTINUE
        if answer == STAY:
            background.follow_with()
        elif answer == SAVE or not background.may_continue:  # it may have ended meanwhile
            background.stay()
            return True
        elif sessions.apart:
            self.allowed.emit()
        else:
            background.move_out(self.allowed.emit)
        return False

    def _end(self) -> None:
        sessions = self._sessions
        self._resume = sessions.pause()
        self._words = (
            self.tr("The run is not saved. Close the lab?"),
            self.tr("Close &without saving"),
            self.tr("&Keep the lab open"),
        )
        self._then = lambda may: self.allowed.emit() if may else None
        if sessions.state is State.LOADING:  # what stands there was only just opened
            self.allowed.emit()
        else:
            self._save()

    def ask_where(self) -> int:
        """Whether the run continues without the window, or ends, or the window stays."""
        return self.choose(
            self.tr("Training is running. Close the lab?"),
            self.tr(
                "It can continue in the background; the lab shows it again when it is opened. Or "
                "the current step is finished, the adapter saved, and the run ended."
            ),
            (
                self.tr("Continue in the &background"),
                self.tr("&Save and end the run"),
                self.tr("Keep the lab open"),
            ),
        )

    def saved_first(self) -> bool:
        """Save the shown run, for another one is to take its place; False: it is to stay.

        Where it cannot be saved the person decides now, while it is still there.
        """
        sessions = self._sessions
        if self.pending or sessions.leaving:
            return False
        if not sessions.unsaved:
            return True
        self._resume = sessions.pause(for_opening=True)
        self._words = (
            self.tr("The run that is open is not saved. Open another one?"),
            self.tr("Open &without saving"),
            self.tr("&Keep this run open"),
        )
        answers: list[bool] = []
        waiting = QEventLoop(self)

        def answer(may: bool) -> None:
            answers.append(may)
            waiting.quit()

        self._then = answer
        self._save()
        if not answers:
            waiting.exec()
        self.waiting.emit(False)
        return answers == [True]

    def _save(self, parent: str = "") -> None:
        sessions = self._sessions
        self.pending = bool(sessions.step) and sessions.request(Save(parent))
        if self.pending:
            self.waiting.emit(True)
        else:  # nothing was learned, or nobody is there to save it
            self._then(True)

    def _on_saved(self) -> None:
        if self.pending:
            self.pending = False
            self._then(True)

    def _on_state(self, record: StateRecord) -> None:
        if self.pending and record.state in (State.FAILED, State.CLOSED):
            self._on_saved()  # it has saved what it could and says so itself

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        if self.pending and isinstance(record, ErrorRecord) and record.ends(Save):
            self.pending = False
            self._decide(record.message)

    def _decide(self, reason: str) -> None:
        """The save was refused: where else, or not at all."""
        tr, (question, unsaved, stay) = self.tr, self._words
        answers = (tr("Save in another &folder…"), tr("&Export the adapter…"), unsaved, stay)
        answer = self.choose(question, reason, answers)
        if answer == 0 and (parent := self.ask_folder()):
            self._save(parent)
            return
        if answer == 2:
            self._then(True)
            return
        self.waiting.emit(False)
        if answer == 1:
            self.export_requested.emit()
        elif self._resume and self._sessions.paused:
            self._sessions.toggle()
        self._then(False)

    def ask_folder(self) -> str:
        """Where a folder of the run is to be made; "" where none was chosen."""
        return QFileDialog.getExistingDirectory(self._window, self.tr("Save the run in"))
