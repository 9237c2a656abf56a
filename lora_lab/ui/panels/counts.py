"""Parameter counts: adapter beside frozen base and full fine-tuning, moving with the slider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from PySide6.QtCore import QT_TRANSLATE_NOOP
from PySide6.QtGui import QColor, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableView,
    QWidget,
)

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import MemoryRecord, SpeedRecord
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.records import CountsRecord, Record, StepRecord
from lora_lab.rules import cap
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.panels.preflight import Preflight
from lora_lab.ui.panels.ruler import Ruler
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import plain_tip, shape_words, share_words
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.labels import keep_whole, label, show
from lora_lab.ui.widgets.painter import Painter
from lora_lab.ui.widgets.rows import Column, Role, RowsModel
from lora_lab.ui.widgets.table import dress

BETWEEN = 24  # pixels from figure to figure
FITTED = 1000  # layers that columns are made wide enough for


class Share(QWidget):
    """A thin bar: what trains, as a share of full fine-tuning; never thinner than the eye sees."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(8)
        self.setAccessibleName(self.tr("Share of full fine-tuning"))
        self._share = self._applied = 0.0
        self.others: tuple[tuple[str, float], ...] = ()

    def show_others(self, others: tuple[tuple[str, float], ...]) -> None:
        """A mark for (colour, share) of other runs."""
        if others != self.others:
            self.others = others
            self.update()

    def show_shares(self, requested: float, applied: float) -> None:
        """Fill up to `requested`; a tick marks `applied` where it differs."""
        if (requested, applied) != (self._share, self._applied):
            self._share, self._applied = requested, applied
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        c = theme.current()
        painter, tall = Painter(self), self.height()
        painter.bar(0, 0, self.width(), tall, c.grid)
        painter.bar(0, 0, self._at(self._share) if self._share else 0, tall, c.adapter)
        for color, share in self.others:
            painter.bar(self._at(share) - 1, 0, 2, tall, color)
        if self._applied and self._applied != self._share:
            painter.bar(self._at(self._applied) - 1, 0, 2, tall, c.warn)

    def _at(self, share: float) -> float:
        return max(3.0, self.width() * min(share, 1.0))


class CountsPanel(Panel):
    """Trainable parameters, by arithmetic at the requested rank and by count at the applied one."""

    key = "counts"
    name = QT_TRANSLATE_NOOP("Panel", "Parameters")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._percent = label("", "title", self.tr("Share of full fine-tuning"))
        self._applied_text = label("", "settled")
        names = (
            (self.tr("Adapter"), self.tr("Adapter parameters")),
            (self.tr("Frozen base"), self.tr("Frozen base parameters")),
            (self.tr("Full fine-tuning"), self.tr("Full fine-tuning parameters")),
        )
        self._columns = []
        grid = QGridLayout()
        grid.setHorizontalSpacing(BETWEEN)
        grid.setVerticalSpacing(0)
        for column, (name, spoken) in enumerate(names):
            head, figure = label(name, "small"), label("", "figure", spoken)
            self._columns.append((head, figure))
            grid.addWidget(head, 0, column)
            grid.addWidget(figure, 1, column)
        grid.setColumnStretch(2, 1)
        self._adapter, self._frozen, self._full = (figure for _, figure in self._columns)
        for figure in (self._frozen, self._full):
            theme.set_role(figure, "second")
        self._adapter_name: QLabel = grid.itemAtPosition(0, 0).widget()
        below = QHBoxLayout()
        below.addWidget(self._percent)
        below.addStretch(1)
        below.addWidget(self._applied_text)
        self._share = Share()
        self.ruler = Ruler()
        self._rows = RowsModel(self._table_columns(), self)
        self._table = table = QTableView()
        table.setModel(self._rows)
        dress(table)
        table.setAccessibleName(self.tr("Parameters per layer"))
        table.setMinimumHeight(1)  # it gives way first: a figure that is cut is another figure
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.body.addLayout(grid)
        self.body.addLayout(below)
        self.body.addWidget(self._share)
        self.body.addWidget(self.ruler)
        self.body.addWidget(table, 1)
        self._counts: CountsRecord | None = None
        self._applied: dict[str, tuple[int, int]] = {}  # rank and parameters of each layer
        self._requested: dict[str, tuple[int, int]] = {}
        self._overlays: list[Overlay] = []
        self._preflight: Preflight | None = None
        self.restyle(theme.current())

    def reset(self, loaded: LoadedRecord) -> None:
        self._counts, self._preflight = None, Preflight(self.standing)
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        if self._preflight is None:
            return
        for record in records:
            if isinstance(record, CountsRecord):
                if self._counts is None or self._counts.per_layer != record.per_layer:
                    self._preflight.set_memory(None)  # of other adapters; another may come
                self._counts = record
                self.dirty = True
            elif isinstance(record, MemoryRecord):
                trained = self._counts.adapter if self._counts is not None else 0
                self._preflight.set_memory(record, trained)
                self.dirty = True
            elif isinstance(record, SpeedRecord):
                self.set_speed(record.per_second, record.trained)
        steps = [record for record in records if isinstance(record, StepRecord)]
        if steps and self._counts is not None:
            # Only where two figures change: a redraw looks at every layer.
            self.dirty |= self._preflight.set_step(steps[-1], self._counts.adapter)

    @property
    def memory(self) -> MemoryRecord | None:
        """The newest estimate of a step's memory."""
        return self._preflight.memory if self._preflight is not None else None

    def set_speed(self, per_second: float, trained: int) -> None:
        """How fast this machine makes such steps, as measured now or remembered."""
        if self._preflight is not None:
            self._preflight.set_speed(per_second, trained)
            self.dirty = True

    def set_overlays(self, overlays: Sequence[Overlay]) -> None:
        self._overlays = [o for o in overlays if o.adapter]
        self.dirty = True

    def standing_changed(self) -> None:
        self.dirty = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        around = self.layout().contentsMargins()
        room = self.width() - around.left() - around.right()
        keep_whole(self._columns, room, BETWEEN)
        keep_whole([(self._percent,), (self._applied_text,)], room, 6)

    def _per_layer(self, hyper: Hyperparameters) -> list[int]:
        return self.standing.ranks.per_layer(hyper, self._counts)

    def redraw(self) -> None:
        self.dirty = False
        loaded = self.standing.loaded
        if loaded is None:
            self.say(self.tr("No model yet."))
            return
        self.say("")
        ranks, whole = self.standing.ranks, self.standing.ranks.variant.whole
        hyper = self.standing.foreseen
        applied, requested = self._per_layer(ranks.applied), self._per_layer(hyper)
        base = max(1, loaded.base_parameters)
        now, then = (ranks.total(h, self._counts) for h in (ranks.applied, hyper))
        waits = now != then
        show(self._adapter_name, self.tr("Trainable") if whole else self.tr("Adapter"))
        show(self._adapter, f"{then:,}")
        show(self._frozen, f"{base - then if whole else base:,}")
        show(self._full, f"{base:,}")
        show(self._percent, share_words(then / base))
        factored = ranks.variant.factored
        if factored:
            text = self.tr("applied r = {}: {:,}").format(ranks.applied.rank, now)
        else:
            text = self.tr("applied {:,}").format(now)
        show(self._applied_text, text)
        theme.set_role(self._applied_text, "waiting" if waits else "settled")
        self._fit()
        self._share.show_others(tuple((o.color, o.adapter / base) for o in self._overlays))
        tip = "\n".join(f"{o.name}: {o.adapter:,}" for o in self._overlays)
        self._share.setToolTip(plain_tip(tip))
        self._share.show_shares(then / base, now / base)
        self._show_costs(then, now)
        old, new = ranks.present, ranks.all_wanted(hyper)
        self._applied = dict(zip(old, zip(old.values(), applied, strict=True), strict=True))
        self._requested = dict(zip(new, zip(new.values(), requested, strict=True), strict=True))
        self._show_rows(loaded)

    def _table_columns(self) -> tuple[Column, ...]:
        return (
            Column(
                self.tr("Layer"), attrgetter("name"), roles={Role.ToolTipRole: attrgetter("name")}
            ),
            Column(self.tr("out × in"), lambda layer: shape_words(layer.shape), figure=True),
            Column("r", self._rank_words, figure=True, roles=self._color(0)),
            Column(
                self.tr("Parameters"), lambda layer: f"{self._requested[layer.name][1]:,}",
                figure=True, roles=self._color(1),
            ),
        )  # fmt: skip

    def _rank_words(self, layer: LayerInfo) -> str:
        if not self.standing.ranks.variant.factored:
            return "—"
        old, new = self._applied[layer.name][0], self._requested[layer.name][0]
        rank = str(new) if old == new else f"{old} → {new}"
        capped = new == cap(layer) < self.standing.foreseen.rank
        return self.tr("{} max").format(rank) if capped else rank

    def _color(self, place: int) -> Mapping[int, Callable[[LayerInfo], QColor]]:
        """What waits is in another colour: ranks at place 0, parameters at place 1."""

        def color(layer: LayerInfo) -> QColor:
            waits = self._applied[layer.name][place] != self._requested[layer.name][place]
            return QColor(theme.current().warn if waits else theme.current().text)

        return {Role.ForegroundRole: color}

    def _show_rows(self, loaded: LoadedRecord) -> None:
        if self._rows.rows is not loaded.layers:
            self._rows.show_rows(loaded.layers)
        self._rows.refresh(2)
        self._rows.refresh(3)
        first = loaded.layers[:FITTED]
        for place, column in enumerate(self._rows.columns[1:], 1):
            widest = max((column.title, *map(column.text, first)), key=len)
            wide = self._table.fontMetrics().horizontalAdvance(widest) + 18
            self._table.setColumnWidth(place, wide)

    def _show_costs(self, requested: int, applied: int) -> None:
        loaded, ranks, hyper = self.standing.loaded, self.standing.ranks, self.standing.foreseen
        costs, whole = self._preflight, ranks.variant.whole
        held = loaded.base_parameters if whole else sum(
            ranks.parameters(name, rank) for name, rank in ranks.all_wanted(hyper).items()
        ) + (hyper.dimension if ranks.variant.shared else 0)  # fmt: skip
        names = {
            2: self.tr("Optimizer\nstate"),
            1: self.tr("Momentum"),
            0: self.tr("Optimizer"),
        }
        self.ruler.show_costs(
            costs.adapter(held, requested, applied),
            costs.full(),
            whole=whole,
            keeps=names[costs.states],
            steps=self.standing.goal,
            device=costs.device,
        )
        self.ruler.show_parts(costs.memory)

    def restyle(self, colors: Colors) -> None:
        self._table.setFont(theme.font())
        self._adapter.setStyleSheet(f"color: {colors.adapter}")
        self._share.update()
        self.dirty = True

    def figure_data(self) -> Columns:
        if self.standing.loaded is None:
            return {}
        ranks, layers = self.standing.ranks, self.standing.loaded.layers
        names = [layer.name for layer in layers]
        return {
            "layer": names,
            "out": [layer.shape[0] for layer in layers],
            "in": [layer.shape[1] for layer in layers],
            "rank": [ranks.present[name] for name in names],
            "rank_requested": list(ranks.all_wanted(self.standing.foreseen).values()),
            "parameters": self._per_layer(ranks.applied),
            "parameters_requested": self._per_layer(self.standing.foreseen),
        }

    def summary(self) -> str:
        if self.standing.loaded is None:
            return self.tr("No model yet.")
        ranks = self.standing.ranks
        applied = ranks.total(ranks.applied, self._counts)
        requested = ranks.total(self.standing.foreseen, self._counts)
        base = max(1, self.standing.loaded.base_parameters)
        share = share_words(applied / base)
        text = self.tr("{:,} of {:,} parameters are trainable, {}").format(applied, base, share)
        if requested != applied:
            rank = self.standing.foreseen.rank
            text += self.tr("; rank {} would have {:,}").format(rank, requested)
        return f"{text}. {self.ruler.summary()}."
