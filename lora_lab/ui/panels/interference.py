"""Who disturbs whom: cosines and principal angles of several adapters, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from PySide6.QtWidgets import QWidget

from lora_lab.measured import InterferenceRecord
from lora_lab.ui.panels.panel import Columns
from lora_lab.ui.widgets.figure_table import LayerTable


class InterferenceTable(LayerTable):
    """A row for each layer, a column for each pair: cosine, and angles of what is read, written."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", ("",), ())
        self.setParent(parent)
        self.setAccessibleName(self.tr("Interference of the adapters"))
        self.forget()

    def forget(self) -> None:
        """Nothing is measured, or it was of other adapters."""
        self._record: InterferenceRecord | None = None
        self._names: Sequence[str] = ()
        self.words = ""
        self.show_rows([])
        self.hide()

    def show_record(self, record: InterferenceRecord, names: Sequence[str]) -> None:
        """`names` are those of the adapters."""
        self._record, self._names = record, names
        pairs = list(combinations(range(len(names)), 2))
        heads = [f"{names[i]} · {names[j]}" for i, j in pairs]
        self.set_heads((self.tr("Layer"), *heads), ["−0.000  00.0°  00.0°"] * len(pairs))
        whole = tuple(_figure(record.cosines[i, j]) for i, j in pairs)
        rows = [(self.tr("all layers"), *whole)]
        for layer in record.layers:
            cells = (
                "  ".join(
                    (_figure(layer.cosines[i, j]), _angle(layer.reads[i, j]),
                     _angle(layer.writes[i, j]))
                )
                for i, j in pairs
            )  # fmt: skip
            rows.append((layer.name, *cells))
        self.show_rows(rows)
        self.words = self.tr(
            "Cosine of the ΔWs (−1: they undo each other, 0: neither disturbs the other), then the "
            "smallest angle of what they read and of what they write; {:,} layers, at step {:,}."
        ).format(len(record.layers), record.step)
        self.show()

    def figure_data(self) -> Columns:
        """A row for each layer and pair."""
        record = self._record
        if record is None:
            return {}
        rows = [
            (layer.name, self._names[i], self._names[j], float(layer.cosines[i, j]),
             float(layer.reads[i, j]), float(layer.writes[i, j]))
            for layer in record.layers
            for i, j in combinations(range(len(self._names)), 2)
        ]  # fmt: skip
        names = ("layer", "first", "second", "cosine", "angle read", "angle written")
        return dict(zip(names, zip(*rows, strict=True), strict=True))


def _figure(value: float) -> str:
    return "—" if value != value else f"{value:.3f}"


def _angle(value: float) -> str:
    return "—" if value != value else f"{value:.1f}°"
