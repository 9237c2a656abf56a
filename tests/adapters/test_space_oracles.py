"""What the papers of small spaces foretell: the spectrum of a random one, the reach of LoRA-XS."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.space import space_of
from lora_lab.config import changed
from lora_lab.intrinsic.score import score_of
from lora_lab.training.experiment import Experiment
from tests.training.driven_run import DrivenRun, digits


@pytest.mark.parametrize("d", [64, 1_000])
@pytest.mark.parametrize("shape", [(128, 64), (64, 128), (300, 300)])
def test_a_random_subspace_has_the_spectrum_of_noise(shape, d):
    """Marchenko and Pastur 1967: σ₁ at the edge rms·(√out + √in), and its stable rank."""
    out, wide = shape
    edges, stable = [], []
    for seed in range(5):
        net = nn.Sequential(nn.Linear(wide, out))
        (layer,) = inject(net, variant="subspace", dimension=d, seed=seed).values()
        theta = space_of([layer]).theta
        theta.data.normal_(generator=torch.Generator().manual_seed(seed))
        delta = layer.delta_weight().detach().double()
        sigma = torch.linalg.svdvals(delta)
        edge = delta.square().mean().sqrt() * (out**0.5 + wide**0.5)
        edges.append(float(sigma[0] / edge))
        stable.append(float(delta.square().sum() / sigma[0] ** 2))
    assert min(edges) >= 0.9
    assert max(edges) <= 1.05
    assert sum(stable) / 5 == pytest.approx(out * wide / (out**0.5 + wide**0.5) ** 2, rel=0.1)


def reach(rank):
    """|U_rᵀe₉| of the digits' last layer: how much of the unused output LoRA-XS can write."""
    layers = Experiment.build(digits(variant="lora-xs", hyper={"rank": rank})).layers
    U = torch.linalg.svd(layers["fc3"].matrix.double(), full_matrices=False).U
    return float(U[9, :rank].norm())


def test_lora_xs_reaches_an_output_that_the_base_never_used_with_all_directions_alone():
    assert reach(8) <= 0.2
    assert reach(10) == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "low", "high"), [(4, 0, 0.55), (8, 0, 0.55), (12, 0.95, 1)])
def test_what_lora_xs_cannot_write_it_does_not_learn(rank, low, high):
    hyper = {"rank": rank, "alpha": float(rank), "learning_rate": 0.003}
    config = digits(variant="lora-xs", hyper=hyper, digits=(), dtype="float32", max_steps=1_000)
    run = DrivenRun(changed(config, schedule="linear"))
    run.steps(1_000)
    score = score_of(run.experiment.task, ("9",), by_loss=False)
    assert low <= score.of(run.experiment.held_out(True)) <= high
