"""Rank measures against their definitions."""

import numpy as np
import pytest

from lora_lab.analysis.rank import (
    discarded_energy,
    effective_rank,
    energy_rank,
    numerical_rank,
    stable_rank,
)


@pytest.mark.parametrize("n", [1, 3, 10])
def test_n_equal_values_have_rank_n(n):
    for sigma in (np.full(n, 2.5), np.r_[np.full(n, 2.5), np.zeros(4)]):
        assert numerical_rank(sigma, (20, 20)) == n
        assert energy_rank(sigma, 1.0) == n
        assert stable_rank(sigma) == pytest.approx(n)
        assert effective_rank(sigma) == pytest.approx(n)


def test_the_measures_are_ordered():
    sigma = np.array([5.0, 2.0, 1.0, 0.25, 0.01])
    assert 1 <= stable_rank(sigma) <= effective_rank(sigma) <= numerical_rank(sigma, (9, 9)) == 5


def test_rounding_is_not_rank():
    sigma = np.array([1.0, 1e-3, 1e-8])
    assert numerical_rank(sigma, (100, 50), "float32") == 2
    assert numerical_rank(sigma, (100, 50), "float64") == 3


def test_no_change_has_rank_zero_and_no_other_measure():
    zero = np.zeros(4)
    assert numerical_rank(zero, (4, 4)) == energy_rank(zero, 0.9) == 0
    assert np.isnan(stable_rank(zero))
    assert np.isnan(effective_rank(zero))
    assert discarded_energy(zero, 2) == 0


def test_the_tutorial_matrix():
    """A = [[1,2,3],[2,4,6],[1,3,5]]: rank 2, σ = 10.233, 0.535, 0."""
    sigma = np.linalg.svd(np.array([[1.0, 2, 3], [2, 4, 6], [1, 3, 5]]), compute_uv=False)
    np.testing.assert_allclose(sigma[:2], [10.233, 0.535], atol=1e-3)
    assert numerical_rank(sigma, (3, 3), "float64") == 2


def test_energy():
    sigma = np.array([3.0, 2.0, 1.0])
    assert [energy_rank(sigma, t) for t in (0.5, 9 / 14, 0.65, 0.99, 1.0)] == [1, 1, 2, 3, 3]
    assert discarded_energy(sigma, 1) == pytest.approx(5 / 14)
    assert discarded_energy(sigma, 3) == 0
