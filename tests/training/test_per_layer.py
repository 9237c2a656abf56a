"""A rank or a freeze of one layer: beside the common settings, in mid-run and from the start."""

import pytest
import torch

from lora_lab.adapters import VARIANTS
from lora_lab.errors import ConfigError
from lora_lab.records import CountsRecord, ErrorRecord, LayerSpectrum
from lora_lab.training.experiment import Experiment
from lora_lab.training.per_layer import differing, listed
from lora_lab.variants import VARIANTS as ROWS
from tests.training.driven_run import MOMENT, OPTIMIZERS, DrivenRun, digits

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
each_variant = pytest.mark.parametrize("variant", [v for v in VARIANTS if not ROWS[v].shared])
each_low_rank = pytest.mark.parametrize(
    "variant", [v for v in VARIANTS if ROWS[v].factored and not ROWS[v].shared]
)


def same(found: dict, expected: dict) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[label], p) for label, p in expected.items()
    )


def ranks(run: DrivenRun) -> list[int]:
    return [layer.rank for layer in run.experiment.layers.values()]


@each_optimizer
@each_variant
def test_a_frozen_layer_stays_to_the_last_bit_and_the_others_learn(variant, optimizer):
    hyper = {"weight_decay": 0.3, "dropout": 0.1}
    run = DrivenRun(digits(hyper=hyper, variant=variant, **OPTIMIZERS[optimizer]))
    run.steps(10)
    applied = run.edit(frozen_layers=("fc2",))
    assert applied.changes == (("frozen_layers", "–", "fc2"),)
    before = {name: run.tensors(name) for name in run.experiment.layers}
    run.steps(10)
    assert same(run.tensors("fc2"), before["fc2"])
    for name in ("fc1", "fc3"):
        found = run.tensors(name)
        assert not any(torch.equal(found[label], p) for label, p in before[name].items())
    assert not [r for r in run.seen if isinstance(r, ErrorRecord)]


@each_optimizer
@each_variant
def test_thawing_goes_on_where_it_stopped(variant, optimizer):
    run = DrivenRun(digits(variant=variant, **OPTIMIZERS[optimizer]))
    run.steps(10)
    state = run.experiment.optimizer.state

    def moments():
        held = run["fc2"].named_parameters(recurse=False)
        return {label: state[p][MOMENT[optimizer]].clone() for label, p in held}

    run.edit(frozen_layers=("fc2",))
    kept, before = moments(), run.tensors("fc2")
    run.steps(5)
    run.edit(frozen_layers=())
    assert same(moments(), kept)
    run.steps(3)
    assert not any(torch.equal(p, before[label]) for label, p in run.tensors("fc2").items())
    if optimizer == "adamw":
        made = [int(state[p]["step"]) for p in run["fc2"].adapter_parameters()]
        assert set(made) == {13}, "five steps were not made"


@each_optimizer
@each_variant
def test_a_layer_that_is_frozen_from_the_start_can_be_thawed(variant, optimizer):
    hyper = {"frozen_layers": ("fc1", "fc3"), "weight_decay": 0.3}
    run = DrivenRun(digits(hyper=hyper, variant=variant, **OPTIMIZERS[optimizer]))
    before = {name: run.tensors(name) for name in run.experiment.layers}
    run.steps(5)
    assert same(run.tensors("fc1"), before["fc1"])
    assert not same(run.tensors("fc2"), before["fc2"])
    run.edit(frozen_layers=("fc2",))
    run.steps(5)
    assert not same(run.tensors("fc1"), before["fc1"])
    assert not same(run.tensors("fc3"), before["fc3"])


@each_variant
def test_counts_and_spectra_follow(variant):
    run = DrivenRun(digits(variant=variant))
    run.steps(1)
    full = run.experiment.counts()
    run.edit(frozen_layers=("fc1",))
    counts = run.next(CountsRecord)
    sizes = dict(full.per_layer)
    assert dict(counts.per_layer) == {**sizes, "fc1": 0}
    assert counts.adapter == full.adapter - sizes["fc1"]
    assert counts.total == full.total, "what is frozen is still there"
    rows: tuple[LayerSpectrum, ...] = run.experiment.spectrum().layers
    assert [row.frozen for row in rows] == [True, False, False]
    assert rows[0].sigma[0] > 0


@pytest.mark.parametrize(
    "variant", [v for v, x in ROWS.items() if x.factored and x.scaled and not x.shared]
)
def test_a_frozen_layer_keeps_its_rank_and_follows_alpha(variant):
    run = DrivenRun(digits(variant=variant))
    run.steps(5)
    run.edit(frozen_layers=("fc2",))
    delta, direction = run.deltas()["fc2"], run.directions()["fc2"]
    run.steps(1)
    applied = run.edit(rank=2)
    assert ranks(run) == [2, 4, 2]
    assert any("frozen" in note and "fc2 at 4" in note for note in applied.notes)
    torch.testing.assert_close(run.deltas()["fc2"], delta, rtol=0, atol=1e-12 * delta.abs().max())
    run.steps(1)
    applied = run.edit(alpha=4.0, alpha_mode="keep_function")
    torch.testing.assert_close(run.deltas()["fc2"], delta, rtol=0, atol=1e-12 * delta.abs().max())
    assert not any("frozen" in note for note in applied.notes)
    run.steps(1)
    applied = run.edit(alpha=12.0, alpha_mode="scale_effect")
    torch.testing.assert_close(run.directions()["fc2"], 3 * direction, rtol=1e-10, atol=1e-12)
    assert any("frozen" in note for note in applied.notes)
    assert len({layer.scaling for layer in run.experiment.layers.values()}) == 1
    run.steps(1)
    applied = run.edit(frozen_layers=())
    assert ranks(run) == [2, 2, 2], "trained again, it takes the default rank"
    assert applied.discarded_energy > 0


def test_a_frozen_layer_can_be_given_a_rank_of_its_own_and_its_ramp_waits():
    run = DrivenRun(digits(hyper={"frozen_layers": ("fc2",)}))
    run.steps(5)
    run.edit(layer_ranks=(("fc2", 6),))
    assert ranks(run) == [4, 6, 4]
    assert run["fc2"].frozen
    before = run.tensors("fc2")
    run.steps(5)
    assert same(run.tensors("fc2"), before)
    assert [ramp.taken for ramp in run.experiment.ramps] == [0]
    run.edit(frozen_layers=())
    run.steps(5)
    assert [ramp.taken for ramp in run.experiment.ramps] == [5]


@each_optimizer
@each_low_rank
def test_a_rank_of_its_own_beside_the_common_one(variant, optimizer):
    run = DrivenRun(digits(variant=variant, **OPTIMIZERS[optimizer]))
    run.steps(10)
    before = run.deltas()
    applied = run.edit(layer_ranks=(("fc1", 7),))
    assert applied.changes == (("layer_ranks", "–", "fc1=7"),)
    assert ranks(run) == [7, 4, 4]
    assert all(torch.equal(run.deltas()[name], before[name]) for name in ("fc2", "fc3"))
    for name, value in before.items():
        atol = 1e-12 * value.abs().max()
        torch.testing.assert_close(run.deltas()[name], value, rtol=0, atol=atol)
    run.steps(3)
    before = run.deltas()
    applied = run.edit(rank=5)
    assert ranks(run) == [7, 5, 5]
    assert any("fc1 at 7" in note for note in applied.notes)
    for name, value in before.items():
        atol = 1e-12 * value.abs().max()
        torch.testing.assert_close(run.deltas()[name], value, rtol=0, atol=atol)
    common = VARIANTS[variant].scaling_for(8.0, 5)
    assert {layer.scaling for layer in run.experiment.layers.values()} == {common}
    run.steps(3)
    applied = run.edit(layer_ranks=(("fc2", 2),))
    assert ranks(run) == [5, 2, 5], "without one of its own, a layer takes the default rank"
    assert applied.changes == (("layer_ranks", "fc1=7", "fc2=2"),)
    assert applied.discarded_energy > 0
    run.steps(3)
    assert {row.rank for row in run.experiment.spectrum().layers} == {5, 2}


def test_ranks_and_freezes_from_the_start():
    hyper = {"layer_ranks": (("fc1", 2), ("fc3", 10)), "frozen_layers": ("fc2",)}
    experiment = Experiment.build(digits(hyper=hyper, init="orthogonal"))
    assert [layer.rank for layer in experiment.layers.values()] == [2, 4, 10]
    assert {layer.scaling for layer in experiment.layers.values()} == {2.0}
    assert [layer.frozen for layer in experiment.layers.values()] == [False, True, False]
    for layer in experiment.layers.values():  # by the init's own law, not patched together
        A = layer.lora_A.detach()
        torch.testing.assert_close(A @ A.T, torch.eye(layer.rank, dtype=A.dtype), atol=1e-6, rtol=0)
        assert not layer.delta_weight().any()
    assert experiment.counts().adapter == 2 * (128 + 64) + 10 * (10 + 64)
    assert experiment.loaded().notes == (), "all is as it was asked for"


BAD = [
    ({"layer_ranks": (("fc9", 2),)}, "fc9", {}),
    ({"frozen_layers": ("fc",)}, "'fc'", {}),
    ({"layer_ranks": (("fc3", 11),)}, "fc3 can use a rank of 10 at most, not 11", {}),
    ({"frozen_layers": ("fc1", "fc2", "fc3")}, "nothing would train", {}),
    ({"layer_ranks": (("fc1", 2),)}, "fc1.*pissa", {"init": "pissa"}),
    ({"layer_ranks": (("fc1", 2),)}, "fc1.*full fine-tuning has no rank", {"variant": "full"}),
    ({"frozen_layers": ("fc1",)}, "fc1.*all layers share θ", {"variant": "subspace"}),
]


@pytest.mark.parametrize(("hyper", "words", "settings"), BAD)
def test_what_is_not_there_cannot_be_opened(hyper, words, settings):
    with pytest.raises(ConfigError, match=words):
        Experiment.build(digits(hyper=hyper, **settings))


@pytest.mark.parametrize(("hyper", "words", "settings"), BAD)
def test_what_is_not_there_is_refused_with_nothing_changed(hyper, words, settings):
    run = DrivenRun(digits(hyper={"rank": 4}, **settings))
    run.steps(3)
    before = {name: run.tensors(name) for name in run.experiment.layers}
    held = run.experiment.hyper
    error = run.edit(rank=2, alpha=1.0, weight_decay=0.5, **hyper)
    assert isinstance(error, ErrorRecord)
    with pytest.raises(ConfigError, match=words):
        raise ConfigError(error.message)
    assert run.experiment.hyper is run.controls.hyper is held
    assert all(same(run.tensors(name), before[name]) for name in before)
    assert not any(layer.frozen for layer in run.experiment.layers.values())
    assert {group["weight_decay"] for group in run.experiment.optimizer.param_groups} == {0}
    run.steps(2)


def test_many_layers_are_counted_and_not_listed():
    names = [f"layer{i}" for i in range(9)]
    assert differing(names[:1], names[:3]) == ("–", "layer1, layer2")
    assert differing((("a", 1), ("b", 2)), (("a", 3), ("b", 2))) == ("a=1", "a=3")
    assert differing((), names) == ("–", "9 layers")
    assert listed(names) == "layer0, layer1, layer2 and 6 more"
