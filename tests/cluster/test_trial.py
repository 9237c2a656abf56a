"""A run on the cluster: cut off anywhere it ends as one that never was."""

import json

import pytest

from lora_lab.cluster.trial import DONE, GOING, OUTCOMES, RUNS, Trial, outcome_of
from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.runs.listing import CHECKPOINTS
from lora_lab.runs.lock import RunLock
from lora_lab.runs.metrics import read_metrics

CONFIG = changed(get_preset("known-rank").config, max_steps=30, eval_steps=10)


def advanced(place, times=None):
    """Losses by step of a run that is driven to its end, or so many times and then given up."""
    trial, found = Trial(place, "a", CONFIG), {}
    try:
        while times is None or times > 0:
            told = trial.advance()
            found[told["step"]] = told["loss"]
            if told["done"]:
                break
            times = None if times is None else times - 1
    finally:
        trial.close()
    return found


def test_a_run_that_was_cut_off_goes_on_from_its_checkpoint(tmp_path):
    whole = advanced(tmp_path / "whole")
    assert list(whole) == [10, 20, 30]
    assert advanced(tmp_path / "cut", 1) == {10: whole[10]}
    assert outcome_of(tmp_path / "cut", "a").state == GOING
    rest = advanced(tmp_path / "cut")
    assert rest.items() <= whole.items()
    assert {20, 30} <= rest.keys()
    assert outcome_of(tmp_path / "cut", "a").state == DONE
    assert not advanced(tmp_path / "cut").keys() - {0}  # asked once more, it has ended
    assert [path.name for path in (tmp_path / "cut" / RUNS).iterdir()] == ["a-0"]


def test_before_its_first_checkpoint_it_begins_anew_beside_what_is_left(tmp_path):
    whole = advanced(tmp_path / "whole")
    advanced(tmp_path / "cut", 1)
    for path in (tmp_path / "cut" / RUNS / "a-0" / CHECKPOINTS).iterdir():
        path.rename(tmp_path / path.name)
    assert advanced(tmp_path / "cut") == whole
    assert sorted(path.name for path in (tmp_path / "cut" / RUNS).iterdir()) == ["a-0", "a-1"]
    assert outcome_of(tmp_path / "cut", "a").run == "a-1"


def test_an_end_that_could_not_be_noted_is_found(tmp_path):
    advanced(tmp_path)
    path = tmp_path / OUTCOMES / "a.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": GOING}))
    rows = len(read_metrics(tmp_path / RUNS / "a-0" / "metrics.jsonl"))
    advanced(tmp_path)
    assert outcome_of(tmp_path, "a").state == DONE
    assert len(read_metrics(tmp_path / RUNS / "a-0" / "metrics.jsonl")) == rows


def test_a_process_that_still_writes_is_waited_for_and_then_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("lora_lab.cluster.trial.PATIENCE", 0.0)
    advanced(tmp_path, 1)
    lock = RunLock(tmp_path / RUNS / "a-0")
    lock.take()
    with pytest.raises(TimeoutError, match="still held"):  # no LabError: Ray tries again
        advanced(tmp_path)
    assert outcome_of(tmp_path, "a").state == GOING
    lock.release()
    assert 30 in advanced(tmp_path)
