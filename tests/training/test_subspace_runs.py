"""A random subspace as a run: edits in mid-run, counts, resume to the bit, what is told."""

import json
import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.errors import AdapterError, ConfigError, LabError
from lora_lab.formats import FORMATS
from lora_lab.formats.recognise import open_adapter
from lora_lab.records import CountsRecord
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.folder import RunFolder
from lora_lab.training import theta_file
from lora_lab.training.commands import Export
from lora_lab.training.controls import Controls
from lora_lab.training.draw_anew import draw_anew
from lora_lab.training.experiment import Experiment
from lora_lab.training.from_adapter import with_adapter
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.training.saving.state import restore, state_of
from lora_lab.workshop.requests import MERGED
from tests.training.driven_run import DrivenRun, digits


def subspace(d=64, **settings):
    hyper = {"dimension": d, "learning_rate": 0.1} | settings.pop("hyper", {})
    return digits(variant="subspace", hyper=hyper, digits=(), **settings)


def test_d_numbers_are_trained_and_counted_for_no_layer_alone():
    experiment = Experiment.build(subspace(100))
    counts = experiment.counts()
    assert isinstance(counts, CountsRecord)
    assert (counts.adapter, counts.frozen) == (100, experiment.base_parameters)
    assert [n for _, n in counts.per_layer] == [0, 0, 0]
    assert experiment.loaded().most_numbers == 17_226


def test_doubling_in_mid_run_keeps_what_is_learned_and_halving_says_what_it_costs():
    run = DrivenRun(subspace(64))
    run.steps(30)
    before = run.deltas()
    applied = run.edit(dimension=256)
    assert applied.changes == (("dimension", 64, 256),)
    assert applied.discarded_energy == 0
    assert "× 0.5" in applied.notes[0]
    for name, delta in run.deltas().items():
        torch.testing.assert_close(delta, before[name], rtol=0, atol=1e-9)
    run.steps(10)
    kept = dict(run.experiment.spectrum().kept)
    applied = run.edit(dimension=128)
    assert applied.discarded_energy == pytest.approx(1 - kept[128], rel=1e-5)
    assert "of ΔW's energy discarded" in applied.notes[0]
    run.steps(5)


def test_a_rank_or_alpha_stays_with_the_reason():
    run = DrivenRun(subspace())
    run.steps(2)
    applied = run.edit(rank=2, alpha=1.0)
    assert applied.changes == ()
    assert [note.split(":")[0] for note in applied.notes] == ["alpha stays", "rank stays"]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_it_resumes_to_the_bit_after_d_was_moved(optimizer):
    config = subspace(32, optimizer=optimizer, hyper={"weight_decay": 0.1})
    run = DrivenRun(config)
    run.steps(10)
    run.edit(dimension=128)
    run.steps(5)
    _, again = run.resumed(8)
    assert again.experiment.space.dimension == 128


OTHER = "its random subspace is not the one of"


@pytest.mark.parametrize(
    ("moved", "dimension", "match"),
    [
        ({"projection": "0" * 64, "torch": "2.0"}, 32, "than torch '2.0', which made the run"),
        ({"projection": "0" * 64}, 32, f"{OTHER} 32 numbers"),
        ({"projection": None, "torch": "2.0"}, 32, f"{OTHER} 32 numbers"),
        ({}, 64, f"{OTHER} 64 numbers"),
    ],
)
def test_a_projection_that_is_another_one_is_refused_with_the_reason(moved, dimension, match):
    run = DrivenRun(subspace(32))
    run.steps(3)
    tensors, facts = state_of(run.experiment)
    other = Experiment.build(subspace(32))
    facts["hyper"] = {**facts["hyper"], "dimension": dimension}
    with pytest.raises(LabError, match=match):
        restore(other, tensors, facts | moved)


def test_random_weights_are_drawn_by_the_seed_and_are_no_base():
    base, one, same, other = (
        Experiment.build(subspace(16, seed=seed, random_weights=anew))
        for seed, anew in ((1, False), (1, True), (1, True), (2, True))
    )
    prints = [e.base_fingerprint for e in (base, one, same, other)]
    assert prints[1] == prints[2]
    assert len(set(prints)) == 3


def test_a_net_that_was_drawn_from_the_same_seed_is_drawn_anew():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4))
    before = [p.clone() for p in net.parameters()]
    draw_anew(net, 3)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
    draw_anew(net, 4)
    assert not torch.equal(net[0].weight, before[0])


def test_a_weight_without_a_law_is_refused():
    net = nn.Sequential(nn.Linear(6, 9))
    net.own = nn.Parameter(torch.ones(3, 4))
    with pytest.raises(ConfigError, match="own cannot be drawn anew"):
        draw_anew(net, 3)


def test_more_numbers_than_weights_are_refused_when_opening_and_in_mid_run():
    with pytest.raises(LabError, match="from 1 to 17,226, not 17,227"):
        Experiment.build(subspace(17_227))
    run = DrivenRun(subspace(64))
    run.steps(2)
    error = run.edit(dimension=17_227)
    assert "more of them than the layers have weights, 17,226" in error.message
    assert run.experiment.hyper.dimension == 64


def test_it_is_exported_merged_and_in_no_format_of_factors(tmp_path):
    run = DrivenRun(subspace(64, dtype="float32"))
    run.steps(20)
    base = str(paths.demo("digits_base.safetensors"))
    with pytest.raises(LabError, match="merged into its base"):
        list(Export(str(tmp_path / "peft")).run(run.experiment, None))
    with pytest.raises(LabError, match="exported as it stands now"):
        list(Export(str(tmp_path / "x"), MERGED, base=base, at="best").run(run.experiment, None))
    target = tmp_path / "merged.safetensors"
    *_, done = Export(str(target), MERGED, base=base).run(run.experiment, None)
    assert done.report.path == str(target)
    state, images = load_file(target), run.experiment.task.test_images
    x = images
    for name in ("fc1", "fc2", "fc3"):
        x = torch.nn.functional.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])
        x = x if name == "fc3" else x.relu()
    with torch.no_grad():
        torch.testing.assert_close(run.experiment.model(images), x, rtol=0, atol=1e-6)


def test_a_head_beside_it_has_the_rate_of_full_training_also_after_d_was_moved_and_resumed():
    config = subspace(64, whole=("fc3",), hyper={"learning_rate": 0.1})
    run = DrivenRun(config)
    total = run.experiment.space.total
    assert total == 64 * 128 + 128 + 128 * 64 + 64

    def rates(experiment):
        return sorted(group["lr"] for group in experiment.optimizer.param_groups)

    run.steps(3)
    eta = 0.1 / (8 * (total / 64) ** 0.5)
    assert rates(run.experiment) == pytest.approx([eta, eta, 0.1])
    run.edit(dimension=256)
    run.steps(2)
    assert rates(run.experiment) == pytest.approx([2 * eta, 2 * eta, 0.1])
    run.resumed(4)


def ran(config, folder):
    return list(run(New(config, folder), Controls(config.hyper)))


def test_its_file_is_its_numbers_and_a_run_goes_on_from_them_to_the_bit(tmp_path):
    config = subspace(27, max_steps=12, dtype="float32")
    ran(config, tmp_path / "run")
    path = tmp_path / "run" / theta_file.NAME
    with safe_open(path, "pt") as file:
        assert list(file.keys()) == ["theta"]
        theta = file.get_tensor("theta")
        assert file.metadata()["seed"] == str(config.seed)
    assert (theta.shape, theta.numel() * theta.element_size()) == ((27,), 108)
    fixed, live = with_adapter(str(tmp_path / "run"), {"task": config.task}, {})
    assert (fixed["variant"], live["dimension"]) == ("subspace", 27)
    again = changed(config, **fixed, hyper=changed(config.hyper, **live).model_dump())
    experiment = Experiment.build(again)
    ended = Experiment.build(config)
    checkpoint = latest(tmp_path / "run")
    restore(ended, checkpoint.tensors, checkpoint.facts)
    assert experiment.space.theta.abs().max() > 0
    for name, layer in experiment.layers.items():
        assert torch.equal(layer.weight, ended.layers[name].weight)
    assert experiment.held_out(True).loss == ended.held_out(True).loss
    assert any("27 numbers, 108 bytes" in note for note in experiment.loaded().notes)


def other(path, **metadata):
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        about = {**file.metadata(), **metadata}
    save_file(tensors, path, about)


@pytest.mark.parametrize(
    ("metadata", "settings", "words"),
    [
        ({"base_fingerprint": "0" * 64}, {}, "is of another base"),
        ({"projection": "0" * 64}, {}, "draws another random subspace here"),
        ({}, {"seed": 5}, "draws another random subspace here, by torch .* and seed 5"),
        ({}, {"targets": ("fc1",)}, "The targets are not those of"),
        ({}, {"variant": "lora"}, "is a random subspace and cannot be continued as LoRA"),
        ({"format": "else"}, {}, r"is no file of a subspace's numbers: .* of version 1\.$"),
        ({"layers": "fc1"}, {}, r"is no file of a subspace's numbers: [^.]+[^.]\."),
        ({"version": "2"}, {}, "is no file of a subspace's numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(tmp_path, metadata, settings, words):
    config = subspace(27, max_steps=3)
    ran(config, tmp_path / "run")
    path = tmp_path / "run" / theta_file.NAME
    other(path, **metadata)

    def opened():
        fixed, live = with_adapter(str(path), {"task": config.task, **settings}, {})
        hyper = changed(config.hyper, **live).model_dump()
        Experiment.build(changed(config, **fixed, hyper=hyper))

    with pytest.raises(LabError, match=words):
        opened()


def test_who_wants_factors_is_told_what_there_is_in_their_place(tmp_path):
    run_path = tmp_path / "run"
    config = subspace(27, max_steps=3)
    ran(config, run_path)
    for read in (
        lambda: RunFolder.at(run_path).load_adapter(FORMATS["peft"].load),
        lambda: open_adapter(run_path),
        lambda: open_adapter(run_path / theta_file.NAME),
    ):
        with pytest.raises(AdapterError, match=rf"{theta_file.NAME}.*train --adapter.*merged"):
            read()
    (run_path / theta_file.NAME).unlink()
    with pytest.raises(AdapterError, match="was not trained or not saved"):
        RunFolder.at(run_path).load_adapter(FORMATS["peft"].load)
    with pytest.raises(AdapterError, match="a run that was not trained or not saved"):
        open_adapter(run_path)


def test_a_run_of_full_training_is_not_said_to_be_unsaved_by_mistake(tmp_path):
    config = digits(variant="full", max_steps=3)
    ran(config, tmp_path)
    with pytest.raises(AdapterError, match="Full fine-tuning has no factors to keep"):
        RunFolder.at(tmp_path).load_adapter(FORMATS["peft"].load)


@pytest.mark.parametrize("text", [b"", b"x", b"\xff" * 64])
def test_a_damaged_file_is_one_sentence(tmp_path, text):
    path = tmp_path / theta_file.NAME
    path.write_bytes(text)
    with pytest.raises(LabError, match="is no file of a subspace's numbers") as refused:
        theta_file.read(path, 10**6)
    assert not str(refused.value).endswith("..")


def test_no_more_numbers_are_read_than_a_model_can_have(tmp_path):
    """A file with a hole of gigabytes is a kilobyte on the disk; settings need its header only."""
    about = {"format": theta_file.FORMAT, "version": "1", "seed": "0", "layers": '["fc1"]'}
    path = tmp_path / theta_file.NAME
    header = json.dumps({"__metadata__": about, "theta": {
        "dtype": "F32", "shape": [2**24], "data_offsets": [0, 2**26]}}).encode()  # fmt: skip
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + 2**26)
    fixed, live = with_adapter(str(path), {}, {})
    assert live["dimension"] == 2**24
    assert theta_file.read(path).theta.is_meta
    with pytest.raises(AdapterError, match="16,777,216 numbers, more than the model has weights"):
        ran(changed(digits(variant="subspace"), adapter=fixed["adapter"]), tmp_path / "run")


HEAD = {"fc3.weight": torch.ones(10, 64), "fc3.bias": torch.ones(10)}


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({}, {"layers": "[" * 9000}),
        ({}, {"layers": '{"fc1": 1}'}),
        ({}, {"layers": "[1]"}),
        ({}, {"seed": "9" * 4000}),
        ({}, {"seed": "-1"}),
        ({"theta": torch.ones(4).to(torch.float8_e4m3fn)}, {}),
        ({"theta": torch.ones(0)}, {}),
        (HEAD | {"fc3.weight": torch.full((10, 64), torch.nan)}, {}),
        ({"fc3.bias": torch.ones(10)}, {}),
        (HEAD | {"fc3.more": torch.ones(10)}, {}),
    ],
    ids=["deep", "table", "number", "long seed", "seed", "float8", "empty", "nan", "bias", "more"],
)
def test_what_no_such_file_says_is_refused(tmp_path, tensors, metadata):
    about = {"format": theta_file.FORMAT, "version": "1", "seed": "0", "layers": '["fc1"]'}
    path = tmp_path / theta_file.NAME
    save_file({"theta": torch.ones(4), **tensors}, path, about | metadata)
    with pytest.raises(AdapterError, match="is no file of a subspace's numbers"):
        theta_file.read(path, 10**6)


@pytest.mark.parametrize(
    "head",
    [HEAD | {"fc3.bias": torch.ones(1)}, {"fc3.weight": HEAD["fc3.weight"]}],
    ids=["one number for ten", "none"],
)
def test_a_layer_of_another_form_is_not_stretched_into_place(tmp_path, head):
    config = subspace(4, whole=("fc3",), max_steps=2)
    ran(config, tmp_path / "run")
    path = tmp_path / "run" / theta_file.NAME
    with safe_open(path, "pt") as file:
        save_file({"theta": file.get_tensor("theta"), **head}, path, file.metadata())
    with pytest.raises(AdapterError, match="'fc3' does not fit this model"):
        Experiment.build(changed(config, adapter=str(path)))


AT_ONCE = ("dense", "fastfood")


@pytest.mark.parametrize("projection", AT_ONCE)
def test_a_run_by_the_papers_projection_learns_resumes_to_the_bit_and_keeps_its_d(projection):
    config = subspace(64, projection=projection, accumulation=2)
    run = DrivenRun(config)
    first = run.steps(12)
    applied = run.edit(dimension=128)
    assert applied.changes == ()
    assert applied.notes[0].startswith("dimension stays: ")
    assert applied.notes[0].endswith("the projection hash has a d that moves")
    assert ("dimension", applied.notes[0].partition(": ")[2]) in run.experiment.loaded().locked
    tensors, facts = state_of(run.experiment)
    losses, _ = run.resumed(6)
    assert sum(losses[-3:]) < sum(first[:3])
    other = Experiment.build(subspace(64))
    with pytest.raises(LabError, match=OTHER):
        restore(other, tensors, facts)


@pytest.mark.parametrize("projection", AT_ONCE)
def test_the_file_of_numbers_knows_its_projection(tmp_path, projection):
    config = subspace(27, max_steps=4, dtype="float32", projection=projection)
    ran(config, tmp_path / "run")
    path = tmp_path / "run" / theta_file.NAME
    fixed, live = with_adapter(str(path), {"task": config.task}, {})
    assert fixed["projection"] == projection
    opened = changed(subspace(27), **fixed, hyper=changed(config.hyper, **live).model_dump())
    experiment = Experiment.build(opened)
    ended = Experiment.build(config)
    checkpoint = latest(tmp_path / "run")
    restore(ended, checkpoint.tensors, checkpoint.facts)
    for name, layer in experiment.layers.items():
        assert layer.delta_weight().any()
        torch.testing.assert_close(layer.weight.double(), ended.layers[name].weight.double())
    with pytest.raises(AdapterError, match=f"by the projection {projection}, and not by hash"):
        Experiment.build(changed(opened, projection="hash"))
    other(path, drawn_by="count")
    with pytest.raises(AdapterError, match="no projection is called 'count'"):
        theta_file.read(path, 10**6)


def test_a_file_from_before_projections_had_names_is_of_the_hash(tmp_path):
    config = subspace(27, max_steps=3)
    ran(config, tmp_path / "run")
    path = tmp_path / "run" / theta_file.NAME
    with safe_open(path, "pt") as file:
        about = {k: v for k, v in file.metadata().items() if k != "drawn_by"}
        save_file({"theta": file.get_tensor("theta")}, path, about)
    assert theta_file.read(path).settings()[0]["projection"] == "hash"


def test_a_projection_that_the_layers_are_too_large_for_is_refused_when_opening():
    with pytest.raises(LabError, match=r"17,226 weights by 1,162.*dense, d can be 1,161 here"):
        Experiment.build(subspace(1_162, projection="dense"))


@pytest.mark.parametrize(("structure", "projection"), [("did", "hash"), ("said", "fastfood")])
def test_a_run_by_tensor_learns_resumes_and_goes_on_from_its_file(tmp_path, structure, projection):
    config = subspace(64, structure=structure, projection=projection, hyper={"weight_decay": 0.1})
    run = DrivenRun(config)
    first = run.steps(12)
    assert run.experiment.counts().adapter == 64
    assert run.edit(dimension=128).changes == ()
    tensors, facts = state_of(run.experiment)
    losses, _ = run.resumed(6)
    assert sum(losses[-3:]) < sum(first[:3])
    with pytest.raises(LabError, match="The checkpoint does not fit"):
        restore(Experiment.build(changed(config, structure="flat")), tensors, facts)
    path = tmp_path / theta_file.NAME
    space, print_ = run.experiment.space, run.experiment.base_fingerprint
    theta_file.save(path, space, run.experiment.layers, "", print_)
    fixed, live = with_adapter(str(path), {"task": config.task}, {})
    assert (fixed["structure"], live["dimension"]) == (structure, 64)
    other = Experiment.build(
        changed(subspace(27), **fixed, hyper=changed(config.hyper, **live).model_dump())
    )
    for name, layer in run.experiment.layers.items():
        torch.testing.assert_close(other.layers[name].weight, layer.weight, rtol=0, atol=0)
    with pytest.raises(AdapterError, match=f"by the structure {structure}, and not by flat"):
        Experiment.build(changed(other.config, structure="flat", variant="subspace"))


def test_said_without_room_for_its_lambdas_is_refused_when_opening():
    with pytest.raises(LabError, match=r"each of the 6 tensors, so d must be above 6, not 6\."):
        Experiment.build(subspace(6, structure="said"))
