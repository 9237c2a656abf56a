"""Engines in processes of their own: out and back in mid-run to the bit, killed, told to end."""

import os
import signal
import subprocess
import sys

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine.places import live_place
from lora_lab.engine.remote import attach
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    FolderRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import resumable
from lora_lab.training.opening import New, Resume
from lora_lab.training.session import Session, threads_beside_a_person
from tests.engine.talk import Talk
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind"),
]  # fmt: skip

WATCHER = """
import sys, time
from pathlib import Path
from lora_lab.engine.remote import attach
from lora_lab.records import StepRecord
session = attach(Path(sys.argv[1]))
session.start()
while True:
    if any(isinstance(record, StepRecord) for record in session.drain()):
        print("moves", flush=True)
"""


def digits(steps, **settings):
    return changed(get_preset("digits").config, max_steps=steps, autosave_seconds=0.2, **settings)


def steps_of(run):
    return [(r["step"], r["loss"]) for r in read_metrics(run / "metrics.jsonl")
            if r["record"] == "StepRecord"]  # fmt: skip


def until_step(talk, step):
    wait_until(lambda: any(r.step >= step for r in talk.seen(StepRecord)), 120)


def finished(talk):
    wait_until(lambda: any(r.state is State.FINISHED for r in talk.seen(StateRecord)), 120)


def test_out_and_back_in_mid_run_is_the_run_that_never_moved(engines):
    config, whole, moved = digits(1200), paths.runs() / "whole", paths.runs() / "moved"
    with Talk(here(New(config, whole))) as talk:
        finished(talk)
    with Talk(here(New(config, moved))) as talk:
        until_step(talk, 200)
    first = resumable(moved)
    assert 200 <= first < 1200
    with engines(Resume.at(moved)) as talk:
        until_step(talk, first + 300)
        steps = [r.step for r in talk.seen(StepRecord) if r.step > first]
        assert steps == list(range(first + 1, steps[-1] + 1))
        assert live_place(moved) is not None
        assert not any(r.notes for r in talk.seen(ResumedRecord)), "nothing differs from before"
        talk.session.close()
    assert live_place(moved) is None or wait_until(lambda: live_place(moved) is None)
    with Talk(here(Resume.at(moved))) as talk:
        finished(talk)
    assert steps_of(moved) == steps_of(whole)


def here(opening):
    """As the window trains it."""
    return Here(Session(opening, paused=False, threads=threads_beside_a_person()))


class Here:
    """A session on a thread, left as a remote one is."""

    def __init__(self, session):
        self.session = session

    def let_go(self):
        self.session.request_close()

    def __getattr__(self, name):
        return getattr(self.session, name)


def test_a_watcher_that_is_killed_costs_the_run_nothing(engines):
    run = paths.runs() / "one"
    with engines(New(digits(10**6), run)) as talk:
        until_step(talk, 5)
        for _ in range(3):
            there = subprocess.Popen(
                [sys.executable, "-c", WATCHER, str(run)], stdout=subprocess.PIPE, text=True
            )
            with there:
                assert there.stdout.readline() == "moves\n"
                there.kill()
            now = talk.seen(StepRecord)[-1].step
            until_step(talk, now + 50)
        steps = [r.step for r in talk.seen(StepRecord)]
        assert steps == list(range(1, steps[-1] + 1))
        talk.session.close()
    assert [step for step, _ in steps_of(run)] == list(range(1, len(steps_of(run)) + 1))


def test_who_comes_later_has_all_of_it_and_edits(engines):
    run = paths.runs() / "one"
    with engines(New(digits(10**6), run)) as talk:
        until_step(talk, 100)
    with Talk(attach(run)) as talk:
        until_step(talk, talk.session.step + 500)
        assert talk.session.edits
        hyper = talk.edit(rank=3)
        wait_until(lambda: talk.seen(AppliedRecord))
        assert talk.session.controls.hyper == hyper
        steps = [r.step for r in talk.seen(StepRecord)]
        assert steps == list(range(1, steps[-1] + 1))
        assert [r.path for r in talk.seen(FolderRecord)][-1] == str(run)
        talk.session.controls.pause()
        wait_until(lambda: talk.seen(StateRecord)[-1].state is State.PAUSED)
        talk.session.close()
    assert summary_of(run).state == "stopped"
    assert summary_of(run).rank == 3


def test_an_engine_that_is_killed_is_a_state_with_the_step_to_resume_from(engines):
    run = paths.runs() / "one"
    with engines(New(digits(10**6), run)) as talk:
        wait_until(lambda: resumable(run), 120)
        os.kill(talk.session.pid, signal.SIGKILL)
        wait_until(lambda: talk.session.join(0))
        failed, closed = talk.seen(StateRecord)[-2:]
        assert (failed.state, closed.state) == (State.FAILED, State.CLOSED)
        assert talk.session.lost
        assert f"can be resumed from step {resumable(run):,}" in failed.message
    assert live_place(run) is None
    assert summary_of(run).interrupted
    with engines(Resume.at(run)) as talk:  # in the place of the dead one
        until_step(talk, resumable(run) + 10)
        talk.session.close()


def test_the_end_of_the_system_saves_it(engines):
    run = paths.runs() / "one"
    with engines(New(digits(10**6), run)) as talk:
        until_step(talk, 50)
        os.kill(talk.session.pid, signal.SIGTERM)
        wait_until(lambda: talk.session.join(0))
        assert talk.seen(StateRecord)[-1].state is State.CLOSED
        assert not talk.session.lost
        last = talk.seen(StepRecord)[-1].step
    assert resumable(run) == last


def test_what_cannot_be_opened_is_one_message(engines, tmp_path):
    config = changed(digits(10), data=None)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine")
    with engines(New(config, taken)) as talk:
        wait_until(lambda: talk.session.join(0), 120)
        failed = [r for r in talk.seen(StateRecord) if r.state is State.FAILED]
        assert len(failed) == 1
        assert "taken already" in failed[0].message
