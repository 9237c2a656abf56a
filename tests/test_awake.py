"""The machine is held awake while a run trains, let go when it pauses or ends, and never longer."""

import os
import signal
import subprocess
import sys

import pytest

from lora_lab import awake
from lora_lab.awake import Awake
from lora_lab.records import State, StateRecord, StepRecord
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="holds it by a thread there")


@pytest.fixture
def held_by(monkeypatch, tmp_path):
    """Hold it by a small script, which writes that it began and that it ended."""
    monkeypatch.setattr(awake, "AFTER", 0.0)
    monkeypatch.setattr(awake, "LOOK", 0.01)

    def use(*scripts):
        commands = [["sh", "-c", script] for script in scripts]
        monkeypatch.setattr(awake, "holders", lambda: commands)

    use(f"echo $$ >> {tmp_path}/began; cat; echo $$ >> {tmp_path}/ended")
    use.began, use.ended = tmp_path / "began", tmp_path / "ended"
    return use


def state(name):
    return StateRecord(State(name), 1)


def test_held_while_it_trains_and_not_while_it_pauses(held_by):
    told = []
    one = Awake(told.append)
    for record in (state("loading"), state("paused"), StepRecord(1, 1.0, 1.0, 1.0)):
        one.follow(record)
    assert not held_by.began.exists()
    for count in (1, 2):
        one.follow(state("running"))
        one.follow(StepRecord(2, 1.0, 1.0, 1.0))
        wait_until(lambda count=count: one.held and held_by.began.exists() and
                   len(held_by.began.read_text().split()) == count)  # fmt: skip
        one.follow(state("paused" if count == 1 else "finished"))
        wait_until(lambda: not one.held)
        pid = int(held_by.began.read_text().split()[-1])
        wait_until(lambda pid=pid: gone(pid))
    one.close()
    assert not told


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_end_lets_go(held_by):
    one = Awake(pytest.fail)
    one.follow(state("running"))
    wait_until(held_by.began.exists)
    pid = int(wait_until(held_by.began.read_text))
    one.close()
    wait_until(lambda: gone(pid))
    one.follow(state("running"))  # nothing begins any more
    assert not one.held


@pytest.mark.parametrize(
    ("scripts", "reason"),
    [(["echo Access denied >&2; exit 1"], "sh says “Access denied”"),
     (["exit 3", "echo no bus >&2; exit 1"], "sh says “no bus”"),
     ([], "this system has nothing")],
)  # fmt: skip
def test_what_cannot_be_held_is_said_once(held_by, scripts, reason):
    held_by(*scripts)
    told = []
    one = Awake(told.append)
    for _ in range(3):
        one.follow(state("running"))
        wait_until(lambda: bool(told))
        one.follow(state("paused"))
    one.close()
    assert len(told) == 1
    assert reason in told[0]
    assert "may go to sleep" in told[0]


def test_the_next_one_is_tried_where_one_refuses(held_by):
    script = f"echo $$ >> {held_by.began}; cat"
    held_by("exit 1", script)
    one = Awake(pytest.fail)
    one.follow(state("running"))
    wait_until(lambda: held_by.began.exists() and one.held)
    one.close()


def test_no_short_run_starts_anything(held_by, monkeypatch):
    monkeypatch.setattr(awake, "AFTER", 1e6)
    one = Awake(pytest.fail)
    for name in ("running", "paused", "running", "stopped"):
        one.follow(state(name))
    one.close()
    assert not held_by.began.exists()


KILLED = """
import sys
from lora_lab import awake
from lora_lab.records import State, StateRecord
awake.AFTER = 0.0
awake.holders = lambda: [["sh", "-c", "echo $$; exec cat"]]
popen = awake.subprocess.Popen
def shown(*args, **settings):
    return popen(*args, **{**settings, "stdout": None})
awake.subprocess.Popen = shown
awake.Awake(print).follow(StateRecord(State.RUNNING, 1))
"""


def test_a_kill_lets_go_as_well():
    there = subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True)
    with there:
        pid = int(there.stdout.readline())
        there.send_signal(signal.SIGKILL)
        assert there.stdout.read() == ""  # its holder has ended, or this would wait for ever
    wait_until(lambda: gone(pid))


@pytest.mark.skipif(sys.platform == "darwin", reason="of Linux")
def test_what_is_asked_of_linux(monkeypatch):
    monkeypatch.setattr(awake.shutil, "which", lambda name: f"/bin/{name}")
    first, second = awake.holders()
    assert first[:2] == ["systemd-inhibit", "--what=idle:sleep"]
    assert first[-1] == second[-1] == "cat"
    monkeypatch.setattr(awake.shutil, "which", lambda name: None)
    assert awake.holders() == []
