"""The tree of modules: edits through its cells, what they become, and thousands of rows."""

import gc
from dataclasses import replace
from time import thread_time

import numpy as np
import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDockWidget,
    QSpinBox,
    QStyle,
    QStyleOptionViewItem,
)

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo, TargetInfo
from lora_lab.records import AppliedRecord, CountsRecord, LayerSpectrum, SpectrumRecord, State
from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.layers.facts import EFFECTIVE, NAME, PARAMETERS, RANK, SHAPE, SIZE, TRAINS
from lora_lab.ui.layers.tree import WIDEST
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.heat_cells import HEAT
from tests.ui.seen import named, settle, words

CHECK = Qt.ItemDataRole.CheckStateRole


@pytest.fixture
def loaded(fake_session, presets):
    return fake_session(presets[0].config).loaded()


@pytest.fixture
def dock(qtbot, loaded, monkeypatch):
    """Figures are drawn, and rows change their places, in the next turn of Qt's loop."""
    for pace in ("DRAW_MS", "SORT_MS"):
        monkeypatch.setattr(f"lora_lab.ui.layers.dock.{pace}", 0)
    made = LayersDock()
    qtbot.addWidget(made)
    made.resize(480, 330)
    made.show()
    made.standing.take(loaded)
    return made


@pytest.fixture
def requests(dock):
    """What was requested; each request is shown as the window would."""
    heard = []

    def hear(fields):
        heard.append(fields)
        dock.standing.request(changed(dock.standing.requested, **fields))

    dock.requested.connect(hear)
    return heard


def cell(dock, row, column):
    return dock.tree.model().index(row, column)


def text(dock, row, column):
    return cell(dock, row, column).data()


def open_rank(dock, row):
    dock.tree.setCurrentIndex(cell(dock, row, RANK))
    dock.tree.edit(cell(dock, row, RANK))
    return dock.tree.findChild(QSpinBox)


def type_rank(dock, row, value):
    box = open_rank(dock, row)
    box.setValue(value)
    press_return(dock, box)


def press_return(dock, box):
    QTest.keyClick(box, Qt.Key.Key_Return)
    settle()  # the view commits after the key has been handled
    assert dock.tree.state() != dock.tree.State.EditingState


def click_box(dock, row):
    index, view = cell(dock, row, TRAINS), dock.tree
    option = QStyleOptionViewItem()
    option.initFrom(view)
    option.rect = view.visualRect(index)
    view.itemDelegateForIndex(index).initStyleOption(option, index)
    element = QStyle.SubElement.SE_ItemViewItemCheckIndicator
    box = view.style().subElementRect(element, option, view)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=box.center())


def select(dock, *rows):
    flags = QItemSelectionModel.SelectionFlag
    dock.tree.selectionModel().clear()
    for row in rows:
        dock.tree.selectionModel().select(cell(dock, row, NAME), flags.Select | flags.Rows)


def test_a_typed_rank_is_the_layers_own_within_its_limit(dock, requests):
    box = open_rank(dock, 2)
    assert (box.minimum(), box.maximum()) == (0, 10)
    assert box.value() == 8  # where it stands now
    box.setValue(5)
    press_return(dock, box)
    assert requests == [{"layer_ranks": (("fc3", 5),)}]
    assert text(dock, 2, RANK) == "8→5"
    applied = AppliedRecord(3, dock.standing.requested, ())
    dock.standing.take(applied)
    dock.note_applied(applied)
    assert text(dock, 2, RANK) == "5"
    assert [text(dock, row, RANK) for row in (0, 1)] == ["8", "8"]


def test_to_look_into_a_rank_and_leave_it_is_no_edit(dock, requests):
    press_return(dock, open_rank(dock, 0))
    assert requests == []


def test_below_one_the_layer_follows_the_common_rank_again(dock, requests):
    type_rank(dock, 1, 4)
    type_rank(dock, 1, 0)
    assert requests[-1] == {"layer_ranks": ()}
    dock.standing.request(Hyperparameters(rank=3))
    assert text(dock, 1, RANK) == "8→3"


def test_an_unticked_layer_is_frozen(dock, requests):
    click_box(dock, 1)
    assert requests == [{"frozen_layers": ("fc2",)}]
    assert cell(dock, 1, TRAINS).data(CHECK) == Qt.CheckState.Unchecked
    click_box(dock, 1)
    assert requests[-1] == {"frozen_layers": ()}


def test_an_edit_of_a_selected_row_is_one_of_all_that_are_selected(dock, requests):
    select(dock, 0, 2)
    model, box = dock.tree.model(), cell(dock, 2, TRAINS)
    model.setData(box, Qt.CheckState.Unchecked, CHECK)
    assert requests[-1] == {"frozen_layers": ("fc1", "fc3")}
    model.setData(cell(dock, 0, RANK), 32)  # more than fc3 can have
    assert requests[-1] == {"layer_ranks": (("fc1", 32), ("fc3", 10))}
    model.setData(cell(dock, 1, RANK), 6)  # not selected: alone
    assert requests[-1] == {"layer_ranks": (("fc1", 32), ("fc2", 6), ("fc3", 10))}
    assert [text for text in words(dock) if "3 with a per-layer rank · 2 frozen" in text]
    dock.reset_button.click()
    assert requests[-1] == {"layer_ranks": (), "frozen_layers": ()}
    assert dock.reset_button.isHidden()


def test_return_edits_and_ticks_without_a_mouse(dock, requests):
    dock.tree.setCurrentIndex(cell(dock, 1, TRAINS))
    QTest.keyClick(dock.tree, Qt.Key.Key_Return)
    assert requests == [{"frozen_layers": ("fc2",)}]
    dock.tree.setCurrentIndex(cell(dock, 1, NAME))
    QTest.keyClick(dock.tree, Qt.Key.Key_Return)
    assert dock.tree.findChild(QSpinBox) is not None


@pytest.mark.parametrize("case", ["full", "pissa", "stage"])
def test_a_locked_rank_cannot_be_opened_and_says_why(dock, loaded, case):
    reason = "pissa starts from a part of W that belongs to one rank"
    dock.standing.take(
        {
            "full": replace(loaded, variant="full"),
            "pissa": replace(
                loaded, layers=tuple(replace(i, rank_locked=reason) for i in loaded.layers)
            ),
            "stage": replace(loaded, stage="pretraining the base"),
        }[case]
    )
    index = cell(dock, 0, RANK)
    assert not index.flags() & Qt.ItemFlag.ItemIsEditable
    said = {
        "full": "full fine-tuning has no rank",
        "pissa": reason,
        "stage": "the base model is trained",
    }
    for tip in (
        index.data(Qt.ItemDataRole.ToolTipRole),
        dock.model.headerData(RANK, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole),
    ):
        assert tip.startswith(said[case])
    ticks = bool(cell(dock, 0, TRAINS).flags() & Qt.ItemFlag.ItemIsUserCheckable)
    assert ticks == (case != "stage")
    may = bool(cell(dock, 0, NAME).flags() & Qt.ItemFlag.ItemIsUserCheckable)
    assert may == (case != "stage")


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
    least = replace(broken, delta_norm=5e-324)  # no power of ten is as small
    dock.set_spectrum(SpectrumRecord(12, (least,)))
    dock.set_spectrum(SpectrumRecord(13, (broken,)))
    assert text(dock, 0, SIZE) == "not finite"


def test_a_cut_rank_has_its_price_told(dock):
    hyper = Hyperparameters(layer_ranks=(("fc1", 2),))
    applied = AppliedRecord(120, hyper, (("layer_ranks", "–", "fc1=2"),), (), 0.032)
    dock.standing.take(applied)
    dock.note_applied(applied)
    assert "discarded 3.2 % of the energy at step 120" in words(dock)
    applied = AppliedRecord(121, hyper, (("layer_ranks", "fc1=2", "–"),))
    dock.standing.take(applied)
    dock.note_applied(applied)
    assert not [text for text in words(dock) if "discarded" in text]


def tall(loaded, count=2000):
    """A model of `count` layers in blocks of seven, and a norm that cannot be adapted in each."""
    names = [f"model.layers.{i // 7}.part_{i % 7}" for i in range(count)]
    norms = [f"model.layers.{i}.norm" for i in range(-(-count // 7))]
    return replace(
        loaded,
        layers=tuple(LayerInfo(name, (64, 64), 4.0, max_rank=64) for name in names),
        adaptable=tuple(TargetInfo(name, "linear", (64, 64)) for name in names),
        modules=(
            *((name, "Linear", (64, 64), 4096) for name in names),
            *((name, "LayerNorm", (64,), 128) for name in norms),
        ),
    )


def measured(names, size=1.4, effective=2.0, rank=8):
    sigma = np.ones(2)
    return tuple(
        LayerSpectrum(name, sigma, 2, 2.0, effective, size, rank, 8.0, 1.0) for name in names
    )


def modules_shown(dock):
    return [node.name for node in dock.model.shown() if node.module is not None]


def row_of(dock, name, column=NAME):
    node = next(node for node in dock.model.shown() if node.name == name)
    return dock.model.index_of(node, column)


@pytest.mark.parametrize("alike", [True, False])
def test_thousands_of_rows_are_found_by_name_and_cost_what_is_seen(dock, loaded, alike):
    model = tall(loaded)
    names = [layer.name for layer in model.layers]
    dock.standing.take(model)
    assert dock.search.isVisible()
    assert dock.alike_button.isChecked()  # so many are seen at a glance
    dock.alike_button.setChecked(alike)
    dock.tree.expandAll()
    settle()
    asked = set()
    told = dock.model.facts.fact
    dock.model.facts.fact = lambda node, column: asked.add((node, column)) or told(node, column)
    resets = []
    dock.model.modelReset.connect(lambda: resets.append(1))
    for step in range(50):
        dock.set_spectrum(SpectrumRecord(step, measured(names)))
        dock.set_counts(CountsRecord(step, 0, 0, ()))
    settle()
    dock.tree.viewport().repaint()
    assert 0 < len(asked) < 2000  # cells in view, not the model's eighteen thousand
    assert resets == []
    dock.search.setText("PART_3")
    shown = modules_shown(dock)
    assert shown == [name for name in names if name.endswith("part_3")]
    heard = []
    dock.requested.connect(heard.append)
    dock.model.setData(row_of(dock, shown[4], RANK), 3)
    assert heard == [{"layer_ranks": ((shown[4], 3),)}]


def wide(loaded, path, count=60_000):
    names = [path.format(i) for i in range(count)]
    return replace(
        loaded,
        layers=tuple(LayerInfo(name, (64, 64), 4.0, max_rank=64) for name in names),
        adaptable=tuple(TargetInfo(name, "linear", (64, 64)) for name in names),
        modules=tuple((name, "Linear", (64, 64), 4096) for name in names),
    )


@pytest.fixture
def longest_turn(dock):
    """The longest turn of the window until the dock shows what an action asks for."""
    gc.collect()
    gc.disable()  # as the window does it, which collects between its turns

    def longest(action):
        began = thread_time()
        action()
        took = [thread_time() - began]
        while dock.model.busy or len(took) < 5:
            began = thread_time()
            QApplication.processEvents()
            took.append(thread_time() - began)
        return max(took)

    yield longest
    gc.enable()


@pytest.mark.parametrize("path", ["m{}", "h.{}.q", "{}"])
def test_sixty_thousand_rows_do_not_hold_the_window(dock, loaded, longest_turn, path):
    model = wide(loaded, path)
    took = {
        "load": longest_turn(lambda: dock.standing.take(model)),
        "search": longest_turn(lambda: dock.search.setText("77")),
        "clear": longest_turn(dock.search.clear),
        "tree": longest_turn(dock.alike_button.click),
        "sort": longest_turn(lambda: dock.tree.sort_by(NAME)),
        "rank": longest_turn(lambda: dock.standing.request(Hyperparameters(rank=3))),
    }
    assert max(took.values()) < 0.3, took  # in one piece: 1.5 s and more
    assert len(dock.model.shown()) < 3 * WIDEST


def test_layers_that_could_be_adapted_count_as_well(dock, loaded, longest_turn):
    model = replace(wide(loaded, "m{}"), layers=loaded.layers, modules=())
    assert longest_turn(lambda: dock.standing.take(model)) < 0.3


def test_rows_behind_the_first_are_one_that_stands_for_them(dock, loaded, longest_turn, requests):
    count = WIDEST + 3000
    longest_turn(lambda: dock.standing.take(wide(loaded, "h.{}.q", count)))
    group = dock.model.root.shown[0]
    assert len(group.layers) == count
    rest = group.shown[WIDEST]
    assert (rest.label, len(rest.layers)) == ("… + 3,000", 3000)
    dock.model.setData(dock.model.index_of(rest, RANK), 5)
    assert len(requests[-1]["layer_ranks"]) == 3000
    dock.tree.select([group.shown[0]])
    longest_turn(lambda: dock.tree.sort_by(NAME))
    longest_turn(lambda: dock.tree.header().setSortIndicator(NAME, Qt.SortOrder.DescendingOrder))
    assert group.shown[0].name == f"h.{count - 1}.q"
    assert dock.tree.selected() == []  # it is among those that have no row of their own
    longest_turn(lambda: dock.tree.sort_by(-1))
    dock.tree.select([group.shown[7]])
    dock.tree.select_alike()
    assert {m.name for n in dock.tree.selected() for m in n.leaves} == {
        layer.name for layer in group.layers
    }
    dock.tree.select([group.shown[7]])
    longest_turn(lambda: dock.search.setText("h.7"))
    assert [node.name for node in dock.tree.selected()] == ["h.7.q"]
    assert len(modules_shown(dock)) == sum(str(i).startswith("7") for i in range(count))


def test_another_search_takes_the_place_of_one_that_is_not_done(dock, loaded, longest_turn):
    dock.standing.take(wide(loaded, "m{}", 20_000))
    settle()
    dock.search.setText("m1")  # while modules are still read
    assert dock.model.root.shown == []
    settle()
    longest_turn(lambda: dock.search.setText("m12345"))
    assert modules_shown(dock) == ["m12345"]
    dock.standing.take(wide(loaded, "n{}", 20_000))
    dock.standing.take(loaded)
    longest_turn(lambda: None)
    assert modules_shown(dock) == ["fc1", "fc2", "fc3", "table"]


def test_the_search_keeps_what_stands_above_and_what_was_open_and_selected(dock, loaded):
    dock.standing.take(tall(loaded, 70))
    dock.alike_button.setChecked(False)
    dock.tree.expand(row_of(dock, "model.layers.3"))
    dock.tree.setCurrentIndex(row_of(dock, "model.layers.3.part_2"))
    was = [node.name for node in dock.model.shown() if is_open(dock, node)]
    dock.search.setText("layers.*.part_2")
    assert modules_shown(dock) == [f"model.layers.{i}.part_2" for i in range(10)]
    assert {"model", "model.layers", "model.layers.3"} <= {n.name for n in dock.model.shown()}
    assert all(is_open(dock, node) for node in dock.model.shown() if node.shown)
    assert [node.name for node in dock.tree.selected()] == ["model.layers.3.part_2"]
    dock.search.clear()
    assert [node.name for node in dock.model.shown() if is_open(dock, node)] == was
    assert [node.name for node in dock.tree.selected()] == ["model.layers.3.part_2"]


def is_open(dock, node):
    return dock.tree.isExpanded(dock.model.index_of(node))


def test_an_edit_of_a_group_is_one_of_all_that_it_shows(dock, loaded, requests):
    dock.standing.take(tall(loaded, 21))
    part_1 = row_of(dock, "model.layers.*.part_1", RANK)
    assert part_1.siblingAtColumn(NAME).data() == "model.layers.*.part_1 ×3"
    dock.model.setData(part_1, 5)
    assert requests[-1] == {"layer_ranks": tuple((f"model.layers.{i}.part_1", 5) for i in range(3))}
    assert part_1.data() == "→5"
    dock.search.setText("layers.2")
    trains = row_of(dock, "model.layers.*.part_0", TRAINS)
    assert trains.data(CHECK) == Qt.CheckState.Checked
    dock.model.setData(trains, Qt.CheckState.Unchecked, CHECK)
    assert requests[-1] == {
        "frozen_layers": ("model.layers.2.part_0",)
    }  # the others are sifted out
    dock.search.clear()
    trains = row_of(dock, "model.layers.*.part_0", TRAINS)
    assert trains.data(CHECK) == Qt.CheckState.PartiallyChecked
    assert "1 of 3 frozen" in trains.data(Qt.ItemDataRole.ToolTipRole)
    dock.model.setData(trains, Qt.CheckState.Checked, CHECK)
    assert requests[-1] == {"frozen_layers": ()}


def test_a_rank_typed_for_several_is_an_edit_though_the_first_has_it(dock, loaded, requests):
    dock.standing.take(tall(loaded, 21))
    dock.model.setData(row_of(dock, "model.layers.1.part_1", RANK), 5)
    rank = row_of(dock, "model.layers.*.part_1", RANK)
    for typed, requested in ((False, 1), (True, 2)):
        dock.tree.setCurrentIndex(rank)
        dock.tree.edit(rank)
        box = dock.tree.findChildren(QSpinBox)[-1]
        if typed:
            QTest.keyClicks(box, "8")
        press_return(dock, box)
        assert len(requests) == requested
        QApplication.processEvents()
    assert requests[-1] == {"layer_ranks": tuple((f"model.layers.{i}.part_1", 8) for i in range(3))}


def test_a_group_sums_up_and_tells_the_middle_and_the_largest(dock, loaded):
    model = tall(loaded, 21)
    dock.standing.take(model)
    dock.set_counts(CountsRecord(1, 0, 0, tuple((i.name, 1000) for i in model.layers)))
    sizes = {f"model.layers.{i}.part_4": size for i, size in enumerate((0.04, 0.4, 2.0))}
    rows = [
        replace(measured([name])[0], delta_norm=size, effective_rank=size + 1)
        for name, size in sizes.items()
    ]
    dock.set_spectrum(SpectrumRecord(1, tuple(rows)))
    row = row_of(dock, "model.layers.*.part_4")
    said = [row.siblingAtColumn(c).data() for c in (PARAMETERS, SIZE, EFFECTIVE)]
    assert said == ["3,000", "10 %", "1.4"]
    text, level, most = row.siblingAtColumn(SIZE).data(HEAT)
    assert (text, level, most) == ("10 %", pytest.approx(0.5), pytest.approx(0.8495, abs=1e-4))
    tip = row.siblingAtColumn(SIZE).data(Qt.ItemDataRole.ToolTipRole)
    assert "50 % in model.layers.2.part_4" in tip
    assert row.siblingAtColumn(EFFECTIVE).data(HEAT)[1] == pytest.approx(1.4 / 8)
    norm = row_of(dock, "model.layers.*.norm")
    assert [norm.siblingAtColumn(c).data() for c in (SHAPE, RANK, SIZE)] == ["64", "", ""]


@pytest.mark.parametrize(
    ("sizes", "levels", "ends"),
    [
        ((0.0039, 0.001), (0.7955, 0.5), "from 0.01 % to 1 %"),
        ((0.01, 0.0), (1.0, 0.0), "from 0.01 % to 1 %"),
        ((0.25, 0.0001), (0.9604, 0.0), "from 0.3 % to 30 %"),
        ((0.0, 0.0), (0.0, 0.0), "from 1 % to 100.0 %"),
    ],
)
def test_heat_goes_two_decades_down_from_about_the_largest(dock, loaded, sizes, levels, ends):
    rows = [replace(measured([f"fc{i + 1}"])[0], delta_norm=4 * s) for i, s in enumerate(sizes)]
    dock.set_spectrum(SpectrumRecord(1, tuple(rows)))
    shown = [cell(dock, row, SIZE).data(HEAT)[1] for row in range(2)]
    assert shown == pytest.approx(levels, abs=1e-3)
    tip = dock.model.headerData(SIZE, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole)
    assert tip.endswith(ends)


def test_who_moved_most_stands_first_and_stays_so_while_it_trains(dock, loaded, qtbot):
    dock.standing.take(tall(loaded, 21))
    header = dock.tree.header()
    at = header.sectionViewportPosition(SIZE) + header.sectionSize(SIZE) // 2
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(at, 8))
    dock.tree.setCurrentIndex(row_of(dock, "model.layers.*.part_0"))
    for order in ((3, 1, 0, 2, 5, 4, 6), (6, 5, 4, 3, 2, 1, 0)):
        rows = (
            measured([f"model.layers.{i}.part_{part}" for i in range(3)], size=1 / (1 + place))
            for place, part in enumerate(order)
        )
        dock.set_spectrum(SpectrumRecord(1, tuple(row for group in rows for row in group)))
        wanted = [*(f"model.layers.*.part_{part}" for part in order), "model.layers.*.norm"]
        qtbot.waitUntil(lambda w=wanted: [n.name for n in dock.model.root.shown] == w)
        assert [n.name for n in dock.tree.selected()] == ["model.layers.*.part_0"]
        assert dock.tree.currentIndex().row() == order.index(0)
    open_menu(dock)["Model order"].trigger()
    dock.menu.close()
    assert [n.name[-1] for n in dock.model.root.shown[:7]] == list("0123456")


def test_only_cells_that_say_something_else_are_announced(dock, loaded):
    dock.standing.take(tall(loaded, 21))
    names = [layer.name for layer in dock.model.root.layers]
    dock.set_spectrum(SpectrumRecord(1, measured(names)))
    settle()
    moved = []
    dock.model.dataChanged.connect(lambda first, last, _: moved.append((first, last)))
    dock.set_spectrum(SpectrumRecord(2, measured(names)))
    settle()
    assert moved == []
    dock.set_spectrum(SpectrumRecord(3, (*measured(names[:1], 4.0), *measured(names[1:]))))
    settle()
    assert [(dock.model.node(a).name, a.column(), a == b) for a, b in moved] == [
        ("model.layers.*.part_0", SIZE, True),  # its heat: another is the largest
        ("model.layers.0.part_0", SIZE, True),
    ]


# -- targets ---------------------------------------------------------------------------------


def test_a_module_that_is_not_adapted_is_muted_and_can_be_ticked(dock, loaded):
    heard = []
    dock.targets_requested.connect(heard.append)
    table = row_of(dock, "table")
    assert table.data(CHECK) == Qt.CheckState.Unchecked
    assert table.data(Qt.ItemDataRole.ForegroundRole).name() == theme.current().muted
    assert [table.siblingAtColumn(c).data() for c in (SHAPE, RANK, SIZE)] == ["16 × 64", "", ""]
    assert not table.siblingAtColumn(TRAINS).flags() & Qt.ItemFlag.ItemIsUserCheckable
    dock.tree.setCurrentIndex(table)
    QTest.keyClick(dock.tree, Qt.Key.Key_Space)
    assert heard == [{"fc1", "fc2", "fc3", "table"}]
    dock.set_targeted(heard[-1])
    assert table.data(CHECK) == Qt.CheckState.Checked
    assert table.data(Qt.ItemDataRole.ForegroundRole).name() == theme.current().warn
    assert "on Restart" in table.data(Qt.ItemDataRole.ToolTipRole)
    assert "On Restart: +1 adapted" in words(dock)
    assert dock.restart_button.isVisible()
    dock.undo_button.click()
    assert heard[-1] == {"fc1", "fc2", "fc3"}
    dock.set_targeted(heard[-1])
    assert dock.restart_button.isHidden() or not dock.restart_button.isVisible()


def test_what_cannot_be_a_target_has_no_tick(dock, loaded):
    dock.standing.take(tall(loaded, 21))
    norm = row_of(dock, "model.layers.*.norm")
    assert norm.data(CHECK) is None
    assert not norm.flags() & Qt.ItemFlag.ItemIsUserCheckable
    child = dock.model.index(0, NAME, norm)
    assert "cannot be adapted" in child.data(Qt.ItemDataRole.ToolTipRole)


def test_the_last_tick_stays(dock, loaded):
    heard = []
    dock.targets_requested.connect(heard.append)
    dock.tree.selectAll()
    dock.model.setData(row_of(dock, "fc1"), Qt.CheckState.Unchecked, CHECK)
    assert heard == []
    assert [text for text in words(dock) if "nothing would train" in text]


def test_a_head_that_is_trained_whole_has_no_rank_and_is_no_target(dock, loaded):
    whole = replace(loaded.layers[2], max_rank=0, rank_locked="full fine-tuning has no rank")
    dock.standing.take(replace(loaded, layers=(*loaded.layers[:2], whole)))
    head = row_of(dock, "fc3")
    assert head.siblingAtColumn(RANK).data() == "—"
    assert not head.flags() & Qt.ItemFlag.ItemIsUserCheckable
    assert "fully trained" in head.data(Qt.ItemDataRole.ToolTipRole)


# -- keys and the menu -----------------------------------------------------------------------


def entries(dock):
    return {action.text().replace("&", ""): action for action in dock.menu.actions()}


def open_menu(dock, key=True):
    if key:
        QTest.keyClick(dock.tree, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    else:
        event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint())
        QApplication.sendEvent(dock.tree.viewport(), event)
    assert dock.menu.isVisible()
    return entries(dock)


@pytest.mark.parametrize("key", [True, False])
def test_the_menu_does_what_its_entries_say(dock, requests, key):
    select(dock, 0, 1)
    said = open_menu(dock, key)
    assert not said["Unfreeze"].isEnabled()
    assert not said["Use the default rank"].isEnabled()
    assert not said["Show its spectrum"].isEnabled()  # two are selected
    said["Freeze"].trigger()
    assert requests[-1] == {"frozen_layers": ("fc1", "fc2")}
    dock.menu.close()
    open_menu(dock, key)["Unfreeze"].trigger()
    assert requests[-1] == {"frozen_layers": ()}
    dock.menu.close()
    open_menu(dock, key)["Copy name"].trigger()
    assert QApplication.clipboard().text() == "fc1\nfc2"
    dock.menu.close()
    open_menu(dock, key)["Per-layer rank…"].trigger()
    dock.menu.close()
    box = dock.tree.findChild(QSpinBox)
    box.setValue(3)
    press_return(dock, box)
    assert requests[-1] == {"layer_ranks": (("fc1", 3), ("fc2", 3))}
    open_menu(dock, key)["Use the default rank"].trigger()
    assert requests[-1] == {"layer_ranks": ()}
    dock.menu.close()


def test_the_menu_targets_and_selects_those_alike(dock, loaded):
    heard = []
    dock.targets_requested.connect(heard.append)
    dock.standing.take(tall(loaded, 35))
    dock.alike_button.setChecked(False)
    dock.tree.collapseAll()
    dock.tree.expand(row_of(dock, "model"))
    dock.tree.setCurrentIndex(row_of(dock, "model.layers.2.part_5"))
    said = open_menu(dock)
    assert not said["Adapt on Restart"].isEnabled()
    said["Select all of this type"].trigger()
    alike = [f"model.layers.{i}.part_5" for i in range(5)]
    assert sorted(node.name for node in dock.tree.selected()) == alike
    assert all(dock.tree.visualRect(row_of(dock, name)).isValid() for name in alike)
    dock.menu.close()
    open_menu(dock)["Leave out on Restart"].trigger()
    dock.menu.close()
    assert heard[-1] == {layer.name for layer in tall(loaded, 35).layers} - set(alike)


def test_rows_are_sorted_without_a_mouse(dock):
    dock.tree.setCurrentIndex(cell(dock, 0, NAME))
    assert not open_menu(dock)["Model order"].isEnabled()
    dock.menu.close()
    dock.tree.setCurrentIndex(cell(dock, 0, SHAPE))
    open_menu(dock)["Sort by out × in"].trigger()
    dock.menu.close()
    assert [n.name for n in dock.model.root.shown] == ["fc1", "fc2", "table", "fc3"]
    assert dock.tree.currentIndex() == cell(dock, 0, SHAPE)


def test_every_cell_is_reached_with_the_arrows(dock, loaded):
    dock.standing.take(tall(loaded, 21))
    view = dock.tree
    view.collapseAll()
    view.setCurrentIndex(row_of(dock, "model.layers.*.part_1"))
    name = view.currentIndex
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.isExpanded(name())
    assert name().column() == NAME
    passed = []
    while not passed or name().column() != passed[-1]:
        passed.append(name().column())
        QTest.keyClick(view, Qt.Key.Key_Right)
    hidden = {SHAPE} if view.header().isSectionHidden(SHAPE) else set()
    assert passed == [c for c in range(EFFECTIVE + 1) if c not in hidden]
    for _ in passed[1:]:
        QTest.keyClick(view, Qt.Key.Key_Left)
    assert name().column() == NAME
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert not view.isExpanded(name())


def test_a_narrow_dock_leaves_shapes_to_the_wide_one(dock, loaded, qtbot):
    dock.standing.take(tall(loaded, 21))
    dock.resize(400, 330)
    qtbot.waitUntil(lambda: dock.tree.header().isSectionHidden(SHAPE))
    dock.resize(900, 330)
    qtbot.waitUntil(lambda: not dock.tree.header().isSectionHidden(SHAPE))
    tip = row_of(dock, "model.layers.*.part_1").data(Qt.ItemDataRole.ToolTipRole)
    assert "64 × 64" in tip


def test_why_a_layer_is_no_part_of_all_linear_is_in_its_tip(dock, loaded):
    why = "PEFT refuses part_1"
    record = tall(loaded, 21)
    adaptable = tuple(
        replace(x, left_out=why) if x.name.endswith("part_1") else x for x in record.adaptable
    )
    dock.standing.take(replace(record, adaptable=adaptable))
    tips = [
        row_of(dock, f"model.layers.*.part_{i}").data(Qt.ItemDataRole.ToolTipRole) for i in (1, 2)
    ]
    assert [why in tip for tip in tips] == [True, False]


def layer_shown(spectrum):
    """The name in the list above the singular values."""
    return named(spectrum, "Layer whose singular values are shown", QComboBox).currentText()


# -- in the window ---------------------------------------------------------------------------


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.layers_dock.raise_()
    qtbot.waitUntil(window.layers_dock.tree.isVisible)
    return window


def test_edits_go_with_the_sliders_in_one_snapshot(qtbot, opened, sessions_made):
    dock = opened.layers_dock
    type_rank(dock, 0, 3)
    click_box(dock, 1)
    opened.hyper_dock.sliders["rank"].edit.setValue(5)
    expected = changed(
        Hyperparameters(), rank=5, alpha=10, layer_ranks=(("fc1", 3),), frozen_layers=("fc2",)
    )
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
    dock.tree.model().setData(click_box_of_selection, Qt.CheckState.Unchecked, CHECK)
    qtbot.waitUntil(lambda: opened.notice_bar.notice is not None)
    assert "nothing would train" in opened.notice_bar.notice.message
    states = [cell(dock, row, TRAINS).data(CHECK) for row in range(3)]
    assert states == [Qt.CheckState.Unchecked, Qt.CheckState.Checked, Qt.CheckState.Checked]
    assert opened.hyper_dock.requested.frozen_layers == ("fc1",)
    opened.hyper_dock.sliders["alpha"].edit.setValue(4)  # the refused part is not asked for again
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.alpha == 4)


def test_the_selected_row_is_the_layer_that_the_spectrum_shows(opened):
    spectrum = next(panel for panel in opened.panels if panel.key == "spectrum")
    select(opened.layers_dock, 1)
    assert layer_shown(spectrum) == "fc2"
    select(opened.layers_dock, 0, 1)
    assert layer_shown(spectrum) == "All layers"


def test_a_restart_takes_along_what_the_new_layers_can_have(qtbot, opened, sessions_made):
    type_rank(opened.layers_dock, 0, 3)
    type_rank(opened.layers_dock, 1, 4)
    fixed = opened.setup_dock.fixed
    fixed.targets.choose()
    fixed.targets.dialog.model.tick(["fc2"], False)
    fixed.targets.dialog.accept()
    opened.setup_dock.restart_button.click()
    qtbot.waitUntil(lambda: len(sessions_made) == 2)
    assert sessions_made[1].config.targets == ("fc1", "fc3")
    assert sessions_made[1].config.hyper.layer_ranks == (("fc1", 3),)


def test_a_tick_is_seen_in_the_setup_and_a_restart_obeys_it(qtbot, opened, sessions_made):
    dock, setup = opened.layers_dock, opened.setup_dock
    dock.model.setData(row_of(dock, "table"), Qt.CheckState.Checked, CHECK)
    assert setup.fixed.targets.text() == "4 layers"
    assert setup.restart_button.isVisible()
    dock.model.setData(row_of(dock, "fc2"), Qt.CheckState.Unchecked, CHECK)
    assert "On Restart: +1, −1 adapted" in words(dock)
    dock.undo_button.click()
    assert setup.fixed.targets.text() == "all linear · 3 layers"
    assert not dock.restart_button.isVisible()
    setup.fixed.targets.choose()
    setup.fixed.targets.dialog.model.tick(["fc2"], False)
    setup.fixed.targets.dialog.accept()
    assert row_of(dock, "fc2").data(CHECK) == Qt.CheckState.Unchecked  # there it is seen as well
    dock.restart_button.click()
    qtbot.waitUntil(lambda: len(sessions_made) == 2)
    assert sessions_made[1].config.targets == ("fc1", "fc3")
    qtbot.waitUntil(lambda: not dock.restart_button.isVisible())
    assert row_of(dock, "fc2").data(CHECK) == Qt.CheckState.Unchecked


def test_the_menu_brings_the_spectrum_into_view(opened):
    spectrum = next(panel for panel in opened.panels if panel.key == "spectrum")
    dock = opened.layers_dock
    around = [each for each in opened.findChildren(QDockWidget) if each.widget() is spectrum]
    around[0].hide()
    dock.tree.setCurrentIndex(cell(dock, 2, NAME))
    open_menu(dock)["Show its spectrum"].trigger()
    dock.menu.close()
    assert spectrum.isVisible()
    assert layer_shown(spectrum) == "fc3"
