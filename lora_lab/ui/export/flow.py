"""From the Export button to the report: the dialog is opened, the session asked, the answer shown.

The file itself is written by a command on the session thread between two steps.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab import paths
from lora_lab.exported import ExportedRecord, ExportingRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import CancelledRecord, ErrorRecord, StateRecord
from lora_lab.training.commands import Export
from lora_lab.ui.export.dialog import ExportDialog
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.dialogs import bring_to_front


class ExportFlow(QObject):
    """Holds the one export dialog and what it waits for."""

    def __init__(self, sessions: Sessions, notices: Notices, window: QWidget) -> None:
        super().__init__(window)
        self._sessions = sessions
        self._notices = notices
        self._window = window
        self.dialog: ExportDialog | None = None
        self._asked: Export | None = None
        sessions.on(ExportingRecord, self._on_exporting)
        sessions.on(CancelledRecord, self._on_cancelled)
        sessions.on(ExportedRecord, self._on_exported)
        sessions.shown_failed.connect(self._on_failed)
        sessions.on(LoadedRecord, lambda _: self._on_other())

    def start(self) -> None:
        """Show the dialog; a second press brings it to the front, as does one while it exports."""
        if self.dialog is None:
            config, rank = self._sessions.config, self._sessions.standing.requested.rank
            model = Path(config.model).stem if config and config.model else "adapter"
            name = f"{(config and config.preset) or model}-r{rank}"
            name += f"-step{self._sessions.step}"
            self.dialog = ExportDialog(paths.user_data() / "exports" / name, self._window)
            self.dialog.export_requested.connect(self._on_requested)
            self.dialog.cancel_requested.connect(lambda: self._sessions.cancel_command(self._asked))
            self.dialog.finished.connect(self._put_away)
        bring_to_front(self.dialog)

    def close(self) -> None:
        """Put the dialog away with the window."""
        if self.dialog is not None:
            self.dialog.close()

    def _on_requested(self, asked: Export) -> None:
        self._asked = asked
        if not self._sessions.request(asked):
            self._refuse(self.tr("This run has ended. Restart, then export."))

    def _on_exporting(self, record: ExportingRecord) -> None:
        if self.dialog is not None:
            self.dialog.show_progress(record.what, record.share)

    def _on_exported(self, record: ExportedRecord) -> None:
        if self.dialog is not None:
            self.dialog.show_report(record.report)
            self._put_away()
        self._notices.news(self.tr("Exported to {}").format(record.report.path))

    def _on_cancelled(self, record: CancelledRecord) -> None:
        if self.dialog is not None and record.command == Export.__name__:
            self.dialog.show_cancelled()
            self._put_away()

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        if record.ends(Export):
            self._refuse(record.message)

    def _on_other(self) -> None:
        """Another session took the place of the one that was asked: its answer will not come."""
        if self.dialog is not None and self.dialog.busy:
            words = self.tr("Another run was opened before this was exported.")
            self._sessions.cancel_command(self._asked)
            if self.dialog.isHidden():
                self._notices.warning(words)
            self._refuse(words)

    def _refuse(self, message: str) -> None:
        if self.dialog is not None and self.dialog.busy:
            self.dialog.show_refusal(message)
            self._put_away()

    def _put_away(self) -> None:
        """Let go of a dialog that was closed, once it waits for nothing more."""
        if not (self.dialog.isVisible() or self.dialog.busy):
            self.dialog.deleteLater()
            self.dialog = None
