"""What the pages that teach have alike: head, foot, what is prepared when, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLayout, QPushButton, QVBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel

Row = tuple[QWidget | QLayout, int]  # and how much of the room that is left it takes


class LearnPage(QDialog):
    """Stays open beside the window; what it opens has models of its own, on other threads."""

    help_requested = Signal(str)  # a page of the handbook
    _laid_out = False  # Qt tells of changes before there is anything to restyle

    def __init__(
        self,
        title: str,
        verb: str,
        page: str,
        config: Callable[[], RunConfig | None],
        parent: QWidget | None = None,
    ) -> None:
        """`verb` is on the button; `page` of the handbook explains it.

        `config`: the model and data at hand, with the settings of the docks.
        """
        super().__init__(parent)
        self.setWindowTitle(title)
        self._config = config
        self._works = Works(self)
        self.sentence, self.details, self.price = (TextLabel(wordWrap=True) for _ in range(3))
        self.sentence.setProperty("role", "figure")
        for label in (self.details, self.price):
            label.setProperty("role", "muted")
        self.details.hide()
        self.button = QPushButton(verb, autoDefault=True, default=True)
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._on_button)
        self.help_button = QPushButton(self.tr("&How it works"), autoDefault=False)
        self.help_button.clicked.connect(lambda: self.help_requested.emit(page))
        QShortcut(QKeySequence.StandardKey.HelpContents, self, self.help_button.click)

    def prepare(self) -> None:
        """Open what is at hand, where it is not open yet, so that the price is said before."""
        raise NotImplementedError

    def stop(self) -> None:
        """End what runs; what was found so far stays."""
        raise NotImplementedError

    def restyle(self, colors: Colors) -> None:
        """Draw in the colors of another theme."""

    def finish(self) -> None:
        """End what runs, and wait for it."""
        self.stop()
        self._works.finish()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.prepare()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.prepare()  # another model may have been opened meanwhile
        elif event.type() == QEvent.Type.PaletteChange and self._laid_out:
            self.restyle(theme.current())

    def closeEvent(self, event: QCloseEvent) -> None:
        self.stop()
        super().closeEvent(event)

    def reject(self) -> None:
        self.stop()
        super().reject()

    def _on_button(self) -> None:
        raise NotImplementedError

    def _lay_out(
        self, rows: Sequence[Row], knobs: Sequence[QWidget | None], lines: tuple[int, int]
    ) -> None:
        """The rows over the knobs (None: the room between them) over the foot.

        `lines`: width and height of the page, in lines of text, where the screen allows.
        """
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(8)
        middle, bottom = QHBoxLayout(spacing=8), QHBoxLayout(spacing=8)
        for widget in knobs:
            if widget is None:
                middle.addStretch(1)
            else:
                middle.addWidget(widget)
        bottom.addWidget(self.help_button)
        bottom.addWidget(self.price, 1)
        bottom.addWidget(self.button)
        for row, stretch in (*rows, *([(middle, 0)] if knobs else []), (bottom, 0)):
            if isinstance(row, QWidget):
                column.addWidget(row, stretch)
            else:
                column.addLayout(row, stretch)
        line = self.fontMetrics().height()
        resize_within(self, lines[0] * line, lines[1] * line)
        self._laid_out = True

    def _show_details(self, words: str) -> None:
        """A second line under the sentence; without words it takes no room."""
        self.details.setText(words)
        self.details.setVisible(bool(words))

    def _say(self, words: str, role: str = "muted") -> None:
        self.price.setText(words)
        theme.set_role(self.price, role)
