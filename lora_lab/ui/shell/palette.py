"""The command palette: a line to type in, and whatever of the window fits it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from lora_lab.names import legible
from lora_lab.ui.shell.palette_entries import Entry
from lora_lab.ui.shell.palette_words import score
from lora_lab.ui.widgets.labels import TextLabel

MOST = 400  # rows: nobody reads on
MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class Palette(QDialog):
    """By keyboard alone: type, arrows, Enter; Escape leaves."""

    def __init__(self, entries: Sequence[Entry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Find a command"))
        self.setModal(True)
        self._entries = list(entries)
        self.query = QLineEdit(placeholderText=self.tr("Action, panel, setting or page"))
        self.query.setAccessibleName(self.tr("Find a command"))
        self.query.setClearButtonEnabled(True)
        self.query.textChanged.connect(self._find)
        self.query.installEventFilter(self)
        self.list = QTreeWidget()
        self.list.setAccessibleName(self.tr("Commands found"))
        self.list.setColumnCount(3)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the keys stay with the line above
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            fits = QHeaderView.ResizeMode.ResizeToContents
            self.list.header().setSectionResizeMode(column, fits)
        self.list.itemClicked.connect(lambda _: self._take())
        self.list.currentItemChanged.connect(lambda *_: self._say_why())
        self.why = TextLabel()
        self.why.setProperty("role", "small")
        self.why.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(6)
        column.addWidget(self.query)
        column.addWidget(self.list, 1)
        column.addWidget(self.why)
        em = self.fontMetrics().horizontalAdvance("m")
        room = parent.size() if parent is not None else self.screen().availableSize()
        self.resize(min(56 * em, room.width() - 40), min(34 * em, room.height() - 60))
        if parent is not None:
            self.move(parent.mapToGlobal(parent.rect().center()) - self.rect().center())
        self._find("")

    def found(self) -> list[Entry]:
        """What is listed, the best first."""
        rows = (self.list.topLevelItem(n) for n in range(self.list.topLevelItemCount()))
        return [row.data(0, Qt.ItemDataRole.UserRole) for row in rows]

    def _find(self, text: str) -> None:
        if text.strip():
            scored = [(score(text, e.title, e.place, e.also), e) for e in self._entries]
            later = {e: 0.5 * bool(e.reason) + 4.5 * e.page for _, e in scored}
            scored = [(value - later[e], e) for value, e in scored if value]
            found = [entry for _, entry in sorted(scored, key=lambda row: -row[0])]
        else:
            found = self._entries
        self.list.clear()
        for entry in found[:MOST]:
            row = QTreeWidgetItem([legible(entry.title), legible(entry.place), entry.keys])
            row.setData(0, Qt.ItemDataRole.UserRole, entry)
            gone = self.palette().placeholderText()
            for column in (0, 1, 2) if entry.reason else (1, 2):
                row.setForeground(column, gone)
            self.list.addTopLevelItem(row)
        self.list.setCurrentItem(self.list.topLevelItem(0))
        self._say_why()

    def _say_why(self) -> None:
        row = self.list.currentItem()
        entry = row.data(0, Qt.ItemDataRole.UserRole) if row is not None else None
        nothing = self.tr("Nothing is called so.")
        unavailable = self.tr("Not available now: {}")
        why = unavailable.format(entry.reason) if entry is not None and entry.reason else ""
        self.why.setText(nothing if entry is None else why or " ")
        said = f"{entry.title}, {entry.place}" if entry is not None else nothing
        self.query.setAccessibleDescription(f"{said} {why}".strip())  # the focus stays here

    def _take(self) -> None:
        row = self.list.currentItem()
        entry = row.data(0, Qt.ItemDataRole.UserRole) if row is not None else None
        if entry is None or entry.reason:
            return
        run: Callable[[], object] = entry.run
        self.close()
        QTimer.singleShot(0, self.parent() or self, run)  # a dialog of its own comes after this

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() in MOVES:
                self.list.keyPressEvent(event)
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take()
                return True
        return super().eventFilter(watched, event)
