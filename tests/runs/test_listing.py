"""Runs at a glance: states, who is alive, and a thousand of them in a moment."""

import json
import os
import subprocess
import sys
import time

import pytest

from lora_lab.config import Origin, RunConfig
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import list_runs, set_label, summary_of
from lora_lab.runs.lock import is_live
from tests.runs.unreadable import refuse_to_read


def make(parent, name, **summary):
    run = RunFolder.create(parent, name)
    run.write_config(get_preset("digits").config)
    if summary:
        run.write_summary(**{"step": 5, "max_steps": 10, "loss": 0.5, **summary})
    return run


def test_a_run_that_was_cut_off_is_told_from_one_that_lives(tmp_path):
    for state in ("running", "paused", "finished", "stopped", "failed"):
        make(tmp_path, state, state=state)
    make(tmp_path, "old")
    live = make(tmp_path, "live", state="running")
    live.lock()
    (tmp_path / "no run").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")
    found = {run.name: run.state for run in list_runs(tmp_path)}
    assert found == {
        "running": "interrupted", "paused": "interrupted", "finished": "finished",
        "stopped": "stopped", "failed": "failed", "old": "", "live": "running", "broken": "damaged",
    }  # fmt: skip
    assert is_live(live.path)
    live.close()
    assert not is_live(live.path)
    assert summary_of(live.path).interrupted


@pytest.mark.slow
def test_two_processes_do_not_write_one_run(tmp_path):
    run = make(tmp_path, "a", state="running")
    run.lock()
    code = (
        "import sys; from pathlib import Path; from lora_lab.runs.folder import RunFolder\n"
        "try: RunFolder.at(Path(sys.argv[1])).lock()\n"
        "except Exception as e: print(type(e).__name__, e)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True
    )
    assert "LabError a is being trained by process" in done.stdout
    run.close()
    done = subprocess.run(
        [sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


def test_the_summary_says_what_holds_now(tmp_path):
    make(tmp_path, "a", state="finished", hyper={"rank": 9, "alpha": 3.0}, best=float("inf"))
    run = summary_of(tmp_path / "a")
    assert (run.rank, run.alpha, run.step, run.max_steps) == (9, 3.0, 5, 10)
    assert run.best != run.best, "what is not finite is not known"
    assert run.title == "digits"


def test_a_label_is_the_persons_and_cannot_hurt(tmp_path):
    run = make(tmp_path, "a", state="finished")
    set_label(run.path, "α = 4, the good one", "two lines\nof it")
    found = summary_of(run.path)
    assert (found.label, found.note) == ("α = 4, the good one", "two lines\nof it")
    set_label(run.path, "x" * 5000, "")
    assert len(summary_of(run.path).label) == 2000
    for damage in (b"{", b"[]", b'{"name": 3, "note": null}', b"x" * 2**21):
        (run.path / "label.json").write_bytes(damage)
        found = summary_of(run.path)
        assert (found.state, found.label, found.note) == ("finished", "", "")
    with pytest.raises(LabError, match="was not written"):
        set_label(tmp_path / "none", "x", "")


def test_size_and_ancestry_are_known(tmp_path):
    run = RunFolder.create(tmp_path, "b")
    run.write_config(get_preset("digits").config, origin=Origin("/elsewhere/parent", 7))
    (run.path / "checkpoints" / "step-000000001").mkdir(parents=True)
    (run.path / "checkpoints" / "step-000000001" / "state.safetensors").write_bytes(b"x" * 1000)
    (run.path / "outside").symlink_to("/usr")
    found = summary_of(run.path)
    assert (found.parent, found.parent_step) == ("parent", 7)
    assert 1000 < found.bytes < 10_000


def test_a_thousand_runs_take_a_moment(tmp_path):
    """Folders as runs leave them: fifteen files each, four of them in checkpoints."""
    config = {"config": RunConfig.model_dump(get_preset("digits").config, mode="json")}
    for number in range(1000):
        folder = tmp_path / f"{number:04}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({**config, "started": f"{number:04}"}))
        (folder / "state.json").write_text('{"state": "running", "step": 3}')
        for name in ("lock", "log.txt", "label.json", "metrics.jsonl", "exports.jsonl"):
            (folder / name).touch()
        for part in ("adapter", "adapter-best"):
            (folder / part).mkdir()
            for name in ("adapter_config.json", "adapter_model.safetensors"):
                (folder / part / name).touch()
        for part in ("step-000000001", "step-000000002"):
            (folder / "checkpoints" / part).mkdir(parents=True)
            for name in ("manifest.json", "state.safetensors"):
                (folder / "checkpoints" / part / name).touch()
    began = time.process_time()  # others may be busy
    found = list_runs(tmp_path)
    took = time.process_time() - began
    assert [run.name for run in found[:2]] == ["0999", "0998"]
    assert took < 5, took  # 0.3 s where nothing else runs


def test_no_folder_is_no_run(tmp_path):
    assert list_runs(tmp_path / "nowhere") == []
    with pytest.raises(LabError, match="is no run"):
        summary_of(tmp_path)


def test_a_folder_of_runs_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    make(tmp_path / "runs", "a")
    refuse_to_read(monkeypatch, tmp_path / "runs")
    with pytest.raises(LabError, match="runs cannot be read: permission denied"):
        list_runs(tmp_path / "runs")


@pytest.mark.skipif(os.name == "nt", reason="no folder has an owner there")
def test_a_run_that_cannot_be_read_is_said_and_hides_no_other(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        make(tmp_path, name)
    refuse_to_read(monkeypatch, tmp_path / "b")
    found = {run.name: run for run in list_runs(tmp_path)}
    assert [found[name].state for name in "abc"] == ["", "damaged", ""]
    assert "b cannot be read: permission denied" in found["b"].flaw
    monkeypatch.setattr(os, "getuid", lambda: 12345)  # another person's is none of this one's
    assert {run.name for run in list_runs(tmp_path)} == {"a", "c"}


@pytest.mark.parametrize("seconds", ["Infinity", "-Infinity", "NaN", "-1", "1e300"])
def test_a_time_that_no_clock_shows_is_a_damaged_run_among_whole_ones(tmp_path, seconds):
    make(tmp_path, "whole", state="finished", seconds=3.0)
    run = make(tmp_path, "strange")
    (run.path / "state.json").write_text(f'{{"state": "finished", "seconds": {seconds}}}')
    found = {run.name: run for run in list_runs(tmp_path)}
    assert found["whole"].state == "finished"
    assert found["strange"].state == "damaged"
    assert "seconds" in found["strange"].flaw
    assert found["strange"].seconds != found["strange"].seconds
