"""A slider requests what a person does, says what is applied, and is silent about the program."""

import pytest
from PySide6.QtCore import Qt

from lora_lab.hyperparameters import KNOBS
from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.train.field_slider import FieldSlider
from lora_lab.ui.train.notches import notches, stepped
from tests.ui.seen import named, settle, timer


@pytest.fixture
def make(qtbot):
    def build(field):
        widget = FieldSlider(field, KNOBS[field])
        qtbot.addWidget(widget)
        widget.told, widget.passed = [], []
        widget.requested.connect(lambda name, value: widget.told.append((name, value)))
        widget.moved.connect(lambda name, value: widget.passed.append((name, value)))
        widget.show()
        return widget

    return build


@pytest.mark.parametrize("field", KNOBS)
def test_notches_rise_and_reach_both_ends(field):
    knob = KNOBS[field]
    values = notches(knob, field == "rank", knob.maximum)
    assert values == sorted(set(values))
    assert values[0] == knob.minimum
    assert values[-1] == knob.maximum
    assert all(len(plain_number(v).split("e")[0].replace("0.", "")) <= 5 for v in values)


def test_notches_hold_the_values_people_use():
    rank = notches(KNOBS["rank"], True, 100)
    assert rank[:16] == list(range(1, 17))
    assert {32, 64, 100} <= set(rank)
    assert {0.125, 0.5, 1, 2, 8, 16, 24, 512} <= set(notches(KNOBS["alpha"], False, 1024))
    rates = notches(KNOBS["learning_rate"], False, 1.0)
    assert {1e-6, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3} <= set(rates)
    assert notches(KNOBS["weight_decay"], False, 0.5)[:3] == [0.0, 0.01, 0.02]


@pytest.mark.parametrize("field", KNOBS)
def test_setting_by_program_emits_nothing_and_keeps_the_value_exactly(make, field):
    widget = make(field)
    value = 13 if field == "rank" else 0.1234567
    widget.setValue(value)
    widget.set_applied(value)
    widget.setMaximum(KNOBS[field].maximum)
    settle()
    assert not timer(widget).isActive(), "nothing is about to be said either"
    assert widget.value() == value
    assert widget.told == widget.passed == []


def test_live_knob_requests_at_every_move(make):
    widget = make("alpha")
    widget.setValue(16.0)
    for _ in range(3):
        widget.slider.triggerAction(widget.slider.SliderAction.SliderSingleStepAdd)
    assert widget.told == widget.passed == [("alpha", 18.0), ("alpha", 20.0), ("alpha", 22.0)]


def test_rank_requests_on_release_but_previews_every_move(make):
    widget = make("rank")
    widget.setMaximum(64)
    widget.setValue(8)
    widget.slider.setSliderDown(True)
    for position in (9, 10, 11):
        widget.slider.setValue(position)
    assert len(widget.passed) == 3
    assert widget.told == []
    widget.slider.setSliderDown(False)
    assert widget.told == [("rank", 12)]
    assert isinstance(widget.told[0][1], int)


def test_rank_requests_after_a_rest_while_held(make, qtbot):
    widget = make("rank")
    widget.slider.setSliderDown(True)
    widget.slider.setValue(2)
    qtbot.waitUntil(lambda: widget.told == [("rank", 3)], timeout=1000)
    widget.slider.setSliderDown(False)
    assert widget.told == [("rank", 3)]


def test_keys_move_the_slider(make, qtbot):
    widget = make("rank")
    widget.setMaximum(64)
    widget.setValue(8)
    qtbot.keyClick(widget.slider, Qt.Key.Key_Right)
    assert widget.value() == 9
    qtbot.keyClick(widget.slider, Qt.Key.Key_PageUp)
    assert widget.value() == 18
    qtbot.waitUntil(lambda: widget.told == [("rank", 18)], timeout=1000)


@pytest.mark.parametrize(("text", "value"), [("3.7e-4", 3.7e-4), ("0.00012345", 0.00012345)])
def test_typed_values_are_exact(make, qtbot, text, value):
    widget = make("learning_rate")
    widget.edit.selectAll()
    qtbot.keyClicks(widget.edit, text)
    assert widget.told == []
    qtbot.keyClick(widget.edit, Qt.Key.Key_Return)
    assert widget.told == [("learning_rate", value)]
    assert widget.value() == value


@pytest.mark.parametrize("text", ["abc", "nan", "inf", "e", "-", "0"])
def test_nonsense_is_never_requested(make, qtbot, text):
    widget = make("alpha")
    widget.setValue(16.0)
    widget.edit.selectAll()
    qtbot.keyClicks(widget.edit, text)
    qtbot.keyClick(widget.edit, Qt.Key.Key_Return)
    assert all(0 < value <= 1024 for _, value in widget.told)


def test_rank_typed_above_the_maximum_becomes_it(make, qtbot):
    widget = make("rank")
    widget.setMaximum(64)
    widget.edit.selectAll()
    qtbot.keyClicks(widget.edit, "500")
    qtbot.keyClick(widget.edit, Qt.Key.Key_Return)
    assert widget.value() == 64


def test_a_smaller_maximum_brings_the_request_down_silently(make):
    widget = make("rank")
    widget.setMaximum(4)
    assert widget.value() == 4
    assert widget.told == []


def test_applied_is_highlighted_while_it_differs(make):
    widget = make("rank")
    widget.setValue(8)
    widget.set_applied(8)
    applied = named(widget, f"{KNOBS['rank'].label}, applied")
    assert applied.property("role") == "settled"
    widget.edit.stepBy(1)
    assert applied.property("role") == "waiting"
    assert applied.text() == "applied 8"
    widget.set_applied(9)
    assert applied.property("role") == "settled"


def test_lock_says_why_and_unlock_brings_the_note_back(make):
    widget = make("rank")
    widget.set_note("grows by 2")
    widget.lock("full fine-tuning has no rank")
    assert not widget.slider.isEnabled()
    assert widget.note() == "full fine-tuning has no rank"
    widget.unlock()
    assert widget.slider.isEnabled()
    assert widget.note() == "grows by 2"


def test_stepping_from_between_two_notches_goes_to_the_neighbour():
    assert stepped([1, 2, 4], 3, 1) == 4
    assert stepped([1, 2, 4], 3, -1) == 2
    assert stepped([1, 2, 4], 4, 1) == 4
    assert stepped([1, 2, 4], 2, -1) == 1


@pytest.mark.parametrize("field", KNOBS)
def test_everything_is_named(make, field):
    widget = make(field)
    assert widget.slider.accessibleName()
    assert widget.edit.accessibleName()
    assert widget.toolTip().replace("\n", " ") == KNOBS[field].help
    assert max(map(len, widget.toolTip().split("\n"))) <= 72
