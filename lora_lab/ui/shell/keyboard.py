"""The window by keyboard alone: Enter presses what has the focus, F6 goes from area to area.

The space bar trains and pauses wherever one is, so it cannot press buttons as it does elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDockWidget,
    QMainWindow,
    QTabBar,
    QToolBar,
    QWidget,
)

from lora_lab.ui.shell.dock_host import DockHost

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Keyboard(QObject):
    """Hears the keys that nobody in the window took."""

    def __init__(
        self, window: QMainWindow, host: DockHost, escape: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(window)
        self._window, self._host, self._escape = window, host, escape
        for listening in (window, *host.docks):  # a floating dock is a window of its own
            listening.installEventFilter(self)

    def order_by_work(self) -> None:
        """Let Tab go as the work goes: train, the settings, the sliders, the plots, the rest."""
        bars = self._window.findChildren(QToolBar)
        for button in (b for bar in bars for b in bar.findChildren(QAbstractButton)):
            if button.focusPolicy() == Qt.FocusPolicy.NoFocus and button.text():
                button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # which a toolbar takes away
        areas = [*bars, *self._host.docks]
        chain, at = [], self._window.nextInFocusChain()
        while at is not self._window:
            if at.focusPolicy() & Qt.FocusPolicy.TabFocus and at.focusProxy() is None:
                chain.append(at)
            at = at.nextInFocusChain()

        def place(widget: QWidget) -> tuple[int, int]:
            held = (n for n, area in enumerate(areas) if area.isAncestorOf(widget))
            first = next(held, len(areas))
            across = widget.mapTo(self._window, widget.rect().topLeft()).x()
            return first, across if first < len(bars) else 0

        ordered = sorted(chain, key=place)  # within a dock as it was
        # The first goes behind what stood behind the window, which is then moved away itself.
        for widget, after in ((chain[0], ordered[0]), *pairwise(ordered)):
            if widget is not after:
                QWidget.setTabOrder(widget, after)

    def next_area(self, step: int = 1) -> None:
        """Give the focus to the first control of the next dock that can be seen."""
        areas = [dock for dock in self._host.docks if _seen(dock) and _first(dock) is not None]
        if not areas:
            return
        focus = QApplication.focusWidget()
        at = next((i for i, dock in enumerate(areas) if dock.isAncestorOf(focus)), None)
        place = (0 if step > 0 else -1) if at is None else (at + step) % len(areas)
        area = areas[place]
        area.activateWindow()
        _first(area).setFocus(Qt.FocusReason.TabFocusReason)

    def area(self) -> QDockWidget | None:
        """The dock that has the focus."""
        focus = QApplication.focusWidget()
        return next((dock for dock in self._host.docks if dock.isAncestorOf(focus)), None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            plain = event.modifiers() in (
                Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier,
            )  # fmt: skip
            if plain and event.key() in ENTER and _press(QApplication.focusWidget()):
                return True
            # A dock that does not float passes the key on to the window: once is enough.
            if plain and event.key() == Qt.Key.Key_Escape and watched.isWindow():
                self._escape()
        if event.type() == QEvent.Type.ChildAdded or event.type() == QEvent.Type.Show:
            QTimer.singleShot(0, self, self._name_tab_bars)
        if event.type() == QEvent.Type.WindowActivate and self._window.focusWidget() is None:
            self._window.setFocus()  # on nothing in particular: no ring where nobody went
        return super().eventFilter(watched, event)

    def _name_tab_bars(self) -> None:
        """Those that appear where docks are laid on one another have no names of their own."""
        for bar in self._host.findChildren(QTabBar):
            if not bar.accessibleName():
                bar.setAccessibleName(self.tr("Tabs of the docks that lie here"))


def _press(focus: QWidget | None) -> bool:
    if isinstance(focus, QComboBox) and not focus.isEditable():
        focus.showPopup()
        return True
    if isinstance(focus, QAbstractButton) and focus.isEnabled():
        focus.click()
        return True
    return False


def _seen(dock: QDockWidget) -> bool:
    return dock.isVisible() and not dock.visibleRegion().isEmpty()


def _first(dock: QDockWidget) -> QWidget | None:
    """The first control of a dock that takes the focus, in the order of Tab."""
    inside = dock.widget()
    place = inside.nextInFocusChain()
    while place is not None and place is not inside:
        takes = place.focusPolicy() & Qt.FocusPolicy.TabFocus and place.focusProxy() is None
        if takes and inside.isAncestorOf(place) and place.isVisible() and place.isEnabled():
            return place
        place = place.nextInFocusChain()
    return None
