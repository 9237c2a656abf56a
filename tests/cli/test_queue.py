"""The window's queue without a window: its runs in engines, handed over, stopped, found again."""

import json
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lora_lab import paths
from lora_lab.cli import app, queue_apart
from lora_lab.config import changed
from lora_lab.engine.places import live_places
from lora_lab.engine.remote import RemoteSession, end
from lora_lab.presets import get_preset
from lora_lab.runs.queue import ABORTED, DONE, FAILED, WAITING, Queue
from lora_lab.runs.queue_kept import GIVE, STOP, WANTED, ask_for, is_kept, kept
from tests.cli.test_background import when
from tests.engine.here import StartingHere
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Engines on threads of the test's own process."""

    def begin(opening, *, paused):
        run = queue_apart.folder_of(opening)
        return RemoteSession(run, config=opening.config, starting=StartingHere(run),
                             opening=opening, paused=paused)  # fmt: skip

    monkeypatch.setattr(queue_apart, "begin", begin)
    yield
    StartingHere.end_all()


def folder():
    return paths.user_data() / "queue"


def line_up(*steps, **more):
    queue = Queue(folder())
    base = get_preset("known-rank").config
    queue.add([changed(base, max_steps=n, eval_steps=10, **more) for n in steps])
    queue.close()


def items():
    queue = Queue(folder())
    queue.close()
    return queue.items


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def trains():
    """Whether a run of the queue is some steps on its way."""
    return StartingHere.all and StartingHere.all[-1].host.step > 20


def test_each_run_trains_in_an_engine_and_the_figures_are_noted():
    line_up(20, 30)
    done = verb("queue")
    assert done.exit_code == 0, done.stderr
    assert "2 done, 0 waiting" in done.stdout
    first, second = items()
    assert (first.state, second.state) == (DONE, DONE)
    assert (first.step, second.step) == (20, 30)
    assert first.best < 10
    assert first.parameters > 0
    assert len(StartingHere.all) == 2
    wait_until(lambda: live_places() == {})
    assert not is_kept(folder())


def test_handed_over_the_run_goes_on_and_the_next_keeper_follows_it():
    line_up(10**7, 20)
    thread = when(trains, lambda: ask_for(folder(), GIVE))
    done = verb("queue")
    thread.join()
    assert done.exit_code == 0, done.stderr
    (run,) = live_places()
    assert [item.state for item in items()] == [WAITING, WAITING]
    assert items()[0].run == run
    thread = when(lambda: is_kept(folder()), lambda: end(Path(run)))
    done = verb("queue")
    thread.join()
    assert [item.state for item in items()] == [ABORTED, DONE]
    assert len(StartingHere.all) == 2, "it was followed, not begun again"


def test_stopped_its_run_is_saved_and_all_waits():
    line_up(10**7, 20)
    thread = when(trains, lambda: ask_for(folder(), STOP))
    done = verb("queue")
    thread.join()
    assert done.exit_code == 0, done.stderr
    assert "Queue left: 0 done, 2 waiting." in done.stdout
    first, second = items()
    assert (first.state, second.state) == (WAITING, WAITING)
    assert first.resumes
    wait_until(lambda: live_places() == {})


def test_a_run_that_fails_is_noted_and_the_next_one_trains():
    line_up(20, data="/nowhere/at/all.csv")
    line_up(20)
    done = verb("queue")
    assert done.exit_code == 0, done.stderr
    first, second = items()
    assert (first.state, second.state) == (FAILED, DONE)
    assert first.message


def test_a_search_that_cannot_be_read_is_named_and_the_runs_train():
    line_up(20)
    plan = folder() / "searches" / "one" / "search.json"
    plan.parent.mkdir(parents=True)
    plan.write_text("{}")
    done = verb("queue")
    assert done.exit_code == 0, done.stderr
    assert f"{plan}" in done.stderr
    assert [item.state for item in items()] == [DONE]


def test_no_queue_to_stop_and_one_that_is_held_are_said():
    assert "No queue runs in the background" in verb("stop", "--queue").stderr
    assert "which run, or --queue" in verb("stop").stderr
    assert "which run, or --queue" in verb("stop", "one", "--queue").stderr
    held = Queue(folder())
    done = verb("queue")
    held.close()
    assert done.exit_code == 1
    assert "in use" in done.stderr


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_stop_waits_until_the_keeper_has_let_go(more):
    asked, ready = [], threading.Event()

    def keep():
        held = Queue(folder())
        with kept(folder()) as wanted:
            ready.set()
            asked.append(wait_until(wanted))
        held.close()

    thread = threading.Thread(target=keep)
    thread.start()
    assert ready.wait(60)
    done = verb("stop", "--queue", *more)
    thread.join()
    assert done.exit_code == 0, done.stderr
    assert asked == [STOP]
    assert more == () or json.loads(done.stdout) == {"queue": str(folder())}
    assert sorted(path.name for path in folder().iterdir()) == ["lock"]


def test_one_who_stands_at_a_question_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("lora_lab.runs.queue_kept.STARTS", 0.0)
    held = Queue(folder())
    with kept(folder()):
        done = verb("stop", "--queue")
        assert done.exit_code == 1
        assert "may stand at a question" in done.stderr
        assert not (folder() / WANTED).exists()  # nor does it end later, when nobody expects it
    held.close()
