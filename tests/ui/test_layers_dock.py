"""The table of layers: edits through its cells, what they become, and thousands of rows."""

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSpinBox, QStyle, QStyleOptionViewItem

from lora_lab.config import Hyperparameters, changed
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    LayerInfo,
    LayerSpectrum,
    SpectrumRecord,
    State,
)
from lora_lab.ui.docks.layers import LayersDock
from lora_lab.ui.docks.layers_model import NAME, PARAMETERS, RANK, SIZE, TRAINS

CHECK = Qt.ItemDataRole.CheckStateRole


@pytest.fixture
def loaded(fake_session, presets):
    return fake_session(presets[0].config).loaded()


@pytest.fixture
def dock(qtbot, loaded):
    made = LayersDock()
    qtbot.addWidget(made)
    made.resize(480, 330)
    made.show()
    made.reset(loaded)
    return made


@pytest.fixture
def wishes(dock):
    """What was wished; each wish is shown as the window would."""
    heard = []

    def hear(fields):
        heard.append(fields)
        dock.set_wished(changed(dock.model._wished, **fields))

    dock.layers_wished.connect(hear)
    return heard


def cell(dock, row, column):
    return dock.table.model().index(row, column)


def text(dock, row, column):
    return cell(dock, row, column).data()


def open_rank(dock, row):
    dock.table.setCurrentIndex(cell(dock, row, RANK))
    dock.table.edit(cell(dock, row, RANK))
    return dock.table.findChild(QSpinBox)


def type_rank(dock, row, value):
    box = open_rank(dock, row)
    box.setValue(value)
    press_return(dock, box)


def press_return(dock, box):
    QTest.keyClick(box, Qt.Key.Key_Return)
    QTest.qWait(1)  # the view commits after the key has been handled
    assert dock.table.state() != dock.table.State.EditingState


def click_box(dock, row):
    index, view = cell(dock, row, TRAINS), dock.table
    option = QStyleOptionViewItem()
    option.initFrom(view)
    option.rect = view.visualRect(index)
    view.itemDelegateForIndex(index).initStyleOption(option, index)
    element = QStyle.SubElement.SE_ItemViewItemCheckIndicator
    box = view.style().subElementRect(element, option, view)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=box.center())


def select(dock, *rows):
    flags = QItemSelectionModel.SelectionFlag
    dock.table.selectionModel().clear()
    for row in rows:
        dock.table.selectionModel().select(cell(dock, row, NAME), flags.Select | flags.Rows)


def test_a_typed_rank_is_the_layers_own_within_its_limit(dock, wishes):
    box = open_rank(dock, 2)
    assert (box.minimum(), box.maximum()) == (0, 10)
    assert box.value() == 8  # where it stands now
    box.setValue(5)
    press_return(dock, box)
    assert wishes == [{"layer_ranks": (("fc3", 5),)}]
    assert text(dock, 2, RANK) == "8→5"
    dock.note_applied(AppliedRecord(3, dock.model._wished, ()))
    assert text(dock, 2, RANK) == "5"
    assert [text(dock, row, RANK) for row in (0, 1)] == ["8", "8"]


def test_to_look_into_a_rank_and_leave_it_is_no_edit(dock, wishes):
    press_return(dock, open_rank(dock, 0))
    assert wishes == []


def test_below_one_the_layer_follows_the_common_rank_again(dock, wishes):
    type_rank(dock, 1, 4)
    type_rank(dock, 1, 0)
    assert wishes[-1] == {"layer_ranks": ()}
    dock.set_wished(Hyperparameters(rank=3))
    assert text(dock, 1, RANK) == "8→3"


def test_an_unticked_layer_is_frozen(dock, wishes):
    click_box(dock, 1)
    assert wishes == [{"frozen_layers": ("fc2",)}]
    assert cell(dock, 1, TRAINS).data(CHECK) == Qt.CheckState.Unchecked
    click_box(dock, 1)
    assert wishes[-1] == {"frozen_layers": ()}


def test_an_edit_of_a_selected_row_is_one_of_all_that_are_selected(dock, wishes):
    select(dock, 0, 2)
    model, box = dock.table.model(), cell(dock, 2, TRAINS)
    model.setData(box, Qt.CheckState.Unchecked, CHECK)
    assert wishes[-1] == {"frozen_layers": ("fc1", "fc3")}
    model.setData(cell(dock, 0, RANK), 32)  # more than fc3 can have
    assert wishes[-1] == {"layer_ranks": (("fc1", 32), ("fc3", 10))}
    model.setData(cell(dock, 1, RANK), 6)  # not selected: alone
    assert wishes[-1] == {"layer_ranks": (("fc1", 32), ("fc2", 6), ("fc3", 10))}
    assert "3 with a rank of their own · 2 frozen" in dock._told.text()
    dock.alike_button.click()
    assert wishes[-1] == {"layer_ranks": (), "frozen_layers": ()}
    assert dock.alike_button.isHidden()


def test_return_edits_and_ticks_without_a_mouse(dock, wishes):
    dock.table.setCurrentIndex(cell(dock, 1, TRAINS))
    QTest.keyClick(dock.table, Qt.Key.Key_Return)
    assert wishes == [{"frozen_layers": ("fc2",)}]
    dock.table.setCurrentIndex(cell(dock, 1, NAME))
    QTest.keyClick(dock.table, Qt.Key.Key_Return)
    assert dock.table.findChild(QSpinBox) is not None


@pytest.mark.parametrize("case", ["full", "pissa", "stage"])
def test_a_locked_rank_cannot_be_opened_and_says_why(dock, loaded, case):
    reason = "pissa starts from a part of W that belongs to one rank"
    dock.reset(
        {
            "full": replace(loaded, variant="full"),
            "pissa": replace(
                loaded, layers=tuple(replace(i, rank_locked=reason) for i in loaded.layers)
            ),
            "stage": replace(loaded, stage="full training of the base"),
        }[case]
    )
    index = cell(dock, 0, RANK)
    assert not index.flags() & Qt.ItemFlag.ItemIsEditable
    said = {"full": "full fine-tuning has no rank", "pissa": reason, "stage": "the base is trained"}
    for tip in (
        index.data(Qt.ItemDataRole.ToolTipRole),
        dock.model.headerData(RANK, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole),
    ):
        assert tip.startswith(said[case])
    ticks = bool(cell(dock, 0, TRAINS).flags() & Qt.ItemFlag.ItemIsUserCheckable)
    assert ticks == (case != "stage")


def test_counts_and_sizes_are_shown(dock, fake_session, presets):
    session = fake_session(presets[0].config)
    dock.set_counts(session.counts())
    assert text(dock, 2, PARAMETERS) == f"{8 * 42:,}"
    assert text(dock, 0, SIZE) == "—"
    session.step = 10
    dock.set_spectrum(session.spectrum())
    assert text(dock, 0, SIZE) == "25 %"  # ‖ΔW‖ = 1 beside ‖W‖ = 4
    broken = replace(session.spectrum().layers[0], delta_norm=float("nan"))
    dock.set_spectrum(SpectrumRecord(11, (broken,)))
    assert text(dock, 0, SIZE) == "not finite"


def test_a_cut_rank_has_its_price_told(dock):
    hyper = Hyperparameters(layer_ranks=(("fc1", 2),))
    dock.note_applied(AppliedRecord(120, hyper, (("layer_ranks", "–", "fc1=2"),), (), 0.032))
    assert "3.2 %" in dock._note.text()
    assert not dock._note.isHidden()
    dock.note_applied(AppliedRecord(121, hyper, (("layer_ranks", "fc1=2", "–"),)))
    assert dock._note.isHidden()


def test_thousands_of_rows_are_found_by_name_and_cost_what_is_seen(dock, loaded, qtbot):
    names = [f"model.layers.{i // 7}.part_{i % 7}" for i in range(2000)]
    layers = tuple(LayerInfo(name, (64, 64), 4.0, max_rank=64) for name in names)
    dock.reset(replace(loaded, layers=layers))
    assert dock.search.isVisible()
    sigma = np.ones(2)
    spectra = tuple(LayerSpectrum(name, sigma, 2, 2.0, 2.0, 1.4, 2, 8.0, 1.0) for name in names)
    qtbot.wait(20)
    asked = []
    told, dock.model._text = dock.model._text, lambda *at: asked.append(at) or told(*at)
    for step in range(50):
        dock.set_spectrum(SpectrumRecord(step, spectra))
        dock.set_counts(CountsRecord(step, 0, 0, ()))
    qtbot.wait(20)
    dock.table.viewport().repaint()
    assert 0 < len(asked) < 2000  # cells in view, not the model's twelve thousand
    dock.search.setText("PART_3")
    shown = [text(dock, row, NAME) for row in range(dock.table.model().rowCount())]
    assert shown == [name for name in names if name.endswith("part_3")]
    heard = []
    dock.layers_wished.connect(heard.append)
    dock.table.model().setData(cell(dock, 4, RANK), 3)
    assert heard == [{"layer_ranks": ((shown[4], 3),)}]


# -- in the window ---------------------------------------------------------------------------


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.layers_dock.raise_()
    qtbot.waitUntil(window.layers_dock.table.isVisible)
    return window


def test_edits_go_with_the_sliders_in_one_snapshot(qtbot, opened, sessions_made):
    dock = opened.layers_dock
    type_rank(dock, 0, 3)
    click_box(dock, 1)
    opened.hyper_dock.sliders["rank"].edit.setValue(5)
    expected = changed(Hyperparameters(), rank=5, layer_ranks=(("fc1", 3),), frozen_layers=("fc2",))
    qtbot.waitUntil(lambda: sessions_made[-1].hyper == expected)
    qtbot.waitUntil(lambda: [text(dock, r, RANK) for r in range(3)] == ["3", "8", "5"])


def test_freezing_all_is_refused_in_the_one_place_and_the_table_goes_back(
    qtbot, opened, sessions_made
):
    dock = opened.layers_dock
    click_box(dock, 0)
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.frozen_layers == ("fc1",))
    select(dock, 1, 2)
    click_box_of_selection = cell(dock, 1, TRAINS)
    dock.table.model().setData(click_box_of_selection, Qt.CheckState.Unchecked, CHECK)
    qtbot.waitUntil(lambda: opened.notice_bar.notice is not None)
    assert "nothing would learn" in opened.notice_bar.notice.message
    states = [cell(dock, row, TRAINS).data(CHECK) for row in range(3)]
    assert states == [Qt.CheckState.Unchecked, Qt.CheckState.Checked, Qt.CheckState.Checked]
    assert opened.hyper_dock.wished.frozen_layers == ("fc1",)
    opened.hyper_dock.sliders["alpha"].edit.setValue(4)  # the refused part is not asked for again
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.alpha == 4)


def test_the_selected_row_is_the_layer_that_the_spectrum_shows(opened):
    spectrum = next(panel for panel in opened.panels if panel.key == "spectrum")
    select(opened.layers_dock, 1)
    assert spectrum._chooser.currentText() == "fc2"
    select(opened.layers_dock, 0, 1)
    assert spectrum._chooser.currentText() == "All layers"


def test_a_restart_takes_along_what_the_new_layers_can_have(qtbot, opened, sessions_made):
    type_rank(opened.layers_dock, 0, 3)
    type_rank(opened.layers_dock, 1, 4)
    fixed = opened.setup_dock.fixed
    fixed.choose_targets()
    fixed.dialog.model.tick(["fc2"], False)
    fixed.dialog.accept()
    opened.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: len(sessions_made) == 2)
    assert sessions_made[1].config.targets == ("fc1", "fc3")
    assert sessions_made[1].config.hyper.layer_ranks == (("fc1", 3),)
