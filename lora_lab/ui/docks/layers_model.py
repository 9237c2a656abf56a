"""The table of adapted layers: rank, freeze, parameters, size of ΔW; the first two to be edited.

Values are looked up when a cell is painted, so that a record costs the same for three layers and
for thousands. An edit is told as a wish; what is applied comes back in records.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QColor

from lora_lab.config import Hyperparameters
from lora_lab.records import CountsRecord, LayerInfo, LayerSpectrum, LoadedRecord, SpectrumRecord
from lora_lab.ui import theme
from lora_lab.ui.figures import share_or_dash
from lora_lab.ui.ranks import LayerRanks, cap

Role = Qt.ItemDataRole
NAME, SHAPE, RANK, TRAINS, PARAMETERS, SIZE = range(6)
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def compact_shape(layer: LayerInfo) -> str:
    """out × in in as few letters as may be."""
    return "{}×{}".format(*layer.shape)


class LayersModel(QAbstractTableModel):
    """Rows are the adapted layers; rank and freeze can be edited."""

    wished = Signal(dict)  # fields of Hyperparameters with their new values

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        tr = self.tr
        self.layers: tuple[LayerInfo, ...] = ()
        self.rows_meant: Callable[[int], Sequence[int]] = lambda row: (row,)
        self._stage = ""
        self._ranks: LayerRanks | None = None
        self._wished = Hyperparameters()
        self._own: dict[str, int] = {}
        self._frozen: set[str] = set()
        self._counts: dict[str, int] = {}
        self._spectra: dict[str, LayerSpectrum] = {}
        self._heads = (
            (tr("Layer"), tr("Path of the layer in the model")),
            (tr("out × in"), tr("Shape of W as a matrix")),
            (
                tr("Rank"),
                tr("A rank of the layer's own; grey: it follows the common rank. Double-click"),
            ),
            (tr("Trains"), tr("Unticked: ΔW stays as it is, and still takes part")),
            (tr("Trained"), tr("Parameters of this layer that train")),
            (tr("‖ΔW‖/‖W‖"), tr("Size of the change beside the frozen weights")),
        )

    # -- what is known -----------------------------------------------------------------------

    def reset(self, loaded: LoadedRecord) -> None:
        """Other layers."""
        self.beginResetModel()
        self.layers, self._stage = loaded.layers, loaded.stage
        self._ranks = LayerRanks(loaded)
        self._counts, self._spectra = {}, {}
        self._keep(loaded.hyper)
        self.endResetModel()

    def set_wished(self, hyper: Hyperparameters) -> None:
        """What is asked for now, whoever asked."""
        if hyper != self._wished:
            self._keep(hyper)
            self._repaint(RANK, TRAINS)

    def set_applied(self, hyper: Hyperparameters) -> None:
        """What the loop works with now."""
        if self._ranks is not None:
            self._ranks.apply(hyper)
            self._repaint(RANK, TRAINS)

    def set_counts(self, record: CountsRecord) -> None:
        self._counts = dict(record.per_layer)
        self._repaint(PARAMETERS, PARAMETERS)

    def set_spectrum(self, record: SpectrumRecord) -> None:
        self._spectra = {row.name: row for row in record.layers}
        self._repaint(SIZE, SIZE)

    def apart(self) -> tuple[int, int]:
        """How many layers have a rank of their own, and how many are frozen."""
        return len(self._own), len(self._frozen)

    def rank_locked(self, row: int) -> str:
        """Why that layer can have no rank of its own, or nothing."""
        if self._stage:
            return self.tr("the base is trained as its preset says")
        if self._ranks is not None and self._ranks.variant == "full":
            return self.tr("full fine-tuning has no rank")
        return self.layers[row].rank_locked

    def wanted_rank(self, row: int) -> int:
        """The rank of that layer as it is asked for now."""
        return self._wanted(self.layers[row])

    # -- the table -----------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.layers)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._heads)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Role.DisplayRole:
            return self._heads[section][0]
        if role == Role.ToolTipRole:
            locked = section == RANK and self.layers and self.rank_locked(0)
            return locked or self._heads[section][1]
        if role == Role.TextAlignmentRole and section not in (NAME, TRAINS):
            return RIGHT
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == RANK and not self.rank_locked(index.row()):
            return flags | Qt.ItemFlag.ItemIsEditable
        if index.column() == TRAINS and not self._stage:
            return flags | Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: QModelIndex, role: int = Role.DisplayRole) -> Any:
        row, column = index.row(), index.column()
        layer = self.layers[row]
        if role == Role.DisplayRole:
            return self._text(row, column)
        if role == Role.CheckStateRole and column == TRAINS:
            off = layer.name in self._frozen
            return Qt.CheckState.Unchecked if off else Qt.CheckState.Checked
        if role == Role.EditRole and column == RANK:
            return self._own.get(layer.name, 0)
        if role == Role.ForegroundRole:
            return self._colour(layer, column)
        if role == Role.TextAlignmentRole and column not in (NAME, TRAINS):
            return RIGHT
        if role == Role.ToolTipRole:
            return self._tip(row, column)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Role.EditRole) -> bool:
        """An edit of one row, or of all that are selected with it."""
        names = [self.layers[row].name for row in self.rows_meant(index.row())]
        if role == Role.CheckStateRole and index.column() == TRAINS:
            trains = Qt.CheckState(value) is Qt.CheckState.Checked
            frozen = self._frozen - set(names) if trains else self._frozen | set(names)
            self.wished.emit({"frozen_layers": tuple(sorted(frozen))})
            return True
        if role == Role.EditRole and index.column() == RANK:
            own = dict(self._own)
            for row in self.rows_meant(index.row()):
                layer = self.layers[row]
                if not value:
                    own.pop(layer.name, None)
                elif not self.rank_locked(row):
                    own[layer.name] = min(int(value), cap(layer))
            if own != self._own:
                self.wished.emit({"layer_ranks": tuple(sorted(own.items()))})
            return True
        return False

    def _text(self, row: int, column: int) -> str:
        layer = self.layers[row]
        if column == NAME:
            return layer.name
        if column == SHAPE:
            return compact_shape(layer)
        if column == RANK:
            if self._ranks is None or self._ranks.variant == "full":
                return "—"
            present, wanted = self._ranks.present[layer.name], self._wanted(layer)
            return str(wanted) if present == wanted else f"{present}→{wanted}"
        if column == PARAMETERS:
            return f"{self._counts[layer.name]:,}" if layer.name in self._counts else "—"
        if column == SIZE:
            measured = self._spectra.get(layer.name)
            if measured is None or not layer.weight_norm:
                return "—"
            share = measured.delta_norm / layer.weight_norm
            return share_or_dash(share) if math.isfinite(share) else self.tr("not finite")
        return ""

    def _colour(self, layer: LayerInfo, column: int) -> QColor | None:
        c = theme.current()
        frozen = layer.name in self._frozen
        if column == RANK and self._ranks is not None:
            if self._ranks.present[layer.name] != self._wanted(layer):
                return QColor(c.warn)
            return QColor(c.accent if layer.name in self._own else c.muted)
        if column == SHAPE or (frozen and column in (NAME, PARAMETERS, SIZE)):
            return QColor(c.muted)
        return None

    def _tip(self, row: int, column: int) -> str:
        layer = self.layers[row]
        if column == NAME:
            return f"{layer.name}, {layer.kind.replace('_', ' ')}"
        if column == RANK:
            if locked := self.rank_locked(row):
                return locked
            if layer.name in self._own:
                return self.tr("a rank of its own, {} at most").format(cap(layer))
            return self.tr("follows the common rank, {} at most").format(cap(layer))
        if column == TRAINS and layer.name in self._frozen:
            return self.tr("frozen: ΔW stays as it is, and so does its rank")
        return ""

    def _wanted(self, layer: LayerInfo) -> int:
        return self._ranks.wanted(layer.name, self._wished) if self._ranks is not None else 0

    def _keep(self, hyper: Hyperparameters) -> None:
        self._wished = hyper
        self._own, self._frozen = dict(hyper.layer_ranks), set(hyper.frozen_layers)

    def _repaint(self, first: int, last: int) -> None:
        if self.layers:
            self.dataChanged.emit(self.index(0, first), self.index(len(self.layers) - 1, last))
