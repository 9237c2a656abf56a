"""Where the docks live: the default layout, keeping it, and the way back to it.

It is a QMainWindow inside the window, so that the notice bar can lie over all docks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QAction, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabBar, QTabWidget, QWidget

from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.shell.kept_layout import is_layout
from lora_lab.ui.widgets.column import Column

LAYOUT_VERSION = 5  # raise it when docks come or are renamed: an older layout is left alone
LEFT_EMS = 27  # width of the left column in widths of the letter m; 325 px at 96 dpi
QWIDGETSIZE_MAX = (1 << 24) - 1  # Qt's own, which PySide does not name
Area = Qt.DockWidgetArea


class DockHost(QMainWindow):
    """A column of settings on the left; panels in a grid of two columns on the right."""

    def __init__(
        self,
        left: Sequence[QDockWidget],
        panels: Sequence[Panel],
        behind: Mapping[str, QDockWidget] | None = None,
        below: Sequence[QDockWidget] = (),
        parent: QWidget | None = None,
    ) -> None:
        """`behind`: by the key of a panel, a dock that is a tab beside it; `below`: docks that lie
        under all panels, and are closed until they are asked for."""
        super().__init__(parent)
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        self.setTabPosition(Area.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self._left = list(left)
        self.panels = list(panels)
        self._panel_docks = [self._dock_of(panel) for panel in panels]
        at = {panel.key: dock for panel, dock in zip(panels, self._panel_docks, strict=True)}
        self._behind = [(at[key], dock) for key, dock in (behind or {}).items()]
        self._below = list(below)
        self._folded = [at[panel.key] for panel in panels if panel.folded]
        self._open = [dock for dock in self._panel_docks if dock not in self._folded]
        self.setCorner(Qt.Corner.BottomLeftCorner, Area.LeftDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, Area.BottomDockWidgetArea)
        self._as_shipped = True  # no kept layout: the sizes are shared out when they are known
        # Not at once: the column asks for it in the middle of a layout.
        self._fit_soon = QTimer(self, singleShot=True, interval=0, timeout=self._fit_left)
        # Widths at the left and heights below as they were shared out or dragged by hand.
        self._extents: dict[QDockWidget, int] = {}
        self._laid_out = QSize()  # the size that the docks were laid out for last
        for dock in (*self._left, *self._below):
            dock.installEventFilter(self)
        for dock in self._left:
            if isinstance(dock.widget(), Column):
                dock.widget().needs_changed.connect(self._fit_soon.start)
        for dock in self.docks:  # reopened from the menu, a tab comes to the front
            dock.toggleViewAction().triggered.connect(
                lambda on, dock=dock: dock.raise_() if on else None
            )
        self.reset_layout()

    @property
    def docks(self) -> list[QDockWidget]:
        """The left column, the panels, what stands behind and below them, and what is folded."""
        behind = (dock for _, dock in self._behind)
        return [*self._left, *self._open, *behind, *self._below, *self._folded]

    def toggles(self) -> list[QAction]:
        """An action per dock that closes and reopens it."""
        return [dock.toggleViewAction() for dock in self.docks]

    def bring(self, key: str) -> None:
        """Open that panel and let it stand before what is tabbed with it."""
        for panel, dock in zip(self.panels, self._panel_docks, strict=True):
            if panel.key == key:
                dock.show()
                dock.raise_()

    def reset_layout(self) -> None:
        """Put every dock where it stood the first time, open and not floating."""
        for dock in self.docks:
            self.removeDockWidget(dock)
            dock.setFloating(False)
        for dock in self._left:
            self.addDockWidget(Area.LeftDockWidgetArea, dock)
            dock.show()
        grid = self._open
        for dock in grid[:1]:
            self.addDockWidget(Area.RightDockWidgetArea, dock)
        # Rows first, then columns: two above, two below, further ones as tabs of the last.
        if len(grid) > 2:
            self.splitDockWidget(grid[0], grid[2], Qt.Orientation.Vertical)
        if len(grid) > 1:
            self.splitDockWidget(grid[0], grid[1], Qt.Orientation.Horizontal)
        if len(grid) > 3:
            self.splitDockWidget(grid[2], grid[3], Qt.Orientation.Horizontal)
        for dock in grid[4:]:
            self.tabifyDockWidget(grid[3], dock)
        for front, dock in self._behind:
            self.tabifyDockWidget(front, dock)
            dock.show()
        for dock in grid:
            dock.show()
        for dock in self._folded:
            self.tabifyDockWidget(grid[min(3, len(grid) - 1)], dock)
            dock.hide()
        for dock in self._below:
            self.addDockWidget(Area.BottomDockWidgetArea, dock)
            dock.hide()
        for front in (*grid[3:4], *(front for front, _ in self._behind)):
            front.raise_()
        self._share_out()

    def bring_up(self, dock: QDockWidget) -> None:
        """Show a dock that was closed; one below the panels takes two fifths of the height."""
        fresh = dock.isHidden()
        dock.show()
        dock.raise_()
        if fresh and dock in self._below and not dock.isFloating():
            height = [self.height() * 2 // 5]
            # Once it lies among the others: before that it has no place that could be resized.
            QTimer.singleShot(0, lambda: self.resizeDocks([dock], height, Qt.Orientation.Vertical))

    def raise_floating(self) -> None:
        """Bring docks that float before the window: it was shown after them."""
        for dock in self.docks:
            if dock.isFloating() and dock.isVisible():
                dock.raise_()

    def save(self) -> bytes:
        """The layout, for the settings file."""
        return self.saveState(LAYOUT_VERSION).data()

    def restore(self, layout: bytes) -> bool:
        """Take up a kept layout; False (and nothing is moved) where it does not fit."""
        names = {dock.objectName() for dock in self.docks}
        restored = is_layout(layout, names) and self.restoreState(layout, LAYOUT_VERSION)
        self._as_shipped = self._as_shipped and not restored
        QTimer.singleShot(0, self, self._hide_stale_tabs)  # once the docks lie where they will
        if restored:
            self._extents.clear()  # those of the kept layout are heard when it is laid out
        return restored

    def _hide_stale_tabs(self) -> None:
        """Bars of the layout before, which Qt forgets in the upper left corner."""
        for bar in self.findChildren(QTabBar):
            titles = {bar.tabText(place) for place in range(bar.count())}
            held = [dock for dock in self.docks if dock.windowTitle() in titles]
            if not any(dock.isVisible() and dock.x() == bar.x() for dock in held):
                bar.hide()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._as_shipped:
            self._as_shipped = False
            self._share_out()
        QTimer.singleShot(0, self, self._measure_extents)

    def _measure_extents(self) -> None:
        """A kept layout was laid out before anybody listened: what it gave holds from now on."""
        for dock in (*self._left, *self._below):
            if dock not in self._extents and dock.isVisible() and not dock.isFloating():
                self._extents[dock] = self._extent(dock)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._laid_out = event.size()
        self._fit_soon.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # While the window itself keeps its size, it is a person who moves the divider.
        by_hand = event.type() == QEvent.Type.Resize and self._laid_out == self.size()
        if by_hand and watched.isVisible() and not watched.isFloating():
            self._extents[watched] = self._extent(watched)
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        return QSize(1280, 720)

    def _share_out(self) -> None:
        """The default sizes: the left column as wide as its text wants, the panels evenly."""
        em = self.fontMetrics().horizontalAdvance("m")
        width = max(self.width(), self.sizeHint().width())
        height = max(self.height(), self.sizeHint().height())
        left = LEFT_EMS * em
        self._extents.update(dict.fromkeys(self._left, left))
        grid = self._panel_docks
        each = (width - left) // 2
        if self._left and grid:
            self.resizeDocks(
                [self._left[0], grid[0]], [left, width - left], Qt.Orientation.Horizontal
            )
        self._fit_left()
        if len(grid) > 1:
            self.resizeDocks(grid[:2], [each, each], Qt.Orientation.Horizontal)
        if len(grid) > 3:
            self.resizeDocks(grid[2:4], [each, each], Qt.Orientation.Horizontal)
            half = height // 2
            self.resizeDocks([grid[0], grid[2]], [half, half], Qt.Orientation.Vertical)

    def _fit_left(self) -> None:
        """Settings as tall as their text and the sliders the rest; the sliders in full go first."""
        self._keep_extents()
        if len(self._left) != 2 or any(d.isFloating() or d.isHidden() for d in self._left):
            return
        upper, lower = self._left
        if upper.x() != lower.x() or self.tabifiedDockWidgets(upper):
            return  # moved apart by hand
        both = upper.height() + lower.height()
        # Asked of the widgets: a dock remembers the hint of another width.
        needs, rest = (
            dock.widget().sizeHint().height() + dock.height() - dock.widget().height()
            for dock in (upper, lower)
        )
        above = min(needs, both - rest)
        above = max(above, upper.minimumSizeHint().height())
        if above != upper.height():
            self.resizeDocks([upper, lower], [above, both - above], Qt.Orientation.Vertical)

    def _extent(self, dock: QDockWidget) -> int:
        return dock.width() if dock in self._left else dock.height()

    def _keep_extents(self) -> None:
        """A larger window is room for the plots: what stands around them keeps its size."""
        homes = (Area.LeftDockWidgetArea, Area.BottomDockWidgetArea)
        held = {
            dock: extent
            for dock, extent in self._extents.items()
            if dock.isVisible() and not dock.isFloating() and self.dockWidgetArea(dock) in homes
        }
        least = max((d.minimumSizeHint().width() for d in held if d in self._left), default=0)
        held = {d: max(e, least) if d in self._left else e for d, e in held.items()}
        if all(self._extent(dock) == extent for dock, extent in held.items()):
            return
        self._laid_out = QSize()  # this is not by hand
        for dock, extent in held.items():  # for one layout: resizeDocks shares out all the rest too
            if dock in self._left:
                dock.setFixedWidth(extent)
            else:
                dock.setFixedHeight(extent)
        self.layout().activate()
        for dock in held:
            dock.setMinimumSize(0, 0)
            dock.setMaximumSize(QWIDGETSIZE_MAX, QWIDGETSIZE_MAX)
        self.layout().activate()
        self._laid_out = self.size()

    def _dock_of(self, panel: Panel) -> QDockWidget:
        dock = QDockWidget(panel.title, self)
        dock.setObjectName(f"panel_{panel.key}")
        dock.setWidget(panel)
        # Fixed, not hinted: a text that grows inside a panel must not move the dividers.
        em = self.fontMetrics().horizontalAdvance("m")
        panel.setMinimumSize(22 * em, 12 * em)
        return dock
