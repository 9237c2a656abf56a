"""What the papers of small spaces foretell: the spectrum of a random one, the reach of LoRA-XS."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.space import space_of
from lora_lab.intrinsic.results import BASE
from lora_lab.intrinsic.runs import Wanted, runner_for
from lora_lab.presets import get_preset
from lora_lab.progress import silent
from lora_lab.training.experiment import Experiment
from tests.training.driven_run import digits


@pytest.mark.parametrize("d", [64, 1_000])
@pytest.mark.parametrize("shape", [(128, 64), (64, 128), (300, 300)])
def test_a_random_subspace_has_the_spectrum_of_noise(shape, d):
    """σ₁² of each draw as Tracy and Widom's law has it, and its stable rank ‖ΔW‖²/σ₁² with it.

    Their mean of a matrix of finite size lies below Marchenko and Pastur's edge (Johnstone 2001,
    theorem 1.1; −1.2065 and 1.268 are mean and deviation of the law), and tends to it.
    """
    out, wide = shape
    a, b = (out - 0.5) ** 0.5, (wide - 0.5) ** 0.5
    scale = (a + b) * (1 / a + 1 / b) ** (1 / 3)
    mean, deviation = (a + b) ** 2 - 1.2065 * scale, 1.268 * scale
    stable = []
    for seed in range(5):
        net = nn.Sequential(nn.Linear(wide, out))
        (layer,) = inject(net, variant="subspace", dimension=d, seed=seed).values()
        theta = space_of([layer]).theta
        theta.data.normal_(generator=torch.Generator().manual_seed(seed))
        delta = layer.delta_weight().detach().double()
        top = float(torch.linalg.svdvals(delta)[0] ** 2)
        unit = float(delta.square().mean())
        assert 0.9 <= (top / unit) ** 0.5 / (out**0.5 + wide**0.5) <= 1.05
        assert abs(top / unit - mean) <= 3 * deviation
        stable.append(float(delta.square().sum()) / top)
        assert stable[-1] == pytest.approx(out * wide / mean, rel=0.1)
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
    """At the rate of the least training loss of one seed; what is held out is of another one."""
    runner = runner_for(get_preset("digits").config, 1_000, False, silent).single(silent)
    rates = (1e-3, 3e-3, 1e-2, 3e-2)
    tried = [Wanted(BASE, 0, 0, rate, variant="lora-xs", rank=rank) for rate in rates]
    best = min(runner.train(tried), key=lambda outcome: outcome.training_loss).wanted.rate
    (found,) = runner.train([Wanted(BASE, 0, 1, best, variant="lora-xs", rank=rank)])
    assert low <= found.score <= high
