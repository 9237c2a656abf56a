"""From the menu to the merge preview: the session is asked, the dialog shows the answer.

The measuring is done by a command on the session thread between two steps; nothing is merged.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.records import ErrorRecord, MergeRecord, StateRecord
from lora_lab.training.commands import MergePreview
from lora_lab.ui.adapter.merge_dialog import MergeDialog
from lora_lab.ui.session.sessions import Sessions


class MergeFlow(QObject):
    """Holds the one merge dialog and what it waits for."""

    def __init__(self, sessions: Sessions, window: QWidget) -> None:
        super().__init__(window)
        self._sessions = sessions
        self._window = window
        self.dialog: MergeDialog | None = None
        sessions.merge_measured.connect(self._on_measured)
        sessions.shown_failed.connect(self._on_failed)
        sessions.loaded.connect(lambda _: self._on_other())

    def start(self) -> None:
        """Show the dialog and measure; what it showed before is measured anew."""
        if self.dialog is None:
            self.dialog = MergeDialog(self._window)
            self.dialog.measure_wished.connect(self._measure)
            self.dialog.finished.connect(self._on_done)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
        if not self.dialog.busy:
            self._measure()

    def close(self) -> None:
        """Put the dialog away with the window."""
        if self.dialog is not None:
            self.dialog.close()

    def _measure(self) -> None:
        self.dialog.wait()
        if not self._sessions.request(MergePreview()):
            self.dialog.refuse(self.tr("This run has ended. Restart, then ask again."))

    def _on_measured(self, record: MergeRecord) -> None:
        if self.dialog is not None:
            self.dialog.show_record(record)

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        waits = self.dialog is not None and self.dialog.busy
        if waits and record.ends(MergePreview):
            self.dialog.refuse(record.message)

    def _on_other(self) -> None:
        """Another model took the place of the one that was measured."""
        if self.dialog is not None:
            self.dialog.close()

    def _on_done(self) -> None:
        self.dialog.deleteLater()
        self.dialog = None
