"""*Play plot as sound*: plays the plot that was clicked last, until it ends, or Esc, or again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QWidget

from lora_lab.ui.help import by_ear
from lora_lab.ui.help.player import Player
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.spoken import announce


class EarFlow(QObject):
    """Says in a sentence what is heard, and plays it beside everything else."""

    def __init__(self, panel: Callable[[], Panel], notices: Notices, window: QWidget) -> None:
        super().__init__(window)
        self._panel, self._notices, self._window = panel, notices, window
        self.player = Player(self)
        self.player.ended.connect(self._on_end)
        self.player.failed.connect(self._on_failed)

    def start(self) -> None:
        """Play, or stop what plays."""
        if self.player.playing:
            self.player.stop()
            return
        panel = self._panel()
        heard = by_ear.heard(panel)
        if heard is None:
            words = self.tr("{} shows no curve and no bars yet. Train a few steps first.")
            self._notices.warning(words.format(panel.title))
            return
        words = self.tr("{} as sound, {:.0f} s: {}. {:.0f} Hz is {}, {:.0f} Hz is {}.").format(
            panel.title, heard.seconds, "; ".join(heard.names),
            by_ear.pitch(0), number(heard.low), by_ear.pitch(1), number(heard.high),
        )  # fmt: skip
        self._notices.news(words)
        announce(self._window, words)
        QApplication.instance().installEventFilter(self)
        self.player.play(by_ear.wav(heard.sound))

    def close(self) -> None:
        """Silence."""
        self.player.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.player.stop()
        return super().eventFilter(watched, event)

    def _on_end(self) -> None:
        QApplication.instance().removeEventFilter(self)

    def _on_failed(self, reasons: str) -> None:
        self._on_end()
        words = self.tr(
            "No sound can be played here. Install PySide6-Addons, or one of pw-play, paplay, aplay."
        )
        self._notices.error(words, reasons)
