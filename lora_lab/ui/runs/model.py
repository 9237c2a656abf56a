"""The table of runs: what each was, how far it came, and whether its curves are shown behind.

A branch stands below the run that it came from. Name and note can be edited in place; what a
person changes is told as a wish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor

from lora_lab.runs.listing import RunSummary
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock, size_words
from lora_lab.ui.widgets.plot import number
from lora_lab.variants import PLAIN

Role = Qt.ItemDataRole
SHOWN, NAME, STATE, WHAT, RANK, ALPHA, STEP, BEST, SIZE, TIME, NOTE = range(11)
FIGURES = (RANK, ALPHA, STEP, BEST, SIZE, TIME)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
SORT = Role.UserRole  # what a column is sorted by


def with_ancestry(runs: Sequence[RunSummary]) -> list[tuple[int, RunSummary]]:
    """(depth, run) in the order of `runs`, each branch below the run that it came from."""
    names = {run.name for run in runs}
    below: dict[str, list[RunSummary]] = {}
    for run in runs:
        if run.parent in names and run.parent != run.name:
            below.setdefault(run.parent, []).append(run)
    placed: list[tuple[int, RunSummary]] = []
    seen: set[str] = set()

    def place(run: RunSummary) -> None:
        waiting = [(0, run)]
        while waiting:
            depth, run = waiting.pop()
            if run.name not in seen:  # a circle, as of files edited by hand, ends here
                seen.add(run.name)
                placed.append((depth, run))
                waiting += [(depth + 1, branch) for branch in reversed(below.get(run.name, ()))]

    for run in runs:
        if run.parent not in names:
            place(run)
    for run in runs:  # what hangs on nothing but itself
        place(run)
    return placed


class RunsModel(QAbstractTableModel):
    """Rows are runs; the first column ticks those that are shown behind the present one."""

    overlay_wished = Signal(str, bool)  # path, on
    label_wished = Signal(str, str, str)  # path, name, note

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.runs: list[RunSummary] = []
        self._depths: list[int] = []
        self._overlays: dict[str, Overlay] = {}
        self.current = ""
        self._heads = (
            (tr("Shown"), tr("Ticked: its curves stand behind those of the run that is open")),
            (tr("Run"), tr("F2 gives it another name; a branch stands below where it came from")),
            (tr("State"), ""),
            (tr("What"), tr("Preset or task, and the variant")),
            ("r", tr("Rank at its end")),
            ("α", tr("α at its end")),
            (tr("Step"), ""),
            (tr("Best"), tr("Lowest held-out loss")),
            (tr("Size"), tr("Of the whole folder")),
            (tr("Time"), tr("Of training")),
            (tr("Note"), tr("F2 or a double click writes one")),
        )

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Other runs, or the same in another state."""
        self.beginResetModel()
        placed = with_ancestry(runs)
        self.runs = [run for _, run in placed]
        self._depths = [depth for depth, _ in placed]
        self.endResetModel()

    def set_overlays(self, overlays: Mapping[str, Overlay]) -> None:
        """Which runs are shown behind the present one."""
        self._overlays = dict(overlays)
        self._repaint(SHOWN)

    def set_current(self, path: str) -> None:
        """Which run is open."""
        self.current = path
        self._repaint(NAME)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.runs)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Role.DisplayRole:
            return self._heads[section][0]
        if role == Role.ToolTipRole:
            return self._heads[section][1]
        return RIGHT if role == Role.TextAlignmentRole and section in FIGURES else None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == SHOWN and self.runs[index.row()].path != self.current:
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        if index.column() in (NAME, NOTE):
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        run = self.runs[row]
        if role == Role.DisplayRole:
            return self._text(run, self._depths[row], column)
        if role == SORT:
            return self._order(run, row, column)
        if role == Role.EditRole:
            return run.note if column == NOTE else run.label or run.name
        if role == Role.CheckStateRole and column == SHOWN and run.path != self.current:
            on = run.path in self._overlays
            return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        if role == Role.ForegroundRole:
            return self._colour(run, column)
        if role == Role.TextAlignmentRole and column in FIGURES:
            return RIGHT
        if role == Role.ToolTipRole:
            return self._tip(run, column)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        run, column = self.runs[index.row()], index.column()
        if role == Role.CheckStateRole and column == SHOWN:
            self.overlay_wished.emit(run.path, Qt.CheckState(value) is Qt.CheckState.Checked)
            return True
        if role != Role.EditRole or column not in (NAME, NOTE):
            return False
        text = " ".join(str(value).split())
        name, note = (text, run.note) if column == NAME else (run.label, text)
        if name == run.name:
            name = ""  # its own name is none of a person's
        if (name, note) != (run.label, run.note):
            self.label_wished.emit(run.path, name, note)
        return True

    def _text(self, run: RunSummary, depth: int, column: int) -> str:
        overlay = self._overlays.get(run.path)
        figures = {
            SHOWN: overlay.sample if overlay is not None else "",
            NAME: "   " * (depth - 1) + "↳ " * (depth > 0) + (run.label or run.name),
            STATE: run.state or "—",
            WHAT: run.title if run.variant in ("", PLAIN) else f"{run.title}, {run.variant}",
            RANK: str(run.rank),
            ALPHA: f"{run.alpha:g}",
            STEP: f"{run.step:,} / {run.max_steps:,}",
            BEST: number(run.best),
            SIZE: size_words(run.bytes),
            TIME: "—" if run.seconds != run.seconds else clock(run.seconds),
            NOTE: run.note,
        }
        return figures[column]

    def _order(self, run: RunSummary, row: int, column: int) -> Any:
        if column in FIGURES:
            figures = (run.rank, run.alpha, run.step, run.best, run.bytes, run.seconds)
            value = float(figures[FIGURES.index(column)])
            return value if value == value else float("inf")  # the unknown to the end
        if column == SHOWN:
            return run.path not in self._overlays
        return self._text(run, 0, column).lower()

    def _colour(self, run: RunSummary, column: int) -> QColor | None:
        c, overlay = theme.current(), self._overlays.get(run.path)
        if column == SHOWN and overlay is not None:
            return QColor(overlay.color)
        if column == NAME and run.path == self.current:
            return QColor(c.accent)
        if column == STATE:
            tones = {"interrupted": c.warn, "failed": c.error, "running": c.accent}
            return QColor(tones.get(run.state, c.muted))
        return QColor(c.muted) if column in (WHAT, SIZE, TIME) else None

    def _tip(self, run: RunSummary, column: int) -> str:
        if column == NAME:
            origin = ""
            if run.parent:
                origin = self.tr("\nbranched off from {} at step {:,}").format(
                    run.parent, run.parent_step
                )
            return f"{run.path}{origin}"
        return run.note if column == NOTE else ""

    def _repaint(self, column: int) -> None:
        if self.runs:
            last = self.index(len(self.runs) - 1, column)
            self.dataChanged.emit(self.index(0, column), last)
