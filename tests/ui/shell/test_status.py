"""The status bar: what stands there while a run opens, trains, ends, and goes back."""

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.opening_records import OpeningRecord
from lora_lab.records import ResumedRecord, State, StateRecord, StepRecord
from lora_lab.ui.shell.status import StatusStrip
from tests.ui.seen import named


@pytest.fixture
def strip(qtbot, fake_session):
    made = StatusStrip()
    qtbot.addWidget(made)
    config = changed(RunConfig(preset="digits", task="digits"), max_steps=100)
    made.show_opening(OpeningRecord("Measuring the model without the adapter", -1))
    loaded = fake_session(config).loaded()
    made.standing.take(loaded)
    made.reset(loaded)
    made.set_opening(False)
    return made


def move(strip, state, step):
    strip.standing.take(StateRecord(state, step))
    strip.show_state()


def step_to(strip, record):
    strip.standing.take(record)
    strip.set_step(record)


def test_the_bar_moves_until_the_model_is_measured(strip):
    assert strip.state_label.text() == "Measuring the model without the adapter…"
    bar = named(strip, "Progress of the run")
    assert (bar.minimum(), bar.maximum()) == (0, 0), "how long is not known"
    move(strip, State.PAUSED, 0)
    assert strip.state_label.text() == "Ready"
    assert bar.maximum() == 1000
    assert bar.value() == 0


def test_after_the_last_step_it_is_still_measured(strip):
    move(strip, State.RUNNING, 0)
    for step, seconds in ((50, 1.0), (99, 2.0)):
        step_to(strip, StepRecord(step, 1.0, 1e-3, seconds))
    assert named(strip, "Time left").text() == "0 s left"
    step_to(strip, StepRecord(100, 1.0, 1e-3, 2.1))
    assert named(strip, "Time left").text() == "measuring…"
    move(strip, State.FINISHED, 100)
    assert named(strip, "Time left").text() == ""
    assert "export" in strip.state_label.text()


def test_going_back_takes_step_and_bar_along(strip):
    move(strip, State.RUNNING, 0)
    step_to(strip, StepRecord(80, 1.0, 1e-3, 1.0))
    move(strip, State.PAUSED, 80)
    back = ResumedRecord(20, (0, 100))
    strip.standing.take(back)
    strip.set_back(back)
    assert named(strip, "Step").text() == "step 20 / 100"
    assert named(strip, "Progress of the run").value() == 200
    move(strip, State.PAUSED, 20)
    assert named(strip, "Step").text() == "step 20 / 100"


def test_what_is_measured_before_the_first_step_can_be_skipped(strip, qtbot):
    """A model stands ready, so that there is something to train without the measurement."""
    strip.show()
    strip.show_opening(OpeningRecord("Measuring the model without the adapter", 0.25))
    assert strip.state_label.text() == "Measuring the model without the adapter, 25%"
    assert named(strip, "Progress of the run").value() == 250
    with qtbot.waitSignal(strip.skip_requested):
        strip.skip_button.click()
    strip.set_opening(True)  # another one is being opened: that can be cancelled instead
    strip.show_opening(OpeningRecord("Reading weights", 0.5))
    assert strip.skip_button.isHidden()
    strip.set_opening(False)
    strip.show_opening(OpeningRecord("Measuring the model without the adapter", 0.5))
    assert strip.skip_button.isVisible()
    move(strip, State.PAUSED, 0)
    assert strip.skip_button.isHidden()
