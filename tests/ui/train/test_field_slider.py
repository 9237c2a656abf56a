"""A slider requests what a person does, says what is applied, and is silent about the program."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolTip

from lora_lab.hyperparameters import KNOBS
from lora_lab.ui.style.figures import plain_number
from lora_lab.ui.train.field_slider import FieldSlider
from lora_lab.ui.train.notches import notches, stepped
from tests.ui.seen import named, put, settle, timer


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
    numbers = notches(KNOBS["dimension"], True, 1000)
    assert numbers == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000], "and all weights at the end"
    assert {0.125, 0.5, 1, 2, 8, 16, 24, 512} <= set(notches(KNOBS["alpha"], False, 1024))
    rates = notches(KNOBS["learning_rate"], False, 1.0)
    assert {1e-6, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3} <= set(rates)
    assert notches(KNOBS["weight_decay"], False, 0.5)[:3] == [0.0, 0.01, 0.02]


@pytest.mark.parametrize("field", KNOBS)
def test_setting_by_program_emits_nothing_and_keeps_the_value_exactly(make, field):
    widget = make(field)
    value = 13 if field in ("rank", "dimension") else 0.1234567
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


def test_rank_is_requested_when_the_button_is_let_go_and_not_before(make, qtbot):
    widget = make("rank")
    widget.setMaximum(64)
    widget.slider.setSliderDown(True)
    widget.slider.setValue(2)
    assert widget.passed == [("rank", 3)], "the forecast follows"
    assert not timer(widget).isActive(), "a rest under the button means nothing yet"
    assert widget.told == []
    widget.slider.setSliderDown(False)
    assert widget.told == [("rank", 3)]


def test_the_forecast_is_shown_whole_while_the_button_is_down(make):
    widget = make("rank")
    words = "would discard 0.52 % of ΔW's energy in " + "a.very.long.name.of.a.layer." * 4
    widget.set_note(words)
    assert QToolTip.text() == "", "at rest the line and its tip have it"
    widget.slider.setSliderDown(True)
    widget.set_note(words + "q")
    assert QToolTip.text().replace("\n", "").replace(" ", "") == (words + "q").replace(" ", "")
    QToolTip.hideText()


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


TYPED = [  # field, what is typed, what is meant
    ("rank", "16", 16), ("rank", "1,000", 1000), ("rank", "1 000", 1000), ("rank", "1e3", 1000),
    ("alpha", "1,000", 1000.0), ("alpha", "2048", 2048.0), ("alpha", "1e-4", 1e-4),
    ("alpha", "1,5", 1.5), ("learning_rate", "0,01", 0.01), ("learning_rate", "1e-7", 1e-7),
    ("learning_rate", "1e−4", 1e-4), ("learning_rate", "10⁻⁴", 1e-4),
    ("learning_rate", "10^-4", 1e-4), ("learning_rate", "2·10^-4", 2e-4),
    ("learning_rate", "5", 5.0), ("dropout", "5%", 0.05), ("dropout", "12,5 %", 0.125),
    ("weight_decay", "0.75", 0.75),
]  # fmt: skip
REFUSED = [  # field, what is typed, why it is not taken
    ("rank", "100000", "above the largest value"), ("rank", "0", "below the least value"),
    ("rank", "1,5", "not a whole number"), ("rank", "-3", "below the least value"),
    ("rank", "abc", "not a number"), ("alpha", "-3", "below the least value"),
    ("alpha", "1e7", "above the largest value"), ("alpha", "", "not a number"),
    ("learning_rate", "2e4", "above the largest value"), ("learning_rate", "0", "below the least"),
    ("learning_rate", "1.000,5", "not a number"), ("learning_rate", "nan", "not a number"),
    ("learning_rate", "4e07", "above the largest"), ("dropout", "10", "above the largest value"),
    ("dropout", "100%", "above the largest value"), ("weight_decay", "--1", "not a number"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "text", "value"), TYPED)
def test_what_is_typed_is_taken_as_it_is_meant(make, qtbot, field, text, value):
    widget = make(field)
    put(qtbot, widget.edit, text)
    assert widget.value() == value
    assert widget.told == [(field, value)]
    assert widget.edit.reason == widget.note() == ""


@pytest.mark.parametrize(("field", "text", "reason"), REFUSED)
def test_what_cannot_be_keeps_the_old_value_and_says_why(make, qtbot, field, text, reason):
    widget = make(field)
    before, shown = widget.value(), widget.edit.text()
    put(qtbot, widget.edit, text)
    assert widget.told == []
    assert (widget.value(), widget.edit.text()) == (before, shown)
    assert reason in widget.edit.reason
    assert widget.explanation() == widget.edit.reason
    put(qtbot, widget.edit, "0.5" if field != "rank" else "9")
    assert widget.edit.reason == widget.note() == "", "the next one that can be ends it"


def test_a_refused_number_has_a_red_frame(make, qtbot):
    widget = make("learning_rate")
    edge = (1, widget.edit.height() // 2)
    plain = widget.edit.grab().toImage().pixelColor(*edge)
    put(qtbot, widget.edit, "2e4")
    red = widget.edit.grab().toImage().pixelColor(*edge)
    assert red != plain
    assert red.red() > 1.5 * max(red.green(), red.blue())


def test_rank_typed_above_what_the_layers_can_use_is_refused(make, qtbot):
    widget = make("rank")
    widget.setMaximum(64)
    put(qtbot, widget.edit, "500")
    assert widget.value() == 8
    assert "above the largest value, 64." in widget.note()


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
