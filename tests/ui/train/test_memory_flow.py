"""When the memory of a step is asked for: once for a model, and after edits while it is quick."""

import pytest

from lora_lab.measured import MemoryRecord
from lora_lab.records import CountsRecord, State
from lora_lab.training.commands import EstimateMemory
from tests.ui.seen import timer


@pytest.fixture
def opened(qtbot, window, presets, sessions_made):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    return window


@pytest.fixture
def asked(opened, sessions_made):
    session, heard = sessions_made[0], []
    serve = session.serve
    session.serve = lambda command: (
        heard.append(command) if isinstance(command, EstimateMemory) else serve(command)
    )
    return heard


def estimated(window, seconds, reason=""):
    window.sessions.shown.arrived.emit(MemoryRecord(0, 1, 1, 1, 1, seconds, reason))


def edit_twice(window):
    edit = window.hyper_dock.sliders["rank"].edit
    edit.setValue(edit.value() - 1)
    edit.setValue(edit.value() - 1)
    return edit.value()


def test_it_is_asked_once_for_a_model_and_once_for_a_burst_of_edits(qtbot, opened, asked):
    qtbot.waitUntil(lambda: len(asked) == 1)
    estimated(opened, 0.05)
    edit_twice(opened)
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert not timer(opened.flows.memory).isActive(), "nothing more is about to be asked"


@pytest.mark.parametrize(("seconds", "reason"), [(2.0, ""), (0.01, "The step looks at values.")])
def test_what_takes_long_or_cannot_be_had_is_not_asked_again(
    qtbot, opened, asked, sessions_made, seconds, reason
):
    qtbot.waitUntil(lambda: len(asked) == 1)
    estimated(opened, seconds, reason)
    counts = []
    opened.sessions.on(CountsRecord, counts.append)
    rank = edit_twice(opened)
    qtbot.waitUntil(lambda: sessions_made[0].hyper.rank == rank and len(counts) > 0)
    assert not timer(opened.flows.memory).isActive(), "nothing more is about to be asked"
    assert len(asked) == 1
