"""The runs there are: how far each is, and all that can be done with one or several of them.

A run that was cut off stands first. Nothing is ever deleted here: what is discarded goes to the
trash. The dock says what is wished; reading and writing is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QModelIndex,
    QPoint,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDockWidget,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.runs.listing import RunSummary, resumable
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.runs.model import NAME, NOTE, SHOWN, SORT, RunsModel
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.background import BusyWorks
from lora_lab.ui.widgets.table import Ticks, dress

LIVING = ("running", "paused", "loading")


class RunsView(QTableView):
    """Return opens the run of the row, Delete discards what is selected."""

    opened = Signal()
    discarded = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == self.State.EditingState
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not editing:
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete and not editing:
            self.discarded.emit()
        else:
            super().keyPressEvent(event)


class RunsDock(QDockWidget):
    """A table of runs with a filter, a line about the one that is chosen, and what can be done."""

    open_wished = Signal(str)  # path of a run, to be resumed or looked at
    adapter_wished = Signal(str)  # path of an adapter
    keep_wished = Signal(str)  # the adapter of a run that was cut off
    overlay_wished = Signal(str, bool)
    label_wished = Signal(str, str, str)  # path, name, note
    compare_wished = Signal(list)  # of RunSummary
    pack_wished = Signal(str)
    unpack_wished = Signal()
    recipe_wished = Signal(str)  # a script that repeats the run
    report_wished = Signal(str)  # a page that tells of it
    discard_wished = Signal(list)  # of RunSummary
    refresh_wished = Signal()
    cancelled = Signal()  # what is being done beside the window

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setObjectName("runs")
        self.setWindowTitle(tr("Runs"))
        self.model = RunsModel(self)
        self.model.overlay_wished.connect(self.overlay_wished)
        self.model.label_wished.connect(self.label_wished)
        self._shown = QSortFilterProxyModel(self)
        self._shown.setSourceModel(self.model)
        self._shown.setSortRole(SORT)
        self._shown.setFilterKeyColumn(-1)
        self._shown.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.table = RunsView()
        self.table.setModel(self._shown)
        self.table.setAccessibleName(tr("Runs"))
        dress(self.table)
        self._missed = False  # a list that came while a name or a note was being typed
        self.table.itemDelegate().closeEditor.connect(
            lambda: self.refresh_wished.emit() if self._missed else None
        )
        self._ticks = Ticks(self.table)
        self.table.setItemDelegateForColumn(SHOWN, self._ticks)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._ask_what)
        self.table.doubleClicked.connect(self._on_double_click)
        self.table.opened.connect(lambda: self.open_button.click())
        self.table.discarded.connect(lambda: self.discard_action.trigger())
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._follow())
        header = self.table.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.table.setSortingEnabled(True)
        self._fit_columns()

        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Filter"))
        self.filter.setAccessibleName(tr("Filter the runs"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda text: self._shown.setFilterFixedString(text.strip()))
        self.open_button = QPushButton(tr("&Resume"))
        self.open_button.setProperty("role", "primary")
        self.open_button.clicked.connect(self._open)
        self.compare_button = QPushButton(tr("&Compare settings"))
        self.compare_button.setToolTip(tr("What differs between the runs that are selected"))
        self.compare_button.clicked.connect(lambda: self.compare_wished.emit(self.selected()))
        self.actions_menu = QMenu(self)
        self._fill_menu()
        self.more_button = QToolButton()
        self.more_button.setText(tr("More"))
        self.more_button.setAccessibleName(tr("More to do with the run"))
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more_button.setMenu(self.actions_menu)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self._bar.setAccessibleName(tr("Progress"))
        self.cancel_button = QToolButton()
        self.cancel_button.setText(tr("Cancel"))
        self.cancel_button.clicked.connect(self.cancelled)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setProperty("role", "muted")

        head = QHBoxLayout()
        head.setSpacing(8)
        for widget in (self.open_button, self.compare_button, self.more_button):
            head.addWidget(widget)
        head.addStretch(1)
        head.addWidget(self.filter, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.told, 3)
        foot.addWidget(self._bar, 1)
        foot.addWidget(self.cancel_button)
        page = QWidget()
        page.setAutoFillBackground(True)
        page.setBackgroundRole(page.backgroundRole().Base)
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 8, 10, 6)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        em = self.fontMetrics().horizontalAdvance("m")
        page.setMinimumSize(30 * em, 9 * em)  # with two rows of panels above it fits a small screen
        self.setWidget(page)
        self.busy = BusyWorks(self._show_busy)
        self._show_busy("", -1)
        self._follow()

    def show_runs(self, runs: Sequence[RunSummary]) -> None:
        """Show these, those that were cut off first; what is selected stays selected."""
        self._missed = self.table.state() == QAbstractItemView.State.EditingState
        if self._missed:  # what is being typed would be lost; it is read again afterwards
            return
        before = {run.path for run in self.selected()}
        at = self.table.currentIndex()
        current = self._run(at).path if at.isValid() else ""
        self.model.show(sorted(runs, key=lambda run: not run.interrupted))
        chosen = [row for row, run in enumerate(self.model.runs) if run.path in before]
        selection = self.table.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        every = QItemSelection()  # at once: whatever is told of each would take its time
        for row in chosen or [0] * bool(self.model.runs):
            index = self._shown.mapFromSource(self.model.index(row, NAME))
            every.select(index, index)
            if self.model.runs[row].path == current:  # where the arrows go on
                place = self._shown.index(index.row(), at.column())
                selection.setCurrentIndex(place, selection.SelectionFlag.NoUpdate)
        selection.select(every, flags)
        self._follow()

    def set_overlays(self, overlays: Mapping[str, Overlay]) -> None:
        """Tick those that are shown behind the present run."""
        self.model.set_overlays(overlays)

    def set_current(self, path: str) -> None:
        """Mark the run that is open."""
        self.model.set_current(path)
        self._follow()

    def selected(self) -> list[RunSummary]:
        """The runs whose rows are selected, from top to bottom."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows(NAME))
        return [self._run(self._shown.index(row, NAME)) for row in rows]

    def _show_busy(self, words: str, share: float) -> None:
        self._bar.setVisible(bool(words))
        self.cancel_button.setVisible(bool(words))
        self._bar.setRange(0, 0 if share < 0 else 1000)
        self._bar.setValue(round(1000 * max(share, 0)))
        if words:
            self.told.setText(words)
        else:
            self._follow()

    def restyle(self) -> None:
        """The scheme changed: cells take their colours when they are painted."""
        self.table.setFont(theme.font())
        self.table.viewport().update()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "told"):
            self._fit_columns()

    def _run(self, index: QModelIndex) -> RunSummary:
        return self.model.runs[self._shown.mapToSource(index).row()]

    def _fill_menu(self) -> None:
        tr, menu = self.tr, self.actions_menu
        self.rename_action = self._action(tr("Rename…"), "F2", lambda: self._edit(NAME))
        self.note_action = self._action(tr("Write a note…"), "", lambda: self._edit(NOTE))
        menu.addSeparator()
        self.adapter_action = self._action(tr("Look at its adapter"), "", self._look)
        self.keep_action = self._action(
            tr("Keep its adapter and end it"), "", lambda: self._emit(self.keep_wished)
        )
        menu.addSeparator()
        self.report_action = self._action(
            tr("Save a page on it…"), "", lambda: self._emit(self.report_wished)
        )
        self.recipe_action = self._action(
            tr("Save a PEFT script that repeats it…"), "", lambda: self._emit(self.recipe_wished)
        )
        self.pack_action = self._action(
            tr("Save as a zip…"), "", lambda: self._emit(self.pack_wished)
        )
        self.unpack_action = self._action(tr("Open the zip of a run…"), "", self.unpack_wished.emit)
        menu.addSeparator()
        self.discard_action = self._action(tr("Move to trash"), "Del", self._discard)
        self.refresh_action = self._action(
            tr("Read the folder again"), "", self.refresh_wished.emit
        )

    def _action(self, words: str, keys: str, does) -> QAction:
        """An entry of the menu; its keys are heard by the table, and named here."""
        keys = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
        action = self.actions_menu.addAction(f"{words}\t{keys}" if keys else words)
        action.triggered.connect(lambda: does())
        return action

    def _follow(self) -> None:
        """Enable what can be done with what is selected, and say what it is."""
        chosen = self.selected()
        run = chosen[0] if len(chosen) == 1 else None
        step = resumable(Path(run.path)) if run is not None else None
        living = run is not None and run.state in LIVING
        held = living or (run is not None and run.path == self.model.current)
        ended = run is not None and step is not None and step >= run.max_steps
        self.open_button.setText(self.tr("&Open") if ended else self.tr("&Resume"))
        self.open_button.setEnabled(step is not None and not held)
        self.compare_button.setEnabled(len(chosen) > 1)
        there = run is not None and (Path(run.path) / "adapter").is_dir()
        self.adapter_action.setEnabled(there)
        self.keep_action.setEnabled(run is not None and run.interrupted and step is not None)
        for action in (
            self.rename_action, self.note_action, self.report_action, self.recipe_action,
        ):  # fmt: skip
            action.setEnabled(run is not None)
        self.pack_action.setEnabled(run is not None and not living)
        self.discard_action.setEnabled(
            bool(chosen)
            and not any(o.state in LIVING or o.path == self.model.current for o in chosen)
        )
        if self._bar.isHidden():  # else it says what is being done
            self.told.setText(self._words(chosen, run, step, held, ended))

    def _words(
        self, chosen: list[RunSummary], run: RunSummary | None, step: int | None,
        held: bool, ended: bool,
    ) -> str:  # fmt: skip
        tr = self.tr
        if not self.model.runs:
            return tr("No runs yet: the first step of a training makes one.")
        if run is None:
            return tr("{} runs selected.").format(len(chosen)) if chosen else ""
        origin = ""
        if run.parent:
            origin = tr(" It branched off from {} at step {:,}.").format(
                run.parent, run.parent_step
            )
        name = run.label or run.name
        if held:
            return tr("{} is open, here or in another window.").format(name) + origin
        if step is None:
            return tr("{} has no checkpoint, so it cannot be opened.").format(name) + origin
        if ended:
            return tr("{} has come to its end; it opens with its plots.").format(name) + origin
        words = tr("{} goes on at step {:,}, to the bit on this machine.").format(name, step)
        if run.interrupted and (lost := run.step - step) > 0:
            words += tr(" The {:,} steps after it were not saved and are made again.").format(lost)
        return words + origin

    def _emit(self, signal) -> None:
        if len(chosen := self.selected()) == 1:
            signal.emit(chosen[0].path)

    def _open(self) -> None:
        if self.open_button.isEnabled():
            self._emit(self.open_wished)

    def _look(self) -> None:
        if len(chosen := self.selected()) == 1:
            self.adapter_wished.emit(str(Path(chosen[0].path) / "adapter"))

    def _edit(self, column: int) -> None:
        rows = self.table.selectionModel().selectedRows(column)
        if len(rows) == 1:
            self.table.setFocus()
            self.table.setCurrentIndex(rows[0])
            self.table.edit(rows[0])

    def _discard(self) -> None:
        if self.discard_action.isEnabled():
            self.discard_wished.emit(self.selected())

    def _on_double_click(self, index: QModelIndex) -> None:
        if index.column() == NOTE:
            self.table.edit(index)
        elif index.column() != SHOWN:
            self.open_button.click()

    def _ask_what(self, at: QPoint) -> None:
        self.actions_menu.popup(self.table.viewport().mapToGlobal(at))

    def _fit_columns(self) -> None:
        header, width = self.table.horizontalHeader(), self.fontMetrics().horizontalAdvance
        widest = (
            self.tr("Shown"), "20261124-182034-digits", "interrupted", "classification",
            "000", "000", "000,000 / 000,000", "0.00×10⁻¹⁴", "000 MB", "0:00:00", "",
        )  # fmt: skip
        for column, text in enumerate(widest):
            header.resizeSection(column, width(text) + 16)
        header.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Stretch)
