"""A run folder keeps every record, in any state of the disk, and gives back what was put in."""

import errno
import json
import math
import os

import numpy as np
import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.config import RunConfig, changed
from lora_lab.errors import AdapterError, ConfigError, LabError
from lora_lab.formats import FORMATS
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    LayerSpectrum,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.runs import metrics
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.metrics import line, step_line
from lora_lab.runs.saved_config import SavedConfig

PEFT = FORMATS["peft"]
CONFIG = RunConfig(task="digits", digits=(9,), hyper=Hyperparameters(rank=4, alpha=0.5))


def steps(first, last):
    return [StepRecord(i, 1 / (i + 3), 1e-3, i * 0.25) for i in range(first, last)]


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "runs", "a")
    yield folder
    folder.close()


def adapter(value=1.0):
    one = LayerWeights("net.one", torch.ones(2, 4), torch.full((3, 2), value), 4.0, 2.0)
    return AdapterWeights("lora", (one,), base_fingerprint="f00d")


def test_the_settings_come_back(run):
    run.write_config(CONFIG, "f00d")
    again = RunFolder.at(run.path)
    assert again.load_config() == CONFIG
    about = SavedConfig.read(again.path).about
    del about["config"]["rules"]  # a run of before there were rules keeps those of then
    (again.path / "config.json").write_text(json.dumps(about), "utf-8")
    assert again.load_config() == changed(CONFIG, rules=1)
    assert about["base_fingerprint"] == "f00d"
    assert set(about["versions"]) == {"lora_lab", "python", "torch", "numpy", "safetensors"}
    assert os.listdir(run.path) == ["config.json"]


def test_a_folder_that_is_taken_is_not_shared(run, tmp_path):
    run.write_config(CONFIG)
    with pytest.raises(LabError, match="is taken already"):
        RunFolder.create(tmp_path / "runs", "a")
    names = [RunFolder.create(tmp_path / "runs", "a", unique=True).path.name for _ in range(2)]
    assert names == ["a-2", "a-3"]
    (tmp_path / "empty").mkdir()
    assert RunFolder.create(tmp_path, "empty").path == tmp_path / "empty"


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="cannot be made: not a directory"):
        RunFolder.create(tmp_path / "file", "a")
    with pytest.raises(LabError, match="is taken already"):
        RunFolder.create(tmp_path, "file")
    with pytest.raises(LabError, match="not a run folder"):
        RunFolder.at(tmp_path)


BAD_CONFIGS = {
    "not JSON": (b"{", "not valid JSON"),
    "not UTF-8": (b"\xff", "not valid JSON"),
    "nested": (b"[" * 200_000, "not valid JSON"),
    "a list": (b"[]", "no table|does not hold the settings"),
    "no config": (b"{}", "no table|does not hold the settings"),
    "too long": (b" " * 2_000_000, "too long"),
    "a field is wrong": (b'{"config": {"task": "digits", "batch_size": 0}}', "batch_size"),
    "a field is unknown": (b'{"config": {"task": "digits", "speed": 9}}', "speed is not a setting"),
}


@pytest.mark.parametrize("case", BAD_CONFIGS)
def test_bad_settings_are_refused_by_name(case, run):
    data, message = BAD_CONFIGS[case]
    (run.path / "config.json").write_bytes(data)
    with pytest.raises(ConfigError, match=message) as error:
        run.load_config()
    assert "config.json" in str(error.value)


def test_every_record_comes_back_in_order(run):
    spectrum = LayerSpectrum("net.one", frozen_array([2.0, 0.5]), 2, 1.1, math.nan, 2.1, 2, 4.0, 2)
    given = [
        *steps(0, 3),
        SpectrumRecord(3, (spectrum,)),
        CountsRecord(3, 10, 20, (("net.one", 10),)),
        AppliedRecord(3, Hyperparameters(), (("rank", 2, 4),), ("grew",), math.inf),
        *steps(3, 5),
        StateRecord(State.FINISHED, 5),
    ]
    run.append(given)
    found = run.read_metrics()
    assert [r["record"] for r in found] == [type(r).__name__ for r in given]
    assert found[1] == {
        "record": "StepRecord", "step": 1, "loss": 0.25, "learning_rate": 1e-3, "seconds": 0.25,
    }  # fmt: skip
    layer = found[3]["layers"][0]
    assert layer["sigma"] == [2.0, 0.5]
    assert math.isnan(layer["effective_rank"])
    assert found[5]["discarded_energy"] == math.inf
    assert found[5]["hyper"]["rank"] == 8
    assert found[-1]["state"] == "finished"


ODD = [math.nan, math.inf, -math.inf, np.float64(0.1), np.float32(0.5), np.int64(3), 1e-320, -0.0]


@pytest.mark.parametrize("value", ODD)
def test_a_line_is_json_whatever_the_loss_is(value):
    for record in (StepRecord(1, value, 0.1, 0.2), StepRecord(1, 0.1, value, 0.2)):
        text = step_line(record)
        found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        assert text.endswith("}\n")
        key = "loss" if record.loss is value else "learning_rate"
        assert float(found[key]) == pytest.approx(float(value), nan_ok=True, abs=0)


def test_the_fast_line_equals_the_plain_one():
    for record in steps(0, 20):
        assert json.loads(step_line(record)) == json.loads(line(record))


def test_steps_wait_and_events_do_not(run, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: clock[0])
    path = run.path / "metrics.jsonl"

    def written():
        return path.read_bytes().count(b"\n")

    run.append(steps(0, 1))
    assert written() == 1  # the first flush was due
    run.append(steps(1, 5))
    assert written() == 1
    clock[0] += 1.1
    run.append(steps(5, 6))
    assert written() == 6
    run.append(steps(6, 7))
    run.append([ErrorRecord(7, "x")])
    assert written() == 8
    run.append(steps(7, 8))
    run.close()
    assert written() == 9
    run.close()


def test_a_torn_line_is_passed_over_and_cut_before_more_is_written(run):
    run.append(steps(0, 3))
    run.close()
    path = run.path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    assert [r["step"] for r in run.read_metrics()] == [0, 1]
    run.append(steps(2, 4))
    run.close()
    assert [r["step"] for r in run.read_metrics()] == [0, 1, 2, 3]
    assert all(json.loads(raw) for raw in path.read_bytes().splitlines())

    path.write_bytes(b"no line end at all" * 10_000)
    run.append(steps(0, 1))
    run.close()
    assert [r["step"] for r in run.read_metrics()] == [0]


def test_metrics_that_are_missing_say_so(run):
    with pytest.raises(LabError, match="cannot be read"):
        run.read_metrics()


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that takes ten more bytes and then none, until `free()` is called."""
    write = os.write
    state = {"full": True, "left": 10}

    def refusing(fd, data):
        if not state["full"]:
            return write(fd, data)
        if state["left"]:
            done = write(fd, bytes(data)[: state["left"]])
            state["left"] -= done
            return done
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refusing)
    return state


def test_a_full_disk_is_reported_once_and_nothing_is_lost(run, full_disk, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: clock[0])
    with pytest.raises(LabError, match="the disk is full"):
        run.append(steps(0, 3))
    for i in range(3, 50):
        clock[0] += 1.0
        run.append(steps(i, i + 1))
    run.append([ErrorRecord(50, "x")])
    full_disk["full"] = False
    clock[0] += 11.0
    run.append(steps(50, 51))
    found = run.read_metrics()
    assert [r["step"] for r in found] == [*range(50), 50, 50]
    assert (run.path / "metrics.jsonl").read_bytes().count(b"\n") == 52


def test_closing_on_a_full_disk_says_what_is_lost(run, full_disk):
    with pytest.raises(LabError, match="the disk is full"):
        run.append(steps(0, 3))
    with pytest.raises(LabError, match="last 3 records could not be written"):
        run.close()
    run.close()


def test_the_adapter_is_saved_trained_or_not(run):
    run.save_adapter(adapter(0.0), PEFT.save)
    path = run.save_adapter(adapter(3.0), PEFT.save)
    assert path == run.path / "adapter"
    found = RunFolder(run.path).load_adapter(PEFT.load)
    assert found.layers[0].lora_B[0, 0] == 3.0
    assert os.listdir(run.path) == ["adapter"]


def test_the_last_adapter_stands_when_a_save_fails(run):
    run.save_adapter(adapter(1.0), PEFT.save)

    def failing(weights, folder):
        PEFT.save(weights, folder)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LabError, match=r"disk is full\. The last saved one is unchanged"):
        run.save_adapter(adapter(2.0), failing)
    assert run.load_adapter(PEFT.load).layers[0].lora_B[0, 0] == 1.0
    assert os.listdir(run.path) == ["adapter"]


def test_a_run_without_an_adapter_says_so(run):
    with pytest.raises(AdapterError, match="has no adapter"):
        run.load_adapter(PEFT.load)
