"""Engines in processes of their own, for tests that watch them; none is left."""

import os
import signal

import pytest

from lora_lab import paths
from lora_lab.engine.places import live_places
from lora_lab.engine.remote import begin
from tests.engine.talk import Talk
from tests.waiting import wait_until


@pytest.fixture
def engines(monkeypatch):
    """Starts engines; each that is left is ended, and one that does not end is a failure."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    paths.runs().mkdir(parents=True)
    started = []

    def start(opening, paused=False):
        session = begin(opening, paused=paused)
        started.append(session)
        return Talk(session)

    yield start
    for session in started:
        session.let_go()
        session.join(60)
        if session.pid:
            end(session.pid, signal.SIGKILL)
    wait_until(lambda: not live_places(), 60)


def end(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
