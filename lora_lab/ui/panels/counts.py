"""Parameter counts: adapter beside frozen base and full fine-tuning, moving with the slider."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from lora_lab.analysis.counts import adapter_parameters, layer_rank
from lora_lab.config import Hyperparameters
from lora_lab.records import AppliedRecord, CountsRecord, LoadedRecord, Record
from lora_lab.ui import theme
from lora_lab.ui.panels.panel import Panel, label, show
from lora_lab.ui.theme import Colors

_COLUMNS = ("Layer", "out × in", "r", "Parameters")


class Share(QWidget):
    """A thin bar: what trains, as a share of full fine-tuning; never thinner than the eye sees."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)
        self.setAccessibleName("Share of full fine-tuning")
        self._share = self._applied = 0.0

    def show_shares(self, wished: float, applied: float) -> None:
        """Fill up to `wished`; a tick marks `applied` where it differs."""
        if (wished, applied) != (self._share, self._applied):
            self._share, self._applied = wished, applied
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        c = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(c.grid))
        width = max(3.0, self.width() * min(self._share, 1.0)) if self._share else 0.0
        painter.fillRect(QRectF(0, 0, width, self.height()), QColor(c.adapter))
        if self._applied and self._applied != self._share:
            at = max(3.0, self.width() * min(self._applied, 1.0))
            painter.fillRect(QRectF(at - 1, 0, 2, self.height()), QColor(c.warn))


class CountsPanel(Panel):
    """How many numbers train, by arithmetic at the wished rank and by count at the applied one."""

    key = "counts"
    title = "Parameters"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._adapter = label("", "figure", "Adapter parameters")
        self._percent = label("", "title", "Share of full fine-tuning")
        self._applied_text = label("", "settled")
        names, figures = ("Adapter", "Frozen base", "Full fine-tuning"), []
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(0)
        for column, name in enumerate(names):
            figure = self._adapter if column == 0 else label("", "figure", f"{name} parameters")
            figures.append(figure)
            grid.addWidget(label(name, "small"), 0, column)
            grid.addWidget(figure, 1, column)
        grid.setColumnStretch(2, 1)
        self._frozen, self._full = figures[1:]
        for figure in figures[1:]:
            theme.set_role(figure, "second")
        self._adapter_name: QLabel = grid.itemAtPosition(0, 0).widget()
        below = QHBoxLayout()
        below.addWidget(self._percent)
        below.addStretch(1)
        below.addWidget(self._applied_text)
        self._share = Share()
        self._table = table = QTableWidget(0, len(_COLUMNS))
        table.setHorizontalHeaderLabels(_COLUMNS)
        table.setAccessibleName("Parameters per layer")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
        table.setShowGrid(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names differ at the end
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        table.horizontalHeaderItem(0).setTextAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.body.addLayout(grid)
        self.body.addLayout(below)
        self.body.addWidget(self._share)
        self.body.addSpacing(2)
        self.body.addWidget(table, 1)
        self._loaded: LoadedRecord | None = None
        self._counts: CountsRecord | None = None
        self._applied_rank = self._wished_rank = 0
        self.restyle(theme.current())

    def reset(self, loaded: LoadedRecord) -> None:
        self._loaded, self._counts = loaded, None
        self._applied_rank = self._wished_rank = loaded.hyper.rank
        self._table.setRowCount(len(loaded.layers))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for row, layer in enumerate(loaded.layers):
            shape = f"{layer.shape[0]:,} × {layer.shape[1]:,}"
            for column, text in enumerate((layer.name, shape, "", "")):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(right)
                self._table.setItem(row, column, item)
            self._table.item(row, 0).setToolTip(layer.name)
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, CountsRecord):
                self._counts = record
                self.dirty = True
            elif isinstance(record, AppliedRecord):
                if self._wished_rank == self._applied_rank:  # no wish of its own is waiting
                    self._wished_rank = record.hyper.rank
                self._applied_rank = record.hyper.rank
                self.dirty = True

    def set_wished(self, hyper: Hyperparameters) -> None:
        if hyper.rank != self._wished_rank:
            self._wished_rank = hyper.rank
            self.dirty = True

    def _per_layer(self, rank: int) -> list[int]:
        """Parameters of each layer at `rank`; what a variant adds to B·A is taken over as it is."""
        counted = dict(self._counts.per_layer) if self._counts else {}
        found = []
        for layer in self._loaded.layers:
            if self._loaded.variant == "full":
                found.append(counted.get(layer.name, layer.shape[0] * layer.shape[1]))
                continue
            plain = adapter_parameters(layer.shape, self._applied_rank)
            extra = max(0, counted.get(layer.name, plain) - plain)
            found.append(adapter_parameters(layer.shape, rank) + extra)
        return found

    def redraw(self) -> None:
        self.dirty = False
        loaded = self._loaded
        if loaded is None:
            self.say("No model yet.")
            return
        self.say("")
        whole = loaded.variant == "full"
        applied, wished = self._per_layer(self._applied_rank), self._per_layer(self._wished_rank)
        base = max(1, loaded.base_parameters)
        waits = sum(applied) != sum(wished)
        show(self._adapter_name, "Trained" if whole else "Adapter")
        show(self._adapter, f"{sum(wished):,}")
        show(self._frozen, f"{base - sum(wished) if whole else base:,}")
        show(self._full, f"{base:,}")
        show(self._percent, share_words(sum(wished) / base))
        ranks = "" if whole else f"r = {self._applied_rank}: "
        show(self._applied_text, f"applied {ranks}{sum(applied):,}")
        theme.set_role(self._applied_text, "waiting" if waits else "settled")
        self._share.show_shares(sum(wished) / base, sum(applied) / base)
        for row, layer in enumerate(loaded.layers):
            old, new = (layer_rank(layer.shape, r) for r in (self._applied_rank, self._wished_rank))
            rank = "—" if whole else str(new) if old == new else f"{old} → {new}"
            capped = not whole and new < self._wished_rank
            self._cell(row, 2, f"{rank} max" if capped else rank, old != new)
            self._cell(row, 3, f"{wished[row]:,}", applied[row] != wished[row])

    def _cell(self, row: int, column: int, text: str, waits: bool) -> None:
        item = self._table.item(row, column)
        if item.text() != text:
            item.setText(text)
        if item.data(Qt.ItemDataRole.UserRole) != waits:
            item.setData(Qt.ItemDataRole.UserRole, waits)
            c = theme.current()
            item.setForeground(QColor(c.warn if waits else c.text))

    def restyle(self, colors: Colors) -> None:
        self._table.setFont(theme.font())
        self._adapter.setStyleSheet(f"color: {colors.adapter}")
        for row in range(self._table.rowCount()):
            for column in (2, 3):
                self._table.item(row, column).setData(Qt.ItemDataRole.UserRole, None)
        self._share.update()
        self.dirty = True

    def summary(self) -> str:
        if self._loaded is None:
            return "No model yet."
        applied = sum(self._per_layer(self._applied_rank))
        wished = sum(self._per_layer(self._wished_rank))
        base = max(1, self._loaded.base_parameters)
        text = f"{applied:,} of {base:,} parameters train, {share_words(applied / base)}"
        if wished != applied:
            text += f"; rank {self._wished_rank} would train {wished:,}"
        return text + "."


def share_words(share: float) -> str:
    """How much trains: the adapter's parameters over those that full fine-tuning trains."""
    share *= 100
    shown = (
        f"{share:.3g}"
        if 1e-3 <= share < 99.95
        else f"{share:,.3f}"
        if share < 1
        else f"{share:,.0f}"
    )
    return f"{shown} % of full fine-tuning"
