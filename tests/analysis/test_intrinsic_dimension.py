"""The rule of d90 on curves whose answer is known."""

import numpy as np
import pytest

from lora_lab.analysis.intrinsic_dimension import Crossing, crossing, intrinsic_dimension, monotone

GRID = [2**i for i in range(1, 13)]


def test_pooling_adjacent_violators_is_isotonic_regression():
    scipy = pytest.importorskip("scipy.optimize", reason="scipy is an oracle")
    for seed in range(20):
        values = np.random.default_rng(seed).normal(size=12).cumsum()
        assert monotone(values) == pytest.approx(scipy.isotonic_regression(values).x)
    assert monotone([1, 2, 2, 5]) == [1, 2, 2, 5]


@pytest.mark.parametrize("step", [3, 20, 150, 900])
def test_a_step_is_found_within_one_value_of_the_grid(step):
    scores = {d: [1.0 if d >= step else 0.5] * 3 for d in GRID}
    found = intrinsic_dimension(scores, [1.0] * 3, 0.5).d90
    assert step / 2 <= found.d <= 2 * step
    assert not found.sign


@pytest.mark.parametrize(
    ("level", "answer"), [(0.95, Crossing(2.0, "≤")), (0.2, Crossing(4096.0, ">"))]
)
def test_beyond_the_ends_of_the_grid_it_says_so(level, answer):
    found = intrinsic_dimension({d: [level] * 3 for d in GRID}, [1.0] * 3, 0.1)
    assert found.d90 == answer == found.interval[0] == found.interval[1]


def test_the_crossing_is_interpolated_in_log_d():
    assert crossing([10, 1000], [0.0, 1.0], 0.5).d == pytest.approx(100)


def test_by_gain_it_counts_from_the_start():
    scores = {d: [0.8 + 0.02 * i] for i, d in enumerate(GRID)}
    by_score = intrinsic_dimension(scores, [1.0], 0.8)
    by_gain = intrinsic_dimension(scores, [1.0], 0.8, by_gain=True)
    assert (by_score.target, by_gain.target) == pytest.approx((0.9, 0.98))
    assert by_gain.d90.d == pytest.approx(2 * 2**9)
    assert by_score.d90.d == pytest.approx(2 * 2**5)


def test_the_interval_is_seeded_and_holds_the_value():
    draw = np.random.default_rng(0)
    scores = {d: list(np.clip(np.log2(d) / 8 + 0.05 * draw.normal(size=5), 0, 1)) for d in GRID}
    one, two = (intrinsic_dimension(scores, [1.0] * 5, 0.0, seed=3) for _ in range(2))
    low, high = one.interval
    assert one == two
    assert low.d < one.d90.d < high.d < 2 * low.d


@pytest.mark.parametrize(("seeds", "full", "has_one"), [(1, 3, 0), (2, 3, 0), (3, 2, 0), (3, 3, 1)])
def test_an_interval_needs_three_seeds(seeds, full, has_one):
    scores = {d: [i / len(GRID)] * seeds for i, d in enumerate(GRID)}
    assert (intrinsic_dimension(scores, [1.0] * full, 0.0).interval is not None) == has_one


def test_without_scores_there_is_no_dimension():
    with pytest.raises(ValueError, match="at least one d"):
        intrinsic_dimension({}, [1.0], 0.0)
