"""The known-rank task: whitened inputs, a change of rank 4, and floors that are exact."""

import numpy as np
import pytest
import torch

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.tasks import TASKS

DOUBLE = torch.device("cpu"), torch.float64


def opened(**settings):
    return TASKS["known_rank"].open(RunConfig(task="known_rank", **settings))


def test_inputs_are_exactly_whitened():
    task = opened()
    task.to(*DOUBLE)
    X, Y = task.batch
    assert (X.shape, Y.shape) == ((256, 32), (256, 48))
    torch.testing.assert_close(X.T @ X, 256 * torch.eye(32, dtype=X.dtype), rtol=0, atol=1e-11)


def test_the_change_has_the_true_singular_values():
    task = opened()
    sigma = torch.linalg.svdvals(task.change).numpy()
    np.testing.assert_allclose(sigma[:4], task.true_sigma, rtol=1e-12)
    assert sigma[4:].max() < 1e-12


@pytest.mark.parametrize("rank", range(7))
def test_the_best_change_of_each_rank_stands_on_its_floor(rank):
    """Eckart–Young: the truncated D reaches exactly the floor, and no other layer is needed."""
    task = opened()
    task.to(*DOUBLE)
    U, S, Vh = torch.linalg.svd(task.change, full_matrices=False)
    best = U[:, :rank] @ torch.diag(S[:rank]) @ Vh[:rank]
    model = task.base_model().double()
    with torch.no_grad():
        model.layer.weight += best
        loss = task.loss(model, next(task.batches(256, 0))).item()
        assert task.evaluate(model).loss == pytest.approx(loss)
    assert loss == pytest.approx(task.loss_floor[rank], rel=1e-6, abs=1e-13)


def test_floors_fall_and_end_at_zero():
    floors = opened().loss_floor
    assert len(floors) == 33, "a floor for each rank up to min(out, in)"
    assert floors[2] == pytest.approx((1 + 0.25) / 48)
    assert list(floors) == sorted(floors, reverse=True)
    assert set(floors[4:]) == {0}


def test_it_is_the_same_for_every_seed_and_batch_size():
    first, other = opened(seed=0), opened(seed=5, batch_size=7)
    assert torch.equal(first.base_model().layer.weight, other.base_model().layer.weight)
    for one, two in zip(next(first.batches(256, 0)), next(other.batches(7, 5)), strict=True):
        assert torch.equal(one, two)


def test_float32_is_close_to_float64():
    task = opened()
    batches = task.batches(256, 0)
    X, Y = next(batches)
    assert X.dtype == Y.dtype == task.base_model().layer.weight.dtype == torch.float32
    with torch.no_grad():
        loss = task.loss(task.base_model(), (X, Y)).item()
    assert loss == pytest.approx(task.loss_floor[0], rel=1e-5)


@pytest.mark.parametrize("setting", [{"model": "x.pt"}, {"data": "x"}, {"digits": (9,)}])
def test_another_base_would_be_another_problem(setting):
    with pytest.raises(ConfigError, match="makes its own base"):
        opened(**setting)
