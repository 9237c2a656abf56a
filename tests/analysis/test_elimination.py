"""Elimination counts as school does, and errs where it is known to; fractions tell the truth."""

import random
from fractions import Fraction

import numpy as np
import pytest

from lora_lab.analysis.elimination import eliminated, exact_rank, ranks
from lora_lab.analysis.matrix import decompose
from lora_lab.data.matrix import parse_matrix


def rank_in_fractions(rows):
    """Gauss and Jordan over fractions: another way than the one that is tested."""
    rows = [list(map(Fraction, row)) for row in rows]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in rows[rank:] if r[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [x / pivot[column] for x in pivot]
        rows = [[x - r[column] * p for x, p in zip(r, pivot, strict=True)] for r in rows]
        rows.insert(rank, pivot)
        rank += 1
    return rank


def hilbert(n):
    return [[Fraction(1, i + j + 1) for j in range(n)] for i in range(n)]


def triangle(n):
    return [[Fraction(int(i == j) - int(j > i)) for j in range(n)] for i in range(n)]


def random_rows(seed, m, n, rank):
    draw = random.Random(seed)

    def factor(a, b):
        return [
            [Fraction(draw.randint(-9, 9), draw.randint(1, 9)) for _ in range(b)] for _ in range(a)
        ]

    B, A = factor(m, rank), factor(rank, n)
    return [[sum((b * a[j] for b, a in zip(row, A, strict=True)), Fraction(0)) for j in range(n)]
            for row in B]  # fmt: skip


CASES = {
    "lesson": [[1, 2, 3], [2, 4, 6], [1, 3, 5]],
    "zeros": [[0, 0], [0, 0], [0, 0]],
    "one": [[5]],
    "leading zeros": [[0, 0, 1], [0, 0, 2], [0, 3, 4]],
    "hilbert": hilbert(8),
    "triangle": triangle(20),
    **{f"random {s}": random_rows(s, 5 + s, 9 - s, 1 + s) for s in range(5)},
}


@pytest.mark.parametrize("rows", CASES.values(), ids=CASES)
def test_the_exact_rank_is_that_of_fractions(rows):
    rows = [list(map(Fraction, row)) for row in rows]
    before = [list(row) for row in rows]
    assert exact_rank(rows) == rank_in_fractions(rows)
    assert rows == before


def test_an_exact_rank_that_would_take_long_is_not_begun():
    rng = np.random.default_rng(0)
    rows = [[Fraction(x) for x in row] for row in rng.standard_normal((64, 64)).tolist()]
    assert exact_rank(rows) is None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_pivots_multiply_to_the_determinant(dtype):
    W = np.random.default_rng(5).standard_normal((6, 6))
    before = W.copy()
    pivots = eliminated(W, dtype)
    expected = abs(np.linalg.det(W))
    assert np.prod(pivots) == pytest.approx(expected, rel=1e-12 if dtype == "float64" else 1e-4)
    assert (before == W).all()


def of(rows):
    values = np.array([[float(x) for x in row] for row in rows])
    return ranks(decompose(values), [list(map(Fraction, row)) for row in rows])


def test_tenths_make_elimination_find_a_rank_that_is_not_there():
    matrix = parse_matrix("0.1 0.2 0.3; 0.4 0.5 0.6; 0.7 0.8 0.9")
    found = ranks(decompose(matrix.values), matrix.exact)
    assert rank_in_fractions(matrix.exact) == found.exact == 2
    assert found.by_sigma == (2, 2) == found.with_tolerance
    assert found.by_elimination == (3, 3)
    assert 0 < found.smallest_pivot < 1e-15


def test_a_triangle_without_a_small_pivot_is_next_to_a_singular_one():
    rows = triangle(60)
    found = of(rows)
    assert found.exact == 60
    assert found.by_elimination == (60, 60) == found.with_tolerance
    assert found.smallest_pivot == 1.0
    assert found.by_sigma[0] == 59
    rows[59][0] -= Fraction(1, 2**58)  # what the sample says of one corner
    assert rank_in_fractions(rows) == 59


def test_hilberts_matrix_is_lost_to_sigma_before_it_is_to_pivots():
    found = of(hilbert(12))
    assert found.exact == 12
    assert found.by_sigma[0] == 11 == np.linalg.matrix_rank(np.array(hilbert(12), dtype=float))
    assert found.by_sigma[1] < found.by_sigma[0]
    assert found.with_tolerance[0] == 12


@pytest.mark.parametrize("scale", [1e-90, 1e90])
def test_size_does_not_change_the_rank_in_either_precision(scale):
    W = scale * np.array([[1.0, 2, 3], [2, 4, 6], [1, 3, 5]])
    found = ranks(decompose(W))
    assert found.by_sigma == found.with_tolerance == (2, 2)
    assert found.exact is None
    assert found.smallest_pivot == pytest.approx(scale, rel=1e-12) or found.by_elimination[0] == 3


def test_zeros_have_no_pivot():
    found = ranks(decompose(np.zeros((2, 3))))
    assert found.by_sigma == found.by_elimination == found.with_tolerance == (0, 0)
    assert np.isnan(found.smallest_pivot)
