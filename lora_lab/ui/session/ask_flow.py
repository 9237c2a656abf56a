"""From a menu entry to a dialog of figures: the session is asked, the dialog shows the answer.

The measuring is done by a command on the session thread, between two steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import ErrorRecord, Record, StateRecord
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.dialogs import bring_to_front

if TYPE_CHECKING:
    from lora_lab.training.commands import Command
    from lora_lab.ui.session.sessions import Sessions


class AskFlow(QObject):
    """Holds one dialog and the command that it waits for; another model puts both away."""

    value_chosen = Signal(str, object)  # a hyperparameter and its value
    help_requested = Signal(str)  # page of the handbook

    def __init__(
        self,
        sessions: Sessions,
        make: Callable[[LoadedRecord], AskDialog],
        results: tuple[type, ...],
        parent: QObject,
    ) -> None:
        """`make` builds the dialog for the open model; `results` are the records it shows."""
        super().__init__(parent)
        self._sessions, self._make = sessions, make
        self.command: Command | None = None  # requested last
        self.dialog: AskDialog | None = None
        for result in results:
            sessions.on(result, self._show_result)
        sessions.shown_failed.connect(self._on_failed)
        sessions.on(LoadedRecord, self._on_loaded)

    def start(self) -> None:
        """Show the dialog; most of them then measure anew."""
        loaded = self._sessions.standing.loaded
        if loaded is None:
            return
        if self.dialog is None:
            self.dialog = self._make(loaded)
            self.dialog.requested.connect(self._request)
            self.dialog.cancelled.connect(lambda: self._sessions.cancel_command(self.command))
            self.dialog.value_chosen.connect(self.value_chosen)
            self.dialog.help_requested.connect(self.help_requested)
        bring_to_front(self.dialog)
        if self.dialog.asks_at_once and not self.dialog.busy:
            self.dialog.ask()

    def close(self) -> None:
        """Put the dialog away, and cancel what can be cancelled."""
        if self.dialog is not None:
            self.dialog.close()

    def _request(self, command: Command) -> None:
        self.command = command
        if not self._sessions.request(command):
            self.dialog.refuse(self.tr("This run has ended. Restart, then try again."))

    def _show_result(self, record: Record) -> None:
        if self.dialog is not None and self.dialog.busy:
            self.dialog.show_result(record)

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        waits = self.dialog is not None and self.dialog.busy
        if waits and record.ends(type(self.command)):
            self.dialog.refuse(record.message)

    def _on_loaded(self, _: LoadedRecord) -> None:
        """Another model: the command went with the old one, and there is nothing to cancel."""
        if self.dialog is not None:
            self.dialog.busy = False
            self.dialog.close()
            self.dialog.deleteLater()
            self.dialog = None
