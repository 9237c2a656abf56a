"""Every layer by every singular value, as shades: where in a large model ΔW has grown."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QCoreApplication

from lora_lab.records import LayerSpectrum
from lora_lab.ui.panels.spectrum.scene import Cells, Range, Scene
from lora_lab.ui.style.figures import row_names
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.heat import Heat
from lora_lab.ui.widgets.plot import number

DECADES = 5.0  # that the shades span at most
_MOST_COLUMNS = 512


class SpectrumHeat:
    """Layers downwards, σ₁ ≥ σ₂ ≥ … to the right. Other runs are not shown here."""

    def __init__(self) -> None:
        self.widget = Heat(
            QCoreApplication.translate("SpectrumHeat", "Singular values of ΔW, layer by layer"),
            QCoreApplication.translate("SpectrumHeat", "index i"),
        )
        self.picture = self.widget.plot
        self.plots = (self.picture,)
        self.row_chosen = self.widget.row_chosen
        self.widget.words = self._words
        self.range = Range()
        self._layers: tuple[LayerSpectrum, ...] = ()

    def draw(self, scene: Scene) -> None:
        """Show all layers; the chosen one is framed."""
        self._layers = scene.layers
        cells = Cells.of(scene.layers)
        sigma, there, nonzero = (
            part[:, :_MOST_COLUMNS] for part in (cells.sigma, cells.there, cells.nonzero)
        )
        ends = self.range.fit(sigma[nonzero], scene.log, DECADES)
        names = [layer.name for layer in scene.layers]
        marked = names.index(scene.chosen) if scene.chosen in names and len(names) > 1 else -1
        scaled = np.where(there, scene.scaled(np.where(nonzero, sigma, 0.0)), np.nan)
        end = sigma.shape[1] + 0.5
        self.widget.show_cells(scaled, row_names(names), (0.5, end), ends, scene.log, marked)

    def _words(self, row: int, column: int) -> str:
        layer = self._layers[row]
        if column >= len(layer.sigma):
            return layer.name
        return f"{layer.name}: σ{column + 1} = {number(float(layer.sigma[column]))}"

    def restyle(self, colors: Colors) -> None:
        """Take up the colours in force."""
        self.widget.restyle(colors)
