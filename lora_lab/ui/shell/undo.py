"""Undo and redo of requests: sliders, the adapter's switch, and the settings of a restart.

What was learned since is not undone, but for a cut of ranks: that goes back to the save before it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractSpinBox, QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import AppliedRecord
from lora_lab.setting import setting_of
from lora_lab.training.commands import GoBack
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.shell.actions import Actions
from lora_lab.ui.style.figures import in_words, setting_words
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.setup import SetupDock

TOGETHER = 1.0  # seconds between two moves of one field that are undone as one
MOST = 200  # edits that are kept
UNDO, REDO = QKeySequence.StandardKey.Undo, QKeySequence.StandardKey.Redo


@dataclass
class Edit:
    """Fields that were moved together, with what stood there before and after."""

    live: bool  # of the hyperparameters; else of the settings that are fixed for a run
    before: dict[str, Any]
    after: dict[str, Any]
    cut_at: int = 0  # the step at which it cut ΔW; 0: it did not, or has not yet

    def cuts(self) -> bool:
        """Whether it took directions away from ΔW."""
        both = self.before.keys() & {"rank", "dimension"}
        return any(self.after[field] < self.before[field] for field in both)

    def words(self) -> str:
        """rank 8→16, alpha 16→32."""
        kind = Hyperparameters if self.live else RunConfig
        pairs = (
            (in_words(setting_of(kind, field).name), old, self.after[field])
            for field, old in self.before.items()
        )
        return ", ".join(
            f"{name} {setting_words(old)}→{setting_words(new)}" for name, old, new in pairs
        )


class UndoFlow(QObject):
    """Listens to what is requested, and requests the opposite when it is asked to."""

    def __init__(
        self,
        sessions: Sessions,
        hyper_dock: HyperparametersDock,
        setup_dock: SetupDock,
        commands: Actions,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sessions, self._standing, self._commands = sessions, sessions.standing, commands
        self._fixed = fixed = setup_dock.fixed
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._settings = fixed.values()
        self._at = 0.0  # when the newest edit was moved last
        self._held = False  # the mouse was held down then
        self._undoing = False
        self._standing.asked.connect(self._on_asked)
        fixed.edited.connect(self._on_fixed)
        fixed.renewed.connect(lambda: self._forget(live=False))
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(AppliedRecord, self._on_applied)
        commands.undo.triggered.connect(self.undo)
        commands.redo.triggered.connect(self.redo)
        for dock in (hyper_dock, setup_dock):
            for box in dock.findChildren(QAbstractSpinBox):
                box.installEventFilter(self)
        self._update_actions()

    def undo(self) -> None:
        """Take the newest edit back; where it cut ΔW, with what was cut: the save before it."""
        if self._done:
            edit = self._done.pop()
            self._undone.append(edit)
            if edit.cut_at:
                self._sessions.request(GoBack(edit.cut_at, before_edit=True))
                edit.cut_at = 0
            self._request(edit, edit.before)

    def _on_loaded(self, _: LoadedRecord) -> None:
        self._forget(live=True)

    def _on_applied(self, record: AppliedRecord) -> None:
        cuts = [e for e in self._done if e.live and e.cuts() and not e.cut_at]
        if cuts and record.discarded_energy > 0:
            cuts[-1].cut_at = record.step

    def redo(self) -> None:
        """Make the edit again that was taken back last."""
        if self._undone:
            edit = self._undone.pop()
            self._done.append(edit)
            self._request(edit, edit.after)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Undo in a field means the setting, unless a number is being typed there."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            typing = watched.text() != watched.textFromValue(watched.value())
            if not typing and (event.matches(UNDO) or event.matches(REDO)):
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def _request(self, edit: Edit, values: dict[str, Any]) -> None:
        self._undoing = True
        try:
            if edit.live:
                self._standing.request(changed(self._standing.requested, **values))
            else:
                self._fixed.put(values)
        finally:
            self._undoing = False
        self._at = 0.0
        self._settings = self._fixed.values()
        self._update_actions()

    def _on_asked(self, before: Hyperparameters, hyper: Hyperparameters) -> None:
        if not self._undoing:
            self._note(True, before.model_dump(), hyper.model_dump())

    def _on_fixed(self) -> None:
        if not self._undoing:
            values = self._fixed.values()
            self._note(False, self._settings, values)
            self._settings = values

    def _note(self, live: bool, old: dict[str, Any], new: dict[str, Any]) -> None:
        names = [name for name in new if old[name] != new[name]]
        if not names:
            return
        edit = Edit(live, {n: old[n] for n in names}, {n: new[n] for n in names})
        now = time.monotonic()
        held = bool(QGuiApplication.mouseButtons() & Qt.MouseButton.LeftButton)
        last = self._done[-1] if self._done and not self._undone else None
        near = (held and self._held) or now - self._at < TOGETHER
        if near and last and last.live == live and last.before.keys() == edit.before.keys():
            edit = Edit(live, last.before, edit.after, last.cut_at)
            self._done.pop()
        self._at, self._held = now, held
        self._undone.clear()
        if edit.before != edit.after:
            self._done = [*self._done[-MOST:], edit]
        self._update_actions()

    def _forget(self, live: bool) -> None:
        """What is shown is another run's: edits of the old one mean nothing there."""
        self._done = [edit for edit in self._done if edit.live != live]
        self._undone = [edit for edit in self._undone if edit.live != live]
        self._settings = self._fixed.values()
        self._update_actions()

    def _update_actions(self) -> None:
        pairs = (
            (self._commands.undo, self._done, self.tr("Undo")),
            (self._commands.redo, self._undone, self.tr("Redo")),
        )
        for action, edits, word in pairs:
            _show(action, word, edits[-1].words() if edits else "")


def _show(action: QAction, word: str, what: str) -> None:
    action.setEnabled(bool(what))
    action.setText(f"{word} {what}" if what else word)
