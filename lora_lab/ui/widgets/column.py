"""The scrolling column of a settings dock: never cut off at the side, never squeezed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

GAP = 5  # above and below the foot


class Column(QScrollArea):
    """Fill `rows`; wrapped labels get the height that they need at the width there is."""

    needs_changed = Signal()  # its text asks for another height

    def __init__(self, spacing: int) -> None:
        super().__init__()
        self._foot: QWidget | None = None
        self._widest = 0  # that the rows have been; the column does not shrink with every figure
        self._body = QWidget()
        self.rows = QVBoxLayout(self._body)
        self.rows.setContentsMargins(10, 4, 10, 8)
        self.rows.setSpacing(spacing)
        self.setWidget(self._body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._body.installEventFilter(self)

    def set_foot(self, foot: QWidget) -> None:
        """A widget below the rows that stays in sight while they scroll."""
        self._foot = foot
        foot.setParent(self)
        foot.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        bar = self.verticalScrollBar().sizeHint().width()
        height = self.fontMetrics().height() * 6 + self._foot_height()
        return QSize(max(self._widest, self._body.minimumSizeHint().width()) + bar, height)

    def sizeHint(self) -> QSize:
        # At the width that the text has now: beside a scroll bar it needs more height, and the bar
        # leaves only when it gets that much. Without the bar it then asks again, for less.
        width = max(self.minimumSizeHint().width(), self.width())
        return QSize(width, self._height_at(self._body.width()) + self._foot_height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_foot()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._foot:
            if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
                self._place_foot()
                self.updateGeometry()
                self.needs_changed.emit()
            return super().eventFilter(watched, event)
        # A scroll area asks for a minimum only, and a wrapped label's minimum is a single line.
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            needed, wide = self._height_at(self._body.width()), self._body.minimumSizeHint().width()
            if needed != self._body.minimumHeight() or wide > self._widest:
                self._widest = max(wide, self._widest)
                self._body.setMinimumHeight(needed)
                self.updateGeometry()
                self.needs_changed.emit()
        return super().eventFilter(watched, event)

    def _foot_height(self) -> int:
        shown = self._foot is not None and not self._foot.isHidden()
        return self._foot.sizeHint().height() + 2 * GAP if shown else 0

    def _place_foot(self) -> None:
        needed = self._foot_height()
        self.setViewportMargins(0, 0, 0, needed)
        if needed:
            sides = self.rows.contentsMargins()
            width = self.width() - sides.left() - sides.right()
            top = self.height() - needed + GAP
            self._foot.setGeometry(sides.left(), top, width, needed - 2 * GAP)

    def _height_at(self, width: int) -> int:
        wrapped = self.rows.hasHeightForWidth()
        return self.rows.heightForWidth(width) if wrapped else self.rows.sizeHint().height()
