"""An engine whose run is in two processes: watched and changed as any, and what ends one ends both.

One run is opened for all that may follow each other, since two processes take seconds to start.
"""

import os
import signal
import sys

import psutil
import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.places import live_place
from lora_lab.engine.remote import attach
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    ResumedRecord,
    SavedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import resumable
from lora_lab.training.commands import Save
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run as train_here
from tests.engine.talk import Talk
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind"),
]  # fmt: skip
LONG = 300
CLOSE = 1e-6  # of losses, which end near 0: two sums in another order


def digits(device="2 × cpu"):
    config = get_preset("digits").config
    hyper = {**config.hyper.model_dump(), "learning_rate": 1e-3}
    return changed(config, device=device, max_steps=10**6, autosave_seconds=0.2, hyper=hyper)


def until(talk, condition):
    wait_until(lambda: condition() or failure(talk), LONG)
    assert not failure(talk)


def failure(talk):
    return [r.message for r in talk.seen(StateRecord) if r.state is State.FAILED]


def until_step(talk, step):
    until(talk, lambda: any(r.step >= step for r in talk.seen(StepRecord)))


def until_state(talk, state):
    until(talk, lambda: talk.seen(StateRecord) and talk.seen(StateRecord)[-1].state is state)


def other(talk):
    """The second process, which the engine has started."""
    (found,) = psutil.Process(talk.session.pid).children()
    return found


def rows_of(run):
    return [r for r in read_metrics(run / "metrics.jsonl") if r["record"] in
            ("StepRecord", "AppliedRecord")]  # fmt: skip


def alone(run, last, folder):
    """The losses of a run in one process with the edits of `run` at their steps."""
    edits = {r["step"]: r["hyper"] for r in rows_of(run) if r["record"] == "AppliedRecord"}
    config = digits("cpu")
    controls, losses = Controls(config.hyper), {}
    for record in train_here(New(config, folder), controls):
        if isinstance(record, StepRecord):
            losses[record.step] = record.loss
            if record.step in edits:
                controls.set_hyper(changed(controls.hyper, **edits[record.step]))
            if record.step == last:
                controls.stop()
    return losses


def test_it_is_watched_changed_left_and_ended_as_any_engine(engines, tmp_path):
    run = paths.runs() / "both"
    with engines(New(digits(), run)) as talk:
        until_step(talk, 10)
        second = other(talk)
        talk.edit(rank=3)
        until(talk, lambda: talk.seen(AppliedRecord))
        talk.session.controls.pause()
        until_state(talk, State.PAUSED)
        talk.session.controls.request(Save())
        until(talk, lambda: talk.seen(SavedRecord))
        talk.session.controls.resume()
        until_state(talk, State.RUNNING)
        until_step(talk, talk.session.step + 10)
    with Talk(attach(run)) as talk:  # the window has ended, another one has come
        until_step(talk, talk.session.step + 10)
        talk.edit(alpha=24.0)
        until(talk, lambda: talk.seen(AppliedRecord))
        talk.session.controls.pause()
        until_state(talk, State.PAUSED)
        last = talk.session.step
        talk.session.close()
    wait_until(lambda: not second.is_running() and live_place(run) is None)
    assert resumable(run) == last
    steps = {r["step"]: r["loss"] for r in rows_of(run) if r["record"] == "StepRecord"}
    assert list(steps) == list(range(1, last + 1))
    one = alone(run, last, tmp_path / "alone")
    most = max(abs(steps[step] - loss) / max(loss, 1.0) for step, loss in one.items())
    print(f"\n{last} steps with edits of rank and α, 2 × cpu against cpu: {most:.1e}")  # noqa: T201
    assert len(one) == last
    assert most < CLOSE


def test_a_process_that_dies_ends_the_run_with_a_sentence_and_its_save_stands(engines):
    run = paths.runs() / "both"
    with engines(New(digits(), run)) as talk:
        until_step(talk, 10)
        other(talk).kill()
        wait_until(lambda: talk.session.join(0), LONG)
        (message,) = failure(talk)
        assert message.startswith("One of the 2 processes of this run has ended")
        assert not talk.session.lost
        last = talk.seen(StepRecord)[-1].step
    wait_until(lambda: live_place(run) is None)
    assert resumable(run) == last
    resume = Resume.at(run)
    with engines(resume) as talk:
        until_step(talk, last + 5)
        assert [r.step for r in talk.seen(ResumedRecord)] == [last]
        talk.session.close()


def test_an_engine_that_is_killed_leaves_no_process(engines):
    run = paths.runs() / "both"
    with engines(New(digits(), run)) as talk:
        until(talk, lambda: resumable(run))
        second = other(talk)
        os.kill(talk.session.pid, signal.SIGKILL)
        wait_until(lambda: talk.session.join(0))
        assert talk.session.lost
    wait_until(lambda: not second.is_running(), LONG)
