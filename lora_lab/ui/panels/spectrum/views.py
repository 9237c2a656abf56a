"""The views of a spectrum as a table: title, widget, legend, and the numbers as columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from lora_lab.ui.panels.overlays import legend_rows
from lora_lab.ui.panels.panel import Columns
from lora_lab.ui.panels.spectrum.bars import SpectrumBars
from lora_lab.ui.panels.spectrum.energy import SpectrumEnergy
from lora_lab.ui.panels.spectrum.heat import SpectrumHeat
from lora_lab.ui.panels.spectrum.multiples import SpectrumMultiples
from lora_lab.ui.panels.spectrum.scene import Scene, View
from lora_lab.ui.panels.spectrum.tables import energy_columns, history_columns, spectrum_columns
from lora_lab.ui.panels.spectrum.time import SpectrumTime
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.legend import Row

translate = QCoreApplication.translate

Entry = tuple[str, str, str]  # a mark, its colour, and words


def _sigma_legend(scene: Scene) -> list[Entry]:
    c = theme.current()
    edge = translate("SpectrumPanel", "noise of the same size")
    return [("■", c.adapter, "σ(ΔW)"), *([("┈", c.text, edge)] if scene.edges else [])]


def _time_legend(scene: Scene) -> list[Entry]:
    if len(scene.shown) == 1:
        return _sigma_legend(scene)
    return [("■", theme.current().adapter, translate("SpectrumPanel", "σ₁ of each layer"))]


def _energy_legend(scene: Scene) -> list[Entry]:
    c = theme.current()
    words = (
        translate("SpectrumPanel", "energy discarded, %")
        if scene.log
        else translate("SpectrumPanel", "energy kept, %")
    )
    worst = (
        [("┈", c.muted, translate("SpectrumPanel", "worst layer"))] if len(scene.shown) > 1 else []
    )
    return [("━", c.adapter, words), *worst]


@dataclass(frozen=True)
class ViewKind:
    """One way to show a spectrum."""

    title: str  # marked for translation
    make: Callable[[], View]
    legend: Callable[[Scene], list[Entry]] = _sigma_legend
    columns: Callable[[Scene], Columns] = spectrum_columns
    log: bool = True  # its axis, until a person changes it
    has_rows: bool = False  # a click on one chooses its layer: `row_chosen`
    has_truth: bool = True  # it draws σ(D) where that is known
    has_others: bool = True  # it draws other runs

    @property
    def name(self) -> str:
        """The title in the language of the window."""
        return translate("SpectrumPanel", self.title)


VIEWS = {
    "bars": ViewKind(QT_TRANSLATE_NOOP("SpectrumPanel", "Bars"), SpectrumBars),
    "multiples": ViewKind(
        QT_TRANSLATE_NOOP("SpectrumPanel", "Small multiples"), SpectrumMultiples, has_rows=True
    ),
    "heat": ViewKind(
        QT_TRANSLATE_NOOP("SpectrumPanel", "Heat map"), SpectrumHeat,
        has_rows=True, has_truth=False, has_others=False,
    ),
    "time": ViewKind(
        QT_TRANSLATE_NOOP("SpectrumPanel", "Over time"), SpectrumTime, _time_legend,
        history_columns, has_rows=True, has_others=False,
    ),
    "energy": ViewKind(
        QT_TRANSLATE_NOOP("SpectrumPanel", "Energy"), SpectrumEnergy, _energy_legend,
        energy_columns, log=False,
    ),
}  # fmt: skip


def legend_of(kind: ViewKind, scene: Scene) -> list[Row]:
    """The rows of a view's legend."""
    rows = kind.legend(scene)
    if kind.has_truth and len(scene.true):
        rows.append(("━", theme.current().validation, translate("SpectrumPanel", "true σ(D)")))
    if kind.has_others:
        rows += legend_rows([other.run for other in scene.others])
    return rows
