"""A matrix taken apart agrees with numpy's and scipy's own routes, and with the theorems."""

import numpy as np
import pytest
import scipy.linalg

from lora_lab.analysis.matrix import (
    SAME,
    break_even,
    decompose,
    measure,
    norm,
    penrose,
    product,
)
from lora_lab.errors import LabError

LESSON = np.array([[1.0, 2, 3], [2, 4, 6], [1, 3, 5]])


def of_rank(rank, m, n, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return scale * rng.standard_normal((m, rank)) @ rng.standard_normal((rank, n))


CASES = {
    "lesson": (LESSON, 2),
    "square": (of_rank(7, 7, 7), 7),
    "tutorial": (of_rank(2, 10, 10), 2),
    "wide": (of_rank(3, 3, 40), 3),
    "tall": (of_rank(4, 50, 6), 4),
    "row": (np.array([[3.0, 4.0]]), 1),
    "column": (np.array([[3.0], [0.0], [4.0]]), 1),
    "one": (np.array([[-7.0]]), 1),
    "zeros": (np.zeros((3, 5)), 0),
    "huge": (of_rank(2, 5, 4, scale=1e98), 2),
    "tiny": (of_rank(2, 5, 4, scale=1e-98), 2),
}
TABLE = pytest.mark.parametrize(("W", "rank"), CASES.values(), ids=CASES)


def test_the_lesson_has_the_numbers_of_the_lesson():
    parts = decompose(LESSON)
    assert parts.sigma[:2] == pytest.approx([10.233, 0.535], abs=5e-4)
    assert parts.sigma[2] < 1e-14
    # σ² are the eigenvalues of WᵀW: their sum is 105, and that of their pairs' products 30.
    s = np.square(parts.sigma)
    assert s.sum() == pytest.approx(105)
    assert s[0] * s[1] == pytest.approx(30)
    assert parts.energy(1) == pytest.approx(s[0] / 105)


@TABLE
def test_factors_multiply_back_and_rank_is_numpys(W, rank):
    parts = decompose(W)
    r = min(W.shape)
    assert parts.U.shape == (W.shape[0], r)
    assert parts.Vt.shape == (r, W.shape[1])
    np.testing.assert_allclose(parts.U.T @ parts.U, np.eye(r), atol=1e-13)
    np.testing.assert_allclose(parts.Vt @ parts.Vt.T, np.eye(r), atol=1e-13)
    np.testing.assert_allclose(parts.truncated(r), W, atol=1e-13 * (np.abs(W).max() or 1))
    assert (np.abs(parts.Vt).max(1) == parts.Vt.max(1)).all()  # each v_i points where it is largest
    assert parts.rank == rank == np.linalg.matrix_rank(W)
    np.testing.assert_allclose(parts.sigma, scipy.linalg.svdvals(W), atol=1e-13 * parts.sigma[0])


@TABLE
def test_the_error_of_a_cut_is_what_sigma_says(W, rank):
    parts = decompose(W)
    size = parts.sigma[0] or 1.0
    for k in range(parts.most + 1):
        found = measure(parts, k)
        frobenius, spectral = parts.predicted(k)
        gap = (W - parts.truncated(k)) / size
        assert found.frobenius / size == pytest.approx(np.linalg.norm(gap), abs=1e-13)
        assert frobenius / size == pytest.approx(np.linalg.norm(gap), abs=1e-13)
        assert found.spectral / size == pytest.approx(np.linalg.norm(gap, 2), abs=1e-13)
        assert spectral / size == pytest.approx(np.linalg.norm(gap, 2), abs=1e-13)
        assert np.linalg.matrix_rank(parts.truncated(k) / size) == min(k, rank)


def test_no_other_matrix_of_that_rank_is_nearer():
    W = of_rank(6, 8, 6, seed=3)
    parts = decompose(W)
    rng = np.random.default_rng(1)
    for k in (1, 2, 4):
        best = parts.predicted(k)
        for _ in range(50):
            B = rng.standard_normal((8, k))
            other = B @ np.linalg.lstsq(B, W, rcond=None)[0]  # the best A for this B
            assert np.linalg.norm(W - other) >= best[0]
            assert np.linalg.norm(W - other, 2) >= best[1] * (1 - 1e-12)


@TABLE
def test_the_pseudo_inverse_is_scipys_and_fulfils_all_four_conditions(W, rank):
    parts = decompose(W)
    X = parts.pseudo_inverse(rank)
    size = parts.sigma[0] or 1.0
    np.testing.assert_allclose(X * size, scipy.linalg.pinv(W / size), atol=1e-12)
    assert max(penrose(W, X)) < 1e-12


def test_each_condition_is_broken_by_what_breaks_it():
    W = of_rank(4, 6, 5, seed=2)
    parts = decompose(W)
    short = penrose(W, parts.pseudo_inverse(2))  # the pseudo-inverse of W_2
    assert short[0] == pytest.approx(parts.predicted(2)[0] / norm(parts.sigma))
    assert max(short[1:]) < 1e-13
    rng = np.random.default_rng(0)
    X = parts.pseudo_inverse(4)
    wrong = X + rng.standard_normal(X.shape)
    for residual, expected in zip(
        penrose(W, wrong),
        (
            np.linalg.norm(W @ wrong @ W - W) / np.linalg.norm(W),
            np.linalg.norm(wrong @ W @ wrong - wrong) / np.linalg.norm(wrong),
            np.linalg.norm((W @ wrong).T - W @ wrong) / np.linalg.norm(W @ wrong),
            np.linalg.norm((wrong @ W).T - wrong @ W) / np.linalg.norm(wrong @ W),
        ),
        strict=True,
    ):
        assert residual == pytest.approx(expected)
        assert residual > SAME


def test_the_inverse_of_rounding_is_no_pseudo_inverse():
    found = measure(decompose(LESSON), 3)
    assert max(found.penrose) > 0.01
    assert max(measure(decompose(LESSON), 2).penrose) < 1e-13


def test_condition_numbers_are_numpys():
    W = of_rank(5, 5, 5, seed=4)
    assert decompose(W).condition(5) == pytest.approx(np.linalg.cond(W))
    assert decompose(np.diag([2.0, 0.0])).condition(2) == np.inf
    assert decompose(W).condition(1) == 1.0
    assert np.isnan(decompose(np.zeros((2, 2))).condition(1))


def test_zeros_have_no_energy_and_an_inverse_of_zeros():
    parts = decompose(np.zeros((2, 3)))
    assert np.isnan(parts.energy(1))
    assert not parts.pseudo_inverse(2).any()
    assert measure(parts, 1).penrose == (0.0,) * 4


@pytest.mark.parametrize(
    ("W", "said"),
    [
        (np.zeros((0, 3)), "no matrix yet"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), "Row 2, column 2 is nan"),
        (np.array([[np.inf, 2.0]]), "Row 1, column 1 is inf"),
    ],
)
def test_what_is_no_matrix_is_refused(W, said):
    with pytest.raises(LabError, match=said):
        decompose(W)


@pytest.mark.parametrize("shape", [(1, 1, 1), (256, 256, 256), (300, 0, 7), (3, 512, 500)])
def test_products_in_strips_are_products(shape):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal(shape[:2]), rng.standard_normal(shape[1:])
    np.testing.assert_allclose(product(A, B), A @ B, atol=1e-11)


def test_break_even_is_where_the_counts_meet():
    for m, n in ((3, 3), (1000, 784), (1, 5)):
        rank = break_even((m, n))
        assert rank * (m + n) == pytest.approx(m * n)
