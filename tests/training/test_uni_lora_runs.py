"""Numbers that move LoRA's factors as a run: chosen by size, resumed, exported, read back."""

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import save_file

from lora_lab.adapters.inject import remove
from lora_lab.config import Origin, changed
from lora_lab.errors import AdapterError, LabError
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.exportable import BEST
from lora_lab.runs.folder import RunFolder
from lora_lab.training import by_size, theta_file
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.from_adapter import with_adapter
from lora_lab.training.opening import Branch, New, Resume
from lora_lab.training.run import run
from lora_lab.training.saving.state import restore
from tests.training.driven_run import DrivenRun, digits


def numbers(variant="uni-lora", d=64, **settings):
    hyper = {"dimension": d, "learning_rate": 0.05, "rank": 4, "alpha": 8.0}
    return digits(variant=variant, hyper=hyper | settings.pop("hyper", {}), digits=(), **settings)


def ran(opening, hyper):
    return list(run(opening, Controls(hyper)))


def test_it_trains_counts_and_keeps_what_cannot_move():
    run = DrivenRun(numbers())
    experiment, loaded = run.experiment, run.experiment.loaded()
    assert (experiment.counts().adapter, experiment.space.total) == (64, 4 * 458)
    assert [n for _, n in experiment.counts().per_layer] == [0, 0, 0]
    assert {name for name, _ in loaded.locked} == {"rank", "alpha", "layer_ranks", "frozen_layers"}
    losses = run.steps(40)
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    applied = run.edit(rank=2, alpha=3.0, dropout=0.1)
    assert [name for name, _, _ in applied.changes] == ["dropout"]
    run.steps(1)
    before = run.deltas()
    assert run.edit(dimension=256).discarded_energy == 0
    for name, delta in run.deltas().items():
        torch.testing.assert_close(delta, before[name], rtol=0, atol=1e-9)
    lost = run.edit(dimension=128)
    assert (
        "of the squared change of A and B discarded" in lost.notes[0] or not lost.discarded_energy
    )


@pytest.mark.parametrize("projection", ["hash", "fastfood"])
def test_it_resumes_to_the_bit(projection):
    config = numbers(hyper={"weight_decay": 0.1, "dropout": 0.1}, projection=projection)
    run = DrivenRun(config)
    run.steps(8)
    run.edit(dimension=128)
    run.steps(4)
    run.resumed(6)


def test_many_weights_have_numbers_for_factors_and_few_for_all_of_them(monkeypatch):
    few = Experiment.build(numbers("subspace"))
    assert few.config.variant == "subspace"
    monkeypatch.setattr(by_size, "LARGE", 17_225)
    many = Experiment.build(numbers("subspace"))
    assert (many.config.variant, many.space.total) == ("uni-lora", 4 * 458)
    words = [note for note in many.loaded().notes if "17,226 weights" in note]
    assert "rank 4" in words[0]
    assert "--space weights" in words[0]
    whole = Experiment.build(numbers("subspace", space="weights"))
    assert (whole.config.variant, whole.space.total) == ("subspace", 17_226)
    without_head = Experiment.build(numbers("subspace", whole=("fc3",)))
    assert without_head.config.variant == "subspace"  # 650 of the weights are trained whole


def test_what_size_has_chosen_stays_in_the_run_its_resumption_and_its_branch(monkeypatch, tmp_path):
    monkeypatch.setattr(by_size, "LARGE", 1_000)
    config = numbers("subspace", max_steps=4, dtype="float32")
    ran(New(config, tmp_path / "run"), config.hyper)
    assert RunFolder.at(tmp_path / "run").load_config().variant == "uni-lora"
    monkeypatch.setattr(by_size, "LARGE", 10**9)
    records = ran(Resume.at(tmp_path / "run", until=6), config.hyper)
    assert records[-1].step == 6
    records = ran(
        Branch(Origin(str(tmp_path / "run"), 4), config, tmp_path / "branch"), config.hyper
    )
    assert not [r for r in records if type(r).__name__ == "ErrorRecord"]
    assert RunFolder.at(tmp_path / "branch").load_config().variant == "uni-lora"


def test_a_run_of_all_weights_from_before_stays_one(monkeypatch, tmp_path):
    config = numbers("subspace", max_steps=3, dtype="float32")
    ran(New(config, tmp_path / "run"), config.hyper)
    monkeypatch.setattr(by_size, "LARGE", 1_000)
    records = ran(Resume.at(tmp_path / "run", until=5), config.hyper)
    assert records[-1].step == 5
    assert RunFolder.at(tmp_path / "run").load_config().variant == "subspace"


def test_its_file_is_its_numbers_and_a_run_goes_on_from_them(tmp_path):
    config = numbers(d=27, max_steps=6, dtype="float32")
    ran(New(config, tmp_path / "run"), config.hyper)
    path = tmp_path / "run" / theta_file.NAME
    with safe_open(path, "pt") as file:
        assert list(file.keys()) == ["theta"]
        assert (file.metadata()["rank"], file.metadata()["alpha"]) == ("4", "8.0")
    fixed, live = with_adapter(str(tmp_path / "run"), {"task": config.task}, {})
    assert (fixed["variant"], live) == ("uni-lora", {"dimension": 27, "rank": 4, "alpha": 8.0})
    again = Experiment.build(
        changed(config, **fixed, hyper=changed(config.hyper, **live).model_dump())
    )
    ended = Experiment.build(config)
    checkpoint = latest(tmp_path / "run")
    restore(ended, checkpoint.tensors, checkpoint.facts)
    for name, layer in again.layers.items():
        assert layer.delta_weight().any()
        assert torch.equal(layer.weight, ended.layers[name].weight)
    with pytest.raises(LabError, match="is Uni-LoRA and cannot be continued as a random subspace"):
        Experiment.build(changed(config, variant="subspace", adapter=str(path)))


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"variant": "dora"}, "its numbers move 'dora'"),
        ({"variant": "uni-lora"}, "it has no rank"),
        ({"variant": "uni-lora", "rank": "0", "alpha": "1"}, "rank"),
        ({"variant": "uni-lora", "rank": "4", "alpha": "nan"}, "alpha"),
        ({"variant": "uni-lora", "rank": "4.5", "alpha": "1"}, "rank"),
    ],
)
def test_a_file_that_says_no_rank_or_alpha_is_refused(tmp_path, about, words):
    path = tmp_path / theta_file.NAME
    known = {"format": theta_file.FORMAT, "version": "1", "seed": "0", "layers": '["fc1"]'}
    save_file({"theta": torch.ones(4)}, path, known | about)
    with pytest.raises(AdapterError, match=f"is no file of a subspace's numbers: .*{words}"):
        theta_file.read(path, 10**6)


def test_a_checkpoint_and_the_best_step_are_exported_or_the_way_is_said(tmp_path):
    config = numbers(max_steps=8, dtype="float32", eval_steps=2)
    run = DrivenRun(config)
    run.steps(4)
    with pytest.raises(LabError, match="exported as it stands now"):
        list(Export(str(tmp_path / "x"), at="4").run(run.experiment, None))
    run.experiment.evaluate(True, due=True)
    run.steps(2)
    if run.experiment.best.weights is not None:
        *_, done = Export(str(tmp_path / "best"), at=BEST).run(run.experiment, None)
        assert done.report.path == str(tmp_path / "best")


@pytest.mark.filterwarnings("ignore::UserWarning:peft")
def test_peft_answers_with_the_exported_factors_as_the_run_does(tmp_path):
    run = DrivenRun(numbers(dtype="float32"))
    run.steps(25)
    *_, done = Export(str(tmp_path / "out")).run(run.experiment, None)
    model, images = run.experiment.model.eval(), run.experiment.task.test_images[:64]
    with torch.no_grad():
        ours = model(images)
        remove(model)
        base = model(images)
        theirs = PeftModel.from_pretrained(model, done.report.path).eval()(images)
    assert (ours - base).abs().max() > 0.1 * base.abs().max()
    assert (theirs - ours).abs().max() <= 1e-5 * ours.abs().max()
