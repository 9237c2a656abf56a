"""Undoing: back to a save of the run, a branch from it, and what helps after a NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lora_lab.config import Origin, RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.records import LoadedRecord, NonFiniteRecord, ResumedRecord
from lora_lab.runs.listing import listed
from lora_lab.training.commands import GoBack
from lora_lab.ui.notices.bar import NoticeBar
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.runs.saves_dialog import SavesDialog
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hyperparameters import HyperparametersDock

LOWER = 3.0  # that a rate is divided by
READ_MS = 500
CLIP = 1.0  # norm that gradients are cut to
REMEDIES = ("lower_rate", "clip", "float32", "go_back")


class BackFlow(QObject):
    """Carries wishes to undo to the session, and NaNs with their remedies to the notices."""

    branched = Signal(str, int)  # path of the run that a branch leaves, the id of its session

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        bar: NoticeBar,
        hyper_dock: HyperparametersDock,
        wished: Callable[[RunConfig], RunConfig],
        open: Callable[..., int],
        window: QWidget,
    ) -> None:
        """`wished` is a config with what the docks say; `open` opens one, or a branch."""
        super().__init__(window)
        self._sessions, self._notices, self._window = sessions, notices, window
        self._hyper_dock, self._wished, self._open = hyper_dock, wished, open
        self.dialog: SavesDialog | None = None
        self._broke_at = self._broken = 0  # step, and id of the session that the NaN was met in
        self._near: int | None = None
        self._saves: list[tuple[int, Path]] | None = None  # that the dialog shows
        self._again = QTimer(self)
        self._again.setInterval(READ_MS)
        self._again.timeout.connect(self._read)
        sessions.on(LoadedRecord, lambda _: self.close())  # the saves shown are of another run
        sessions.on(NonFiniteRecord, self._on_broke)
        sessions.on(ResumedRecord, self._on_went_back)
        bar.acted.connect(self._on_acted)

    def start(self, near: int | None = None) -> None:
        """Show the saves there are."""
        if self.dialog is None:
            self.dialog = SavesDialog(self._window)
            self.dialog.back_wished.connect(self.go_back)
            self.dialog.branch_wished.connect(self.branch)
        self._near, self._saves = near, None
        self._read()
        self._again.start()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

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
        folder = self._sessions.folder
        saves = listed(folder) if folder is not None else []
        kept = [step for step, path in saves if path.name.startswith("kept")]
        if kept:
            self.go_back(kept[-1])
        else:
            self._notices.news(self.tr("No setting was moved after the first step of this run."))

    def go_back(self, step: int) -> None:
        """Put the save near `step` back, and pause there."""
        self._sessions.request(GoBack(step))

    def branch(self, step: int, **settings: object) -> None:
        """A new run from there, with the settings as they stand in the docks and `settings`."""
        folder, config = self._sessions.folder, self._sessions.config
        if folder is None or config is None:
            return
        try:
            config = changed(self._wished(config), **settings)
        except LabError as error:
            self._notices.error(str(error))
            return
        if session := self._open(config, branch=Origin(str(folder), step)):
            self.branched.emit(str(folder), session)

    def close(self) -> None:
        """Put the list away with the window."""
        self._again.stop()
        if self.dialog is not None:
            self.dialog.close()

    def _on_broke(self, record: NonFiniteRecord) -> None:
        tr, rate = self.tr, self._hyper_dock.wished.learning_rate
        words = {
            "lower_rate": tr("Lower the rate to {:.2g}").format(rate / LOWER),
            "clip": tr("Clip gradients at {:g}").format(CLIP),
            "float32": tr("Branch off in float32"),
            "go_back": tr("Go back to a save…"),
        }
        self._broke_at, self._broken = record.restored, self._sessions.id
        offered = tuple((key, words[key]) for key in record.remedies if key in words)
        self._notices.error(record.message, actions=offered)

    def _on_acted(self, key: str) -> None:
        dock = self._hyper_dock
        if key not in REMEDIES:
            return
        if self._sessions.id != self._broken:
            self._notices.news(self.tr("The run that this was said of is not open any more."))
        elif key == "lower_rate":
            dock.wish(learning_rate=dock.wished.learning_rate / LOWER)
            self._notices.news(self.tr("The rate is lower now. Space goes on."))
        elif key == "clip":
            dock.wish(max_grad_norm=CLIP)
            self._notices.news(
                self.tr("Gradients are cut to a norm of {:g} from here on. Space goes on.").format(
                    CLIP
                )
            )
        elif key == "float32":
            self.branch(self._broke_at, dtype="float32")
        elif key == "go_back":
            self.start(self._broke_at)

    def _on_went_back(self, record: ResumedRecord) -> None:
        notes = "".join(f" {note}." for note in record.notes)
        self._notices.news(
            self.tr("The run stands at step {:,}; Train goes on from there.").format(record.step)
            + notes
        )
