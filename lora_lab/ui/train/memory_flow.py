"""Asks for the memory of a step when a model stands ready, and again when its adapters changed.

The session estimates it between two steps. Where that takes long, it is asked for only once, so
that a dragged slider does not hold up the training.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer

from lora_lab.measured import MemoryRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import CountsRecord
from lora_lab.training.commands import EstimateMemory
from lora_lab.ui.session.sessions import Sessions

REST_MS = 400  # without another edit
QUICK = 0.25  # seconds; an estimate that takes longer is not asked for again


class MemoryFlow(QObject):
    """Its answers are records like any other: the panels show them."""

    def __init__(self, sessions: Sessions, parent: QObject) -> None:
        super().__init__(parent)
        self._sessions = sessions
        self._slow = False
        self._rest = QTimer(self, singleShot=True, interval=REST_MS)
        self._rest.timeout.connect(lambda: sessions.edits and sessions.request(EstimateMemory()))
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(CountsRecord, self._on_counted)
        sessions.on(MemoryRecord, self._on_estimated)

    def _on_loaded(self, _: LoadedRecord) -> None:
        self._slow = False

    def _on_counted(self, _: CountsRecord) -> None:
        if not self._slow:
            self._rest.start()

    def _on_estimated(self, record: MemoryRecord) -> None:
        self._slow = record.seconds > QUICK or bool(record.reason)
