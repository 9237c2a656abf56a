"""Resizing against torch's own SVD of the dense ΔW."""

from dataclasses import replace

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop.resize import resized


def layer(out, inputs, rank, s=1.5, dtype=torch.float64, **more):
    generator = torch.Generator().manual_seed(out)
    A = torch.randn(rank, inputs, generator=generator, dtype=torch.float64).to(dtype)
    B = torch.randn(out, rank, generator=generator, dtype=torch.float64).to(dtype)
    return LayerWeights(f"l{out}", A, B, s * rank, s, **more)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("s", [1.5, 0.01, -2.0])
@pytest.mark.parametrize("variant", ["lora", "rslora"])
def test_it_is_the_best_approximation(s, variant, dtype):
    given = layer(12, 9, 6, s, dtype)
    made, cuts = resized(AdapterWeights(variant, (given,)), [2])
    delta = given.delta_weight()
    U, sigma, Vh = torch.linalg.svd(delta)
    best = (U[:, :2] * sigma[:2]) @ Vh[:2]
    eps = 1e-12 if dtype == torch.float64 else 1e-5
    (found,) = made.layers
    assert (found.delta_weight() - best).norm() <= eps * best.norm()
    assert cuts[0].error == pytest.approx(float((delta - best).norm() / delta.norm()), rel=1e-5)
    assert found.rank == 2
    assert found.scaling == s
    rule = found.alpha / (2**0.5 if variant == "rslora" else 2)
    assert rule == pytest.approx(s), "α follows the rank, so that the variant's rule gives s"
    assert found.lora_A.dtype == dtype
    assert found.lora_A.norm() == pytest.approx(float(found.lora_B.norm()), rel=1e-4), "balanced"


def test_a_rank_that_is_there_already_changes_nothing():
    given = layer(12, 9, 4)
    made, cuts = resized(AdapterWeights("lora", (given,)), [7])
    assert made.layers[0] is given
    assert cuts[0].error == 0


def test_groups_keep_their_rank_and_magnitudes_stay():
    grouped = replace(layer(12, 9, 4), groups=2, kind="conv", weight_shape=(12, 9, 1))
    dora = layer(8, 9, 4, magnitude=torch.ones(8))
    made, _ = resized(AdapterWeights("dora", (grouped, dora)), [1, 1])
    assert made.layers[0] is grouped
    assert made.layers[1].rank == 1
    assert torch.equal(made.layers[1].magnitude, torch.ones(8))


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(AdapterError, match="2 ranks given for 1 layer"):
        resized(AdapterWeights("lora", (layer(4, 4, 2),)), [1, 1])
    broken = replace(layer(4, 4, 2), lora_A=torch.full((2, 4), float("nan")))
    with pytest.raises(AdapterError):
        resized(AdapterWeights("lora", (broken,)), [1])
