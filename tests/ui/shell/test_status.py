"""The status bar: what stands there while a run opens, trains, ends, and goes back."""

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.records import OpeningRecord, ResumedRecord, State, StepRecord
from lora_lab.ui.shell.status import StatusStrip
from tests.ui.seen import named


@pytest.fixture
def strip(qtbot, fake_session):
    made = StatusStrip()
    qtbot.addWidget(made)
    config = changed(RunConfig(preset="digits", task="digits"), max_steps=100)
    made.tell_opening(OpeningRecord("Measuring the untrained model", -1))
    made.reset(fake_session(config).loaded())
    made.set_opening(False)
    return made


def test_the_bar_moves_until_the_untrained_model_is_measured(strip):
    assert strip.state_label.text() == "Measuring the untrained model…"
    bar = named(strip, "Progress of the run")
    assert (bar.minimum(), bar.maximum()) == (0, 0), "how long is not known"
    strip.set_state(State.PAUSED, 0)
    assert strip.state_label.text() == "Ready"
    assert bar.maximum() == 1000
    assert bar.value() == 0


def test_after_the_last_step_it_is_still_measured(strip):
    strip.set_state(State.RUNNING, 0)
    for step, seconds in ((50, 1.0), (99, 2.0)):
        strip.set_step(StepRecord(step, 1.0, 1e-3, seconds))
    assert named(strip, "Time left").text() == "0 s left"
    strip.set_step(StepRecord(100, 1.0, 1e-3, 2.1))
    assert named(strip, "Time left").text() == "measuring…"
    strip.set_state(State.FINISHED, 100)
    assert named(strip, "Time left").text() == ""
    assert "export" in strip.state_label.text()


def test_going_back_takes_step_and_bar_along(strip):
    strip.set_state(State.RUNNING, 0)
    strip.set_step(StepRecord(80, 1.0, 1e-3, 1.0))
    strip.set_state(State.PAUSED, 80)
    strip.set_back(ResumedRecord(20, (0, 100)))
    assert named(strip, "Step").text() == "step 20 / 100"
    assert named(strip, "Progress of the run").value() == 200
    strip.set_state(State.PAUSED, 20)
    assert named(strip, "Step").text() == "step 20 / 100"
