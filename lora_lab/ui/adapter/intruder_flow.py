"""From the menu to the intruder dimensions: one layer after the other is asked of the session."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.records import ErrorRecord, IntruderRecord, LoadedRecord, StateRecord
from lora_lab.training.commands import CountIntruders
from lora_lab.ui.adapter.intruder_dialog import IntruderDialog
from lora_lab.ui.session.sessions import Sessions


class IntruderFlow(QObject):
    """Holds the one dialog and the layers still to be counted; stopping only empties the list."""

    def __init__(self, sessions: Sessions, window: QWidget) -> None:
        super().__init__(window)
        self._sessions, self._window = sessions, window
        self._layers: tuple[str, ...] = ()
        self._waiting: list[CountIntruders] = []
        self._asked: CountIntruders | None = None
        self.dialog: IntruderDialog | None = None
        sessions.loaded.connect(self._on_loaded)
        sessions.intruders_counted.connect(self._on_counted)
        sessions.shown_failed.connect(self._on_failed)

    def start(self) -> None:
        """Show the dialog; nothing is counted before it is asked for there."""
        if self.dialog is None:
            self.dialog = IntruderDialog(self._window)
            self.dialog.count_wished.connect(self._count)
            self.dialog.stop_wished.connect(self._waiting.clear)
            self.dialog.finished.connect(self._waiting.clear)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Put the dialog away with the window."""
        if self.dialog is not None:
            self.dialog.close()

    def _count(self, strongest: int, threshold: float) -> None:
        self._waiting[:] = [CountIntruders(name, strongest, threshold) for name in self._layers]
        self.dialog.begin(len(self._waiting))
        self._next()

    def _next(self) -> None:
        self._asked = self._waiting.pop(0) if self._waiting else None
        if self._asked is None:
            self.dialog.end()
        elif not self._sessions.request(self._asked):
            self._waiting.clear()
            self._asked = None
            self.dialog.refuse(self.tr("This run has ended. Restart, then ask again."))

    def _on_counted(self, record: IntruderRecord) -> None:
        asked = self._asked
        told = CountIntruders(record.layer, record.strongest, record.threshold)
        if self.dialog is not None and told == asked:
            self.dialog.show_record(record)
            self._next()

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        if self._asked is not None and record.ends(CountIntruders):
            self._asked = None
            self._waiting.clear()
            self.dialog.refuse(record.message)

    def _on_loaded(self, record: LoadedRecord) -> None:
        """Another model: its layers are what can be asked about."""
        self._layers = tuple(layer.name for layer in record.layers)
        self._asked = None
        self._waiting.clear()
        if self.dialog is not None:
            self.dialog.close()
            self.dialog.deleteLater()
            self.dialog = None
