"""A growing curve keeps every peak, hides no failure, and costs what is asked for."""

import numpy as np
import pytest

from lora_lab.ui.widgets.series import Series


def filled(n, chunk=777, seed=0):
    y = np.random.default_rng(seed).normal(size=n).astype(np.float32)
    series = Series()
    for start in range(0, n, chunk):
        part = y[start : start + chunk]
        series.extend(range(start, start + len(part)), part)
    return series, y


@pytest.mark.parametrize("n", [1, 15, 16, 17, 255, 256, 257, 4097, 70_000])
@pytest.mark.parametrize("max_points", [7, 100, 1000])
def test_window_keeps_exact_peaks_at_any_length(n, max_points):
    series, y = filled(n)
    x, v = series.window(0, n, max_points)
    assert len(x) == len(v) <= 2 * max_points + 2
    assert np.nanmin(v) == y.min()
    assert np.nanmax(v) == y.max()
    assert np.all(np.diff(x) >= 0)


@pytest.mark.parametrize("chunk", [1, 3, 16, 4096])
def test_pyramid_does_not_depend_on_how_points_arrive(chunk):
    one, y = filled(5000, chunk)
    other = Series()
    other.extend(np.arange(5000), y)
    for ours, theirs in zip(one.window(100, 4900, 50), other.window(100, 4900, 50), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_part_holds_the_peaks_of_that_part():
    series, y = filled(100_000)
    x, v = series.window(40_000, 60_000, 300)
    assert x[0] <= 40_000
    assert x[-1] >= 59_000
    part = y[x[0] : 60_001]
    assert v.max() >= part.max()
    assert v.min() <= part.min()


def test_few_points_come_as_they_are_with_a_neighbour_on_either_side():
    series = Series()
    series.extend([0, 10, 20, 30, 40], [1, 2, 3, 4, 5])
    x, y = series.window(15, 25, 100)
    assert x.tolist() == [10, 20, 30]
    assert y.tolist() == [2, 3, 4]


def test_non_finite_values_leave_a_gap_and_are_listed():
    series = Series()
    values = np.ones(1000)
    values[[10, 500, 501]] = [np.nan, np.inf, -np.inf]
    series.extend(np.arange(1000), values)
    assert series.non_finite_count == 3
    assert series.non_finite(0, 999).tolist() == [10, 500, 501]
    assert series.non_finite(11, 500).tolist() == [500]
    _, y = series.window(0, 999, 1000)
    assert np.isnan(y[[10, 500, 501]]).all()
    _, coarse = series.window(0, 999, 20)
    assert np.nanmax(coarse) == 1.0  # an infinity is no peak


def test_a_stretch_of_nothing_but_nan_is_a_gap_when_coarse():
    series = Series()
    series.extend(np.arange(1000), np.where(np.arange(1000) < 500, 1.0, np.nan))
    x, y = series.window(0, 999, 20)
    assert np.isnan(y[x > 540]).all()
    assert np.isfinite(y[x < 400]).all()
    assert len(series.non_finite(0, 999, 50)) <= 50


def test_a_huge_finite_value_is_a_peak_not_a_failure():
    series = Series()
    series.extend([1], [1e300])
    assert series.non_finite_count == 0
    assert np.isfinite(series.window(0, 2, 10)[1]).all()


def test_empty_and_wrong_input():
    series = Series()
    assert [len(a) for a in series.window(0, 10, 5)] == [0, 0]
    assert series.last_step is None
    series.extend([], [])
    series.extend([5, 5, 6], [1, 2, 3])
    with pytest.raises(ValueError, match="never go back"):
        series.extend([3], [1])
    with pytest.raises(ValueError, match="2 steps"):
        series.extend([7, 8], [1])


def test_a_million_points_are_drawn_by_few():
    series = Series()
    series.extend(np.arange(1_000_000), np.sin(np.arange(1_000_000) / 1000))
    assert len(series.window(0, 1_000_000, 800)[0]) <= 1602


@pytest.mark.parametrize("edit", [9_000, 30_011, 59_990])
@pytest.mark.parametrize("columns", [40, 300])
def test_a_rise_is_drawn_at_its_cause_and_not_before(edit, columns):
    """Every drawn point is a point of the curve, so that nothing rises before the edit."""
    y = np.where(np.arange(60_000) < edit, 1.0, 5.0).astype(np.float32)
    series = Series()
    series.extend(np.arange(60_000), y)
    x, drawn = series.window(0, 60_000, columns)
    np.testing.assert_array_equal(drawn, y[x])
    assert x[drawn > 1].min() >= edit
