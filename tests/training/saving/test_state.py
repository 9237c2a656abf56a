"""A run that is restored takes the very steps it would have taken, whatever was done before."""

import json

import pytest
import torch

from lora_lab.blocks.gemm import onednn_is_quicker
from lora_lab.config import changed, checked
from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset
from lora_lab.records import StepRecord
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.saving import state as saved_state
from lora_lab.training.saving.state import PRODUCTS, restore, state_of

STEPS = 24
# step after which the settings are moved, and how
EDITS = {
    3: {"learning_rate": 3e-4},
    6: {"rank": 6},
    9: {"alpha": 3.0},
    12: {"rank": 2, "dropout": 0.2},
    15: {"alpha": 8.0, "alpha_mode": "keep_function"},
    18: {"weight_decay": 0.1},
}
CASES = {
    "riemannian": {"optimizer": "riemannian"},
    "8 bits": {"optimizer": "adamw8bit", "variant": "full"},
    "lora": {},
    "rslora": {"variant": "rslora"},
    "dora": {"variant": "dora"},
    "full": {"variant": "full"},
    "pissa": {"init": "pissa"},
    "lora-fa": {"variant": "lora-fa"},
    "lora-fa, pissa": {"variant": "lora-fa", "init": "pissa"},
    "vera": {"variant": "vera"},
    "lora-xs": {"variant": "lora-xs"},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
    "muon": {"optimizer": "muon", "variant": "dora"},
    "muon on b": {"optimizer": "muon_b"},
    "plus": {"b_rate_ratio": 4.0, "schedule": "cosine", "warmup_steps": 4},
    "parts": {"accumulation": 2, "batch_size": 33},
}


def config_of(**settings):
    preset = get_preset("digits").config
    hyper = {**preset.hyper.model_dump(), "rank": 4, "dropout": 0.1, "learning_rate": 1e-3}
    return changed(preset, **{"max_steps": STEPS, "batch_size": 32, **settings}, hyper=hyper)


def losses(experiment, edits, stop=None):
    """Train to the end, or until step `stop`; what was lost at each step, and the state then."""
    controls = Controls(experiment.hyper)
    found, state = {}, None
    for record in train(experiment, controls):
        if not isinstance(record, StepRecord):
            continue
        found[record.step] = record.loss
        if record.step == stop:
            state = state_of(experiment)
            controls.stop()
        if record.step in edits:
            locked = dict(experiment.locked)
            moved = {k: v for k, v in edits[record.step].items() if k not in locked}
            values = {**controls.hyper.model_dump(), **moved}
            controls.set_hyper(checked(Hyperparameters, values))
    return found, state


@pytest.mark.parametrize("stop", [1, 7, 13, 16, 23])
@pytest.mark.parametrize("name", CASES)
def test_resuming_anywhere_changes_nothing(name, stop):
    config = config_of(**CASES[name])
    wanted, _ = losses(Experiment.build(config), EDITS)
    before, (tensors, facts) = losses(Experiment.build(config), EDITS, stop)
    assert before == {step: wanted[step] for step in before}

    torch.manual_seed(99)  # another process begins elsewhere
    again = Experiment.build(config)
    facts = json.loads(json.dumps(facts))  # as it stands in the file
    assert restore(again, tensors, facts) == ()
    after, _ = losses(again, EDITS)
    assert after == {step: loss for step, loss in wanted.items() if step > stop}


def kept(experiment):
    """All that a state holds of the layers, live."""
    for name, layer in experiment.layers.items():
        trained = dict(layer.named_parameters(recurse=False))
        yield from ((f"{name} {key}", t) for key, t in {**trained, **layer.beside()}.items())
        for label, p in trained.items():
            state = experiment.optimizer.state.get(p, {}).items()
            yield from ((f"{name} {label} {key}", t) for key, t in state if torch.is_tensor(t))


@pytest.mark.parametrize("settings", [
    {"variant": "lora-xs"}, {"variant": "vera"}, {"variant": "lora-fa"},
    {"init": "pissa"}, {"init": "olora"}, {"init": "orthogonal"}, {"variant": "dora"},
])  # fmt: skip
def test_nothing_is_kept_in_an_order_that_a_file_does_not_keep(settings):
    """A column of a matrix has strides of its own, by which a product orders its sums."""
    config = config_of(**settings)
    hyper = changed(config.hyper, rank=1)
    experiment = Experiment.build(changed(config, hyper=hyper.model_dump()))
    found = {"at the start": [*kept(experiment)]}
    controls = Controls(experiment.hyper)
    for record in train(experiment, controls):
        if isinstance(record, StepRecord):
            found[f"after step {record.step}"] = [*kept(experiment)]
            if record.step == 4:
                break
            if "rank" not in dict(experiment.locked):
                controls.set_hyper(changed(controls.hyper, rank=(3, 1, 2)[record.step - 1]))
    odd = [
        (when, name, tuple(t.shape), t.stride())
        for when, tensors in found.items()
        for name, t in tensors
        if t.stride() != torch.empty(t.shape).stride()
    ]
    assert not odd


@pytest.mark.parametrize("optimizer", ["adamw8bit", "muon"])
def test_a_base_that_lies_column_by_column_is_trained_and_resumed_like_another(
    optimizer, monkeypatch
):
    """Its averages, unpacked row by row, were those of other weights."""
    config = config_of(variant="full", optimizer=optimizer)
    rows, _ = losses(Experiment.build(config), {})
    made = DigitsTask.base_model

    def turned(task):
        model = made(task)
        for layer in model.children():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.data = layer.weight.data.t().contiguous().t()
        return model

    monkeypatch.setattr(DigitsTask, "base_model", turned)
    columns, _ = losses(Experiment.build(config), {})
    assert columns == pytest.approx(rows, rel=1e-4)
    _, (tensors, facts) = losses(Experiment.build(config), {}, stop=7)
    again = Experiment.build(config)
    restore(again, tensors, facts)
    after, _ = losses(again, {})
    assert after == {step: loss for step, loss in columns.items() if step > 7}


@pytest.mark.parametrize("rules", [1, 2])
def test_a_state_of_the_first_rules_is_restored(rules):
    """Its biases were in the group that decays; an older run that is resumed has them there."""
    settings = {"variant": "full", "optimizer": "adamw", "warmup_steps": 20, "rules": 1}
    edits = {0: {"weight_decay": 0.5}, 1: {"weight_decay": 0.5}}
    wanted, _ = losses(Experiment.build(config_of(**settings)), edits)
    _, (tensors, facts) = losses(Experiment.build(config_of(**settings)), edits, stop=7)
    again = Experiment.build(config_of(**{**settings, "rules": rules}))
    assert restore(again, tensors, facts) == ()
    assert [len(group["params"]) for group in again.optimizer.param_groups] == (
        [6] if rules == 1 else [3, 3]
    )
    after, _ = losses(again, {})
    same = after == {step: loss for step, loss in wanted.items() if step > 7}
    assert same == (rules == 1)


def test_nothing_of_it_runs_when_it_is_read(tmp_path):
    experiment = Experiment.build(config_of())
    _, (tensors, facts) = losses(experiment, {}, stop=2)
    assert all(isinstance(t, torch.Tensor) for t in tensors.values())
    assert json.loads(json.dumps(facts)) == facts
    torch.save(tensors, tmp_path / "x")
    torch.load(tmp_path / "x", weights_only=True)


def test_another_base_or_other_layers_are_refused():
    experiment = Experiment.build(config_of())
    _, (tensors, facts) = losses(experiment, {}, stop=2)
    fresh = Experiment.build(config_of())
    with pytest.raises(LabError, match="not the one that this run was trained on"):
        restore(fresh, tensors, {**facts, "base_fingerprint": "other"})
    layers = dict(list(facts["layers"].items())[:1])
    with pytest.raises(LabError, match="other layers"):
        restore(fresh, tensors, {**facts, "layers": layers})
    with pytest.raises(LabError, match="version"):
        restore(fresh, tensors, {**facts, "version": 99})


def test_what_differs_is_said():
    experiment = Experiment.build(config_of())
    _, (tensors, facts) = losses(experiment, {}, stop=2)
    (note,) = restore(Experiment.build(config_of()), tensors, {**facts, "threads": 77})
    assert "threads was 77" in note
    assert "to rounding" in note


OTHERWISE = ("lora-lab", "Python", "numpy", "transformers", "processor", "MKL_CBWR",
             "ATEN_CPU_CAPABILITY", "maker of the processor", PRODUCTS)  # fmt: skip


@pytest.mark.parametrize("what", OTHERWISE)
def test_all_that_changes_the_last_bits_is_said(what):
    experiment = Experiment.build(config_of())
    _, (tensors, facts) = losses(experiment, {}, stop=2)
    machine = {**facts["machine"], what: "another"}
    (note,) = restore(Experiment.build(config_of()), tensors, {**facts, "machine": machine})
    assert f"{what} was another" in note
    older = {key: value for key, value in facts.items() if key != "machine"}
    notes = restore(Experiment.build(config_of()), tensors, older)
    assert all(note.startswith(f"{PRODUCTS} was torch's own") for note in notes)
    assert len(notes) == onednn_is_quicker()


@pytest.mark.parametrize("before", ["unsaid", "torch's own", "oneDNN"])
@pytest.mark.parametrize("quicker", [False, True])
def test_another_library_of_products_is_said_of_runs_from_before_there_were_two(
    monkeypatch: pytest.MonkeyPatch, quicker: bool, before: str
) -> None:
    monkeypatch.setattr(saved_state, "onednn_is_quicker", lambda: quicker)
    experiment = Experiment.build(config_of())
    tensors, facts = state_of(experiment)
    machine = {key: value for key, value in facts["machine"].items() if key != PRODUCTS}
    machine |= {PRODUCTS: before} if before != "unsaid" else {}
    notes = restore(experiment, tensors, {**facts, "machine": machine})
    assert len(notes) == ((before == "oneDNN") != quicker)
    for note in notes:
        then, now = ("oneDNN", "torch's own") if before == "oneDNN" else ("torch's own", "oneDNN")
        assert f"{PRODUCTS} was {then} and is {now}" in note
