"""The best adapter: after going back, a crash or a branch that of the best step that holds."""

import json
import shutil
import threading

import pytest
import torch

from lora_lab.config import Origin, changed
from lora_lab.formats import FORMATS
from lora_lab.records import EvalRecord, ResumedRecord, State, StateRecord, StepRecord
from lora_lab.runs import checkpoints, writer
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.saves import listed
from lora_lab.tasks.base import Evaluation
from lora_lab.training.best import Best
from lora_lab.training.commands import GoBack
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.run import run
from lora_lab.training.saving import autosave
from lora_lab.training.saving.keep import keep_adapter
from tests.training.driven_run import digits
from tests.training.opened import opening

CONFIG = changed(digits(40, eval_steps=5), autosave_seconds=1000)


@pytest.fixture(autouse=True)
def held_out(monkeypatch):
    """Of the steps in this dict the validation loss is what it says; they are the best ones."""
    losses = {15: 3.0, 30: 2.0}

    def evaluate(self, enabled, should_stop=None):
        return Evaluation(loss=losses.get(self.step, 9.0))

    monkeypatch.setattr(Experiment, "held_out", evaluate)
    return losses


@pytest.fixture(autouse=True)
def saved_at_once(monkeypatch):
    class Prompt(writer.Writer):
        def offer(self, job, lasting=False):
            super().offer(job, lasting)
            self.wait()

    monkeypatch.setattr(autosave, "Writer", Prompt)


def trained(folder, script=lambda controls: iter(()), config=CONFIG, **more):
    """Train to the end. `script` does something and yields (kind of record, step) to wait for."""
    controls = Controls(config.hyper)
    plan = script(controls)
    awaited = next(plan, None)
    for record in run(opening(config, folder=folder, **more), controls, serve_after_training=True):
        if awaited is not None and (type(record), getattr(record, "step", -1)) == awaited:
            awaited = next(plan, None)
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.stop()
    assert awaited is None
    return folder


def edit(controls, **values):
    controls.set_hyper(changed(controls.hyper, **values))


def of(run, name="adapter-best"):
    """The factors B that lie in a run."""
    return torch.cat([x.lora_B.flatten() for x in FORMATS["peft"].load(run / name).layers])


@pytest.fixture
def at_15(tmp_path):
    """The adapter of step 15."""
    return of(trained(tmp_path / "short", config=changed(CONFIG, max_steps=15)), "adapter")


def test_after_going_back_the_best_of_then_stands_again(tmp_path, at_15, held_out):
    """Step 30 was better and is gone: what is named and what lies there are of step 15."""
    folder = tmp_path / "run"

    def script(controls):
        yield StepRecord, 20
        edit(controls, alpha=3.0)
        yield StepRecord, 35
        assert summary_of(folder).step < 35
        controls.request(GoBack(20))
        yield ResumedRecord, 20
        yield StateRecord, 20
        assert summary_of(folder).best == 3.0
        assert torch.equal(of(folder), at_15)
        held_out.pop(30)
        controls.resume()

    trained(folder, script)
    assert summary_of(folder).best == 3.0
    assert torch.equal(of(folder), at_15)


def test_of_two_bests_at_one_step_the_one_that_holds_is_kept(tmp_path, held_out):
    """An edit in a pause made it better and is undone; its rank tells the two apart."""
    folder = tmp_path / "run"
    held_out[20] = 2.5

    def script(controls):
        yield StepRecord, 20
        controls.pause()
        yield StateRecord, 20
        rank_4 = of(folder)
        held_out[20] = 1.0
        edit(controls, rank=2)
        yield EvalRecord, 20
        controls.request(GoBack(20))
        yield ResumedRecord, 20
        held_out[20] = 2.5
        yield StateRecord, 20
        assert summary_of(folder).best == 2.5
        assert torch.equal(of(folder), rank_4)
        held_out.pop(30)
        controls.resume()

    trained(folder, script)
    assert summary_of(folder).best == 2.5
    assert of(folder).numel() == 4 * (128 + 64 + 10)


@pytest.mark.parametrize("left", ["nothing", "a newer one"])
def test_what_a_crash_left_is_made_good(tmp_path, at_15, held_out, left):
    """Killed after the save of step 20, perhaps when a better adapter had just been written."""
    folder, cut = tmp_path / "run", tmp_path / "cut"

    def script(controls):
        yield StepRecord, 20
        controls.pause()
        yield StateRecord, 20
        shutil.copytree(folder, cut)
        controls.resume()

    trained(folder, script)
    shutil.rmtree(cut / "adapter-best")
    if left == "a newer one":
        shutil.copytree(folder / "adapter-best", cut / "adapter-best")
    shutil.copytree(cut, tmp_path / "kept")
    held_out.pop(30)
    trained(None, resume=cut)
    assert summary_of(cut).best == 3.0
    assert torch.equal(of(cut), at_15)
    keep_adapter(tmp_path / "kept")
    assert summary_of(tmp_path / "kept").best == 3.0
    assert torch.equal(of(tmp_path / "kept"), at_15)


def test_a_branch_has_the_best_of_its_parent(tmp_path, at_15, held_out):
    def script(controls):
        yield StepRecord, 20
        edit(controls, alpha=3.0)

    parent = trained(tmp_path / "parent", script)
    held_out.pop(30)
    branch = trained(tmp_path / "branch", branch=Origin(str(parent), 20))
    assert summary_of(branch).best == 3.0
    assert torch.equal(of(branch), at_15)


def test_a_branch_with_other_held_out_rows_has_a_best_of_its_own(tmp_path, held_out):
    """A loss on the rows of the parent is no mark for those that another seed draws."""

    def script(controls):
        yield StepRecord, 20
        edit(controls, alpha=3.0)

    parent = trained(tmp_path / "parent", script)
    held_out.update({15: 3.0, 30: 8.0})
    there = Origin(str(parent), 20)
    branch = trained(tmp_path / "branch", config=changed(CONFIG, seed=5), branch=there)
    assert summary_of(branch).best == 8.0
    assert (branch / "adapter-best").is_dir()


def older(found):
    """A checkpoint as it was before it held the best adapter."""
    found.facts["best"].pop("weights", None)
    for name in [name for name in found.tensors if name.startswith("best|")]:
        del found.tensors[name]
    return found


def test_of_a_save_without_its_best_adapter_nothing_is_claimed(tmp_path, monkeypatch, held_out):
    """One that an older lab wrote: the next improvement is the best."""
    folder, read = tmp_path / "run", checkpoints.read_checkpoint

    monkeypatch.setattr(checkpoints, "read_checkpoint", lambda path: older(read(path)))

    def script(controls):
        yield StepRecord, 22
        edit(controls, alpha=3.0)
        yield StepRecord, 35
        controls.request(GoBack(22))
        yield ResumedRecord, 22
        yield StateRecord, 22
        about = json.loads((folder / "state.json").read_text())
        assert "best" not in about
        assert not (folder / "adapter-best").exists()
        held_out[30] = 8.0
        controls.resume()

    trained(folder, script)
    assert summary_of(folder).best == 8.0
    assert (folder / "adapter-best").exists()


def test_a_run_of_an_older_lab_that_goes_on_keeps_its_best(tmp_path, monkeypatch, at_15, held_out):
    """Its saves do not hold it, and in its folder it lies all the same."""
    folder, cut, read = tmp_path / "run", tmp_path / "cut", checkpoints.read_checkpoint

    def script(controls):
        yield StepRecord, 20
        controls.pause()
        yield StateRecord, 20
        shutil.copytree(folder, cut)
        controls.resume()

    trained(folder, script)
    held_out[30] = 8.0
    monkeypatch.setattr(checkpoints, "read_checkpoint", lambda path: older(read(path)))
    trained(None, resume=cut)
    assert torch.equal(of(cut), at_15)
    assert summary_of(cut).best == 3.0
    branch = trained(tmp_path / "branch", branch=Origin(str(cut), 20))
    assert summary_of(branch).best == 8.0


def test_after_a_crash_the_untrained_model_is_still_the_mark_to_beat(tmp_path, held_out):
    """Nothing was better before the save, and nothing is after it: patience ends it as it would."""
    held_out.clear()
    held_out[0] = 5.0
    config, ends = changed(CONFIG, patience=4), []
    for plan in ({}, {7: "stop"}, {"resume": tmp_path / "1"}):
        controls = Controls(config.hyper)
        where = plan.get("resume") or tmp_path / str(len(ends))
        for record in run(opening(config, folder=where, resume=plan.get("resume")), controls):
            if isinstance(record, StepRecord) and record.step in plan:
                controls.stop()
        ends.append(summary_of(where).step)
    assert ends == [20, 7, 20]
    assert summary_of(where).best == 5.0
    assert not (where / "adapter-best").exists()


def test_a_save_that_is_left_out_for_a_newer_one_takes_no_best_adapter_with_it(
    tmp_path, monkeypatch
):
    """As where the disk is slower than the saves come."""
    monkeypatch.setattr(autosave, "Writer", writer.Writer)
    experiment, folder = Experiment.build(CONFIG), RunFolder.create(tmp_path, "run")
    saves, disk = autosave.Autosave(experiment), threading.Event()
    saves.writer.offer(lambda: disk.wait(60), lasting=True)
    for experiment.step in (15, 16):
        experiment.evaluate(enabled=True)
        saves.order(folder)
    disk.set()
    saves.close()
    assert [step for step, _ in listed(folder.path)] == [16]
    assert (folder.path / "adapter-best").is_dir()


@pytest.mark.parametrize("settings", [{}, {"variant": "dora"}, {"variant": "full"}])
def test_it_comes_back_from_plain_tensors_and_json(settings):
    experiment = Experiment.build(digits(**settings))
    experiment.step = 7
    experiment.evaluate(enabled=True)
    tensors, facts = experiment.best.packed()
    again = Best()
    again.unpack(tensors, json.loads(json.dumps(facts)), 7)
    assert vars(again).keys() == vars(experiment.best).keys()
    assert (again.step, again.loss, again.last) == (7, 9.0, 7)
    assert (again.weights is None) == (settings.get("variant") == "full")
    if again.weights:
        for a, b in zip(again.weights.layers, experiment.best.weights.layers, strict=True):
            for name, value in vars(a).items():
                wanted = getattr(b, name)
                tensor = isinstance(value, torch.Tensor)
                assert torch.equal(value, wanted) if tensor else value == wanted, name
        assert again.weights.base_fingerprint == experiment.base_fingerprint
