"""Muon against torch.optim.Muon, and what it makes of a gradient against the SVD."""

import pytest
import torch

from lora_lab.adapters import VARIANTS
from lora_lab.adapters.resize import resize
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.muon import ITERATIONS, QUINTIC, orthogonalized
from lora_lab.training.optim import build_optimizer
from tests.training.driven_run import DrivenRun, digits
from tests.training.test_optim import layers

SHAPES = [(8, 64), (64, 8), (16, 16), (1, 30), (30, 1)]


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def of_quintic(sigma):
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        sigma = a * sigma + b * sigma**3 + c * sigma**5
    return sigma


@pytest.mark.parametrize("shape", SHAPES)
def test_directions_stay_and_each_sigma_goes_through_the_quintic(shape):
    M = normal(*shape)
    U, sigma, Vh = torch.linalg.svd(M, full_matrices=False)
    expected = U @ torch.diag(of_quintic(sigma / sigma.norm())) @ Vh
    torch.testing.assert_close(orthogonalized(M), expected, rtol=1e-10, atol=1e-12)
    found = torch.linalg.svdvals(orthogonalized(M))
    assert 0.65 < float(found.min()) <= float(found.max()) < 1.25


def test_nothing_has_no_direction():
    assert not orthogonalized(torch.zeros(4, 9)).any()


def moved(made, p, rounds):
    for seed in range(rounds):
        p.grad = normal(*p.shape, seed=seed, dtype=p.dtype)
        made.step()
    return p.detach()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("wide", "tolerance"), [(True, 1e-13), (False, 0.02)])
def test_its_steps_are_those_of_torch(shape, wide, tolerance, monkeypatch):
    """To rounding once torch iterates in float64 as well; in its bfloat16 to that."""
    if wide:
        monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    layer = layers("full")[0]
    layer.tuned_weight = torch.nn.Parameter(normal(*shape, seed=9))
    layer.tuned_bias = None
    hyper = Hyperparameters(learning_rate=0.05, weight_decay=0.25)
    settings = RunConfig(task="known_rank", variant="full", optimizer="muon")
    theirs = torch.nn.Parameter(layer.tuned_weight.detach().clone())
    published = torch.optim.Muon(
        [theirs], lr=0.05, weight_decay=0.25, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    start = theirs.detach().clone()
    ours = moved(build_optimizer([layer], settings, hyper), layer.tuned_weight, 6)
    far = (moved(published, theirs, 6) - start).norm()
    assert float((ours - theirs.detach()).norm() / far) < tolerance


@pytest.mark.parametrize("optimizer", ["muon", "muon_b"])
@pytest.mark.parametrize("variant", [name for name in VARIANTS if name in ("lora", "dora")])
def test_a_change_of_rank_maps_the_momentum_as_the_gradients(variant, optimizer):
    adapted = layers(variant)
    settings = RunConfig(task="known_rank", variant=variant, optimizer=optimizer)
    made = build_optimizer(adapted, settings, Hyperparameters())
    layer = adapted[0]
    layer.lora_B.data.copy_(normal(*layer.lora_B.shape))
    G = normal(*layer.shape, seed=4)
    for p, g in ((layer.lora_A, layer.lora_B.T @ G), (layer.lora_B, G @ layer.lora_A.T)):
        p.grad = layer.scaling * g.detach()
    made.step()
    key = "momentum_buffer"
    kept = (layer.scaling * (G @ layer.lora_A.T)).detach()
    made.state[layer.lora_B][key] = kept  # the gradient of the factors as they stand
    if optimizer == "muon":
        made.state[layer.lora_A][key] = (layer.scaling * (layer.lora_B.T @ G)).detach()
    for rank in (4, 1):
        resize(layer, rank, layer.scaling, made, torch.Generator())
        of_A, of_B = made.state[layer.lora_A], made.state[layer.lora_B]
        now = layer.scaling * (G @ layer.lora_A.T).detach()
        known = 2 if rank == 4 else 1  # fresh directions have no momentum yet
        torch.testing.assert_close(of_B[key][:, :known], now[:, :known])
        for name, value in of_A.items():
            assert name == "step" or value.shape == layer.lora_A.shape
        if optimizer == "muon":
            now = layer.scaling * (layer.lora_B.T @ G).detach()
            torch.testing.assert_close(of_A[key][:known], now[:known])


@pytest.mark.parametrize("optimizer", ["muon", "muon_b"])
def test_a_run_learns(optimizer):
    losses = DrivenRun(digits(optimizer=optimizer, hyper={"learning_rate": 1e-2})).steps(60)
    assert sum(losses[-10:]) < 0.1 * sum(losses[:10])
