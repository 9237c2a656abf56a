"""From the rank's control and the menu to suggested ranks: the session measures, a dialog shows."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.records import ErrorRecord, RankHintRecord, StateRecord
from lora_lab.training.commands import SuggestRank
from lora_lab.ui.help.flow import HelpFlow
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.train.hint_dialog import HintDialog
from lora_lab.ui.train.hyperparameters import HyperparametersDock


class HintFlow(QObject):
    """Measured only when it is asked for."""

    def __init__(
        self, sessions: Sessions, dock: HyperparametersDock, help_flow: HelpFlow, window: QWidget
    ) -> None:
        super().__init__(window)
        self._sessions, self._dock, self._help, self._window = sessions, dock, help_flow, window
        self.dialog: HintDialog | None = None
        sessions.rank_hinted.connect(self._on_hinted)
        sessions.shown_failed.connect(self._on_failed)
        sessions.loaded.connect(lambda _: self.close())

    def start(self) -> None:
        """Show the dialog and measure; what it showed before is measured anew."""
        if self.dialog is None:
            self.dialog = HintDialog(self._window)
            self.dialog.measure_wished.connect(self._measure)
            self.dialog.rank_wished.connect(lambda rank: self._dock.wish_value("rank", rank))
            self.dialog.help_wished.connect(self._help.show_page)
            self.dialog.finished.connect(self._on_done)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
        if not self.dialog.busy:
            self._measure()

    def close(self) -> None:
        """Put the dialog away."""
        if self.dialog is not None:
            self.dialog.close()

    def _measure(self) -> None:
        self.dialog.wait()
        if not self._sessions.request(SuggestRank()):
            self.dialog.refuse(self.tr("This run has ended. Restart, then ask again."))

    def _on_hinted(self, record: RankHintRecord) -> None:
        if self.dialog is not None:
            self.dialog.show_record(record)

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        waits = self.dialog is not None and self.dialog.busy
        if waits and record.ends(SuggestRank):
            self.dialog.refuse(record.message)

    def _on_done(self) -> None:
        self.dialog.deleteLater()
        self.dialog = None
