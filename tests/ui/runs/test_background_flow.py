"""A run moves out of the window and back in mid-run, is left, found again, watched and stopped."""

import sys

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.places import live_place, live_places
from lora_lab.engine.remote import attach
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import ErrorRecord, FolderRecord, State, StateRecord, StepRecord
from lora_lab.runs.listing import list_runs, summary_of
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.runs import background_flow
from lora_lab.ui.shell.leaving import CONTINUE, SAVE, STAY
from lora_lab.ui.style.settings import kept
from tests.engine.hosted import hosted
from tests.engine.talk import Talk, opened
from tests.ui.runs.moving import LONG, move, steps_of, steps_on
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


def test_out_and_back_and_not_a_step_lost(qtbot, training):
    lab, run = training, training.sessions.folder
    session = lab.sessions.id
    move(qtbot, lab)
    assert live_place(run) is not None
    assert lab.sessions.id == session, "the queue knows it by that"
    assert lab.commands.background.isChecked()
    assert lab.strip.state_label.text() == "Training, in the background"
    lab.flows.runs.start()
    about = lab.runs_dock.about
    qtbot.waitUntil(lambda: "is open here and trains in the background" in about.text(), **LONG)
    lab.hyper_dock.request(rank=2)
    qtbot.waitUntil(lambda: lab.sessions.standing.applied.rank == 2, **LONG)
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, **LONG)
    lab.commands.train.trigger()
    steps_on(qtbot, lab)
    move(qtbot, lab, out=False)
    assert lab.sessions.standing.applied.rank == 2
    qtbot.waitUntil(lambda: live_place(run) is None, **LONG)
    assert not [notice.message for notice in lab.told]
    lab.commands.stop.trigger()
    qtbot.waitUntil(lambda: lab.state is State.STOPPED, **LONG)
    last = lab.sessions.step
    assert steps_of(run) == list(range(1, last + 1))


def test_a_paused_run_moves_paused(qtbot, training):
    lab = training
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, **LONG)
    step = lab.sessions.step
    lab.commands.background.trigger()
    qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.PAUSED, **LONG)
    assert lab.sessions.step == step
    lab.commands.background.trigger()
    qtbot.waitUntil(
        lambda: lab.sessions.shown is not None and not lab.sessions.apart
        and not lab.sessions.moving and lab.state is State.PAUSED, **LONG
    )  # fmt: skip
    assert lab.sessions.step == step


@pytest.mark.parametrize("apart", [False, True], ids=["in the window", "in the background"])
def test_closing_lets_it_continue_and_the_next_window_finds_it(qtbot, training, here, apart):
    lab, run = training, training.sessions.folder
    if apart:
        move(qtbot, lab)
    lab.leaving.where = lambda: CONTINUE
    lab.close()
    qtbot.waitUntil(lambda: lab.closed, **LONG)
    left = lab.sessions.step
    assert live_place(run) is not None
    again = make_window(new_session, list_presets())
    try:
        with qtbot.waitSignal(again.painted, **LONG):
            again.show()
        qtbot.waitUntil(lambda: again.flows is not None, **LONG)
        assert again.flows.background.find_again()
        qtbot.waitUntil(lambda: again.sessions.step > left, **LONG)
        assert again.sessions.folder == run
        assert again.sessions.edits
        again.leaving.where = lambda: SAVE
        again.close()
        qtbot.waitUntil(lambda: again.closed, **LONG)
    finally:
        again.leave()
        again.deleteLater()
    qtbot.waitUntil(lambda: live_place(run) is None, **LONG)
    assert summary_of(run).state == "stopped"
    assert steps_of(run) == list(range(1, summary_of(run).step + 1))


def test_the_window_can_stay(qtbot, training):
    asked = []
    training.leaving.where = lambda: asked.append(1) or STAY
    training.close()
    steps_on(qtbot, training)
    assert asked == [1]
    assert training.isVisible()


def test_another_run_is_opened_beside_it_and_it_continues(qtbot, training):
    lab, run = training, training.sessions.folder
    move(qtbot, lab)
    lab.ask = lambda *texts: pytest.fail("nothing ends, so nothing is asked")
    lab.open(get_preset("known-rank").config)
    qtbot.waitUntil(lambda: not lab.sessions.apart and lab.state is State.PAUSED, **LONG)
    assert live_place(run) is not None
    lab.flows.runs.open_run(str(run))
    qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.RUNNING, **LONG)
    steps_on(qtbot, lab)
    lab.ask = lambda *texts: True
    lab.restart()  # ends it, and begins anew in the window
    qtbot.waitUntil(lambda: not lab.sessions.apart and lab.state is State.PAUSED, **LONG)
    qtbot.waitUntil(lambda: live_place(run) is None, **LONG)


def test_a_move_that_cannot_be_saved_leaves_the_run_where_it_is(qtbot, training):
    lab, run = training, training.sessions.folder
    run.rename(run.with_name("moved away"))
    run.write_text("in its place")
    lab.commands.background.trigger()
    assert lab.flows.background.busy
    qtbot.waitUntil(lambda: not lab.flows.background.busy, **LONG)
    qtbot.waitUntil(lambda: any(notice.severity == "error" for notice in lab.told), **LONG)
    steps_on(qtbot, lab)
    assert not lab.sessions.apart
    qtbot.waitUntil(lambda: not live_places(), **LONG)


def test_an_engine_that_cannot_start_is_one_message(qtbot, training, monkeypatch):
    lab = training
    with Taken(lab.sessions.folder):
        lab.commands.background.trigger()
        qtbot.waitUntil(lambda: bool(lab.told), **LONG)
        assert "has an engine already" in lab.told[0].message
        steps_on(qtbot, lab)
        assert not lab.sessions.apart


class Taken:
    """An engine's place that another process has."""

    def __init__(self, run):
        self.place, self.run = background_flow.live_place, run

    def __enter__(self):
        from lora_lab.engine.places import new_place

        self.lock = new_place(self.run).take(self.run)

    def __exit__(self, *_):
        self.lock.release()


def test_the_list_says_so_and_attaches_and_stops(qtbot, window, here):
    with hosted() as one, opened(one) as editor:
        one.session.steps(1, 5)
        window.flows.runs.start()
        dock = window.runs_dock
        qtbot.waitUntil(lambda: len(dock.model.runs) == 1, **LONG)
        index = dock.model.index(0, 2)
        assert index.data() == "in background"
        assert dock.open_button.text() == "Attach"
        assert "continues either way" in dock.about.text()
        dock.open_button.click()
        qtbot.waitUntil(lambda: window.sessions.apart and window.state is State.PAUSED, **LONG)
        assert not window.sessions.edits
        assert window.strip.state_label.text() == "Paused, watched"
        told = []
        window.notices.shown.connect(lambda notice: told.append(notice.message))
        window.commands.train.trigger()  # another one edits it
        qtbot.waitUntil(lambda: any("this one watches" in words for words in told), **LONG)
        assert one.session.controls.paused
        one.session.say(StateRecord(State.RUNNING, 5))
        qtbot.waitUntil(lambda: window.sessions.running, **LONG)
        again = make_window(new_session, list_presets())
        again.leaving.where = lambda: pytest.fail("it is not this window's to end")
        with qtbot.waitSignal(again.painted, **LONG):
            again.show()
        again.flows.runs.open_run(str(one.run))
        qtbot.waitUntil(lambda: again.sessions.running, **LONG)
        again.close()
        qtbot.waitUntil(lambda: again.closed, **LONG)
        again.deleteLater()
        assert live_place(one.run) is not None
        dock.menu.stop.trigger()
        qtbot.waitUntil(lambda: editor.session.join(0), **LONG)
        assert one.session.saved is True
        qtbot.waitUntil(lambda: window.sessions.shown.ended, **LONG)


def test_a_long_run_is_proposed_once_and_a_short_one_never(qtbot, window, sessions_made):
    told = []
    window.notices.shown.connect(lambda notice: told.append(notice))
    window.open(changed(get_preset("digits").config, max_steps=100_000))
    qtbot.waitUntil(lambda: window.state is State.PAUSED, **LONG)
    session = sessions_made[0]
    session.per_turn = 0
    folder = paths.runs() / "one"
    folder.mkdir(parents=True)
    session.waiting.append(FolderRecord(0, str(folder)))

    def steps(*pairs):
        session.waiting += [StepRecord(step, 1.0, 1e-3, seconds) for step, seconds in pairs]
        qtbot.waitUntil(lambda: window.sessions.step == pairs[-1][0], **LONG)

    for number in range(10):  # 1,000 a second: 100 s in all
        steps((1 + 1000 * number, 0.1 + number))
    assert not told
    session.waiting.append(StateRecord(State.PAUSED, 9001, goal=100_000))
    qtbot.waitUntil(lambda: window.state is State.PAUSED, **LONG)
    for number in range(10):  # 2 a second: half a day
        steps((9002 + 2 * number, 20.0 + number))
    qtbot.waitUntil(lambda: len(told) == 1, **LONG)
    assert "It can train without the window" in told[0].message
    assert [words for words, _ in told[0].actions] == ["Keep training without the window"]
    window.told = told
    for number in range(10):
        steps((9102 + 2 * number, 60.0 + number))
    assert len(told) == 1
    assert kept(background_flow.PROPOSED) == "yes"


def test_the_choice_is_remembered(qtbot, window):
    assert not window.commands.background.isChecked()
    window.commands.background.trigger()
    assert window.commands.background.isChecked()
    assert kept(background_flow.APART) == "on"
    other = make_window(new_session, list_presets())
    with qtbot.waitSignal(other.painted):
        other.show()
    qtbot.waitUntil(lambda: other.flows is not None)
    assert other.commands.background.isChecked()
    other.leave()
    qtbot.waitUntil(lambda: other.closed, **LONG)
    other.deleteLater()


def test_an_engine_that_is_lost_is_a_state_with_resume_at_hand(qtbot, training):
    """As the window knows it: the session says so, whatever has ended the process."""
    lab, run = training, training.sessions.folder
    move(qtbot, lab)
    qtbot.waitUntil(lambda: bool(list_runs(paths.runs())), **LONG)
    session = lab.sessions.shown.session
    session.lost = True
    lab.sessions.shown.arrived.emit(StateRecord(State.FAILED, lab.sessions.step, "It has ended."))
    qtbot.waitUntil(lambda: bool(lab.told), **LONG)
    (notice,) = [notice for notice in lab.told if notice.message == "It has ended."]
    assert [words for words, _ in notice.actions] == ["Resume it"]
    assert lab.state is State.FAILED
    with Talk(attach(run)) as talk:  # the engine of this test is well
        talk.session.request_close()
        wait_until(lambda: talk.session.join(0))
    qtbot.waitUntil(lambda: lab.sessions.shown.ended and live_place(run) is None, **LONG)
    notice.actions[0][1]()
    qtbot.waitUntil(lambda: lab.state is State.PAUSED and not lab.sessions.apart, **LONG)
    assert lab.sessions.folder == run
    assert not [r for r in lab.told if isinstance(r, ErrorRecord)]


def test_no_folder_no_move(qtbot, window):
    window.open(get_preset("digits").config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, **LONG)
    flow = window.flows.background
    assert not flow.can_move
    flow.move_out()
    assert not flow.busy
    assert not live_places()
