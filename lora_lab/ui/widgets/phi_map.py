"""φ(i, j) as a picture: across the directions of one, upwards those of the other, 0 to 1."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import Plot


class PhiMap(Plot):
    """Bright where one subspace contains the other, dark where they are orthogonal."""

    _image: pg.ImageItem | None = None  # a plot takes its colours before it has one

    def __init__(self, title: str, bottom: str) -> None:
        super().__init__(title, bottom)
        self._image = pg.ImageItem()
        self.addItem(self._image)
        self.phi = np.zeros((0, 0))  # (i, j) that is shown
        self.restyle(theme.current())

    def show_phi(self, phi: np.ndarray) -> None:
        """(i × j), nan where a direction is missing; nothing for an empty one."""
        self.phi = phi
        if not phi.size or np.isnan(phi).all():
            self._image.clear()
        else:
            self._image.setImage(phi, levels=(0.0, 1.0), autoLevels=False)
            self._image.setRect(0.5, 0.5, phi.shape[0], phi.shape[1])
        if not phi.size:
            return
        self.getPlotItem().setRange(
            xRange=(0.5, phi.shape[0] + 0.5), yRange=(0.5, phi.shape[1] + 0.5), padding=0,
            disableAutoRange=True,
        )  # fmt: skip

    def restyle(self, colors: Colors) -> None:
        super().restyle(colors)
        if self._image is None:
            return
        low, high = (pg.mkColor(c).getRgb()[:3] for c in (colors.panel, colors.accent))
        share = np.linspace(0, 1, 256)[:, None]
        table = (1 - share) * np.array(low) + share * np.array(high)
        self._image.setLookupTable(table.astype(np.ubyte))
