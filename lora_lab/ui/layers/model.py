"""The tree of modules as Qt's views see it: target and freeze to be ticked, rank to be edited.

What a cell says comes from `layers_facts`, what stands where from `layers_tree`. An edit is told as
a request; what is applied comes back in records. New figures are announced for rows in view alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor

from lora_lab.names import natural
from lora_lab.opening_records import LoadedRecord
from lora_lab.rules import cap
from lora_lab.ui.layers.facts import (
    EFFECTIVE,
    NAME,
    PARAMETERS,
    RANK,
    ROUNDING,
    SIZE,
    TRAINS,
    Fact,
    Facts,
)
from lora_lab.ui.layers.tree import (
    Backwards,
    Module,
    Node,
    by_likeness,
    by_name,
    has_likes,
    in_order,
    is_shown,
    modules_of,
    numbered,
    rearrange,
    searched,
    shown_below,
    sift,
)
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import entry, percent, plain_tip
from lora_lab.ui.widgets.heat_cells import HEAT
from lora_lab.ui.widgets.turns import Turns, Work

Role = Qt.ItemDataRole
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
TICKS = (NAME, TRAINS)
LIVE = (PARAMETERS, SIZE, EFFECTIVE, ROUNDING)  # columns that move while a run trains
NOWHERE = QModelIndex()
AT_ONCE = 3000  # modules that are planted in one turn: it takes up to 0.1 s
SIFT, PLANT, READ = 1, 2, 3  # what is to be done until rows stand, each with those before it


class LayersModel(QAbstractItemModel):
    """Rows are modules, parts of the model, or modules that are alike."""

    requested = Signal(dict)  # fields of Hyperparameters with their new values
    targets_requested = Signal(object)  # frozenset of the layers that the next start is to adapt
    planted = Signal(int)  # rows stand again, after SIFT, PLANT or READ; before, there are none

    def __init__(self, parent: QObject, standing: Standing) -> None:
        super().__init__(parent)
        tr = self.tr
        self.facts = Facts(self, standing)
        self.modules: list[Module] = []
        self.alike = False  # like modules in one row, instead of by their names
        self.nodes_meant: Callable[[Node], Sequence[Node]] = lambda node: (node,)
        self.has_likes = False
        self._root = self._grown = Node("", "")  # shown, and planted
        self._nodes: list[Node] = []  # by number
        self._search, self._adapted_only = "", False
        self._turns = Turns(self)
        self._loaded: LoadedRecord | None = None
        self._many = self._due = 0
        self._sorted: tuple[int, bool] | None = None  # column, and whether downwards
        self._announced: dict[tuple[int, int], Fact] = {}
        self._heads = (
            (tr("Module"), tr("Ticked: it has an adapter. Changes apply on Restart")),
            (tr("out × in"), tr("Shape of W as a matrix")),
            (
                tr("Rank"),
                tr("Per-layer rank; grey: the default rank. Double-click to edit"),
            ),
            (tr("Trainable"), tr("Unticked: ΔW is frozen, but still applied")),
            (tr("Parameters"), tr("Trainable adapter parameters")),
            (tr("‖ΔW‖/‖W‖"), tr("Size of the change relative to the frozen weights. Of several "
                                "layers: the median; at the edge, the colour of the largest")),
            (tr("Eff. r"), tr("Effective rank, exp of the entropy of σ / Σσ; its colour: the "
                                 "share of the layer's rank that is in use")),
            (tr("Rounding"), tr("‖W − W_file‖/‖W_file‖: what packing the base into 4 or 8 bits "
                                "lost. It stands out where ΔW is smaller than that")),
        )  # fmt: skip

    # -- what stands where -----------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord, many: int = 0) -> None:
        """Another model; of so `many` modules (0: never) like ones stand in one row at first."""
        self._loaded, self._many, self.modules = loaded, many, []
        self._search, self._adapted_only = "", False
        self.facts.reset(loaded)
        self._begin(READ)

    def arrange(self, *, alike: bool, search: str, adapted_only: bool) -> None:
        """Another way to look at the same modules."""
        if (alike, search, adapted_only) == (self.alike, self._search, self._adapted_only):
            return
        self._search, self._adapted_only = search, adapted_only
        replant, self.alike = alike != self.alike, alike
        self._begin(PLANT if replant else SIFT)

    @property
    def busy(self) -> bool:
        """Whether rows are being planted or sorted."""
        return self._turns.busy

    @property
    def root(self) -> Node:
        """What stands above the uppermost rows."""
        return self._root

    def node(self, index: QModelIndex) -> Node:
        """The row of an index."""
        return self._nodes[index.internalId()] if index.isValid() else self._root

    def index_of(self, node: Node, column: int = NAME) -> QModelIndex:
        """The cell of a row that is shown."""
        return NOWHERE if node is self._root else self.createIndex(node.row, column, node.number)

    def shown(self) -> list[Node]:
        """Every row that is not sifted out, open or not, from above to below."""
        return shown_below(self._root)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted = None if column < 0 else (column, order == Qt.SortOrder.DescendingOrder)
        if self._due:
            self._begin(SIFT)
        else:
            self._turns.start(self._reorder(), self._at_once)

    def sort_again(self) -> None:
        """Let the rows stand by what their figures are now."""
        if not self._turns.busy:
            self._turns.start(self._reorder(), self._at_once)

    def _reorder(self) -> Work[None]:
        moved = yield from in_order(self._root, self._key())
        if not moved:
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        rearrange(moved)
        after = [
            self.index_of(node, index.column()) if is_shown(node) else QModelIndex()
            for index in before for node in (self.node(index),)
        ]  # fmt: skip
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    @property
    def sorted_by(self) -> int:
        """The column that rows are sorted by; -1: they stand as in the model."""
        return -1 if self._sorted is None else self._sorted[0]

    # -- what became known -----------------------------------------------------------------------

    def announce(self, nodes: Iterable[Node], columns: Sequence[int]) -> None:
        """Have the cells of rows in view painted again, where they say something else."""
        before, self._announced = self._announced, {}
        for node in nodes:
            for column in columns:
                fact, at = self.facts.fact(node, column), (node.number, column)
                self._announced[at] = fact
                if before.get(at) != fact:
                    index = self.createIndex(node.row, column, node.number)
                    self.dataChanged.emit(index, index)

    def forget_announced(self) -> None:
        """Rows were painted without being announced."""
        self._announced = {}

    # -- edits -----------------------------------------------------------------------------------

    def freeze(self, nodes: Iterable[Node], on: bool) -> None:
        """Request that the layers of these rows are frozen, or train."""
        names = {layer.name for node in nodes for layer in node.layers}
        frozen = self.facts.frozen | names if on else self.facts.frozen - names
        self.requested.emit({"frozen_layers": tuple(sorted(frozen))})

    def give_rank(self, nodes: Iterable[Node], rank: int) -> None:
        """Request that the layers of these rows have that rank; 0: the common one."""
        own = dict(self.facts.own)
        for layer in (layer for node in nodes for layer in node.layers):
            if not rank:
                own.pop(layer.name, None)
            elif not layer.rank_locked:
                own[layer.name] = min(rank, cap(layer))
        if own != self.facts.own:
            self.requested.emit({"layer_ranks": tuple(sorted(own.items()))})

    def target(self, nodes: Iterable[Node], on: bool) -> None:
        """Request that the next start adapts the modules of these rows, or does not."""
        may = self.facts.may_target
        names = {module.name for node in nodes for module in node.leaves if may(module)}
        targeted = self.facts.targeted
        self.targets_requested.emit(targeted | names if on else targeted - names)

    # -- the model as a view sees it -------------------------------------------------------------

    def index(self, row: int, column: int, parent: QModelIndex = NOWHERE) -> QModelIndex:
        shown = self.node(parent).shown
        if 0 <= row < len(shown) and 0 <= column < len(self._heads):
            return self.createIndex(row, column, shown[row].number)
        return QModelIndex()

    def parent(self, index: QModelIndex = NOWHERE) -> QModelIndex:  # type: ignore[override]
        above = self._nodes[index.internalId()].parent if index.isValid() else None
        return QModelIndex() if above is None else self.index_of(above)

    def rowCount(self, parent: QModelIndex = NOWHERE) -> int:
        return 0 if parent.column() > 0 else len(self.node(parent).shown)

    def columnCount(self, parent: QModelIndex = NOWHERE) -> int:
        return len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Role.DisplayRole:
            return self._heads[section][0]
        if role == Role.ToolTipRole:
            locked = section == RANK and self.modules and self.facts.rank_locked(self._root)
            tip = locked or self._heads[section][1]
            if section == SIZE:
                ends = map(percent, self.facts.heat_range())
                tip += self.tr(". Colours go from {} to {}").format(*ends)
            return plain_tip(tip)
        if role == Role.TextAlignmentRole and section not in TICKS:
            return RIGHT
        if role == Role.InitialSortOrderRole and section > NAME:
            return Qt.SortOrder.DescendingOrder  # who moved most
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags, node, column = super().flags(index), self.node(index), index.column()
        if column == RANK and not self.facts.rank_locked(node):
            return flags | Qt.ItemFlag.ItemIsEditable
        if column == TRAINS and not self.facts.freeze_locked(node):
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        if column == NAME and any(map(self.facts.may_target, node.leaves)):
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        column = index.column()
        if role == HEAT:  # asked for most: figures move while a run trains
            fact = self.facts.fact(self.node(index), column)
            return None if fact.level is None else (fact.text, fact.level, fact.most)
        if role == Role.TextAlignmentRole:
            return None if column in TICKS else RIGHT
        if role not in _ROLES:
            return None
        node = self.node(index)
        if role == Role.ToolTipRole:
            return plain_tip(self.facts.tip(node, column))
        if role == Role.EditRole:
            return self.facts.own_rank(node) if column == RANK else None
        fact = self.facts.fact(node, column)
        if role == Role.DisplayRole:
            return entry(fact.text)
        if role == Role.CheckStateRole:
            return None if fact.tick is None else Qt.CheckState(fact.tick)
        return QColor(getattr(theme.current(), fact.tone)) if fact.tone else None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        """An edit of one row, or of all that are selected with it."""
        column, nodes = index.column(), self.nodes_meant(self.node(index))
        if role == Role.CheckStateRole and column in TICKS:
            on = Qt.CheckState(value) is Qt.CheckState.Checked
            if column == TRAINS:
                self.freeze(nodes, not on)
            else:
                self.target(nodes, on)
            return True
        if role == Role.EditRole and column == RANK:
            self.give_rank(nodes, int(value or 0))
            return True
        return False

    @property
    def _at_once(self) -> bool:
        loaded = self._loaded
        if loaded is None:
            return True
        return len(loaded.modules) + len(loaded.layers) + len(loaded.adaptable) < 3 * AT_ONCE

    def _begin(self, due: int) -> None:
        """No row stands until that is done, and what was due before."""
        self._due = max(due, self._due)
        self._stand(Node("", ""))
        self._turns.start(self._plant(self._due), self._at_once)

    def _plant(self, all_due: int) -> Work[None]:
        if self._due == READ and self._loaded is not None:
            modules = yield from modules_of(self._loaded)
            self.has_likes = yield from has_likes(modules)
            if self._many:
                self.alike = self.has_likes and len(modules) >= self._many
            self.modules, self._due = modules, PLANT
        if self._due == PLANT:
            self._grown = yield from (by_likeness if self.alike else by_name)(self.modules)
            self._nodes = yield from numbered(self._grown)
            self._due = SIFT
        matches, only = searched(self._search), self._adapted_only
        yield from sift(self._nodes, lambda m: (not only or m.layer is not None) and matches(m))
        if self._sorted is not None:
            rearrange((yield from in_order(self._grown, self._key())))
        yield
        self._due = 0
        self._stand(self._grown)
        self.planted.emit(all_due)

    def _stand(self, root: Node) -> None:
        self.beginResetModel()
        self._root, self._announced = root, {}
        self.endResetModel()

    def _key(self) -> Callable[[Node], Any] | None:
        """What rows are sorted by; what has no figure comes last, whichever way."""
        if self._sorted is None:
            return None
        (column, down), fact = self._sorted, self.facts.fact
        if column == NAME:
            if down:
                return lambda node: Backwards(natural(node.label))
            return lambda node: natural(node.label)

        def key(node: Node) -> tuple[bool, float]:
            value = fact(node, column).value
            return value is None, 0.0 if value is None else -value if down else value

        return key


_ROLES = {Role.DisplayRole, Role.CheckStateRole, Role.ForegroundRole, Role.ToolTipRole,
          Role.EditRole}  # fmt: skip
