"""From Save, and from the end of a run, to the notice that says where its adapter lies."""

from __future__ import annotations

from PySide6.QtCore import QObject

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import SavedRecord, State
from lora_lab.training.commands import Save
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions


class SaveFlow(QObject):
    """Holds what was saved last of the session that is shown."""

    def __init__(self, sessions: Sessions, notices: Notices, parent: QObject) -> None:
        super().__init__(parent)
        self._sessions, self._notices = sessions, notices
        self._requested = False
        self._saved: SavedRecord | None = None
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(SavedRecord, self._on_saved)
        sessions.stopped.connect(self._on_stopped)

    def start(self) -> None:
        """Save the adapter into the run's own folder."""
        self._requested = self._sessions.request(Save())

    def _on_loaded(self, _: LoadedRecord) -> None:
        self._saved = None

    def _on_saved(self, record: SavedRecord) -> None:
        self._saved = record
        if self._requested:
            self._requested = False
            message = self.tr("Saved the adapter of step {:,} in {}")
            self._notices.news(message.format(record.step, record.path))
        elif self._sessions.state is State.STOPPED:
            self._on_stopped()  # said again, now with the place where it is kept

    def _on_stopped(self) -> None:
        step = self._sessions.step
        message = self.tr("The run has ended at step {:,}.").format(step)
        if self._saved is not None and self._saved.step == step:
            message += self.tr(" Its adapter is kept in {}").format(self._saved.path)
        self._notices.news(message)
