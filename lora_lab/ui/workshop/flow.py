"""From the menu to the workshop, and its question to the session: the loss at a cut."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lora_lab.exported import ExportedRecord
from lora_lab.measured import CutRecord, MixRecord
from lora_lab.records import ErrorRecord, SavedRecord, StateRecord
from lora_lab.training.commands import EvaluateCut
from lora_lab.training.questions import EvaluateMix
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.dialogs import bring_to_front
from lora_lab.ui.workshop.dialog import WorkshopDialog
from lora_lab.workshop.requests import Mix


class WorkshopFlow(QObject):
    """Holds the one workshop; it stays as it was when it is opened again."""

    adapter_opened = Signal(str)

    def __init__(self, sessions: Sessions, window: QWidget) -> None:
        super().__init__(window)
        self._sessions, self._window = sessions, window
        self._saved = ""  # where the run's adapter was saved or exported last
        self.dialog: WorkshopDialog | None = None
        sessions.on(SavedRecord, self._on_saved)
        sessions.on(ExportedRecord, self._on_exported)
        sessions.shown_failed.connect(self._on_failed)

    def start(self) -> None:
        """Show the workshop, with the run's own adapter where one is saved."""
        if self.dialog is None:
            self.dialog = WorkshopDialog(self._window)
            self.dialog.cut_requested.connect(self._measure)
            opened = self.dialog.resize_page.source.requested
            opened.connect(lambda source: self.adapter_opened.emit(source.path))
            self._sessions.on(CutRecord, self.dialog.resize_page.show_cut)
            self.dialog.loss_requested.connect(self._measure_mixes)
            self._sessions.on(MixRecord, self.dialog.merge_page.show_mix)
        page = self.dialog.resize_page
        if self._saved and not page.source.where.path:
            page.source.where.set_path(self._saved)
        bring_to_front(self.dialog)

    def show_adapter(self, path: str) -> None:
        """Show the workshop with the adapter of a run."""
        self.start()
        self.dialog.resize_page.source.where.set_path(path)

    def close(self) -> None:
        """End what the workshop still runs."""
        if self.dialog is not None:
            self.dialog.finish()
            self.dialog.close()

    def _measure(self, path: str, ranks: tuple[int, ...], alpha: float | None) -> None:
        if not self._sessions.request(EvaluateCut(path, tuple(ranks), alpha)):
            self.dialog.resize_page.refuse_cut(
                self.tr("No model is open. Open the base and its data first.")
            )

    def _measure_mixes(self, mixes: tuple[Mix, ...]) -> None:
        for mix in mixes:
            if not self._sessions.request(EvaluateMix(mix)):
                self.dialog.merge_page.refuse_loss(
                    self.tr("No model is open. Open the base and its data first.")
                )

    def _on_saved(self, record: SavedRecord) -> None:
        self._saved = record.path

    def _on_exported(self, record: ExportedRecord) -> None:
        self._saved = record.report.path

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        if self.dialog is not None and record.ends(EvaluateCut):
            self.dialog.resize_page.refuse_cut(record.message)
        if self.dialog is not None and record.ends(EvaluateMix):
            self.dialog.merge_page.refuse_loss(record.message)
