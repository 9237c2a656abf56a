"""The table of runs: what each was, how far it came, and whether its curves are shown behind.

A branch stands below the run that it came from. Name and note can be edited in place; what a
person changes is told as a request.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor

from lora_lab.runs.listing import RunSummary
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock, in_words, plain_tip, size_words
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.variants import PLAIN

SHOWN, NAME, STATE, WHAT, RANK, ALPHA, STEP, BEST, SIZE, TIME, NOTE = range(11)
FIGURES = (RANK, ALPHA, STEP, BEST, SIZE, TIME)
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


class RunsModel(RowsModel):
    """Rows are runs; the first column ticks those that are shown behind the present one."""

    overlay_requested = Signal(str, bool)  # path, on
    label_requested = Signal(str, str, str)  # path, name, note

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__((), parent)
        tr = self.tr
        self._overlays: dict[str, Overlay] = {}
        self.current = ""
        self.apart: frozenset[str] = frozenset()  # real paths of those in processes of their own
        heads = (
            (tr("Shown"), tr("Ticked: its curves are drawn behind those of the open run")),
            (tr("Run"), tr("F2 renames it; a branch is listed below its parent")),
            (tr("State"), ""),
            (tr("Task"), tr("Preset or task, and the variant")),
            ("r", tr("Final rank")),
            ("α", tr("Final α")),
            (tr("Step"), ""),
            (tr("Best"), tr("Lowest validation loss")),
            (tr("Size"), tr("Of the whole folder")),
            (tr("Time"), tr("Of training")),
            (tr("Note"), tr("F2 or a double click writes one")),
        )
        self.set_columns(
            Column(title, partial(self._text, place), place in FIGURES, tip)
            for place, (title, tip) in enumerate(heads)
        )

    @property
    def runs(self) -> list[RunSummary]:
        """The runs in the order of the rows."""
        return [run for _, run in self.rows]

    def is_apart(self, run: RunSummary) -> bool:
        """Whether a run trains in the background."""
        return bool(self.apart) and os.path.realpath(run.path) in self.apart

    def show(self, runs: Sequence[RunSummary]) -> None:
        """Other runs, or the same in another state."""
        self.show_rows(with_ancestry(runs))

    def set_overlays(self, overlays: Mapping[str, Overlay]) -> None:
        """Which runs are shown behind the present one."""
        self._overlays = dict(overlays)
        self.refresh(SHOWN)

    def set_current(self, path: str) -> None:
        """Which run is open."""
        self.current = path
        self.refresh(NAME)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == SHOWN and self.rows[index.row()][1].path != self.current:
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        if index.column() in (NAME, NOTE):
            return flags | Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        (_, run), column = self.rows[index.row()], index.column()
        if role == SORT:
            return self._order(run, column)
        if role == Role.EditRole:
            return run.note if column == NOTE else run.label or run.name
        if role == Role.CheckStateRole and column == SHOWN and run.path != self.current:
            on = run.path in self._overlays
            return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        if role == Role.ForegroundRole:
            return self._colour(run, column)
        if role == Role.ToolTipRole:
            return plain_tip(self._tip(run, column))
        return super().data(index, role)

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        (_, run), column = self.rows[index.row()], index.column()
        if role == Role.CheckStateRole and column == SHOWN:
            self.overlay_requested.emit(run.path, Qt.CheckState(value) is Qt.CheckState.Checked)
            return True
        if role != Role.EditRole or column not in (NAME, NOTE):
            return False
        text = " ".join(str(value).split())
        name, note = (text, run.note) if column == NAME else (run.label, text)
        if name == run.name:
            name = ""  # its own name is none of a person's
        if (name, note) != (run.label, run.note):
            self.label_requested.emit(run.path, name, note)
        return True

    def _text(self, column: int, row: tuple[int, RunSummary]) -> str:
        depth, run = row
        overlay = self._overlays.get(run.path)
        figures = {
            SHOWN: overlay.sample if overlay is not None else "",
            NAME: "   " * (depth - 1) + "↳ " * (depth > 0) + (run.label or run.name),
            STATE: self._state(run),
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

    def _state(self, run: RunSummary) -> str:
        if not self.is_apart(run):
            return in_words(run.state) or "—"
        if run.state in ("", "running"):
            return self.tr("in background")  # the line below the table says more
        return self.tr("{}, in background").format(in_words(run.state))

    def _order(self, run: RunSummary, column: int) -> Any:
        if column in FIGURES:
            figures = (run.rank, run.alpha, run.step, run.best, run.bytes, run.seconds)
            value = float(figures[FIGURES.index(column)])
            return value if value == value else float("inf")  # the unknown to the end
        if column == SHOWN:
            return run.path not in self._overlays
        return self._text(column, (0, run)).lower()

    def _colour(self, run: RunSummary, column: int) -> QColor | None:
        c, overlay = theme.current(), self._overlays.get(run.path)
        if column == SHOWN and overlay is not None:
            return QColor(overlay.color)
        if column == NAME and run.path == self.current:
            return QColor(c.accent)
        if column == STATE:
            tones = {"interrupted": c.warn, "running": c.accent}
            tones |= {"failed": c.error, "damaged": c.error}
            return QColor(tones.get(run.state, c.muted))
        return QColor(c.muted) if column in (WHAT, SIZE, TIME) else None

    def _tip(self, run: RunSummary, column: int) -> str:
        if column == NAME:
            origin = ""
            if run.parent:
                origin = self.tr("\nbranch of {} at step {:,}").format(run.parent, run.parent_step)
            return f"{run.path}{origin}"
        if column == STATE:
            return run.flaw
        return run.note if column == NOTE else ""
