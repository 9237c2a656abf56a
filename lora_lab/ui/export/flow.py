"""From the Export button to the report: the dialog is opened, the session asked, the answer shown.

The file itself is written by a command on the session thread between two steps.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from lora_lab import paths
from lora_lab.exported import ExportedRecord, ExportingRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    CancelledRecord,
    ErrorRecord,
    EvalRecord,
    ResumedRecord,
    StateRecord,
)
from lora_lab.runs.exportable import exportable
from lora_lab.runs.saves import listed
from lora_lab.training.commands import Export
from lora_lab.ui.export.dialog import ExportDialog
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.figures import in_words
from lora_lab.ui.widgets.dialogs import bring_to_front
from lora_lab.variants import VARIANTS
from lora_lab.workshop.requests import MERGED

READ_MS = 500  # between two looks at the checkpoints while the dialog is open


class ExportFlow(QObject):
    """Holds the one export dialog and what it waits for."""

    def __init__(self, sessions: Sessions, notices: Notices, window: QWidget) -> None:
        super().__init__(window)
        self._sessions = sessions
        self._notices = notices
        self._window = window
        self.dialog: ExportDialog | None = None
        self._asked: Export | None = None
        self._losses: dict[int, float] = {}  # of validation with the adapter on, by step
        self._best: tuple[int, float] | None = None
        self._again = QTimer(self, interval=READ_MS, timeout=self._read)
        sessions.on(EvalRecord, self._on_evaluated)
        sessions.on(ResumedRecord, self._on_went_back)
        sessions.on(ExportingRecord, self._on_exporting)
        sessions.on(CancelledRecord, self._on_cancelled)
        sessions.on(ExportedRecord, self._on_exported)
        sessions.shown_failed.connect(self._on_failed)
        sessions.on(LoadedRecord, lambda _: self._on_other())

    def start(self) -> None:
        """Show the dialog; a second press brings it to the front, as does one while it exports."""
        if self.dialog is None:
            config, standing = self._sessions.config, self._sessions.standing
            factored = VARIANTS[standing.variant].factored
            rank = f"r{standing.requested.rank}" if factored else standing.variant
            model = Path(config.model).stem if config and config.model else "adapter"
            name = f"{(config and config.preset) or model}-{rank}"
            base = config.model if config and config.model and Path(config.model).exists() else ""
            self.dialog = ExportDialog(paths.user_data() / "exports" / name, base, self._window)
            self.dialog.export_requested.connect(self._on_requested)
            self.dialog.cancel_requested.connect(lambda: self._sessions.cancel_command(self._asked))
            self.dialog.finished.connect(self._put_away)
            if not factored:  # no file of factors can hold it
                self.dialog.which.choose_format(MERGED)
            self._read()
            self._again.start()
        bring_to_front(self.dialog)

    def _read(self) -> None:
        """List what there is now: steps are made and checkpoints written while it is open."""
        if self.dialog is None:
            self._again.stop()
        elif not self.dialog.busy:
            folder = self._sessions.folder
            saves = listed(folder) if folder is not None else []
            rows = exportable(self._sessions.step, self._losses, self._best, saves)
            self.dialog.which.show_saves(rows)

    def _on_evaluated(self, record: EvalRecord) -> None:
        if record.enabled:
            self._losses[record.step] = record.loss
            if record.best:
                self._best = record.step, record.loss

    def _on_went_back(self, record: ResumedRecord) -> None:
        self._losses = {at: loss for at, loss in self._losses.items() if at <= record.step}
        if self._best is not None and self._best[0] > record.step:
            self._best = None

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
            self.dialog.show_progress(in_words(record.what), record.share)

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
        self._losses, self._best = {}, None
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
