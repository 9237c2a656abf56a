"""Runs in the background from the command line: begun, listed, watched, left, and ended."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from typer.testing import CliRunner

from lora_lab import paths
from lora_lab.cli import app
from lora_lab.cli.background import LiveLine
from lora_lab.engine.places import live_places
from lora_lab.measured import SpeedRecord
from lora_lab.opening_records import OpeningRecord
from lora_lab.records import ErrorRecord, EvalRecord, NewsRecord, State, StateRecord, StepRecord
from lora_lab.runs.listing import summary_of
from lora_lab.runs.saves import resumable
from tests.engine.hosted import hosted, loaded_record
from tests.engine.talk import opened
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")


def verb(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def when(condition, act):
    """`act` on a thread of its own, once `condition` holds; joined by the caller."""

    def run():
        wait_until(condition)
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_attach_shows_a_run_until_its_end():
    with hosted() as one, opened(one) as editor:
        one.session.say(StateRecord(State.RUNNING, 0, goal=100))
        one.session.steps(1, 9)

        def end():
            one.session.say(NewsRecord(9, "The disk is slow."))
            editor.session.request_close()

        thread = when(lambda: len(one.host.watchers) == 2, end)
        done = verb("attach", one.run.name)
        thread.join()
    assert done.exit_code == 0
    assert "running at step 9" in done.stderr
    assert "The disk is slow." in done.stderr
    assert "one has ended at step 9." in done.stderr


def test_ctrl_c_leaves_the_run_to_itself():
    with hosted() as one, opened(one) as editor:
        thread = when(
            lambda: len(one.host.watchers) == 2, lambda: os.kill(os.getpid(), signal.SIGINT)
        )
        done = verb("attach", one.run)
        thread.join()
        assert done.exit_code == 128 + signal.SIGINT
        assert "continues in the background" in done.stderr
        one.session.steps(1, 3)
        wait_until(lambda: len(editor.seen(StepRecord)) == 3)
        assert one.session.saved is None


def test_stop_ends_and_saves_though_another_edits():
    with hosted() as one, opened(one) as editor:
        done = verb("stop", one.run, "--json")
        assert done.exit_code == 0, done.stderr
        assert json.loads(done.stdout) == {"run": str(one.run), "step": 0, "saved": None}
        assert one.session.saved is True
        wait_until(lambda: editor.session.join(0))


@pytest.mark.parametrize("name", ["attach", "stop"])
@pytest.mark.parametrize("run", ["nothing", "ended"])
def test_what_does_not_train_in_the_background_is_one_message(name, run):
    (paths.runs() / "ended").mkdir(parents=True)
    done = verb(name, run)
    assert done.exit_code == 1
    assert done.stderr == f"lora-lab: {run} does not train in the background.\n"
    assert not done.stdout


def test_the_list_says_which_train_in_the_background():
    with hosted() as one, opened(one):
        (row,) = json.loads(verb("runs", "--json").stdout)
        assert row["background"] is True
        assert "in the background" in verb("runs").stdout
    (row,) = json.loads(verb("runs", "--json").stdout)
    assert row["background"] is False
    assert "in the background" not in verb("runs").stdout


def test_one_line_says_how_it_stands():
    line, config = LiveLine(), None
    line.take(OpeningRecord("Reading the data", 0.5))
    assert line.words() == "Reading the data…"
    with hosted() as one:
        config = one.config
    line.take(loaded_record(config))
    line.take(StateRecord(State.RUNNING, 0, goal=100))
    assert line.words() == "step 0 / 100"
    told = [line.take(record) for record in (
        StateRecord(State.RUNNING, 0, goal=100), StepRecord(10, 0.5, 0.1, 1.0),
        StepRecord(20, 0.25, 0.1, 2.0), EvalRecord(20, False, 9.0), EvalRecord(20, True, 0.3),
        SpeedRecord(20, 1.0, 1, 1.0),
    )]  # fmt: skip
    assert told == ["running at step 0", "", "", "", "", ""]
    assert line.words() == (
        "step 20 / 100 · loss 0.25 · validation 0.3 · 10 steps/s · 0:00:08 left"
    )
    assert line.take(ErrorRecord(20, "The disk is full.")) == "The disk is full."
    line.take(StateRecord(State.PAUSED, 20))
    assert line.words() == "step 20 / 100 · loss 0.25 · validation 0.3 · paused"


@pytest.mark.parametrize(
    ("flags", "reason"),
    [(["--tensorboard", "x"], "--tensorboard does not go with --detach"),
     (["--out", "."], "is not empty")],
)  # fmt: skip
def test_what_cannot_be_begun_is_refused_before_a_process_starts(flags, reason, tmp_path):
    done = verb("train", "--preset", "known-rank", "--detach", *flags)
    assert done.exit_code == 1
    assert reason in done.stderr
    assert not live_places()


def test_one_of_several_processes_detaches_nothing(monkeypatch):
    for name, value in (("RANK", 0), ("LOCAL_RANK", 0), ("WORLD_SIZE", 2), ("LOCAL_WORLD_SIZE", 2),
                        ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", 29500)):  # fmt: skip
        monkeypatch.setenv(name, str(value))
    done = verb("train", "--preset", "known-rank", "--detach")
    assert done.exit_code == 1
    assert "without torchrun" in done.stderr
    assert not live_places()


def lab(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "lora_lab", *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120,
    )  # fmt: skip


def watch(run):
    return subprocess.Popen(
        [sys.executable, "-m", "lora_lab", "attach", run.name], stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_begun_left_watched_and_ended_from_a_shell():
    begun = lab("train", "--preset", "known-rank", "--steps", 10**7, "--detach", "--json")
    assert begun.returncode == 0, begun.stderr
    facts = json.loads(begun.stdout)
    run = paths.runs() / os.path.basename(facts["run"])
    try:
        assert json.loads(lab("runs", "--json").stdout)[0]["background"] is True
        busy = lab("resume", run)
        assert busy.returncode == 1
        assert "is being trained by process" in busy.stderr
        again = lab("resume", run, "--detach")
        assert again.returncode == 1
        assert "trains in the background already" in again.stderr
        there = watch(run)
        with there:
            assert "running at step" in there.stderr.readline()
            there.send_signal(signal.SIGINT)
            assert "continues in the background" in there.stderr.read()
        assert there.returncode == 128 + signal.SIGINT
        ended = lab("stop", run.name)
        assert ended.returncode == 0, ended.stderr
        assert "continue it with lora-lab resume" in ended.stdout
        wait_until(lambda: not live_places(), 60)
        about = summary_of(run)
        assert about.state == "stopped"
        assert about.step == resumable(run)
        facts = json.loads(lab("resume", run, "--detach", "--json").stdout)
        there = watch(run)
        with there:
            assert "running at step" in there.stderr.readline()
            os.kill(facts["pid"], signal.SIGKILL)
            said = there.stderr.read()
        assert there.returncode == 1
        assert "has ended without a word. The run can be resumed from step" in said
        assert f"lora-lab resume {run.name} continues it" in said
    finally:
        if live_places():
            os.kill(facts["pid"], signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_cannot_be_opened_ends_with_its_reason_and_no_process(tmp_path):
    broken = tmp_path / "rows.jsonl"
    broken.write_text("{")
    done = lab("train", "--task", "causal-lm", "--model", tmp_path, "--data", broken, "--detach")
    assert done.returncode == 1
    assert done.stderr.count("lora-lab:") == 1
    assert not done.stdout
    wait_until(lambda: not live_places(), 60)
