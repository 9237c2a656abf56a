"""What is read of a run that moves, or trains without the window, is read beside the window."""

import sys
import threading

import pytest

from lora_lab.engine.places import live_places
from lora_lab.engine.remote import attach
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.training.opening import Resume
from lora_lab.ui.runs import flow
from tests.engine.hosted import hosted
from tests.engine.talk import opened
from tests.ui.heart import Held
from tests.ui.runs.moving import LONG, move, steps_on

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


def refused(path):
    raise LabError(f"{path.name} is damaged.")


@pytest.fixture
def moving(qtbot, training, monkeypatch):
    """The run in training moves out of the window, or back; the reading of it is held."""

    def begin(out, read=Resume.at):
        lab = training
        if not out:
            move(qtbot, lab)
        held = Held(read)
        monkeypatch.setattr(Resume, "at", held)
        lab.commands.background.trigger()
        qtbot.waitUntil(lambda: bool(held.threads), **LONG)
        assert held.beside
        assert lab.sessions.serving
        assert lab.sessions.apart is not out
        assert lab.flows.background.busy
        return held

    return begin


@pytest.mark.parametrize("out", [True, False], ids=["out", "back"])
def test_how_it_goes_on_is_read_beside_the_window(qtbot, training, moving, out):
    held = moving(out)
    held.go.set()
    qtbot.waitUntil(
        lambda: training.sessions.apart is out and training.state is State.RUNNING, **LONG
    )
    steps_on(qtbot, training)
    assert not training.told


@pytest.mark.parametrize("out", [True, False], ids=["out", "back"])
def test_what_cannot_be_read_moves_nowhere_and_trains_on(qtbot, training, moving, out):
    run = training.sessions.folder
    moving(out, refused).go.set()
    qtbot.waitUntil(lambda: bool(training.told), **LONG)
    assert [notice.message for notice in training.told] == [f"{run.name} is damaged."]
    steps_on(qtbot, training)
    assert training.sessions.apart is not out
    assert not training.flows.background.busy
    qtbot.waitUntil(lambda: bool(live_places()) is not out, **LONG)


@pytest.mark.parametrize("out", [True, False], ids=["out", "back"])
def test_another_run_is_opened_while_it_is_read(qtbot, training, moving, out):
    held, run = moving(out), training.sessions.folder
    training.open(get_preset("known-rank").config)
    qtbot.waitUntil(lambda: training.sessions.config.preset == "known-rank", **LONG)
    held.go.set()
    qtbot.waitUntil(lambda: not training.flows.background.busy, **LONG)
    qtbot.waitUntil(lambda: training.state is State.PAUSED, **LONG)
    assert training.sessions.config.preset == "known-rank"
    assert training.sessions.folder != run
    qtbot.waitUntil(lambda: not live_places(), **LONG)
    assert not training.told


@pytest.mark.parametrize("out", [True, False], ids=["out", "back"])
def test_ended_while_it_is_read_no_thread_is_left(qtbot, training, moving, out):
    held = moving(out)
    soon = threading.Timer(0.3, held.go.set)  # the window waits for what it reads
    soon.start()
    training.leave()
    qtbot.waitUntil(lambda: training.closed, **LONG)
    soon.join()
    assert held.ended
    qtbot.waitUntil(lambda: not live_places(), **LONG)


@pytest.mark.parametrize("read", [attach, refused], ids=["well", "damaged"])
def test_what_trains_without_the_window_is_read_beside_it(qtbot, window, here, monkeypatch, read):
    told = []
    window.notices.shown.connect(lambda notice: told.append(notice.message))
    held = Held(read)
    monkeypatch.setattr(flow, "attach", held)
    with hosted() as one, opened(one):
        window.flows.runs.open_run(str(one.run))
        qtbot.waitUntil(lambda: bool(held.threads), **LONG)
        assert held.beside
        held.go.set()
        if read is attach:
            qtbot.waitUntil(lambda: window.sessions.apart, **LONG)
            assert not told
        else:
            qtbot.waitUntil(lambda: bool(told), **LONG)
            assert told == [f"{one.run.name} is damaged."]
            assert window.sessions.shown is None
        window.leave()
        qtbot.waitUntil(lambda: window.closed, **LONG)
