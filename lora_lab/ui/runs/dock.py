"""The runs there are: how far each is, and all that can be done with one or several of them.

A run that was cut off stands first. Nothing is ever deleted here: what is discarded goes to the
trash. The dock says what is requested; reading and writing is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.runs.listing import GOING, RunSummary, is_mirror
from lora_lab.runs.saves import resumable
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.runs.model import NAME, NOTE, RunsModel
from lora_lab.ui.runs.view import RunsTable
from lora_lab.ui.widgets.background import BusyWorks
from lora_lab.ui.widgets.labels import TextLabel


class RunMenu(QMenu):
    """Entries by their names; the keys beside them are those of the table."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        tr = self.tr
        self.rename = self._entry(tr("Rename…"), "F2")
        self.note = self._entry(tr("Write a note…"))
        self.addSeparator()
        self.adapter = self._entry(tr("Inspect adapter"))
        self.keep = self._entry(tr("Save adapter and end run"))
        self.stop = self._entry(tr("Stop in the background"))
        self.addSeparator()
        self.report = self._entry(tr("Export HTML report…"))
        self.recipe = self._entry(tr("Export PEFT script…"))
        self.pack = self._entry(tr("Save as a zip…"))
        self.unpack = self._entry(tr("Open the zip of a run…"))
        self.addSeparator()
        self.discard = self._entry(tr("Move to trash"), "Del")
        self.refresh = self._entry(tr("Refresh"))

    def _entry(self, words: str, keys: str = "") -> QAction:
        keys = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
        return self.addAction(f"{words}\t{keys}" if keys else words)


class RunsDock(QDockWidget):
    """A table of runs with a filter, a line about the one that is chosen, and what can be done."""

    open_requested = Signal(str)  # path of a run, to be resumed or looked at
    stop_requested = Signal(str)  # one that trains in the background
    adapter_requested = Signal(str)  # path of an adapter
    keep_requested = Signal(str)  # the adapter of a run that was cut off
    overlay_requested = Signal(str, bool)
    label_requested = Signal(str, str, str)  # path, name, note
    compare_requested = Signal(list)  # of RunSummary
    pack_requested = Signal(str)
    unpack_requested = Signal()
    recipe_requested = Signal(str)  # a script that repeats the run
    report_requested = Signal(str)  # a page that tells of it
    discard_requested = Signal(list)  # of RunSummary
    refresh_requested = Signal()
    cancelled = Signal()  # what is being done beside the window

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.setObjectName("runs")
        self.setWindowTitle(tr("Runs"))
        self.model = RunsModel(self)
        self.model.overlay_requested.connect(self.overlay_requested)
        self.model.label_requested.connect(self.label_requested)
        self.table = RunsTable(self.model)
        self.menu = RunMenu(self)
        self.open_button = QPushButton(tr("Res&ume"))
        self.open_button.setProperty("role", "primary")
        self.compare_button = QPushButton(tr("Compare settings"))
        self.compare_button.setToolTip(tr("Differences between the selected runs"))
        self.more_button = QToolButton(text=tr("More"))
        self.more_button.setAccessibleName(tr("More actions for the run"))
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more_button.setMenu(self.menu)
        self.filter = QLineEdit(placeholderText=tr("Filter"), clearButtonEnabled=True)
        self.filter.setAccessibleName(tr("Filter the runs"))
        self.about = TextLabel(wordWrap=True)
        self.about.setProperty("role", "muted")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self._bar.setAccessibleName(tr("Progress"))
        self.cancel_button = QToolButton(text=tr("Cancel"))
        self.busy = BusyWorks(self._show_busy)
        self._lay_out()
        self._connect()
        self._show_busy("", -1)

    def _lay_out(self) -> None:
        head = QHBoxLayout(spacing=8)
        for widget in (self.open_button, self.compare_button, self.more_button):
            head.addWidget(widget)
        head.addStretch(1)
        head.addWidget(self.filter, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.about, 3)
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

    def _connect(self) -> None:
        table, menu = self.table, self.menu
        table.opened.connect(self.open_button.click)
        table.discarded.connect(menu.discard.trigger)
        table.missed.connect(self.refresh_requested)
        table.selectionModel().selectionChanged.connect(lambda *_: self._update())
        table.customContextMenuRequested.connect(
            lambda at: menu.popup(table.viewport().mapToGlobal(at))
        )
        self.filter.textChanged.connect(table.search)
        self.open_button.clicked.connect(lambda: self._emit(self.open_requested))
        self.compare_button.clicked.connect(lambda: self.compare_requested.emit(self.selected()))
        self.cancel_button.clicked.connect(self.cancelled)
        menu.rename.triggered.connect(lambda: table.edit_column(NAME))
        menu.note.triggered.connect(lambda: table.edit_column(NOTE))
        menu.adapter.triggered.connect(lambda: self._emit(self.adapter_requested, "adapter"))
        menu.keep.triggered.connect(lambda: self._emit(self.keep_requested))
        menu.stop.triggered.connect(lambda: self._emit(self.stop_requested))
        menu.report.triggered.connect(lambda: self._emit(self.report_requested))
        menu.recipe.triggered.connect(lambda: self._emit(self.recipe_requested))
        menu.pack.triggered.connect(lambda: self._emit(self.pack_requested))
        menu.unpack.triggered.connect(lambda: self.unpack_requested.emit())
        menu.discard.triggered.connect(lambda: self.discard_requested.emit(self.selected()))
        menu.refresh.triggered.connect(lambda: self.refresh_requested.emit())

    def show_runs(self, runs: Sequence[RunSummary], apart: Iterable[str] = ()) -> None:
        """Show these, the interrupted ones first; what is selected stays selected.

        `apart`: the real paths of those that train in the background.
        """
        self.model.apart = frozenset(apart)
        if self.table.show_runs(sorted(runs, key=lambda run: not run.interrupted)):
            self._update()

    def set_overlays(self, overlays: Mapping[str, Overlay]) -> None:
        """Tick those that are shown behind the present run."""
        self.model.set_overlays(overlays)

    def set_current(self, path: str) -> None:
        """Mark the run that is open."""
        self.model.set_current(path)
        self._update()

    def selected(self) -> list[RunSummary]:
        """The runs whose rows are selected, from top to bottom."""
        return self.table.selected()

    def restyle(self) -> None:
        """Take up the colours in force."""
        self.table.restyle()

    def _show_busy(self, words: str, share: float) -> None:
        self._bar.setVisible(bool(words))
        self.cancel_button.setVisible(bool(words))
        self._bar.setRange(0, 0 if share < 0 else 1000)
        self._bar.setValue(round(1000 * max(share, 0)))
        if words:
            self.about.setText(words)
        else:
            self._update()

    def _update(self) -> None:
        """Enable what can be done with what is selected, and say what it is."""
        chosen, menu = self.selected(), self.menu
        run = chosen[0] if len(chosen) == 1 else None
        step = resumable(Path(run.path)) if run is not None else None
        held = run is not None and self._is_held(run)
        ended = run is not None and step is not None and step >= run.max_steps
        words = self.tr("Open") if ended else self.tr("Res&ume")
        if run is not None and step is None:
            words = self.tr("Begin again")
        apart = run is not None and self.model.is_apart(run)
        shown = run is not None and run.path == self.model.current
        mirror = run is not None and is_mirror(Path(run.path))
        if apart or mirror:
            words = self.tr("Attach")
        self.open_button.setText(words)
        watched = (apart or mirror) and not shown
        self.open_button.setEnabled(run is not None and (not held or watched))
        menu.stop.setEnabled(apart)
        self.compare_button.setEnabled(len(chosen) > 1)
        menu.adapter.setEnabled(run is not None and (Path(run.path) / "adapter").is_dir())
        menu.keep.setEnabled(run is not None and run.interrupted and step is not None)
        for action in (menu.rename, menu.note, menu.report, menu.recipe):
            action.setEnabled(run is not None)
        menu.pack.setEnabled(run is not None and run.state not in GOING)
        menu.discard.setEnabled(bool(chosen) and not any(map(self._is_held, chosen)))
        if self._bar.isHidden():  # else it says what is being done
            self.about.setText(self._words(chosen, run, step, held, ended))

    def _is_held(self, run: RunSummary) -> bool:
        """Whether it is open, here or in another window."""
        return run.state in GOING or run.path == self.model.current

    def _words(
        self, chosen: list[RunSummary], run: RunSummary | None, step: int | None,
        held: bool, ended: bool,
    ) -> str:  # fmt: skip
        tr = self.tr
        if not self.model.runs:
            return tr("No runs yet: the first training step creates one.")
        if run is None:
            return tr("{} runs selected.").format(len(chosen)) if chosen else ""
        if run.flaw:
            return run.flaw
        origin = ""
        if run.parent:
            origin = tr(" Branch of {} at step {:,}.").format(run.parent, run.parent_step)
        name = run.label or run.name
        if self.model.is_apart(run):
            words = tr("{} trains in the background. Attach shows it; it continues either way.")
            if run.path == self.model.current:
                words = tr("{} is open here and trains in the background.")
            return words.format(name) + origin
        if is_mirror(Path(run.path)):
            words = tr("{} is on a cluster. Attach shows what has come of it, as it comes.")
            return words.format(name) + origin
        if held:
            return tr("{} is open, here or in another window.").format(name) + origin
        if step is None:
            words = tr("{} has no checkpoint. A new run can begin with its settings.")
            return words.format(name) + origin
        if ended:
            return tr("{} has finished; it opens with its plots.").format(name) + origin
        words = tr("{} resumes at step {:,}, bit for bit on this machine.").format(name, step)
        if run.interrupted and (lost := run.step - step) > 0:
            words += tr(" The {:,} steps after it were not saved and will be repeated.").format(
                lost
            )
        return words + origin

    def _emit(self, signal: SignalInstance, *parts: str) -> None:
        """The path of the one selected run, or of a part of it."""
        if len(chosen := self.selected()) == 1:
            signal.emit(str(Path(chosen[0].path, *parts)))
