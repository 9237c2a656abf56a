"""From the rate's control and the menu to the search: the session tries, the dialog shows."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.records import ErrorRecord, RateFoundRecord, RatePointRecord, StateRecord
from lora_lab.training.commands import FindRate
from lora_lab.ui.help.flow import HelpFlow
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.rate_dialog import RateDialog


class RateFlow(QObject):
    """Holds the one dialog and what it waits for."""

    def __init__(
        self, sessions: Sessions, dock: HyperparametersDock, help_flow: HelpFlow, window: QWidget
    ) -> None:
        super().__init__(window)
        self._sessions, self._dock, self._help, self._window = sessions, dock, help_flow, window
        self.dialog: RateDialog | None = None
        self._asked: FindRate | None = None
        sessions.rate_tried.connect(self._on_tried)
        sessions.rate_found.connect(self._on_found)
        sessions.shown_failed.connect(self._on_failed)
        sessions.loaded.connect(lambda _: self._leave_behind())

    def start(self) -> None:
        """Show the dialog and search; what it showed before is searched anew."""
        if self.dialog is None:
            self.dialog = RateDialog(self._window)
            self.dialog.search_wished.connect(self._search)
            self.dialog.cancel_wished.connect(self._call_off)
            self.dialog.rate_wished.connect(
                lambda rate: self._dock.wish_value("learning_rate", rate)
            )
            self.dialog.help_wished.connect(self._help.show_page)
            self.dialog.finished.connect(self._on_done)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
        if not self.dialog.busy:
            self._search()

    def close(self) -> None:
        """Put the dialog away, and end the search with it."""
        if self.dialog is not None:
            self.dialog.close()

    def _leave_behind(self) -> None:
        """Another model: the search went with the old one, and nothing of this is called off."""
        if self.dialog is not None:
            self.dialog.busy = False
            self.dialog.close()

    def _search(self) -> None:
        wished = self._dock.wished
        self._asked = FindRate()
        if self._sessions.request(self._asked):
            self.dialog.begin(f"r = {wished.rank:,}, α = {wished.alpha:.4g}")
        else:
            self.dialog.stop(self.tr("This run has ended. Restart, then ask again."), "error")

    def _call_off(self) -> None:
        self._sessions.break_off(self._asked)
        self.dialog.stop(self.tr("Called off; everything is as it was."))

    def _on_tried(self, record: RatePointRecord) -> None:
        if self.dialog is not None:
            self.dialog.add(record)

    def _on_found(self, record: RateFoundRecord) -> None:
        if self.dialog is not None and self.dialog.busy:
            self.dialog.show_found(record)

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        waits = self.dialog is not None and self.dialog.busy
        if waits and record.ends(FindRate):
            self.dialog.stop(record.message, "error")

    def _on_done(self) -> None:
        self.dialog.deleteLater()
        self.dialog = None
