"""In which order three optimizers learn the directions of a known change, at several starts."""

from itertools import pairwise

import pytest

from lora_lab.lessons.optimizers import Growth
from lora_lab.progress import silent


def grown(optimizer, seed):
    growth = Growth(optimizer, silent, seed)
    for _ in growth.shares():
        pass
    return growth


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_sgd_learns_the_largest_first_and_nothing_that_is_not_there(seed):
    """Oracle: with λ falling the half-way steps rise, and surplus σ stay rounding."""
    found = grown("sgd", seed)
    assert all(first < second for first, second in pairwise(found.half_way))
    assert found.half_way[0] > 0
    assert found.surplus < 1e-12


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_muon_learns_the_smallest_first(seed):
    """Equal growth of all directions (arXiv 2602.06385)."""
    found = grown("muon", seed)
    assert all(first > second > 0 for first, second in pairwise(found.half_way))
    assert found.half_way[3] / found.half_way[0] == pytest.approx(0.32, abs=0.08)  # 40 of 125


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_adam_learns_all_at_once_and_more_than_there_is_on_the_way(seed):
    found = grown("adamw", seed)
    assert max(found.half_way[:3]) < 40
    assert 0.05 < found.surplus < 0.5
