"""What is requested, previewed and applied, and who is told when one replaces another."""

import pytest

from lora_lab.config import RunConfig, changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import AppliedRecord, ResumedRecord, State, StateRecord, StepRecord
from lora_lab.ui.session.standing import Standing

FIRST = Hyperparameters()
SECOND, THIRD = changed(FIRST, rank=4), changed(FIRST, rank=2)


@pytest.fixture
def standing(qtbot, fake_session):
    made = Standing()
    made.take(fake_session(RunConfig(preset="digits", task="digits", hyper=FIRST)).loaded())
    return made


@pytest.fixture
def told(standing):
    """What it has said since: requests with what stood before, and what settled by itself."""
    said = []
    standing.asked.connect(lambda before, after: said.append((before, after)))
    standing.settled.connect(lambda: said.append(standing.requested))
    return said


def test_a_request_waits_until_it_is_applied(standing, told):
    standing.preview(SECOND)
    assert (standing.requested, standing.foreseen) == (FIRST, SECOND)
    standing.request(SECOND)
    assert (standing.applied, standing.requested) == (FIRST, SECOND)
    standing.take(AppliedRecord(1, SECOND, (("rank", 8, 4),)))
    assert (standing.applied, standing.requested) == (SECOND, SECOND)
    assert set(standing.ranks.present.values()) == {4}
    assert told == [(FIRST, SECOND)]


def test_what_is_applied_takes_no_pending_request_away(standing, told):
    standing.request(SECOND)
    standing.request(THIRD)
    standing.take(AppliedRecord(1, SECOND, (("rank", 8, 4),)))
    assert (standing.applied, standing.requested) == (SECOND, THIRD)
    assert told == [(FIRST, SECOND), (SECOND, THIRD)]


def test_an_edit_of_nobody_here_is_followed_and_told(standing, told):
    standing.take(AppliedRecord(1, SECOND, (("rank", 8, 4),)))  # as by going back
    assert standing.requested == SECOND
    assert told == [SECOND]
    standing.settle(SECOND)
    assert told == [SECOND], "nothing else stands"


def test_step_state_and_goal_follow_the_records(standing):
    for record, expected in (
        (StateRecord(State.RUNNING, 0, goal=400), (State.RUNNING, 0, 400)),
        (StepRecord(7, 1.0, 1e-3, 0.1), (State.RUNNING, 7, 400)),
        (StateRecord(State.FINISHED, 400), (State.FINISHED, 400, 400)),
        (StateRecord(State.RUNNING, 400, goal=800), (State.RUNNING, 400, 800)),
        (ResumedRecord(300, (0, 400)), (State.RUNNING, 300, 400)),
        (StateRecord(State.CLOSED, 300), (State.RUNNING, 300, 400)),
    ):
        standing.take(record)
        assert (standing.state, standing.step, standing.goal) == expected
