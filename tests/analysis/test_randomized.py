"""The stated interval holds the true σ whatever the spectrum, and is wide where it has to be."""

import math

import numpy as np
import pytest
import torch

from lora_lab.analysis import randomized
from lora_lab.analysis.randomized import dense_spectrum

K = 16


@pytest.fixture
def always_random(monkeypatch):
    monkeypatch.setattr(randomized, "EXACT", 0)


def true_sigma(M):
    return torch.linalg.svdvals(M.detach().double()).numpy()


def assert_inside(found, sigma):
    """Each true σ lies in its interval, to the rounding of the reference."""
    rounding = 1e-14 * len(sigma) * sigma[0]
    sigma = sigma[: len(found.sigma)]
    assert (found.sigma <= sigma + rounding).all()
    assert (sigma <= found.sigma + found.error + rounding).all()


def power(p, n):
    return torch.arange(1, n + 1).double() ** -p


# How to make M, and the range in which error/σ must lie at the first and at the eighth value.
SPECTRA = {
    "1/i": (lambda draw: draw.with_sigma(power(1, 160), 160, 160), (0, 1e-5), (0, 1e-2)),
    "1/√i": (lambda draw: draw.with_sigma(power(0.5, 160), 160, 160), (0, 1e-3), (1e-4, 1)),
    "1/i, tall": (lambda draw: draw.with_sigma(power(1, 90), 700, 90), (0, 1e-5), (0, 1e-2)),
    "1/i, wide": (lambda draw: draw.with_sigma(power(1, 90), 90, 700), (0, 1e-5), (0, 1e-2)),
    "Gaussian": (lambda draw: draw.randn(160, 160), (0.2, 1), (0.2, 1)),
    "Gaussian, wide": (lambda draw: draw.randn(120, 500), (0.1, 1), (0.1, 1)),
    "all values equal": (lambda draw: draw.basis(200, 120), (0.2, 0.4), (0.2, 0.4)),
    "one value above noise": (
        lambda draw: draw.randn(200, 200) + draw.with_sigma([900.0], 200, 200),
        (0, 1e-3),
        (0.2, 1),
    ),
    "rank 8": (lambda draw: draw.with_sigma(power(1, 8), 200, 150), (0, 1e-11), (0, 1e-11)),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", SPECTRA)
def test_the_true_values_lie_in_the_interval(draw, always_random, case, dtype):
    make, first, eighth = SPECTRA[case]
    M = make(draw).to(dtype)
    found = dense_spectrum(M, K)
    assert_inside(found, true_sigma(M))
    assert not found.exact
    assert found.sigma.shape == found.error.shape == (K,)
    assert found.sigma.dtype == found.error.dtype == np.float64
    assert (np.diff(found.sigma) <= 0).all()
    assert found.norm == pytest.approx(float(M.double().norm()), rel=1e-12)
    if dtype == torch.float64:  # narrower ones bring noise of their own into the spectrum
        for i, (low, high) in ((0, first), (7, eighth)):
            assert low <= found.error[i] / found.sigma[i] <= high


@pytest.mark.parametrize("case", SPECTRA)
def test_a_poor_search_widens_the_interval_and_never_breaks_it(
    draw, always_random, monkeypatch, case
):
    """Without power iterations the values are far too small, and the error covers it."""
    M = SPECTRA[case][0](draw)
    sigma = true_sigma(M)
    good = dense_spectrum(M, K)
    monkeypatch.setattr(randomized, "ITERATIONS", 0)
    for seed in range(8):
        poor = dense_spectrum(M, K, seed)
        assert_inside(poor, sigma)
        if case not in ("rank 8", "all values equal"):  # which any 2K directions find
            assert (sigma[:K] - poor.sigma).max() > 1e-3 * poor.sigma[0]
            assert poor.error.max() > good.error.max()


@pytest.mark.parametrize("case", SPECTRA)
def test_the_norm_of_the_rest_is_bounded_and_not_by_much(draw, case):
    M = SPECTRA[case][0](draw)
    Q = torch.linalg.qr(M @ draw.randn(M.shape[1], 32)).Q
    rest = float(torch.linalg.matrix_norm(M - Q @ (Q.mT @ M), 2))
    rounding = 1e-14 * float(M.norm())
    for _ in range(8):
        bound = randomized._norm_bound(M, Q, draw.generator)
        assert rest - rounding <= bound <= 1.5 * rest + rounding


def test_one_seed_one_answer_and_no_other_random_state(draw, always_random):
    M = draw.randn(150, 100)
    state = torch.get_rng_state()
    first, again, other = (dense_spectrum(M, K, seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(first.sigma, again.sigma)
    assert np.array_equal(first.error, again.error)
    assert not np.array_equal(first.sigma, other.sigma)
    assert_inside(other, true_sigma(M))


@pytest.mark.parametrize("exact", [0, 768])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtypes_autocast_and_gradients_change_nothing(draw, monkeypatch, dtype, exact):
    monkeypatch.setattr(randomized, "EXACT", exact)
    M = torch.nn.Parameter(draw.randn(150, 100).to(dtype))
    before = M.detach().clone()
    plain = dense_spectrum(M.detach().double(), K)
    with torch.autocast("cpu", torch.bfloat16):
        found = dense_spectrum(M, K)
    assert np.array_equal(found.sigma, plain.sigma)
    assert np.array_equal(found.error, plain.error)
    assert torch.equal(M, before)


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_no_size_is_too_large_or_too_small(draw, always_random, scale):
    M = draw.randn(150, 100)
    one, scaled = dense_spectrum(M, K), dense_spectrum(scale * M, K)
    for name in ("sigma", "error", "norm"):
        expected = scale * np.asarray(getattr(one, name))
        np.testing.assert_allclose(getattr(scaled, name), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(60, 40), (1, 30), (40, 2000)])
def test_a_small_matrix_is_decomposed_as_a_whole(draw, shape):
    M = draw.randn(*shape)
    found = dense_spectrum(M)
    assert found.exact
    assert not found.error.any()
    assert found.sigma.shape == (min(shape),)
    np.testing.assert_allclose(found.sigma, true_sigma(M), rtol=1e-12)
    assert found.norm == pytest.approx(float(M.norm()), rel=1e-12)


def test_where_2k_directions_are_all_there_are_it_is_decomposed_as_a_whole(draw, always_random):
    for n, exact in ((2 * K, True), (2 * K + 1, False)):
        found = dense_spectrum(draw.randn(150, n), K)
        assert found.exact is exact
        assert len(found.sigma) == (n if exact else K)


def test_a_large_one_is_not_and_has_its_first_values(draw):
    edge = randomized.EXACT
    for out, exact in ((edge, True), (edge + 1, False)):
        found = dense_spectrum(draw.with_sigma(power(1, 12), out, edge + 1), k=8)
        assert found.exact is exact
        np.testing.assert_allclose(found.sigma[:8], power(1, 8), rtol=1e-9)


@pytest.mark.parametrize(("exact", "count"), [(0, K), (768, 100)])
def test_no_change_and_no_number(monkeypatch, exact, count):
    """As many values as a finite ΔW has, so that a plot keeps its shape."""
    monkeypatch.setattr(randomized, "EXACT", exact)
    zero = dense_spectrum(torch.zeros(150, 100), K)
    assert zero.exact
    assert zero.norm == 0
    assert np.array_equal(zero.sigma, np.zeros(count))
    assert np.array_equal(zero.error, np.zeros(count))
    for value in (math.nan, math.inf, -math.inf):
        M = torch.ones(150, 100)
        M[3, 5] = value
        broken = dense_spectrum(M, K)
        assert broken.sigma.shape == broken.error.shape == (count,)
        assert np.isnan(broken.sigma).all()
        assert np.isnan(broken.error).all()
        assert math.isnan(broken.norm)
        assert not broken.exact
