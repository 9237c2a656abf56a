"""A run that is cut off between a step and what belongs to it: its validation, its end."""

import json
import shutil

import pytest
import torch

from lora_lab.config import changed
from lora_lab.errors import Cancelled, LabError
from lora_lab.formats import FORMATS
from lora_lab.presets import get_preset
from lora_lab.progress import silent
from lora_lab.records import EvalRecord, State, StateRecord, StepRecord
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.lock import is_live
from lora_lab.tasks.base import Evaluation
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from lora_lab.training.saving import autosave
from lora_lab.training.saving.state import restore, state_of
from lora_lab.training.time_budget import TimeBudget
from tests.tasks.test_retention import CASES, config_of
from tests.training.driven_run import digits
from tests.training.opened import opening
from tests.waiting import wait_until

HELD_OUT = {0: 9.0, 2: 5.0, 4: 4.0, 6: 4.5, 8: 4.1, 10: 4.2, 12: 3.0}  # by step


def opened(config):
    experiment = Experiment.build(config)
    experiment.task.evaluate = lambda model, should_stop: Evaluation(
        loss=HELD_OUT.get(experiment.step, 7.0)
    )
    return experiment


def course(experiment, stop=0):
    """Steps, the last state, and the state of the experiment right after step `stop`."""
    steps, last, then = [], None, None
    for record in train(experiment, Controls(experiment.hyper)):
        if isinstance(record, StepRecord):
            steps.append((record.step, record.loss))
            if record.step == stop:
                tensors, facts = state_of(experiment)
                then = tensors, json.loads(json.dumps(facts))
        elif isinstance(record, StateRecord):
            last = (record.state, record.step)
    return steps, last, then


@pytest.mark.parametrize("stop", range(1, 11))
def test_patience_ends_it_where_it_would_have(stop):
    config = digits(20, eval_steps=2, patience=3)
    wanted, end, then = course(opened(config), stop)
    assert end == (State.STOPPED, 10)
    again = opened(config)
    restore(again, *then)
    steps, last, _ = course(again)
    assert steps == wanted[stop:]
    assert last == end
    assert (again.best.step, again.best.loss) == (4, 4.0)


def test_the_end_is_written_where_only_that_is_left(tmp_path, monkeypatch):
    """Killed after the checkpoint of the last step: adapter, validation and state are made good."""
    monkeypatch.setattr(autosave, "TimeBudget", lambda share, interval: TimeBudget(1e9, interval))
    steps = 12
    config = changed(get_preset("digits").config, max_steps=steps, autosave_seconds=1e-6)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for record in run(New(config, whole), Controls(config.hyper)):
        if isinstance(record, StepRecord) and record.step == steps:
            checkpoint = whole / "checkpoints" / f"step-{steps:09d}"
            # What the writer does last is to say in state.json how far the run is.
            wait_until(lambda at=checkpoint: at.is_dir() and summary_of(whole).step == steps)
            shutil.copytree(whole, cut)
    assert summary_of(cut).interrupted
    assert not (cut / "adapter").exists()
    records = list(run(Resume.at(cut), Controls(config.hyper)))
    assert isinstance(records[-1], StateRecord) or records[-1].step == steps
    assert summary_of(cut).state == "finished"
    assert max(r.step for r in records if isinstance(r, StepRecord)) == steps
    ends = [r for r in records if isinstance(r, EvalRecord) and r.step == steps and r.enabled]
    assert [r.loss for r in ends] == [summary_of(whole).best]
    assert summary_of(cut).best == summary_of(whole).best
    a, b = (FORMATS["peft"].load(p / "adapter") for p in (whole, cut))
    assert all((x.lora_B == y.lora_B).all() for x, y in zip(a.layers, b.layers, strict=True))
    with pytest.raises(LabError, match="has finished at step 12"):
        list(run(Resume.at(cut), Controls(config.hyper)))


def trained(config, folder, report=silent, **more):
    return list(run(opening(config, folder, **more), Controls(config.hyper), report=report))


def files(run):
    return {path.relative_to(run): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_of_two_that_resume_one_run_the_later_changes_nothing(tmp_path):
    """Not even what it would tidy up, and though the other one has only begun to open the model."""
    config, folder = changed(get_preset("digits").config, max_steps=12), tmp_path / "run"
    trained(config, folder)
    half_written = folder / "checkpoints" / ".step-000000013.abc.tmp"
    refused = []

    def at_once(what, share):
        if refused:
            return
        half_written.mkdir()
        with (folder / "metrics.jsonl").open("a") as metrics:
            metrics.write('{"record":"StepRe')
        before = files(folder)
        with pytest.raises(LabError, match="is being trained by process") as error:
            trained(config, None, resume=folder, until=20)
        refused.append(error)
        assert files(folder) == before
        assert half_written.is_dir()

    trained(config, None, resume=folder, until=20, report=at_once)
    assert refused
    assert summary_of(folder).step == 20
    assert not half_written.exists()


@pytest.mark.parametrize("when", ["no checkpoint", "the opening is cancelled", "another base"])
def test_a_run_that_could_not_be_resumed_is_let_go_of(tmp_path, monkeypatch, when):
    config = changed(get_preset("digits").config, max_steps=12)
    trained(config, tmp_path / "run")

    def report(what, share):
        if when == "the opening is cancelled":
            raise Cancelled("cancelled")

    if when == "no checkpoint":
        shutil.rmtree(tmp_path / "run" / "checkpoints")
    elif when == "another base":
        monkeypatch.setattr("lora_lab.training.experiment.fingerprint", lambda state: "another")
    with pytest.raises((LabError, Cancelled)):
        trained(config, None, resume=tmp_path / "run", report=report)
    assert not is_live(tmp_path / "run")
    assert summary_of(tmp_path / "run").state == "finished"


@pytest.mark.parametrize("end", ["finished", "interrupted"])
def test_a_run_that_is_only_opened_stays_as_it_was(tmp_path, end):
    """The window is closed while the model is measured, before anything could be trained."""
    config, folder = changed(get_preset("digits").config, max_steps=12), tmp_path / "run"
    trained(config, folder)
    if end == "interrupted":
        RunFolder.at(folder).write_summary(state="running", step=12, max_steps=12)
    controls = Controls(config.hyper, paused=True)
    for record in run(Resume.at(folder), controls, serve_after_training=True):
        if isinstance(record, EvalRecord):
            controls.stop()
    assert summary_of(folder).state == end
    assert latest(folder).step == 12


@pytest.mark.parametrize("name", CASES)
def test_data_of_ones_own_go_on_to_the_bit(tmp_path, name):
    """Rows shuffled anew each epoch, steps in parts, dropout, and the rows of an old task."""
    config = config_of(name, tmp_path, keep_data=str(tmp_path / "old"), batch_size=2)
    hyper = {**config.hyper.model_dump(), "rank": 4, "dropout": 0.3, "learning_rate": 1e-2}
    plan = {"max_steps": 20, "epochs": None, "eval_steps": 4, "accumulation": 2}
    config = changed(config, hyper=hyper, **plan)
    controls = Controls(config.hyper)
    wanted = told(trained(config, tmp_path / "whole"))
    for record in run(New(config, tmp_path / "cut"), controls):
        if isinstance(record, StepRecord) and record.step == 9:
            controls.stop()
    found = told(trained(config, None, resume=tmp_path / "cut"))
    assert {key: found.get(key) for key in wanted} == wanted
    one, other = latest(tmp_path / "whole"), latest(tmp_path / "cut")
    assert one.facts["best"] == other.facts["best"]
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(t, other.tensors[key]) for key, t in one.tensors.items())


def told(records):
    """What each step lost and each validation measured, the old task's rows among it."""
    kinds = (StepRecord, EvalRecord)
    return {
        (type(r), r.step): (r.loss, getattr(r, "keep_loss", None))
        for r in records if isinstance(r, kinds) and getattr(r, "enabled", True)
    }  # fmt: skip
