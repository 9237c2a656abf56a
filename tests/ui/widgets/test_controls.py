"""The wheel moves what was clicked for it alone, and numbers are taken as typed or refused."""

import ast
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QSlider,
    QStyleOptionComboBox,
    QVBoxLayout,
    QWidget,
)

import lora_lab
from lora_lab.ui.widgets.controls import Combo, Number, Slider, Whole
from tests.ui.seen import put

ROOM = Path(lora_lab.__file__).parent / "ui"
RAW = {"QComboBox", "QSpinBox", "QDoubleSpinBox", "QSlider", "QDial"}


def turn(widget, notches=3):
    """Turn the wheel over a widget; whether the widget took the event."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, widget.mapToGlobal(at), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


@pytest.fixture
def page(qtbot):
    page = QWidget()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    combo = Combo()
    combo.addItems(list("abcdef"))
    combo.setCurrentIndex(3)
    number, whole, slider = Number(0, 10), Whole(0, 10), Slider()
    slider.setRange(0, 10)
    for box in (number, whole, slider):
        box.setValue(5)
    page.controls = {"combo": combo, "number": number, "whole": whole, "slider": slider}
    for control in page.controls.values():
        column.addWidget(control)
    page.show()
    with qtbot.waitActive(page):
        page.activateWindow()
    return page


def state(control):
    return control.currentIndex() if isinstance(control, QComboBox) else control.value()


NAMES = ("combo", "number", "whole", "slider")


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_over_what_was_not_clicked_scrolls_the_page(page, name):
    control = page.controls[name]
    before = state(control)
    assert not turn(control)
    control.setFocus(Qt.FocusReason.TabFocusReason)
    assert control.hasFocus()
    assert not turn(control), "the keyboard's focus is no click"
    assert state(control) == before
    other = page.controls["whole" if name != "whole" else "number"]
    other.setFocus(Qt.FocusReason.MouseFocusReason)
    assert not turn(control)
    assert not control.hasFocus(), "nor does the wheel take the focus"
    assert state(control) == before


@pytest.mark.parametrize("name", NAMES)
def test_the_wheel_moves_what_was_clicked(page, qtbot, name):
    control = page.controls[name]
    before = state(control)
    inner = control.lineEdit() if isinstance(control, QAbstractSpinBox) else control
    control.setFocus(Qt.FocusReason.TabFocusReason)
    if name == "combo":
        control.showPopup = lambda: None  # as if it had been opened and closed
    qtbot.mouseClick(inner, Qt.MouseButton.LeftButton, pos=inner.rect().center())
    turn(control)
    assert state(control) != before
    control.by_wheel = False
    before = state(control)
    assert not turn(control), "what the wheel never moves"
    assert state(control) == before


def test_no_room_of_the_window_has_a_control_of_its_own_kind():
    """Else the wheel and typed numbers would mean something else there."""
    found = []
    for path in ROOM.rglob("*.py"):
        if path.name == "controls.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            bases = node.bases if isinstance(node, ast.ClassDef) else ()
            names = {node.func.id} if called else {b.id for b in bases if isinstance(b, ast.Name)}
            found += [f"{path.name}: {name}" for name in names & RAW]
    assert found == []


def test_preset_device_and_rank_are_never_moved_by_the_wheel(lab):
    lab.show()
    setup, rank = lab.setup_dock, lab.hyper_dock.sliders["rank"]
    for control in (setup.preset_combo, setup.device_combo, rank.slider, rank.edit):
        before = state(control)
        control.setFocus(Qt.FocusReason.MouseFocusReason)
        turn(control)
        turn(control, -3)
        assert state(control) == before


def test_no_control_of_the_window_moves_under_a_wheel_that_passes(lab):
    lab.show()
    controls = [
        control
        for kind in (QComboBox, QAbstractSpinBox, QSlider)
        for control in lab.findChildren(kind)
        if control.isVisible() and control.isEnabled()
    ]
    assert len(controls) > 10
    before = [state(control) for control in controls]
    for control in controls:
        turn(control, 1)
        turn(control, -1)
        turn(control, -1)
    assert [state(control) for control in controls] == before


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("r 7", 7), ("7 steps", 7), ("r 7 steps", 7), ("1,000", 1000), ("1e2", 100)],
)
def test_what_stands_before_and_after_a_number_is_no_part_of_it(qtbot, text, value):
    box = Whole(0, 2000)
    qtbot.addWidget(box)
    box.setPrefix("r ")
    box.setSuffix(" steps")
    box.show()
    put(qtbot, box, text)
    assert (box.value(), box.reason) == (value, "")


def test_a_word_may_stand_for_the_least_value(qtbot):
    box = Whole(0, 9)
    qtbot.addWidget(box)
    box.setSpecialValueText("common")
    box.setValue(4)
    box.show()
    put(qtbot, box, "common")
    assert box.value() == 0
    put(qtbot, box, "4")
    put(qtbot, box, "")
    assert (box.value(), box.text()) == (0, "common")


def test_a_refusal_is_told_once_it_is_meant_and_ends_with_the_next_key(qtbot):
    box = Number(0, 1)
    qtbot.addWidget(box)
    box.setValue(0.25)
    box.show()
    told = []
    box.refused.connect(told.append)
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "25")
    assert (box.reason, told) == ("", []), "it may become 25 %"
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert told == ["25 is above the largest value, 1."]
    assert box.value() == 0.25
    qtbot.keyClicks(box, "0")
    assert box.reason == ""


def test_thousands_stand_apart_in_one_way_whatever_the_locale(qtbot):
    from PySide6.QtCore import QLocale

    box = Whole(0, 10**6)
    qtbot.addWidget(box)
    for language in (QLocale.Language.German, QLocale.Language.Arabic, QLocale.Language.C):
        box.setLocale(QLocale(language))
        box.setValue(1)
        box.setValue(40_000)
        assert box.text() == "40,000"


def test_one_is_counted_as_one(qtbot):
    box = Whole(1, 20)
    qtbot.addWidget(box)
    box.count_in(" seed", " seeds")
    shown = [box.text()]
    box.setValue(3)
    shown.append(box.text())
    box.setValue(1)
    assert [*shown, box.text()] == ["1 seed", "3 seeds", "1 seed"]


def test_space_trains_from_a_box_where_nothing_is_being_typed(lab, qtbot):
    box = lab.hyper_dock.sliders["alpha"].edit
    told = []
    lab.commands.train.setEnabled(True)
    lab.commands.train.triggered.connect(lambda: told.append("train"))
    lab.activateWindow()
    qtbot.waitUntil(lab.isActiveWindow)
    lab.hyper_dock.setEnabled(True)
    put(qtbot, box, "24")
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert told == ["train"]
    assert box.text() == "24"
    box.lineEdit().selectAll()
    qtbot.keyClicks(box, "1 000")
    assert told == ["train"], "there it parts thousands"
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 1000


@pytest.mark.parametrize(("width", "shown"), [(400, "random subspace"), (90, "…")])
def test_a_choice_that_does_not_fit_ends_in_dots_and_keeps_its_name(qtbot, width, shown):
    combo = Combo()
    qtbot.addWidget(combo)
    combo.addItem("random subspace")
    combo.resize(width, combo.sizeHint().height())
    option = QStyleOptionComboBox()
    combo.initStyleOption(option)
    assert option.currentText.endswith(shown)
    assert combo.currentText() == "random subspace"
