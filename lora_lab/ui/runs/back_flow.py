"""Undoing: back to a save of the run, a branch from it, and what helps after a NaN."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lora_lab.config import Origin, RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import NonFiniteRecord, ResumedRecord
from lora_lab.runs.saves import listed
from lora_lab.training.commands import GoBack
from lora_lab.training.opening import Branch, Opening
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.runs.saves_dialog import SavesDialog
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.widgets.dialogs import bring_to_front

LOWER = 3.0  # that a rate is divided by
READ_MS = 500
CLIP = 1.0  # norm that gradients are cut to


class BackFlow(QObject):
    """Carries requests to undo to the session, and NaNs with their remedies to the notices."""

    branched = Signal(str, int)  # path of the run that a branch leaves, the id of its session

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        hyper_dock: HyperparametersDock,
        requested: Callable[[RunConfig], RunConfig],
        open: Callable[[Opening], int],
        window: QWidget,
    ) -> None:
        """`requested` is a config with what the docks say; `open` opens a branch."""
        super().__init__(window)
        self._sessions, self._notices, self._window = sessions, notices, window
        self._hyper_dock, self._requested, self._open = hyper_dock, requested, open
        self.dialog: SavesDialog | None = None
        self._near: int | None = None
        self._saves: list[tuple[int, Path]] | None = None  # that the dialog shows
        self._again = QTimer(self, interval=READ_MS, timeout=self._read)
        sessions.on(LoadedRecord, lambda _: self._on_other())
        sessions.on(NonFiniteRecord, self._on_broke)
        sessions.on(ResumedRecord, self._on_went_back)

    def start(self, near: int | None = None) -> None:
        """Show the saves there are."""
        if self.dialog is None:
            self.dialog = SavesDialog(self._window)
            self.dialog.back_requested.connect(self.go_back)
            self.dialog.branch_requested.connect(self.branch)
        self._near, self._saves = near, None
        self._read()
        self._again.start()
        bring_to_front(self.dialog)

    def _read(self) -> None:
        """A save that was on its way to the disk when the list was opened appears in it."""
        folder = self._sessions.folder
        saves = listed(folder) if folder is not None else []
        if saves != self._saves:
            self._saves = saves
            self.dialog.show_saves(saves, self._near)
        if not self.dialog.isVisible():
            self._again.stop()

    def undo_edit(self) -> None:
        """Back to what stood before the newest edit."""
        self._sessions.request(GoBack(None, before_edit=True))

    def go_back(self, step: int) -> None:
        """Put the save near `step` back, and pause there."""
        self._sessions.request(GoBack(step))

    def branch(self, step: int, **settings: object) -> None:
        """A new run from there, with the settings as they stand in the docks and `settings`."""
        folder, config = self._sessions.folder, self._sessions.config
        if folder is None or config is None:
            return
        try:
            config = changed(self._requested(config), **settings)
        except LabError as error:
            self._notices.error(str(error))
            return
        if session := self._open(Branch(Origin(str(folder), step), config)):
            self.branched.emit(str(folder), session)

    def close(self) -> None:
        """Put the list away with the window."""
        self._again.stop()
        if self.dialog is not None:
            self.dialog.close()

    def _on_other(self) -> None:
        """Another run: the saves that are listed and what was said are of the one before."""
        self.close()
        self._notices.run_left.emit()

    def _on_broke(self, record: NonFiniteRecord) -> None:
        """Say what went wrong, with a button for each remedy."""
        tr, step, rate = self.tr, record.restored, self._hyper_dock.requested.learning_rate
        remedies = {
            "lower_rate": (
                tr("Lower the learning rate to {:.2g}").format(rate / LOWER),
                self._lower_rate,
            ),
            "clip": (tr("Clip gradients at {:g}").format(CLIP), self._clip),
            "float32": (
                tr("Branch in float32"), partial(self.branch, step, dtype="float32"),
            ),
            "go_back": (tr("Revert to a checkpoint…"), partial(self.start, step)),
        }  # fmt: skip
        session = self._sessions.id
        actions = tuple(
            (words, partial(self._apply, session, remedy))
            for words, remedy in (remedies[key] for key in record.remedies if key in remedies)
        )
        self._notices.error(record.message, actions=actions)

    def _apply(self, session: int, remedy: Callable[[], None]) -> None:
        """Apply a remedy, unless another run is open by now than the one that needs it."""
        if self._sessions.id == session:
            remedy()
        else:
            self._notices.news(self.tr("The run that this message was about is no longer open."))

    def _lower_rate(self) -> None:
        dock = self._hyper_dock
        dock.request(learning_rate=dock.requested.learning_rate / LOWER)
        self._notices.news(self.tr("The learning rate is lower now. Space resumes."), of_run=True)

    def _clip(self) -> None:
        self._hyper_dock.request(max_grad_norm=CLIP)
        words = self.tr("Gradients are clipped to a norm of {:g} from now on. Space resumes.")
        self._notices.news(words.format(CLIP), of_run=True)

    def _on_went_back(self, record: ResumedRecord) -> None:
        if not self._sessions.paused and not record.notes:
            return  # it moved to another process, or is shown again: nothing has gone back
        notes = "".join(f" {note}." for note in record.notes)
        self._notices.news(
            self.tr("The run is at step {:,}; Resume continues from there.").format(record.step)
            + notes,
            of_run=True,
        )
