"""Beside the size of ΔW stands what packing the base lost, where it is packed."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.layers.facts import NAME, ROUNDING


@pytest.fixture
def dock(qtbot):
    made = LayersDock()
    qtbot.addWidget(made)
    made.show()
    return made


def cell(dock, row):
    return dock.model.index_of(dock.model.root.shown[row], NAME).siblingAtColumn(ROUNDING)


def test_the_column_is_there_for_a_packed_base_alone(dock, fake_session, presets):
    session = fake_session(presets[0].config)
    loaded = session.loaded()
    dock.standing.take(loaded)
    assert dock.tree.isColumnHidden(ROUNDING)
    lost = [0.5, 0.1, None]  # ΔW will be a quarter of W
    packed = [replace(x, rounding=r) for x, r in zip(loaded.layers, lost, strict=False)]
    dock.standing.take(replace(loaded, layers=(*packed, *loaded.layers[len(packed) :])))
    assert not dock.tree.isColumnHidden(ROUNDING)
    assert [cell(dock, row).data() for row in range(3)] == ["50 %", "10 %", "—"]
    session.step = 10
    dock.set_spectrum(session.spectrum())
    tips = [cell(dock, row).data(Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    assert "below the rounding of the base: 25 % of ‖W‖ beside 50 %" in tips[0]
    assert "above the rounding of the base" in tips[1]
    colours = [cell(dock, row).data(Qt.ItemDataRole.ForegroundRole) for row in range(2)]
    assert colours[0] != colours[1], "what is below stands out"
