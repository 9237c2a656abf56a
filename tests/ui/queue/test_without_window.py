"""A queue continues when its window is closed, and a window that opens takes it over."""

import sys
import threading
from pathlib import Path

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.places import live_place, live_places
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.runs.queue import RUNNING, WAITING, Queue
from lora_lab.runs.queue_kept import GIVE, ask_for, is_kept, kept
from lora_lab.ui.queue import flow
from lora_lab.ui.runs import background_flow
from lora_lab.ui.shell.leaving import CONTINUE, STAY
from lora_lab.ui.style.settings import keep
from tests.engine.here import StartingHere
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")
LONG = {"timeout": 60_000}


@pytest.fixture
def here(monkeypatch):
    """Engines on threads of the test's own process, and no process that keeps a queue."""
    begun = []
    monkeypatch.setattr(background_flow, "Starting", StartingHere)
    monkeypatch.setattr(flow, "start_queue", lambda *asked: begun.append(asked))
    keep(background_flow.PROPOSED, "yes")
    yield begun
    StartingHere.end_all()


def folder():
    return paths.user_data() / "queue"


def line_up(count=2):
    queue = Queue(folder())
    queue.add([changed(get_preset("digits").config, max_steps=10**6)] * count)
    queue.close()


def states():
    """As they stand in the file, which nobody has."""
    queue = Queue(folder())
    queue.close()
    return [item.state for item in queue.items]


@pytest.fixture
def lined(qtbot, here, lab):
    """The window with a queue of two, the first of them in training."""
    line_up()
    lab.commands.queue.trigger()
    lab.flows.queue.dialog.start_button.click()
    qtbot.waitUntil(lambda: lab.sessions.step > 20 and lab.sessions.folder is not None, **LONG)
    return lab


def test_closed_it_goes_on_with_the_run_that_has_moved(qtbot, lined, here):
    lab, run = lined, lined.sessions.folder
    lab.leaving.where = lambda: STAY
    lab.close()
    lab.leaving.where = lambda: CONTINUE
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    assert here == [(folder(), True)]
    assert live_place(run) is not None
    queue = Queue(folder())
    queue.close()
    assert [item.run for item in queue.items] == [str(run), ""]
    assert [item.state for item in queue.items] == [WAITING, WAITING]


def test_saved_and_ended_it_waits(qtbot, lined, here):
    lined.close()  # save and end
    qtbot.waitUntil(lambda: lined.closed, **LONG)
    assert here == []
    qtbot.waitUntil(lambda: live_places() == {})
    assert states() == [WAITING, WAITING]


def test_closed_between_two_runs_it_goes_on_as_well(qtbot, here, lab):
    line_up()
    lab.commands.queue.trigger()
    lab.leaving.where = lambda: CONTINUE
    lab.flows.queue.dialog.start_button.click()
    assert lab.sessions.opening
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    assert here == [(folder(), True)]
    assert states() == [WAITING, WAITING]


class Keeper:
    """A process without a window, as far as a window sees it: a thread that has the queue."""

    def __init__(self, hears=True):
        self.asked, self.ready, self.may_go = "", threading.Event(), threading.Event()
        if hears:
            self.may_go.set()
        self.thread = threading.Thread(target=self._keep)
        self.thread.start()
        assert self.ready.wait(60)

    def _keep(self):
        queue = Queue(folder())
        with kept(folder()) as wanted:
            self.ready.set()
            assert self.may_go.wait(60)
            wait_until(wanted)
            self.asked = wanted()
        queue.close()


def test_a_window_that_opens_goes_on_with_it(qtbot, here, lab):
    line_up()
    first = Queue(folder())
    lab.open(first.items[0].config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, **LONG)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > 20 and lab.sessions.folder is not None, **LONG)
    lab.commands.background.trigger()
    qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.RUNNING, **LONG)
    run = lab.sessions.folder
    first.note(first.items[0].id, run=str(run), state=RUNNING)
    first.close()
    lab.open(get_preset("known-rank").config)  # so that the run is not shown
    qtbot.waitUntil(lambda: lab.sessions.folder is None and lab.state is State.PAUSED, **LONG)
    keeper = Keeper()
    assert is_kept(folder())
    nothing = []
    assert lab.flows.queue.find_again(lambda: nothing.append(1))
    qtbot.waitUntil(lambda: lab.sessions.folder == run and lab.state is State.RUNNING, **LONG)
    keeper.thread.join(60)
    assert keeper.asked == GIVE
    assert not nothing
    assert lab.flows.queue.on
    assert [i.state for i in lab.flows.queue.runner.queue.items] == [RUNNING, WAITING]
    assert len(live_places()) == 1, "and nothing was begun a second time"
    lab.flows.queue.runner.abort()
    qtbot.waitUntil(lambda: lab.flows.queue.runner.queue.items[1].state == RUNNING, **LONG)


def test_a_queue_with_nothing_left_is_taken_over_and_the_window_opens_as_ever(qtbot, here, lab):
    line_up(0)
    keeper, opened = Keeper(), []
    assert lab.flows.queue.find_again(lambda: opened.append(1))
    qtbot.waitUntil(lambda: bool(opened), **LONG)
    keeper.thread.join(60)
    assert not lab.flows.queue.find_again(lambda: None)
    assert not lab.flows.queue.on
    assert not Path(folder() / "wanted").exists()


def test_where_only_its_run_was_left_the_queue_follows_what_is_shown(qtbot, here, lab):
    line_up()
    lab.open(get_preset("digits").config)
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, **LONG)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.sessions.step > 20 and lab.sessions.folder is not None, **LONG)
    lab.commands.background.trigger()
    qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.RUNNING, **LONG)
    shown, run = lab.sessions.id, lab.sessions.folder
    queue = Queue(folder())
    queue.note(queue.items[0].id, run=str(run), state=RUNNING)
    queue.close()  # as one that was killed leaves it
    assert not lab.flows.queue.find_again(lambda: None)
    lab.commands.queue.trigger()
    runner = lab.flows.queue.runner
    lab.flows.queue.dialog.start_button.click()
    qtbot.waitUntil(lambda: runner.queue.items[0].state == RUNNING, **LONG)
    assert lab.sessions.id == shown
    step = lab.sessions.step
    qtbot.waitUntil(lambda: runner.queue.items[0].step > step, **LONG)
    assert len(live_places()) == 1
    runner.abort()
    qtbot.waitUntil(lambda: runner.queue.items[1].state == RUNNING, **LONG)


def test_all_that_was_asked_while_it_is_taken_over_follows(qtbot, here, lab):
    line_up(0)
    keeper, opened = Keeper(hears=False), []
    assert lab.flows.queue.find_again(lambda: opened.append(1))
    runs = [changed(get_preset("digits").config, max_steps=n) for n in (10**6, 10**6 + 1)]
    for run in runs:
        lab.flows.queue.train([run])
    lab.commands.queue.trigger()
    keeper.may_go.set()
    qtbot.waitUntil(lambda: lab.flows.queue.dialog is not None, **LONG)
    qtbot.waitUntil(lab.flows.queue.dialog.isVisible, **LONG)
    keeper.thread.join(60)
    assert opened == [1]
    assert [item.config for item in lab.flows.queue.runner.queue.items] == runs


def test_closed_while_it_is_taken_over_it_is_asked_for_no_more(qtbot, here, lab):
    line_up(0)
    keeper = Keeper(hears=False)
    assert lab.flows.queue.find_again(lambda: None)
    assert (folder() / "wanted").exists()
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    asked = (folder() / "wanted").exists()
    ask_for(folder(), GIVE)  # so that the thread ends
    keeper.may_go.set()
    keeper.thread.join(60)
    assert not asked
