"""What every panel is: a widget that collects records and draws them when it is asked to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QGraphicsView,
    QHBoxLayout,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import Record
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import TextLabel, describe

Columns = dict[str, Sequence[Any]]  # of equal length, by name
TELL_MS = 2000


class Panel(QWidget):
    """One view of a run. The window feeds every panel and redraws the visible ones that are dirty.

    A subclass lays `self.head` (a row above) and `self.body` (a column below) and gives an empty
    state by `say(text)`; `say("")` brings the body back.
    """

    requested = Signal(dict)  # fields of Hyperparameters that the person asks for here
    command_asked = Signal(object)  # a Command for the session; its record comes as all do
    command_cancelled = Signal(object)  # that very one

    key = ""
    name = ""  # marked for translation; `title` is what a person reads
    folded = False  # closed until it is asked for in the View menu

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dirty = True
        self.follow(Standing(self))  # its own while it stands alone
        self.corner: QToolButton | None = None
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # what was clicked last is meant by the menu
        self.setAccessibleName(self.title)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(self.backgroundRole().Base)
        self.head = QHBoxLayout()
        self.head.setSpacing(8)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        self.body.setSpacing(6)
        full, blank = QWidget(self), QWidget(self)
        full.setLayout(self.body)
        self._empty = TextLabel("", self)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setProperty("role", "empty")
        middle = QVBoxLayout(blank)
        middle.addWidget(self._empty)
        self._stack = QStackedLayout()
        self._stack.addWidget(full)
        self._stack.addWidget(blank)
        self._describing = QTimer(self, interval=TELL_MS)  # to those who listen instead of looking
        self._describing.timeout.connect(self.update_description)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(12, 8, 10, 6)
        outer.setSpacing(6)
        outer.addLayout(self.head)
        outer.addLayout(self._stack, 1)

    @property
    def title(self) -> str:
        """The name in the language of the window."""
        return QCoreApplication.translate("Panel", self.name)

    def follow(self, standing: Standing) -> None:
        """From now on what is loaded, requested and applied is read here: that of the window."""
        self.standing = standing
        standing.replaced.connect(self.reset)
        standing.changed.connect(self.standing_changed)

    def standing_changed(self) -> None:
        """Something else is requested, applied or aimed at: a panel that draws it is dirty."""

    def reset(self, loaded: LoadedRecord) -> None:
        """A model stands ready: start afresh."""
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        """Collect what concerns this panel and set `dirty`; never draw."""

    def choose_layer(self, name: str) -> None:
        """Show that layer alone, where the panel can; "" means all of them."""

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        """Other runs to be shown behind this one, where the panel can."""

    def redraw(self) -> None:
        """Show what was collected. Called by a timer, only if dirty and visible."""
        self.dirty = False

    def restyle(self, colors: Colors) -> None:
        """The scheme changed: take colours and fonts from `colors`."""
        self.dirty = True

    def summary(self) -> str:
        """What the panel shows, in one sentence."""
        return self._empty.text() if self._stack.currentIndex() else ""

    def figure_data(self) -> Columns:
        """The numbers that are drawn, as finely as they are held here; nothing where none are."""
        return {}

    def put_corner(self, button: QToolButton) -> None:
        """A small button at the top right; what stands in the head makes room for it."""
        self.corner = button
        button.setParent(self)
        self.head.setContentsMargins(0, 0, button.sizeHint().width() + 2, 0)
        self._place_corner()

    def _place_corner(self) -> None:
        if self.corner is not None:
            self.corner.adjustSize()
            lower = max(0, self.head.sizeHint().height() - self.corner.height()) // 2
            self.corner.move(self.width() - self.corner.width() - 8, 8 + lower)
            self.corner.raise_()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_corner()

    def update_description(self) -> None:
        """Let screen readers find the sentence of now, at the panel and at its plots."""
        words = self.summary()
        for picture in (self, *self.findChildren(QGraphicsView)):
            describe(picture, words)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._describing.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._describing.stop()

    def say(self, text: str) -> None:
        """Show `text` in place of the body, or the body again if it is empty."""
        if text and text != self._empty.text():
            self._empty.setText(text)
        index = 1 if text else 0
        if self._stack.currentIndex() != index:
            self._stack.setCurrentIndex(index)
