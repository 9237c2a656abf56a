"""The table of runs as it is seen and driven: sorted, filtered, edited in place, chosen by keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from lora_lab.runs.listing import RunSummary
from lora_lab.ui.runs.model import NAME, NOTE, SHOWN, SORT, RunsModel
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.table import Ticks, dress

NOTE_EMS = 8  # widths of the letter m that are left to the notes


class RunsTable(QTableView):
    """Return opens the run of the row, Delete discards what is selected."""

    opened = Signal()
    discarded = Signal()
    missed = Signal()  # a list came while a text was being typed; now it can be shown

    def __init__(self, model: RunsModel) -> None:
        super().__init__()
        self.runs = model
        self._filter = QSortFilterProxyModel(self)
        self._filter.setSourceModel(model)
        self._filter.setSortRole(SORT)
        self._filter.setFilterKeyColumn(-1)
        self._filter.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setModel(self._filter)
        self.setAccessibleName(self.tr("Runs"))
        dress(self)
        self._missed = False
        self.itemDelegate().closeEditor.connect(lambda: self._missed and self.missed.emit())
        self._ticks = Ticks(self)
        self.setItemDelegateForColumn(SHOWN, self._ticks)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.doubleClicked.connect(self._on_double_click)
        header = self.horizontalHeader()
        header.setSectionsClickable(True)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self._fit_columns()

    def show_runs(self, runs: Sequence[RunSummary]) -> bool:
        """Show these, and select again what was selected; False while a text is being typed.

        What is being typed would be lost; `missed` follows when it is done.
        """
        self._missed = self.state() == QAbstractItemView.State.EditingState
        if self._missed:
            return False
        before = {run.path for run in self.selected()}
        at = self.currentIndex()
        current = self.run_at(at).path if at.isValid() else ""
        self.runs.show(runs)
        paths = [run.path for run in self.runs.runs]
        chosen = [row for row, path in enumerate(paths) if path in before]
        selection = self.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        every = QItemSelection()  # at once: a signal for each would take its time
        for row in chosen or [0] * bool(paths):
            index = self._filter.mapFromSource(self.runs.index(row, NAME))
            every.select(index, index)
            if paths[row] == current:  # where the arrows go on
                place = self._filter.index(index.row(), at.column())
                selection.setCurrentIndex(place, selection.SelectionFlag.NoUpdate)
        selection.select(every, flags)
        self._widen_names()
        return True

    def _widen_names(self) -> None:
        """Names that end alike are told apart by all of them: what the notes can spare is theirs.

        A width that a person has dragged stays.
        """
        header, width = self.horizontalHeader(), self.fontMetrics().horizontalAdvance
        if header.sectionSize(NAME) != self._name_width:
            return
        names = (self.runs.index(row, NAME).data() for row in range(self.runs.rowCount()))
        wanted = max((width(name) for name in names), default=0) + 30
        spare = header.sectionSize(NOTE) - NOTE_EMS * width("m")
        self._name_width = max(self._name_width, min(wanted, self._name_width + max(spare, 0)))
        header.resizeSection(NAME, self._name_width)

    def search(self, text: str) -> None:
        """Show only the runs that have this text in a column."""
        self._filter.setFilterFixedString(text.strip())

    def selected(self) -> list[RunSummary]:
        """The runs whose rows are selected, from top to bottom."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows(NAME))
        return [self.run_at(self._filter.index(row, NAME)) for row in rows]

    def run_at(self, index: QModelIndex) -> RunSummary:
        """The run of a row."""
        return self.runs.rows[self._filter.mapToSource(index).row()][1]

    def edit_column(self, column: int) -> None:
        """Let the name or the note of the one selected run be typed."""
        rows = self.selectionModel().selectedRows(column)
        if len(rows) == 1:
            self.setFocus()
            self.setCurrentIndex(rows[0])
            self.edit(rows[0])

    def restyle(self) -> None:
        """Cells take their colours when they are painted."""
        self.setFont(theme.font())
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        editing = self.state() == self.State.EditingState
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not editing:
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete and not editing:
            self.discarded.emit()
        else:
            super().keyPressEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self.model() is not None:
            self._fit_columns()

    def _on_double_click(self, index: QModelIndex) -> None:
        if index.column() == NOTE:
            self.edit(index)
        elif index.column() != SHOWN:
            self.opened.emit()

    def _fit_columns(self) -> None:
        header, width = self.horizontalHeader(), self.fontMetrics().horizontalAdvance
        widest = (
            self.tr("Shown"), "20261124-182034-digits", "in background", "classification",
            "000", "000", "000,000 / 000,000", "0.00×10⁻¹⁴", "000 MB", "0:00:00", "",
        )  # fmt: skip
        for column, text in enumerate(widest):
            header.resizeSection(column, width(text) + 22)
        header.setSectionResizeMode(NOTE, QHeaderView.ResizeMode.Stretch)
        self._name_width = header.sectionSize(NAME)
