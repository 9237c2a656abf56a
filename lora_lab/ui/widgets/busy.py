"""How far a work beside the window is, and a button to call it off; seen where it takes long."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from lora_lab.ui.widgets.labels import TextLabel

SOON_MS = 400  # a work that is over by then needs no bar


class Busy(QWidget):
    """One row: words, a bar, Cancel. Nothing of it is seen while nothing is done."""

    cancelled = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._words = TextLabel()
        self._words.setProperty("role", "muted")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self.bar.setAccessibleName(name)
        self.cancel_button = QPushButton(self.tr("Cancel"))
        self.cancel_button.setAutoDefault(False)
        self.cancel_button.clicked.connect(self._on_cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._words)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel_button)
        self._soon = QTimer(self, singleShot=True, interval=SOON_MS)
        self._soon.timeout.connect(self.show)
        self.hide()

    def begin(self, words: str) -> None:
        """Something is done from now on."""
        self.show_progress(words, -1)
        self._soon.start()

    def show_progress(self, words: str, share: float) -> None:
        """How far it is; a negative share where that cannot be told."""
        self._words.setText(f"{words.rstrip('…')}…")
        self.bar.setRange(0, 1000 if share >= 0 else 0)
        self.bar.setValue(round(1000 * max(share, 0)))

    def end(self) -> None:
        """It is over, however it ended."""
        self._soon.stop()
        self.hide()

    def _on_cancel(self) -> None:
        self.end()
        self.cancelled.emit()
