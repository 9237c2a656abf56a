"""What is known of each module now, and how the cells of the tree of layers say it.

A row of several modules says what they have in common, sums, or the middle of them with the
largest beside it. Everything is worked out when a cell is looked at, and kept until it may differ:
a record costs the same for three layers and for thousands.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from PySide6.QtCore import QObject

from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.records import CountsRecord, LayerSpectrum, SpectrumRecord
from lora_lab.rules import cap
from lora_lab.ui.layers.tree import Module, Node
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style.figures import in_words, parameter_words, percent, shape_words, share_or_dash

NAME, SHAPE, RANK, TRAINS, PARAMETERS, SIZE, EFFECTIVE, ROUNDING = range(8)
OFF, PARTLY, ON = range(3)  # as Qt.CheckState
DECADES = 2.0  # of the heat of ‖ΔW‖/‖W‖, by its logarithm


class Fact(NamedTuple):
    """What a cell says: text, tick, the tone of its text, its heat, and what it is sorted by."""

    text: str = ""
    tick: int | None = None
    tone: str = ""  # muted, accent, warn or error
    level: float | None = None  # of the heat, 0 to 1
    most: float | None = None  # the same of the largest of several
    value: float | None = None


class Facts(QObject):
    """The records of a run and the requests of the person, looked at module by module."""

    def __init__(self, parent: QObject, standing: Standing) -> None:
        super().__init__(parent)
        self.standing = standing
        self._moments = [0] * len(_CELLS)  # by column: moves on with what it depends on
        self.targeted: frozenset[str] = frozenset()  # by the next start
        self.adapted: frozenset[str] = frozenset()
        self.own: dict[str, int] = {}
        self.frozen: set[str] = set()
        self._counts: dict[str, int] = {}
        self._spectra: dict[str, LayerSpectrum] = {}
        self._norms: dict[str, float] = {}  # ‖W‖
        self._rounding: dict[str, float] = {}  # of a W in blocks, in ‖W‖
        self._top = 1.0  # ‖ΔW‖/‖W‖ at full heat

    # -- what is told --------------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord) -> None:
        """Other layers."""
        self.targeted = self.adapted = frozenset(layer.name for layer in loaded.layers)
        self._counts, self._spectra, self._top = {}, {}, 1.0
        self._norms = {layer.name: layer.weight_norm for layer in loaded.layers}
        self._rounding = {x.name: x.rounding for x in loaded.layers if x.rounding is not None}
        self.follow()

    def follow(self) -> None:
        """Something else is requested or applied, whoever asked for it."""
        hyper = self.standing.foreseen
        self.own, self.frozen = dict(hyper.layer_ranks), set(hyper.frozen_layers)
        self._moved(NAME, RANK, TRAINS, PARAMETERS)

    @property
    def _stage(self) -> str:
        loaded = self.standing.loaded
        return loaded.stage if loaded is not None else ""

    def set_targeted(self, layers: frozenset[str]) -> None:
        self.targeted = layers
        self._moved(NAME)

    def set_counts(self, record: CountsRecord) -> None:
        self._counts = dict(record.per_layer)
        self._moved(PARAMETERS)

    def set_spectrum(self, record: SpectrumRecord) -> None:
        self._spectra = {row.name: row for row in record.layers}
        largest = max(map(self._size_of, record.layers), default=0.0)
        if 1e-300 < largest < math.inf:  # in steps of three, so that colours change seldom
            unit = 10.0 ** math.floor(math.log10(largest))
            self._top = next(unit * n for n in (1, 3, 10) if largest <= unit * n)
        self._moved(SIZE, EFFECTIVE, ROUNDING)

    # -- what a row stands for -----------------------------------------------------------------

    def rank_locked(self, node: Node) -> str:
        """Why that row can have no rank of its own, or nothing."""
        if self._stage:
            return self.tr("the base model is trained as the preset defines")
        ranks = self.standing.ranks
        if ranks is not None and (reason := dict(ranks.variant.locked).get("rank")):
            return in_words(reason)
        layers = node.layers
        if not layers:
            return self.tr("not adapted: it has no rank")
        locked = [layer.rank_locked for layer in layers]
        return locked[0] if all(locked) else ""

    def freeze_locked(self, node: Node) -> bool:
        """Whether no layer of that row can be frozen."""
        return bool(self._stage) or not node.layers

    def own_rank(self, node: Node) -> int:
        """The rank of their own that all layers of that row have; 0: they follow, or differ."""
        own = {self.own.get(layer.name, 0) for layer in node.layers}
        return own.pop() if len(own) == 1 else 0

    def wanted_rank(self, layer: LayerInfo) -> int:
        """The rank of that layer as it is asked for now."""
        ranks = self.standing.ranks
        return ranks.wanted(layer.name, self.standing.foreseen) if ranks is not None else 0

    def may_target(self, module: Module) -> bool:
        """Whether the next start can adapt that module or leave it out."""
        return module.adaptable and not self._stage and not self._whole(module)

    def fact(self, node: Node, column: int) -> Fact:
        """What the cell of that row and column says now."""
        kept, moment = node.facts.get(column), self._moments[column]
        if kept is not None and kept[0] == moment:
            return kept[1]
        fact = _CELLS[column](self, node)
        node.facts[column] = moment, fact
        return fact

    @property
    def packed(self) -> bool:
        """Whether it is known of some layer what packing its W lost."""
        return bool(self._rounding)

    def heat_range(self) -> tuple[float, float]:
        """‖ΔW‖/‖W‖ at the faintest and at the strongest heat."""
        return self._top / 10**DECADES, self._top

    def tip(self, node: Node, column: int) -> str:
        """What the cell has to say when it is asked."""
        return _TIPS[column](self, node) if column in _TIPS else ""

    # -- cells -----------------------------------------------------------------------------------

    def _name(self, node: Node) -> Fact:
        could = [m.name for m in node.leaves if m.adaptable]
        ticked = len(self.targeted.intersection(could))
        layers, tone = node.layers, ""
        wants, has = self.targeted, self.adapted
        if wants is not has and any((name in wants) != (name in has) for name in could):
            tone = "warn"
        elif all(layer.name in self.frozen for layer in layers):
            tone = "muted"  # none learns
        text = node.label
        if node.module is None and "*" in node.label:
            text += f" ×{len(node.leaves)}"
        return Fact(text, _tick(ticked, len(could)), tone)

    def _shape(self, node: Node) -> Fact:
        shapes = {module.shape for module in node.leaves}
        if len(shapes) != 1:
            return Fact()
        shape = shapes.pop()
        return Fact(shape_words(shape), tone="muted", value=math.prod(shape))

    def _rank(self, node: Node) -> Fact:
        layers = [x for x in node.layers if x.max_rank or not x.rank_locked]
        ranks = self.standing.ranks
        if not layers or ranks is None or not ranks.variant.factored:
            return Fact("—" if node.layers else "", tone="muted")
        foreseen = ranks.all_wanted(self.standing.foreseen)
        present, wanted = ([of[x.name] for x in layers] for of in (ranks.present, foreseen))
        value = max(wanted)
        if present != wanted:
            before = f"{present[0]}→" if len(layers) == 1 else "→"
            return Fact(before + _span(wanted), tone="warn", value=value)
        own = any(layer.name in self.own for layer in layers)
        return Fact(_span(wanted), tone="accent" if own else "muted", value=value)

    def _trains(self, node: Node) -> Fact:
        layers = node.layers
        on = sum(layer.name not in self.frozen for layer in layers)
        return Fact(tick=_tick(on, len(layers)), value=float(on) if layers else None)

    def _parameters(self, node: Node) -> Fact:
        layers = node.layers
        known = [self._counts[x.name] for x in layers if x.name in self._counts]
        tone = "muted" if all(layer.name in self.frozen for layer in layers) else ""
        if len(known) < len(layers) or not layers:
            return Fact("—" if layers else "", tone="muted")
        total = sum(known)
        text = f"{total:,}" if total < 1_000_000 else f"{total / 1e6:,.2f} M"
        return Fact(text, tone=tone, value=total)

    def _size(self, node: Node) -> Fact:
        sizes = [self._size_of(row) for row in self._measured(node) if self._norms[row.name]]
        if not sizes:
            return Fact("—" if node.layers else "", tone="muted")
        middle, most = _middle(sizes), max(sizes)
        if not math.isfinite(sum(sizes)):
            return Fact(self.tr("not finite"), tone="error", value=math.inf)
        return Fact(
            share_or_dash(middle), level=self._heat(middle),
            most=self._heat(most) if len(sizes) > 1 else None, value=middle,
        )  # fmt: skip

    def _packing(self, node: Node) -> Fact:
        """What packing the base lost; it stands out where ΔW is smaller."""
        known = [self._rounding[x.name] for x in node.layers if x.name in self._rounding]
        if not known:
            return Fact("—" if node.layers else "", tone="muted")
        below = self._below_rounding(node)
        middle = _middle(known)
        return Fact(share_or_dash(middle), tone="warn" if below else "muted", value=middle)

    def _below_rounding(self, node: Node) -> list[LayerSpectrum]:
        """The measured layers of a row whose ΔW is smaller than what packing their W lost."""
        return [
            row
            for row in self._measured(node)
            if row.name in self._rounding and 0 <= self._size_of(row) < self._rounding[row.name]
        ]

    def _effective(self, node: Node) -> Fact:
        rows = self._used(node)
        if not rows:
            return Fact("—" if node.layers else "", tone="muted")
        ranks = [row.effective_rank for row in rows]
        shares = [row.effective_rank / row.rank for row in rows]
        middle = _middle(ranks)
        return Fact(
            f"{middle:.1f}" if middle < 100 else f"{middle:,.0f}", level=_middle(shares),
            most=max(shares) if len(rows) > 1 else None, value=middle,
        )  # fmt: skip

    def _measured(self, node: Node) -> list[LayerSpectrum]:
        """The layers of a row that have been measured."""
        known = self._spectra
        return [known[x.name] for x in node.layers if x.name in known] if known else []

    def _size_of(self, row: LayerSpectrum) -> float:
        """‖ΔW‖/‖W‖; −1 where it is not known."""
        norm = self._norms.get(row.name)
        return row.delta_norm / norm if norm else -1.0

    def _heat(self, share: float) -> float:
        return min(max(1 + math.log10(share / self._top) / DECADES, 0.0), 1.0) if share > 0 else 0.0

    def _used(self, node: Node) -> list[LayerSpectrum]:
        """The measured layers of a row that have an effective rank: ΔW = 0 has none."""
        return [row for row in self._measured(node) if math.isfinite(row.effective_rank)]

    # -- tips ------------------------------------------------------------------------------------

    def _name_tip(self, node: Node) -> str:
        module, parts = node.module, [node.name]
        could = [m for m in node.leaves if m.adaptable]
        if shape := self.fact(node, SHAPE).text:
            parts.append(shape)
        if module is not None and len(node.leaves) == 1:
            parts.append(module.kind)
            if module.parameters:
                parts.append(parameter_words(module.parameters))
            if not module.adaptable:
                parts.append(self.tr("cannot be adapted"))
            elif self._whole(module):
                parts.append(self.tr("not in the checkpoint: fully trained"))
        else:
            parts.append(self.tr("{:,} modules").format(len(node.leaves)))
            if base := sum(m.parameters for m in node.leaves):
                parts.append(parameter_words(base))
            parts.append(self.tr("{:,} adapted").format(len(node.layers)))
        parts += dict.fromkeys(m.left_out for m in node.leaves if m.left_out)
        joins = sum(m.name in self.targeted - self.adapted for m in could)
        goes = sum(m.name in self.adapted - self.targeted for m in could)
        if joins:
            parts.append(self.tr("{:,} to be adapted on Restart").format(joins))
        if goes:
            parts.append(self.tr("{:,} to lose its adapter on Restart").format(goes))
        return ", ".join(parts)

    def _rank_tip(self, node: Node) -> str:
        layers = node.layers
        if not layers or (locked := self.rank_locked(node)):
            return locked if layers else ""
        most = max(map(cap, layers))
        own = sum(layer.name in self.own for layer in layers)
        if len(layers) > 1:
            return self.tr("{:,} of {:,} with a per-layer rank").format(own, len(layers))
        if own:
            return self.tr("per-layer rank, {} at most").format(most)
        return self.tr("default rank, {} at most").format(most)

    def _trains_tip(self, node: Node) -> str:
        layers = node.layers
        frozen = sum(layer.name in self.frozen for layer in layers)
        if not frozen:
            return ""
        if len(layers) > 1:
            return self.tr("{:,} of {:,} frozen").format(frozen, len(layers))
        return self.tr("frozen: ΔW and its rank stay unchanged")

    def _parameters_tip(self, node: Node) -> str:
        fact = self.fact(node, PARAMETERS)
        return parameter_words(int(fact.value)) if fact.value is not None else ""

    def _size_tip(self, node: Node) -> str:
        rows = self._measured(node)
        sizes = list(map(self._size_of, rows))
        if len(rows) < 2 or not math.isfinite(sum(sizes)):
            return ""
        return self.tr("median {} of {:,}; largest {} in {}").format(
            share_or_dash(_middle(sizes)), len(rows), share_or_dash(max(sizes)),
            max(rows, key=self._size_of).name,
        )  # fmt: skip

    def _packing_tip(self, node: Node) -> str:
        rows = [row for row in self._measured(node) if row.name in self._rounding]
        below = self._below_rounding(node)
        if not rows:
            return ""
        if len(rows) > 1:
            return self.tr("ΔW is below the rounding of the base in {:,} of {:,} layers").format(
                len(below), len(rows)
            )
        size, rounding = self._size_of(rows[0]), self._rounding[rows[0].name]
        words = (
            self.tr("ΔW is below the rounding of the base: {} of ‖W‖ beside {}")
            if below
            else self.tr("ΔW is above the rounding of the base: {} of ‖W‖ beside {}")
        )
        return words.format(share_or_dash(size), share_or_dash(rounding))

    def _effective_tip(self, node: Node) -> str:
        rows = self._used(node)
        if not rows:
            return self.tr("ΔW = 0, or not measured yet") if node.layers else ""
        shares = [row.effective_rank / row.rank for row in rows]
        if len(rows) == 1:
            return self.tr("{:.2f} directions of {} in use, {}").format(
                rows[0].effective_rank, rows[0].rank, percent(shares[0])
            )
        most = max(rows, key=lambda row: row.effective_rank / row.rank)
        return self.tr("median {} of the rank in use; most in {}, {}").format(
            percent(_middle(shares)), most.name, percent(max(shares))
        )

    def _whole(self, module: Module) -> bool:
        """Fully trained beside adapters, whatever is targeted: the checkpoint did not have it."""
        layer, ranks = module.layer, self.standing.ranks
        factored = ranks is not None and ranks.variant.factored
        return factored and layer is not None and not layer.max_rank and bool(layer.rank_locked)

    def _moved(self, *columns: int) -> None:
        for column in columns:
            self._moments[column] += 1


_CELLS = {
    NAME: Facts._name, SHAPE: Facts._shape, RANK: Facts._rank, TRAINS: Facts._trains,
    PARAMETERS: Facts._parameters, SIZE: Facts._size, EFFECTIVE: Facts._effective,
    ROUNDING: Facts._packing,
}  # fmt: skip
_TIPS = {
    NAME: Facts._name_tip, RANK: Facts._rank_tip, TRAINS: Facts._trains_tip,
    PARAMETERS: Facts._parameters_tip, SIZE: Facts._size_tip, EFFECTIVE: Facts._effective_tip,
    ROUNDING: Facts._packing_tip,
}  # fmt: skip


def _tick(on: int, of: int) -> int | None:
    return None if not of else ON if on == of else PARTLY if on else OFF


def _middle(values: list[float]) -> float:
    """The median; of an even number the lower of the two in the middle, which is one of them."""
    return sorted(values)[(len(values) - 1) // 2]


def _span(ranks: list[int]) -> str:
    low, high = min(ranks), max(ranks)
    return str(low) if low == high else f"{low}–{high}"
