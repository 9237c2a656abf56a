"""Who learns: the modules of a model, which of them are adapted, and how far each has moved.

Ranks and freezes are requested like the sliders', as part of the one snapshot of hyperparameters;
what is to be adapted is requested of the next start. An edit of a selected row is an edit of all
that are selected, and one of a row of several modules an edit of all that it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from PySide6.QtCore import QPoint, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import AppliedRecord, CountsRecord, SpectrumRecord
from lora_lab.ui.layers.facts import NAME, PARAMETERS, RANK, TRAINS
from lora_lab.ui.layers.menu import fill_menu
from lora_lab.ui.layers.model import LIVE, PLANT, READ, LayersModel
from lora_lab.ui.layers.tree import Node, first_levels
from lora_lab.ui.layers.view import LayersView
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import layer_words, percent, plain_tip, shape_words
from lora_lab.ui.widgets.labels import TextLabel

SEARCH_FROM = 12  # modules; fewer are found by the eye
OPENED_ROWS = 40  # that a fresh tree may show without being opened by hand
MATCHED_ROWS = 500  # the same of what a search found
FOLLOWING = (NAME, RANK, TRAINS, PARAMETERS)  # columns that depend on what is requested
FITTED = 1000  # shapes that a column is made wide enough for
DRAW_MS = 33  # pace at which new figures are shown
SORT_MS = 2000  # pace at which rows change their places because of them


class LayersDock(QDockWidget):
    """The tree, a search and ways to look at it, what is apart, and what waits for a restart."""

    requested = Signal(dict)  # layer_ranks or frozen_layers, for Hyperparameters
    targets_requested = Signal(object)  # frozenset of the layers that the next start is to adapt
    layer_chosen = Signal(str)  # the one adapted layer that is selected, or ""
    spectrum_requested = Signal()  # of the layer that was chosen: bring it into view
    restart_requested = Signal()

    def __init__(self, parent: QWidget | None = None, standing: Standing | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.standing = standing or Standing(self)
        self.standing.replaced.connect(self.reset)
        self.standing.changed.connect(self._on_standing)
        self.setObjectName("layers")
        self.setWindowTitle(tr("Layers"))
        self.model = LayersModel(self, self.standing)
        self.model.nodes_meant = self._nodes_meant
        self.model.requested.connect(self.requested)
        self.model.targets_requested.connect(self._on_targets_requested)
        self.model.planted.connect(self._on_planted)
        self.tree = LayersView(self.model)
        self.tree.setAccessibleName(tr("Modules of the model"))
        self.tree.selectionModel().selectionChanged.connect(self._on_selected)
        self.tree.menu_requested.connect(self.open_menu)
        self.tree.expanded.connect(lambda index: self._note_open(index, True))
        self.tree.collapsed.connect(lambda index: self._note_open(index, False))
        self._open: set[str] = set()  # rows that were opened while nothing was searched
        self._chosen: set[str] = set()  # rows to be selected again when they stand

        self.search = QLineEdit()
        self.search.setPlaceholderText(tr("Search, as in layers.*.q_proj"))
        self.search.setAccessibleName(tr("Search the modules"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._arrange())
        self.adapted_button = self._switch(tr("Adapted"), tr("Only modules with an adapter"))
        self.alike_button = self._switch(
            tr("Group by type"), tr("Modules of one type in one row, as layers.*.q_proj")
        )
        self._summary = TextLabel()
        self._summary.setProperty("role", "small")
        self.reset_button = _quiet(tr("Reset per-layer settings"), self._make_alike)
        self.reset_button.setToolTip(tr("Remove per-layer ranks and unfreeze all layers"))
        self._note = TextLabel()
        self._note.setProperty("role", "small")
        self._note.hide()
        self._waiting = TextLabel()
        self._waiting.setProperty("role", "waiting")
        self.undo_button = _quiet(tr("Undo"), self._undo_targets)
        self.undo_button.setToolTip(tr("Keep the current targets"))
        self.restart_button = QToolButton()
        self.restart_button.setText(tr("Restart"))
        self.restart_button.setToolTip(tr("Start again at step 0 with the ticked modules"))
        self.restart_button.clicked.connect(self.restart_requested)

        self._head = _row(self.search, self.adapted_button, self.alike_button)
        self._foot = _row(self._summary, None, self.reset_button)
        self._restart_row = _row(self._waiting, None, self.undo_button, self.restart_button)
        page = QWidget()
        page.setAutoFillBackground(True)
        page.setBackgroundRole(page.backgroundRole().Base)
        column = QVBoxLayout(page)
        column.setContentsMargins(12, 8, 10, 6)
        column.setSpacing(6)
        column.addWidget(self._head)
        column.addWidget(self.tree, 1)
        for widget in (self._foot, self._note, self._restart_row):
            column.addWidget(widget)
        em = self.fontMetrics().horizontalAdvance("m")
        page.setMinimumSize(22 * em, 12 * em)  # as the panels have it
        self.setWidget(page)
        self._draw_soon, self._sort_soon = QTimer(self), QTimer(self)
        for timer, pace, call in (
            (self._draw_soon, DRAW_MS, self._draw),
            (self._sort_soon, SORT_MS, self._sort),
        ):
            timer.setSingleShot(True)
            timer.setInterval(pace)
            timer.timeout.connect(call)
        self._head.hide()
        self.tree.fit_columns(())
        self._show_summary()

    # -- what is told ----------------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord) -> None:
        """Stand on a freshly loaded model."""
        with QSignalBlocker(self.search):
            self.search.clear()
        self._chosen = set()
        self.model.reset(loaded, SEARCH_FROM)
        self._say("")
        self._show_summary()

    def _on_standing(self) -> None:
        """Show what is requested and applied, without saying that the person asked."""
        self.model.facts.follow()
        self._announce(FOLLOWING)
        self._show_summary()

    def note_applied(self, record: AppliedRecord) -> None:
        """An edit is in force; a rank that was cut has its price."""
        fields = {field for field, _, _ in record.changes}
        if "layer_ranks" in fields:
            lost = record.discarded_energy
            price = self.tr("discarded {} of the energy at step {:,}").format(
                percent(lost), record.step
            )
            self._say(price if lost > 0 else "")

    def set_targeted(self, layers: frozenset[str] | None) -> None:
        """The layers that the next start is to adapt; None before a model is loaded."""
        if layers is not None and layers != self.model.facts.targeted:
            self.model.facts.set_targeted(layers)
            self._announce((NAME,))
            self._say("")
        self._show_restart()

    def set_counts(self, record: CountsRecord) -> None:
        self.model.facts.set_counts(record)
        self._figures_moved()

    def set_spectrum(self, record: SpectrumRecord) -> None:
        self.model.facts.set_spectrum(record)
        self._figures_moved()

    def restyle(self) -> None:
        """The scheme changed: cells take their colours when they are painted."""
        self.tree.setFont(theme.font())
        self.tree.viewport().update()

    # -- what is shown ---------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.model.forget_announced()

    def chosen_layer(self) -> str:
        """The one adapted layer that is selected, or nothing."""
        chosen = self.tree.selected()
        module = chosen[0].module if len(chosen) == 1 and not chosen[0].shown else None
        return module.name if module is not None and module.layer is not None else ""

    def show_spectrum(self) -> None:
        """Bring the singular values of the chosen layer into view."""
        self.layer_chosen.emit(self.chosen_layer())
        self.spectrum_requested.emit()

    def open_menu(self, at: QPoint) -> None:
        """What can be done with the rows that are selected."""
        self.menu = QMenu(self)
        fill_menu(self.menu, self.tree, self.chosen_layer(), self.show_spectrum)
        self.menu.aboutToHide.connect(self.menu.deleteLater)
        self.menu.popup(at)

    def _figures_moved(self) -> None:
        if not self.tree.isVisible():
            self.model.forget_announced()
            return
        if not self._draw_soon.isActive():
            self._draw_soon.start()
        if self.model.sorted_by in LIVE and not self._sort_soon.isActive():
            self._sort_soon.start()

    def _draw(self) -> None:
        self.model.announce(self.tree.nodes_in_view(), LIVE)

    def _sort(self) -> None:
        if self.tree.state() != self.tree.State.EditingState:
            self.model.sort_again()

    def _announce(self, columns: Sequence[int]) -> None:
        if self.tree.isVisible():
            self.model.announce(self.tree.nodes_in_view(), columns)

    def _arrange(self) -> None:
        """Show what the search and the switches say; what is selected and open stays so."""
        if self.model.root.shown:  # else they are being planted
            self._chosen = {node.name for node in self.tree.selected()}
        self.model.arrange(
            alike=self.alike_button.isChecked(), search=self.search.text().strip(),
            adapted_only=self.adapted_button.isChecked(),
        )  # fmt: skip

    def _on_planted(self, due: int) -> None:
        """The rows stand that were asked for."""
        if due == READ:
            self._fit()
        if due >= PLANT:
            self._open = {node.name for node in first_levels(self.model.root, OPENED_ROWS)}
        self.tree.setRootIsDecorated(any(node.shown for node in self.model.root.shown))
        if self.search.text().strip():
            opened = first_levels(self.model.root, MATCHED_ROWS)
        else:
            opened = [n for n in self.model.shown() if n.shown and n.name in self._open]
        for node in opened:
            self.tree.setExpanded(self.model.index_of(node), True)
        if due >= PLANT:
            self.tree.fit_names()
        with QSignalBlocker(self.tree.selectionModel()):
            self.tree.select([n for n in self.model.shown() if n.name in self._chosen])

    def _fit(self) -> None:
        """Offer what there is to look for among the modules of another model."""
        modules = self.model.modules
        self._head.setVisible(len(modules) >= SEARCH_FROM)
        self.adapted_button.setVisible(any(module.layer is None for module in modules))
        self.alike_button.setVisible(self.model.has_likes)
        for button, on in ((self.adapted_button, False), (self.alike_button, self.model.alike)):
            with QSignalBlocker(button):
                button.setChecked(on)
        shapes = {module.shape for module in modules}
        self.tree.fit_columns([shape_words(shape) for shape in islice(shapes, FITTED)])
        self._show_summary()

    def _note_open(self, index, on: bool) -> None:
        if not self.search.text().strip():
            name = self.model.node(index).name
            (self._open.add if on else self._open.discard)(name)

    def _nodes_meant(self, node: Node) -> Sequence[Node]:
        chosen = self.tree.selected()
        return chosen if node in chosen else [node]

    def _on_selected(self) -> None:
        self.layer_chosen.emit(self.chosen_layer())

    def _on_targets_requested(self, layers: frozenset[str]) -> None:
        if layers:
            self.targets_requested.emit(layers)
        else:
            self._say(self.tr("Tick at least one module: nothing would train."))

    def _make_alike(self) -> None:
        self.requested.emit({"layer_ranks": (), "frozen_layers": ()})

    def _undo_targets(self) -> None:
        self.targets_requested.emit(self.model.facts.adapted)

    def _say(self, text: str) -> None:
        self._note.setText(text)
        self._note.setVisible(bool(text))

    def _show_summary(self) -> None:
        facts, tr = self.model.facts, self.tr
        own, frozen = len(facts.own), len(facts.frozen)
        parts = [layer_words(len(facts.adapted))]
        if len(self.model.modules) > len(facts.adapted):
            counts = len(facts.adapted), len(self.model.modules)
            parts[0] = tr("{:,} of {:,} adapted").format(*counts)
        if own:
            parts.append(tr("{:,} with a per-layer rank").format(own))
        if frozen:
            parts.append(tr("{:,} frozen").format(frozen))
        self._summary.setText(" · ".join(parts) if self.standing.loaded else tr("No model yet."))
        self.tree.setAccessibleDescription(self._summary.text())
        self.reset_button.setVisible(bool(own or frozen))
        self._show_restart()

    def _show_restart(self) -> None:
        facts = self.model.facts
        joins, goes = len(facts.targeted - facts.adapted), len(facts.adapted - facts.targeted)
        parts = [f"+{joins:,}"] * bool(joins) + [f"−{goes:,}"] * bool(goes)
        words = self.tr("On Restart: {} adapted").format(", ".join(parts))
        self._waiting.setText(words if parts else "")
        self._restart_row.setVisible(bool(parts))

    def _switch(self, text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setToolTip(plain_tip(tip))
        button.setCheckable(True)
        button.toggled.connect(lambda _: self._arrange())
        return button


def _quiet(text: str, pressed) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setProperty("role", "quiet")
    button.clicked.connect(pressed)
    return button


def _row(*widgets: QWidget | None) -> QWidget:
    """Widgets side by side; None: whatever room is left."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(6)
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget, int(isinstance(widget, QLineEdit)))
    return holder
