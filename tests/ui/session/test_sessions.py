"""Records of the shown session reach who subscribed to them, in order, through every change."""

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.training.opening import New
from lora_lab.ui.session.dispatch import Dispatcher
from lora_lab.ui.session.sessions import Sessions

CONFIG = RunConfig(preset="digits", task="digits")


@pytest.fixture
def sessions(qtbot, fake_session, sessions_made):
    def new_session(opening):
        config = opening.config
        sessions_made.append(fake_session(config, fails=config.model or ""))
        return sessions_made[-1]

    made = Sessions(new_session)
    yield made
    with qtbot.waitSignal(made.all_ended, timeout=5000):
        made.close_all()


@pytest.fixture
def opened(qtbot, sessions):
    sessions.open(New(CONFIG))
    qtbot.waitUntil(lambda: sessions.state is State.PAUSED)
    return sessions


def test_records_of_one_tick_keep_their_order_among_subscribers_of_each(
    qtbot, opened, sessions_made
):
    order = []
    for kind in (StateRecord, StepRecord, AppliedRecord):  # not the order that they are said in
        opened.on(kind, lambda record: order.append((type(record), record.step)))
    applied = AppliedRecord(1, CONFIG.hyper, ())
    sessions_made[0].waiting += [
        StepRecord(1, 2.0, 1e-3, 0.1), applied, StepRecord(2, 2.0, 2e-3, 0.2),
        StateRecord(State.PAUSED, 2),
    ]  # fmt: skip
    qtbot.waitUntil(lambda: len(order) == 4)
    assert order == [(StepRecord, 1), (AppliedRecord, 1), (StepRecord, 2), (StateRecord, 2)]
    assert opened.step == 2


def test_a_subscription_outlives_the_session_and_hears_the_shown_one_alone(
    qtbot, opened, sessions_made
):
    titles = []
    opened.on(LoadedRecord, lambda record: titles.append(record.title))
    first = opened.id
    second = opened.open(New(changed(CONFIG, preset="known-rank")))
    assert second != first
    assert opened.id == first  # until its model stands ready
    qtbot.waitUntil(lambda: opened.id == second)
    assert titles == ["Fake known-rank"]
    steps = []
    opened.on(StepRecord, steps.append)
    sessions_made[0].waiting.append(StepRecord(1, 2.0, 1e-3, 0.1))
    sessions_made[1].waiting.append(StepRecord(5, 2.0, 1e-3, 0.1))
    qtbot.waitUntil(lambda: len(steps) > 0)
    assert [record.step for record in steps] == [5]


def test_a_candidate_that_fails_is_told_of_and_what_is_shown_stays(qtbot, opened):
    failures, shown = [], []
    opened.failed.connect(failures.append)
    opened.shown_failed.connect(shown.append)
    before = opened.id
    with qtbot.waitSignal(opened.opening_failed, timeout=5000):
        opened.open(New(changed(CONFIG, model="broken.pt")))
    assert [record.message for record in failures] == ["broken.pt"]
    assert shown == []
    assert opened.id == before
    opened.shown.arrived.emit(ErrorRecord(0, "It is untrained.", command="Export"))
    assert [record.message for record in shown] == ["It is untrained."]


def test_a_listener_that_raises_is_reported_and_the_others_get_theirs(monkeypatch):
    reported, counted = [], []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: reported.append(kind))
    dispatcher = Dispatcher()
    dispatcher.on(CountsRecord, lambda record: 1 / 0)
    dispatcher.on(CountsRecord, counted.append)
    record = CountsRecord(0, 1, 2, ())
    dispatcher.dispatch(record)
    assert reported == [ZeroDivisionError]
    assert counted == [record]


def test_nothing_is_opened_once_everything_was_asked_to_end(qtbot, opened):
    opened.close_all()
    assert opened.open(New(CONFIG)) == 0
    qtbot.waitUntil(lambda: opened.shown.ended)
