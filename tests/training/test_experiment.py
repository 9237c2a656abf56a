"""What stands ready when a run is opened: inits, targets, locks and notes, and its spectra."""

import gc
import itertools
import math
import weakref

import numpy as np
import pytest
import torch

from lora_lab.adapters import VARIANTS, DoRALayer
from lora_lab.analysis.randomized import Spectrum
from lora_lab.errors import AdapterError
from lora_lab.opening_records import TargetInfo
from lora_lab.training import layer_spectra as module
from lora_lab.training.experiment import NO_DIMENSION, Experiment
from lora_lab.training.initial_factors import EVA_BATCHES
from lora_lab.variants import VARIANTS as VARIANTS_ROWS
from tests.anywhere import ANYWHERE
from tests.training.driven_run import DrivenRun, digits


def test_it_is_let_go_of_without_a_search_for_garbage():
    """Two models of which one is closed would not fit into memory together."""
    experiment = Experiment.build(digits())
    next(experiment.batches)
    gone = weakref.ref(experiment)
    gc.disable()
    try:
        del experiment
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("variant", "init"),
    [(v, i) for v in VARIANTS for i in ANYWHERE if VARIANTS_ROWS[v].factored]
    + [(v, "kaiming") for v in VARIANTS if not VARIANTS_ROWS[v].factored],
)
def test_every_variant_learns_from_every_init(variant, init):
    hyper = {"rank": 2, "dropout": 0.1, "dimension": 256}
    if VARIANTS_ROWS[variant].shared:
        hyper["learning_rate"] = 0.1
    if VARIANTS_ROWS[variant].trained is not None:
        hyper |= {"learning_rate": 0.02, "rank": 10, "alpha": 10.0}  # LoRA-XS writes U_r alone
    run = DrivenRun(digits(variant=variant, init=init, hyper=hyper, digits=(), batch_size=64))
    assert all(value.abs().max() < 1e-12 for value in run.deltas().values())
    losses = run.steps(60)
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_eva_starts_from_what_the_layers_see_of_the_first_batches():
    experiment = Experiment.build(digits(init="eva", hyper={"layer_ranks": (("fc1", 6),)}))
    seen = {name: [] for name in experiment.layers}
    model = experiment.task.base_model().double()
    for name, layer in model.named_modules():
        if name in seen:
            layer.register_forward_pre_hook(lambda _, x, name=name: seen[name].append(x[0]))
    batches = experiment.task.batches(32, experiment.config.seed)
    with torch.no_grad():
        for images, _ in itertools.islice(batches, EVA_BATCHES):
            model(images.double())
    for name, layer in experiment.layers.items():
        X = torch.cat(seen[name])
        top = torch.linalg.svd(X, full_matrices=False).Vh[: layer.rank]
        A = layer.lora_A.detach()
        assert len(A) == (6 if name == "fc1" else 4)
        torch.testing.assert_close(A.T @ A, top.T @ top, rtol=0, atol=1e-5)
        assert not layer.lora_B.any()


def test_eva_leaves_batches_dropout_and_mode_as_they_are():
    plain, eva = (Experiment.build(digits(init=init)) for init in ("kaiming", "eva"))
    assert eva.model.training
    assert all(p.grad is None for p in eva.parameters())
    for (images, labels), (others, names) in zip(
        itertools.islice(plain.batches, 3), itertools.islice(eva.batches, 3), strict=True
    ):
        assert torch.equal(images, others)
        assert torch.equal(labels, names)
    states = []
    for init in ("kaiming", "eva"):
        Experiment.build(digits(init=init, hyper={"dropout": 0.5}))
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_eva_with_too_little_data_says_so():
    with pytest.raises(AdapterError, match="Lower the rank or choose init kaiming"):
        Experiment.build(digits(init="eva", batch_size=1, hyper={"rank": 8}))


def test_what_could_be_adapted_is_offered_whatever_is():
    loaded = Experiment.build(digits(targets=("fc2",), init="pissa")).loaded()
    assert loaded.adaptable == (
        TargetInfo("fc1", "linear", (128, 64)),
        TargetInfo("fc2", "linear", (64, 128)),
        TargetInfo("fc3", "linear", (10, 64)),
    )
    assert [module[:3] for module in loaded.modules] == [
        (target.name, "Linear", target.shape) for target in loaded.adaptable
    ]
    assert sum(count for *_, count in loaded.modules) == loaded.base_parameters
    (layer,) = loaded.layers
    assert (layer.name, layer.kind, layer.max_rank) == ("fc2", "linear", 64)
    assert layer.rank_locked.startswith("pissa")
    assert dict(loaded.locked) == {"rank": layer.rank_locked, "dimension": NO_DIMENSION}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"variant": "full", "b_rate_ratio": 16.0}, "no layer has a B"),
        ({"momentum": 0.9}, "for SGD"),
        ({"warmup_steps": 10, "max_steps": 7}, "warm-up of 3 in place of 10 steps"),
        ({"hyper": {"rank": 32}}, "limited by the layer's size: fc3 at 10"),
    ],
)
def test_a_setting_that_does_nothing_is_said(settings, words):
    (note,) = Experiment.build(digits(**settings)).loaded().notes
    assert words in note


@pytest.mark.parametrize("variant", VARIANTS)
def test_spectra_are_of_the_real_change(variant):
    run = DrivenRun(digits(variant=variant))
    run.steps(20)
    for row, layer in zip(
        run.experiment.spectrum().layers, run.experiment.layers.values(), strict=True
    ):
        delta = layer.delta_weight().detach()
        dense = torch.linalg.svdvals(delta).numpy()
        np.testing.assert_allclose(row.sigma, dense[: len(row.sigma)], atol=1e-10 * dense[0])
        assert len(row.sigma) == (min(layer.shape) if layer.factors() is None else 4)
        assert row.delta_norm == pytest.approx(delta.norm().item())
        assert row.stable_rank == pytest.approx((dense**2).sum() / dense[0] ** 2)
        assert row.error == 0
        factored = VARIANTS_ROWS[variant].factored
        assert row.rank == (4 if factored else min(layer.shape))
        assert math.isnan(row.alpha) == (not factored)
        if isinstance(layer, DoRALayer):
            assert (row.alpha, row.scaling) == (8.0, 2.0)


def test_a_spectrum_of_the_leading_values_states_its_error(monkeypatch):
    """The whole ‖ΔW‖_F is known where the later values are not, so no entropy is made up."""
    experiment = Experiment.build(digits(variant="full"))
    leading = Spectrum(np.array([3.0, 2.0]), np.array([0.01, 0.25]), False, 6.0)
    monkeypatch.setattr(module, "stated_spectra", lambda layers: [leading for _ in layers])
    for row in experiment.spectrum().layers:
        assert row.sigma.tolist() == [3.0, 2.0]
        assert not row.sigma.flags.writeable
        assert (row.error, row.delta_norm, row.stable_rank) == (0.25, 6.0, 4.0)
        assert math.isnan(row.effective_rank)


@pytest.mark.parametrize("variant", ["full", "dora", "lora"])
def test_dense_spectra_take_turns_when_time_is_short(variant):
    """Every layer is looked at once; then one more each time, the oldest first."""
    experiment = Experiment.build(digits(variant=variant))
    names = [row.name for row in experiment.spectrum(seconds=0).layers]
    with torch.no_grad():
        for p in experiment.parameters():
            p += 0.01 * torch.randn_like(p)
    for turn in range(len(names)):
        rows = experiment.spectrum(seconds=0).layers
        assert [row.name for row in rows] == names
        moved = [row.name for row in rows if row.sigma[0] > 0]
        assert len(moved) == (len(names) if variant == "lora" else turn + 1)
