"""log.txt: what people want to know of a run, and the last word of a process that dies."""

import faulthandler
import logging
import os
import subprocess
import sys
import threading

import pytest

from lora_lab.records import ErrorRecord, EvalRecord, NewsRecord, State, StateRecord, StepRecord
from lora_lab.runs.log import RunLog

DYING = """
import os, signal, sys
from pathlib import Path
from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import CheckpointRecord
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run

config = changed(get_preset("digits").config, max_steps=100_000, autosave_seconds=0.01)
for record in run(New(config, Path(sys.argv[1])), Controls(config.hyper)):
    if isinstance(record, CheckpointRecord):
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("name", "words"), [("SIGSEGV", "Segmentation fault"),
                                             ("SIGABRT", "Aborted")])  # fmt: skip
def test_a_process_that_dies_leaves_word(name, words, tmp_path):
    """The stack of every thread is in the run's own log, and the run is one that was cut off."""
    done = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "run"), name], capture_output=True, text=True,
        env={**os.environ, "LORA_LAB_HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode < 0, done.stderr
    log = (tmp_path / "run" / "log.txt").read_text()
    assert f"Fatal Python error: {words}" in log
    assert 'File "<string>"' in log
    assert "opened digits" in log
    from lora_lab.runs.checkpoints import latest
    from lora_lab.runs.listing import summary_of

    assert summary_of(tmp_path / "run").interrupted
    assert latest(tmp_path / "run").step >= 1


def test_events_and_what_the_lab_says_and_no_steps(tmp_path):
    log = RunLog(tmp_path)
    assert log.renew() == ""
    log.note(StepRecord(1, 0.5, 1e-3, 0.1))
    log.note(StateRecord(State.FAILED, 2, "it broke", "Traceback\n  line"))
    log.note(NewsRecord(2, "half the batch"))
    thread = threading.Thread(target=lambda: logging.getLogger("lora_lab.x").error("from afar"))
    thread.start()
    thread.join()
    log.close()
    logging.getLogger("lora_lab.x").error("too late")
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line[21:] for line in lines if line[0] == "2"] == [
        "step 2: failed: it broke", "half the batch", "error: from afar",
    ]  # fmt: skip
    assert [line.strip() for line in lines[1:3]] == ["Traceback", "line"]
    assert len(lines) == 5


def test_it_grows_to_a_limit_and_then_has_errors_only(tmp_path, monkeypatch):
    monkeypatch.setattr("lora_lab.runs.log.LARGEST", 60)
    log = RunLog(tmp_path)
    assert log.renew() == ""
    for _ in range(5):
        log.note(NewsRecord(1, "x" * 30))
    log.note(ErrorRecord(1, "the disk is full"))
    log.close()
    text = (tmp_path / "log.txt").read_text()
    assert text.count("x" * 30) == 2
    assert "the disk is full" in text


def test_a_full_disk_is_no_reason_to_stop(tmp_path, monkeypatch):
    log = RunLog(tmp_path)
    assert log.renew() == ""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.note(NewsRecord(1, "lost"))
    log.note(NewsRecord(1, "kept"))
    assert log.in_place
    (tmp_path / "log.txt").rename(tmp_path / "elsewhere")
    assert not log.in_place
    log.close()
    assert "kept" in (tmp_path / "elsewhere").read_text()


def test_the_watch_over_crashes_is_given_back(tmp_path):
    watched = faulthandler.is_enabled()
    log = RunLog(tmp_path)
    log.renew()
    log.close()
    assert faulthandler.is_enabled() == watched


def test_what_cannot_be_opened_is_said_once_and_tried_again(tmp_path):
    log, path = RunLog(tmp_path), tmp_path / "log.txt"
    path.mkdir()
    assert str(path) in log.renew()
    log.note(NewsRecord(1, "lost"))
    assert log.renew() == ""
    path.rmdir()
    assert log.renew() == ""
    log.note(NewsRecord(1, "kept"))
    path.unlink()
    path.mkdir()
    assert str(path) in log.renew(), "it is another time"
    path.rmdir()
    log.renew()
    log.note(NewsRecord(1, "again"))
    log.close()
    assert path.read_text().endswith("again\n")


def test_of_many_best_steps_the_last_is_told_when_the_training_rests(tmp_path):
    log = RunLog(tmp_path)
    assert log.renew() == ""
    log.note(StateRecord(State.RUNNING, 0))
    for step in range(1, 50):
        log.note(EvalRecord(step, True, 1 / step, best=True))
    assert "best" not in (tmp_path / "log.txt").read_text()
    log.note(StateRecord(State.PAUSED, 60))
    log.note(StateRecord(State.PAUSED, 60))
    log.close()
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split("  ", 1)[1] for line in lines if "best" in line] == [
        "step 49: best validation loss so far, 0.0204082"
    ]
