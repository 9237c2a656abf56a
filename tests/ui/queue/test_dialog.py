"""The window of the queue through its widgets: lining up, ordering, choosing, reusing."""

import pytest
from PySide6.QtCore import QEvent, QModelIndex, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPalette
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.records import State
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.queue import DONE, RUNNING, WAITING
from lora_lab.ui.queue.table import BEST, RANK, SHARE, STAR, STATE
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.plot import Plot
from tests.ui.seen import settle, words

Move = Qt.DropAction.MoveAction


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def flow(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.queue.trigger()
    return window.flows.queue


@pytest.fixture
def dialog(flow):
    return flow.dialog


def fill(edit, text):
    edit.clear()
    QTest.keyClicks(edit, text)


def ranks(flow):
    return [item.config.hyper.rank for item in flow.runner.queue.items]


def line_up(flow, text="1, 2, 3, 4"):
    fill(flow.dialog.builder.rank_edit, text)
    flow.dialog.builder.add_button.click()
    return [item.id for item in flow.runner.queue.items]


def test_a_grid_is_counted_while_it_is_written_and_added(qtbot, flow, dialog):
    builder = dialog.builder
    fill(builder.rank_edit, "1, 2, 4, 99")
    fill(builder.alpha_edit, "2r")
    fill(builder.rate_edit, "1e-3, 1e-4")
    fill(builder.steps_edit, "1,500")
    builder.seeds_box.setValue(2)
    qtbot.waitUntil(lambda: builder.preview.text() == "12 runs, time not known yet · 4 left out")
    assert builder.reasons.text() == (
        "r 99 · lr 0.001 · seed 0 and 3 more: rank 99 is above what any of the layers can use, 64"
    )
    assert builder.add_button.text() == "&Add 12 runs"
    QTest.keyClick(builder.rank_edit, Qt.Key.Key_Return)
    configs = [item.config for item in flow.runner.queue.items]
    assert len(configs) == 12
    assert {(c.hyper.rank, c.hyper.alpha) for c in configs} == {(1, 2.0), (2, 4.0), (4, 8.0)}
    assert {c.hyper.learning_rate for c in configs} == {1e-3, 1e-4}
    assert {c.max_steps for c in configs} == {1500}
    assert {c.seed for c in configs} == {0, 1}


def test_kinds_and_targets_are_picked(qtbot, flow, dialog):
    builder = dialog.builder
    assert "current: LoRA" in words(builder.variants)
    for picks, names in ((builder.variants, ("rslora", "dora")), (builder.inits, ("pissa",))):
        for name in names:
            button = picks.buttons[name]
            button.setFocus()
            QTest.keyClick(button, Qt.Key.Key_Space)
    fill(builder.targets_edit, "fc1; fc2, fc3")
    qtbot.waitUntil(lambda: builder.preview.text().startswith("4 runs"))
    assert not [text for text in words(builder.variants) if text]
    builder.add_button.click()
    found = {(i.config.variant, i.config.init, i.config.targets) for i in flow.runner.queue.items}
    assert found == {
        (variant, "pissa", targets)
        for variant in ("rslora", "dora")
        for targets in (("fc1",), ("fc2", "fc3"))
    }


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("rank_edit", "two", "rank 'two' is not a whole number."),
        ("alpha_edit", "2x", "alpha '2x' is not a number, or a multiple of the rank such as 2r."),
        ("steps_edit", "many", "'many' is not a number"),
        ("rank_edit", "99", "0 runs, about 0 s · 1 left out"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_can_be_added(qtbot, flow, dialog, field, text, said):
    fill(getattr(dialog.builder, field), text)
    qtbot.waitUntil(lambda: dialog.builder.preview.text().startswith(said))
    assert not dialog.builder.add_button.isEnabled()
    assert flow.runner.queue.items == ()


def test_what_the_docks_show_is_added_as_it_stands(qtbot, flow, dialog, window):
    window.hyper_dock.request(rank=5, learning_rate=0.02)
    window.setup_dock.fixed.controls["max_steps"].setValue(123)
    fill(dialog.builder.rank_edit, "7")  # the form is another way to add
    dialog.builder.docks_button.click()
    (item,) = flow.runner.queue.items
    hyper = item.config.hyper
    assert (hyper.rank, hyper.learning_rate, item.config.max_steps) == (5, 0.02, 123)
    dialog.activated.emit()
    assert dialog.builder.rate_edit.placeholderText() == "0.02"
    assert dialog.builder.steps_edit.placeholderText() == "123"


def test_rows_move_by_key_button_and_drag(qtbot, flow, dialog):
    ids = line_up(flow)
    table = dialog.table
    table.selectRow(2)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert ranks(flow) == [1, 3, 2, 4]
    assert table.current.id == ids[2]  # the row moves with its selection
    QTest.keyClick(table, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert ranks(flow) == [3, 1, 2, 4]
    assert not dialog.up_button.isEnabled()
    QTest.keyClick(table, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    dialog.down_button.click()
    assert ranks(flow) == [1, 2, 3, 4]
    model = table.queue
    dragged = model.mimeData([model.index(3, 0)])
    assert model.dropMimeData(dragged, Move, 1, 0, QModelIndex()) is False
    assert ranks(flow) == [1, 4, 2, 3]
    model.dropMimeData(dragged, Move, -1, -1, QModelIndex())  # below the last row
    assert ranks(flow) == [1, 2, 3, 4]


def test_what_has_run_can_be_neither_dragged_nor_moved(flow, dialog):
    ids = line_up(flow)
    flow.runner.queue.note(ids[0], state=DONE)
    flow.runner.queue.note(ids[1], state=RUNNING)
    flow.start()
    drags = [
        bool(
            dialog.table.queue.flags(dialog.table.queue.index(row, 0))
            & Qt.ItemFlag.ItemIsDragEnabled
        )
        for row in range(4)
    ]
    assert drags == [False, False, True, True]
    dialog.table.selectRow(0)
    assert not dialog.down_button.isEnabled()
    dialog.table.selectRow(2)
    assert not dialog.up_button.isEnabled()
    assert dialog.down_button.isEnabled()


def test_rows_are_removed_and_what_has_ended_is_cleared(qtbot, flow, dialog):
    ids = line_up(flow, "1, 2, 3, 4, 5")
    flow.runner.queue.note(ids[0], state=DONE)
    flow.start()
    dialog.table.selectRow(2)
    dialog.table.setFocus()
    QTest.keyClick(dialog.table, Qt.Key.Key_Delete)
    assert ranks(flow) == [1, 2, 4, 5]
    assert dialog.table.currentIndex().row() == 2  # ready for the next one
    QTest.keyClick(dialog.table, Qt.Key.Key_Delete)
    assert ranks(flow) == [1, 2, 5]
    dialog.clear_button.click()
    assert ranks(flow) == [2, 5]
    assert not dialog.clear_button.isEnabled()


def test_table_and_plot_show_what_came_of_each(qtbot, flow, dialog):
    ids = line_up(flow, "1, 2, 3")
    note = flow.runner.queue.note
    note(ids[0], state=DONE, step=70_000, best=0.5, parameters=100, seconds=61.0)
    note(ids[1], state=DONE, step=70_000, best=0.6, parameters=200, seconds=2.0)
    note(ids[2], state=RUNNING, step=35_000, max_steps=70_000, best=0.4, parameters=300)
    flow.start()
    model = dialog.table.queue

    def column(place, role=Qt.ItemDataRole.DisplayRole):
        return [model.index(row, place).data(role) for row in range(3)]

    assert column(STAR) == ["★", "", ""]  # the second is beaten, the third not at its end
    assert column(RANK) == ["1", "2", "3"]
    assert column(STATE) == ["done", "done", "running 50 %"]
    assert column(STATE, SHARE) == [None, None, 0.5]
    assert column(BEST) == ["0.5000", "0.6000", "0.4000"]
    plot = dialog.plot
    spots = (*plot.marks.points(), *plot.moving.points())
    places = {spot.data(): (spot.pos().x(), spot.pos().y()) for spot in spots}
    assert places[ids[1]] == pytest.approx((2.30103, -0.22185), abs=1e-4)
    assert len(places) == 3
    picture = plot.findChild(Plot)
    assert picture.shown()["front"][1].max() == pytest.approx(
        -0.30103
    )  # the front: the first run alone
    assert "100: 0.500" in picture.accessibleDescription()
    dialog.table.selectRow(0)
    settle()  # the plot has just got its room
    scene = plot.marks.mapToScene(plot.marks.points()[1].pos())
    at, screen = picture.mapFromScene(scene), picture.viewport()
    # Sent to the widget itself: where windows overlap, a moved cursor may be over another one.
    none = Qt.MouseButton.NoButton
    move = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(at), screen.mapToGlobal(QPointF(at)), none, none,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(screen, move)
    assert picture.view.toolTip().startswith("r 2 · α 16")
    assert "200 parameters, loss 0.6000" in picture.view.toolTip()
    QTest.mouseClick(screen, Qt.MouseButton.LeftButton, pos=at)
    qtbot.waitUntil(lambda: dialog.table.current.id == ids[1])
    assert picture.shown()["selected"][0].tolist() == pytest.approx([2.30103], abs=1e-4)


def test_a_step_of_the_run_in_hand_touches_its_own_row_and_mark(flow, dialog, monkeypatch):
    ids = line_up(flow, "1, 2, 3, 4")
    note = flow.runner.queue.note
    note(ids[0], state=DONE, step=9, max_steps=9, best=0.5, parameters=100, seconds=61.0)
    note(ids[1], state=RUNNING, step=3, max_steps=9, best=0.4, parameters=200)
    flow.start()
    model, plot = dialog.table.queue, dialog.plot
    rows, drawn = [], []
    model.dataChanged.connect(lambda first, last: rows.append((first.row(), last.row())))
    model.modelAboutToBeReset.connect(lambda: rows.append("all"))
    for name in ("marks", "moving"):
        marks = getattr(plot, name)
        monkeypatch.setattr(
            marks, "setData",
            lambda *data, name=name, does=marks.setData: drawn.append(name) or does(*data),
        )  # fmt: skip
    note(ids[1], step=4, keep=False)
    flow.start()
    assert (rows, drawn) == ([(1, 1)], [])
    assert model.index(1, STATE).data() == "running 44 %"
    note(ids[1], step=5, best=0.3, keep=False)
    flow.start()
    assert (rows, drawn) == ([(1, 1), (1, 1)], ["moving"])
    assert plot.moving.points()[0].pos().y() == pytest.approx(-0.52288, abs=1e-4)
    rows.clear()
    note(ids[1], state=DONE, step=9, best=0.3, parameters=90, keep=False)
    flow.start()
    assert rows == [(0, 0), (1, 1)]  # the first one has lost its star
    assert [model.index(row, STAR).data() for row in range(2)] == ["", "★"]
    assert drawn == ["moving", "marks", "moving"]
    assert len(plot.marks.points()) == 2
    assert len(plot.moving.points()) == 0
    plot.setPalette(QPalette(Qt.GlobalColor.darkBlue))  # another scheme
    assert drawn == ["moving", "marks", "moving", "marks", "moving"]


def test_marks_of_kinds_differ_in_shape_and_colour(flow, dialog):
    for name in ("lora", "rslora", "dora", "full"):
        dialog.builder.variants.buttons[name].click()
    ids = line_up(flow, "2")
    for place, id in enumerate(ids, 1):
        flow.runner.queue.note(id, state=DONE, best=1 / place, parameters=10**place)
    flow.start()
    spots = dialog.plot.marks.points()
    assert len({spot.symbol() for spot in spots}) == 4
    assert len({spot.brush().color().name() for spot in spots}) == 4
    legend = dialog.plot.findChild(Legend)
    dialog.plot.resize(1000, 300)
    assert all(sample in legend.text() for sample in "●■▲◆")
    assert "best for its size" in legend.text()
    dialog.plot.resize(200, 300)  # no half a word, and the rest where the mouse rests
    assert "best" not in legend.text()
    assert "best for its size" in legend.toolTip()


def test_settings_of_a_row_are_reused_in_the_docks(qtbot, flow, dialog, window):
    fill(dialog.builder.rate_edit, "0.0125")
    line_up(flow, "3")
    dialog.table.selectRow(0)
    dialog.reuse_button.click()
    qtbot.waitUntil(lambda: window.hyper_dock.requested.rank == 3)
    assert window.hyper_dock.requested.learning_rate == 0.0125
    assert flow.runner.queue.items[0].state == WAITING


def test_settings_of_an_old_run_are_opened_or_added(qtbot, flow, dialog, window, presets, home):
    old = changed(presets[0].config, max_steps=77, hyper={"rank": 6, "alpha": 3.0})
    RunFolder.create(paths.runs(), "old").write_config(old)
    dialog.old_button.click()
    picker = flow.old_runs
    qtbot.waitUntil(lambda: len(picker.runs) == 1)
    heads = [picker.table.model().headerData(at, Qt.Orientation.Horizontal) for at in range(7)]
    assert heads == ["Run", "Task", "Adapter", "r", "α", "Steps", "Best loss"]
    picker.add_button.click()
    qtbot.waitUntil(lambda: [item.config for item in flow.runner.queue.items] == [old])
    dialog.old_button.click()
    qtbot.waitUntil(lambda: picker.isVisible() and picker.open_button.isEnabled())
    picker.open_button.click()
    qtbot.waitUntil(lambda: window.hyper_dock.requested.rank == 6)
    assert window.setup_dock.fixed.controls["max_steps"].value() == 77
    (home / "runs" / "old" / "config.json").write_text("{}")
    dialog.old_button.click()
    picker.add_button.click()
    qtbot.waitUntil(lambda: "does not hold the settings" in picker.message.text())
    assert len(flow.runner.queue.items) == 1


def test_before_anything_is_open_the_form_says_so(window):
    window.commands.queue.trigger()
    builder = window.flows.queue.dialog.builder
    assert builder.preview.text() == "Nothing is open."
    assert not builder.docks_button.isEnabled()
    assert not builder.add_button.isEnabled()


def test_every_widget_is_named_and_within_reach_of_the_keyboard(dialog):
    from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QLineEdit, QTableView

    for kind in (QAbstractButton, QLineEdit, QAbstractSpinBox, QTableView):
        for widget in dialog.findChildren(kind):
            if widget.parent() in dialog.findChildren(QAbstractSpinBox) or not widget.isVisible():
                continue
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            assert widget.accessibleName() or text, widget
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget
