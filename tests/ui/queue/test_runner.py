"""Runs follow each other in the window's session, whatever ends them; the sessions are fakes."""

import threading

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.records import State, StateRecord
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.queue import ABORTED, DONE, FAILED, RUNNING, WAITING, Queue
from lora_lab.training.opening import Resume
from lora_lab.ui.queue import flow as queue_flow
from tests.runs.sample_run import write_sample
from tests.ui.heart import Held


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def flow(qtbot, window, presets):
    """The queue of a window that shows a model at rest."""
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.queue.trigger()
    return window.flows.queue


@pytest.fixture
def lined(flow, presets):
    """Three runs wait, of rank 1, 2 and 3."""

    def add(*settings):
        base = changed(presets[0].config, max_steps=70)
        flow.runner.queue.add(
            [changed(base, **more, hyper={"rank": rank}) for rank, more in enumerate(settings, 1)]
        )
        flow.start()  # shows them
        return flow.runner

    return add


def states(flow):
    return [item.state for item in flow.runner.queue.items]


def a_few_turns(qtbot, session):
    """Let the window look at its session a few times: what was to follow has followed."""
    goal = session.turns + 3
    qtbot.waitUntil(lambda: session.turns >= goal)


def opened(sessions_made):
    return [session.config.hyper.rank for session in sessions_made[1:]]


def test_they_follow_each_other_and_are_compared(qtbot, flow, lined, sessions_made, window):
    lined({}, {}, {})
    flow.dialog.start_button.click()
    assert flow.dialog.start_button.text() == "Pause the &queue"
    qtbot.waitUntil(lambda: states(flow) == [DONE] * 3)
    assert opened(sessions_made) == [1, 2, 3]
    qtbot.waitUntil(lambda: flow.dialog.start_button.text() == "Start the &queue")
    items = flow.runner.queue.items
    assert [item.step for item in items] == [70] * 3
    assert [item.max_steps for item in items] == [70] * 3
    assert all(item.best == 0.4 and item.seconds == 70 / 500 for item in items)
    assert [item.parameters for item in items] == [266, 532, 798]
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None)
    assert window.notice_bar.notice.message == "Queue finished: 3 done."
    assert all(session.saves for session in sessions_made[:-1])
    assert window.state is State.FINISHED  # the last one stays to be looked at
    queue = flow.runner.queue
    assert flow.dialog.plot.marks.data["data"].tolist() == [item.id for item in queue.items]


def test_an_aborted_run_is_saved_and_the_next_one_begins(qtbot, flow, lined, sessions_made):
    lined({"max_steps": 10**6}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    flow.dialog.abort_button.click()
    qtbot.waitUntil(lambda: states(flow) == [ABORTED, DONE])
    assert sessions_made[1].saves
    assert 20 < flow.runner.queue.items[0].step < 10**6
    qtbot.waitUntil(lambda: not flow.dialog.abort_button.isEnabled())


def test_an_opening_is_cancelled_and_the_next_one_begins(qtbot, flow, lined, sessions_made):
    lined({"max_steps": 10**6}, {})
    flow.dialog.start_button.click()
    assert states(flow) == [RUNNING, WAITING]
    flow.dialog.abort_button.click()  # its model is not loaded yet
    qtbot.waitUntil(lambda: states(flow) == [ABORTED, DONE])
    assert sessions_made[1].step == 0


def test_paused_the_run_in_hand_comes_to_its_end_and_no_other_begins(
    qtbot, flow, lined, sessions_made
):
    lined({}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.running is not None)
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: states(flow) == [DONE, WAITING])
    a_few_turns(qtbot, sessions_made[-1])
    assert opened(sessions_made) == [1]
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: states(flow) == [DONE, DONE])


def test_what_cannot_be_opened_fails_with_its_reason(qtbot, flow, lined):
    lined({"model": "broken.pt"}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: states(flow) == [FAILED, DONE])
    assert flow.runner.queue.items[0].message == "broken.pt is truncated."
    flow.dialog.table.selectRow(0)
    assert flow.dialog.status.text() == "broken.pt is truncated."


@pytest.mark.parametrize(
    ("state", "message", "becomes"),
    [
        (State.PAUSED, "Step 21 met a NaN.", FAILED),
        (State.FAILED, "The device was lost.", FAILED),
        (State.STOPPED, "The last 3 validations gave no better loss.", DONE),
        (State.STOPPED, "", ABORTED),
    ],
)
def test_how_it_ended_is_told_by_state_and_words(
    qtbot, flow, lined, sessions_made, state, message, becomes
):
    lined({"max_steps": 10**6}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    sessions_made[1].controls.pause()
    sessions_made[1].state = state
    sessions_made[1].waiting.append(StateRecord(state, 21, message))
    qtbot.waitUntil(lambda: states(flow) == [becomes, DONE])
    wanted = message if becomes is FAILED else ""
    assert flow.runner.queue.items[0].message == wanted


def test_a_person_may_pause_and_touch_the_run_in_hand(qtbot, flow, lined, window, sessions_made):
    lined({"max_steps": 210}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.hyper_dock.request(learning_rate=5e-3)
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.learning_rate == 5e-3)
    a_few_turns(qtbot, sessions_made[-1])
    assert states(flow) == [RUNNING, WAITING]
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: states(flow) == [DONE, DONE])


@pytest.mark.parametrize("loaded", [True, False])
def test_whoever_opens_something_else_makes_the_queue_wait(
    qtbot, flow, lined, window, presets, sessions_made, loaded
):
    lined({"max_steps": 10**6}, {})
    flow.dialog.start_button.click()
    if loaded:
        qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: not flow.runner.on)
    assert states(flow) == [ABORTED if loaded else WAITING, WAITING]
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None)
    assert "so the queue is paused" in window.notice_bar.notice.message
    assert window.sessions.config is presets[1].config
    assert len(sessions_made) == 3


def test_a_training_that_is_to_be_kept_keeps_the_queue_waiting(qtbot, flow, lined, window):
    lined({})
    window.sessions.toggle()
    qtbot.waitUntil(lambda: window.state is State.RUNNING)
    window.ask = lambda *texts: False
    flow.dialog.start_button.click()
    assert states(flow) == [WAITING]
    assert not flow.runner.on
    assert window.sessions.running


def test_cancelled_in_the_window_the_queue_waits(qtbot, flow, lined, window):
    lined({}, {})
    flow.dialog.start_button.click()
    window.strip.cancel_button.click()
    qtbot.waitUntil(lambda: not flow.runner.on)
    assert states(flow) == [ABORTED, WAITING]


def test_closing_the_window_keeps_what_waits(qtbot, flow, lined, window, home):
    lined({"max_steps": 10**6}, {}, {})
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    step = flow.runner.queue.items[0].step
    window.close()
    qtbot.waitUntil(lambda: window.closed)
    queue = Queue(home / "queue")
    assert [item.state for item in queue.items] == [WAITING] * 3
    assert queue.items[0].step >= step
    queue.close()


def test_a_queue_that_another_window_has_is_told_of(qtbot, window, home):
    queue = Queue(home / "queue")
    window.commands.queue.trigger()
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None)
    assert "in use by another window" in window.notice_bar.notice.message
    assert window.flows.queue.dialog is None
    queue.close()
    window.commands.queue.trigger()
    assert window.flows.queue.dialog.isVisible()


def test_a_full_disk_does_not_end_the_queue(qtbot, flow, lined, window, monkeypatch):
    from lora_lab.runs import queue as queue_file

    lined({}, {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queue_file, "write_file", full)
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: states(flow) == [DONE, DONE])
    qtbot.waitUntil(lambda: window.notice_bar.notice is not None)
    assert "the disk is full" in window.notice_bar.notice.message


def test_the_pace_of_one_run_foretells_the_next(
    qtbot, flow, lined, window, sessions_made, monkeypatch
):
    # By this clock a step takes 1/500 s.
    monkeypatch.setattr(queue_flow, "monotonic", lambda: sessions_made[-1].step / 500)
    lined({"max_steps": 10**6}, {"max_steps": 10**6}, {"batch_size": 7})
    assert "time left —" in flow.dialog.status.text()
    flow.runner.queue.remove([flow.runner.queue.items[2].id])
    flow.dialog.start_button.click()
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > 20)
    assert flow.step_seconds(flow.runner.queue.items[1].config) == pytest.approx(1 / 500)
    # The two runs take 4,000 s together, or 1:06:40.
    qtbot.waitUntil(lambda: "≈ 1:06:" in flow.dialog.status.text(), timeout=20_000)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    monkeypatch.setattr(queue_flow, "monotonic", lambda: 3600 + sessions_made[-1].step / 500)
    window.commands.train.trigger()
    step = flow.runner.queue.items[0].step
    qtbot.waitUntil(lambda: flow.runner.queue.items[0].step > step + 20)
    assert flow.step_seconds(flow.runner.queue.items[1].config) == pytest.approx(1 / 500)


@pytest.fixture
def resumed(qtbot, flow, lined, monkeypatch):
    """Two runs wait, the first of which has begun before; the reading of it is held."""

    def begin(read=Resume.at):
        lined({}, {})
        run = write_sample(paths.runs(), "begun")
        write_checkpoint(run, 3, {}, {"step": 3})
        flow.runner.queue.note(flow.runner.queue.items[0].id, run=str(run))
        held = Held(read)
        monkeypatch.setattr(Resume, "at", held)
        flow.dialog.start_button.click()
        qtbot.waitUntil(lambda: bool(held.threads))
        assert held.beside
        assert states(flow) == [RUNNING, WAITING]
        return held

    return begin


def test_how_to_resume_a_run_is_read_beside_the_window(qtbot, flow, resumed, sessions_made):
    held = resumed()
    a_few_turns(qtbot, sessions_made[0])
    assert len(sessions_made) == 1
    held.go.set()
    qtbot.waitUntil(lambda: states(flow) == [DONE, DONE])
    assert len(held.threads) == 1
    assert len(sessions_made) == 3


def test_a_run_that_cannot_be_read_fails_with_its_reason(qtbot, flow, resumed, sessions_made):
    def refused(path):
        raise LabError(f"{path.name} is damaged.")

    resumed(refused).go.set()
    qtbot.waitUntil(lambda: states(flow) == [FAILED, DONE])
    assert flow.runner.queue.items[0].message == "begun is damaged."
    assert len(sessions_made) == 2


def test_a_run_that_is_being_read_is_aborted_and_the_next_one_begins(
    qtbot, flow, resumed, sessions_made
):
    held = resumed()
    flow.dialog.abort_button.click()
    qtbot.waitUntil(lambda: states(flow) == [ABORTED, DONE])
    held.go.set()
    a_few_turns(qtbot, sessions_made[-1])
    assert states(flow) == [ABORTED, DONE]
    assert len(sessions_made) == 2


@pytest.mark.parametrize("other", ["opened", "broken.pt", "cancelled"])
def test_what_else_is_opened_while_a_run_is_read(
    qtbot, flow, resumed, window, presets, sessions_made, other
):
    """Once it is shown the queue waits; where it is not, the queue goes on as if nothing was."""
    held = resumed()
    window.open(changed(presets[1].config, model=other if "." in other else None))
    if other == "cancelled":
        window.strip.cancel_button.click()
    qtbot.waitUntil(lambda: not window.sessions.opening)
    if other == "opened":
        assert states(flow) == [WAITING, WAITING]
        assert not flow.runner.on
    held.go.set()
    if other == "opened":
        qtbot.waitUntil(lambda: held.ended)
        a_few_turns(qtbot, sessions_made[-1])
        assert window.sessions.config.preset == presets[1].config.preset
        assert len(sessions_made) == 2
    else:
        qtbot.waitUntil(lambda: states(flow) == [DONE, DONE])


def test_closed_while_a_run_is_read_no_thread_is_left(qtbot, flow, resumed, window, home):
    held = resumed()
    soon = threading.Timer(0.3, held.go.set)  # the window waits for what it reads
    soon.start()
    window.close()
    qtbot.waitUntil(lambda: window.closed)
    assert held.ended
    soon.join()
    queue = Queue(home / "queue")
    assert [item.state for item in queue.items] == [WAITING, WAITING]
    assert queue.items[0].resumes
    queue.close()
