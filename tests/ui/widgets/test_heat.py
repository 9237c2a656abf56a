"""Shades of cells: their rows and names follow the room there is."""

import numpy as np

from lora_lab.ui.widgets.heat import Heat


def test_a_taller_map_names_more_rows_and_paints_each(qtbot):
    heat = Heat("a map", "index i")
    qtbot.addWidget(heat)
    heat.resize(400, 80)
    heat.show()
    cells, names = np.ones((100, 3)), [f"block.{i}.proj" for i in range(100)]
    heat.show_cells(cells, names, (0.0, 3.0), (0.0, 1.0), False)
    few = len(heat.shown().names)
    assert len(heat.shown().pixels) < 100
    heat.resize(400, 1200)
    qtbot.waitUntil(lambda: len(heat.shown().names) > few)
    qtbot.waitUntil(lambda: len(heat.shown().pixels) == 100)
    assert all(text.startswith("block.") for text in heat.shown().names)
