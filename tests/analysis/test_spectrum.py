"""σ(ΔW) against torch's own dense decomposition, and the invariances that a plot must have."""

import time

import numpy as np
import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.spectrum import factor_sigma, spectra


def factors(out=40, into=30, rank=6, dtype=torch.float64, grading=0.0):
    g = torch.Generator().manual_seed(3)
    A = torch.randn(rank, into, generator=g, dtype=torch.float64)
    B = torch.randn(out, rank, generator=g, dtype=torch.float64)
    B = B * 10.0 ** -(grading * torch.arange(rank) / max(1, rank - 1))
    return A.to(dtype), B.to(dtype)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=str
)
@pytest.mark.parametrize("grading", [0, 4, 8])
def test_equal_to_the_dense_svd(dtype, tolerance, grading):
    A, B = factors(dtype=dtype, grading=grading)
    dense = torch.linalg.svdvals(0.5 * B.double() @ A.double())[:6]
    sigma = factor_sigma(A, B, 0.5)
    assert (sigma - dense).abs().max() <= tolerance * dense[0]


def test_sum_of_squares_is_the_norm():
    A, B = factors(dtype=torch.float32)
    norm = (0.25 * B.double() @ A.double()).norm()
    assert float((factor_sigma(A, B, 0.25) ** 2).sum()) == pytest.approx(float(norm**2), rel=1e-6)


def test_linear_in_alpha_and_blind_to_its_sign():
    A, B = factors()
    one = factor_sigma(A, B, 1.0)
    torch.testing.assert_close(factor_sigma(A, B, 7.5), 7.5 * one, rtol=1e-12, atol=0)
    torch.testing.assert_close(factor_sigma(A, B, -7.5), 7.5 * one, rtol=1e-12, atol=0)


def test_blind_to_the_gauge():
    """A → M·A, B → B·M⁻¹ is the same adapter."""
    A, B = factors()
    M = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64)).Q * 3 + torch.eye(6).double()
    other = factor_sigma(M @ A, B @ torch.linalg.inv(M), 1.0)
    torch.testing.assert_close(other, factor_sigma(A, B, 1.0), rtol=1e-10, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_factors_are_widened(dtype):
    A, B = factors(dtype=dtype)
    dense = torch.linalg.svdvals(B.double() @ A.double())[:6]
    torch.testing.assert_close(factor_sigma(A, B, 1.0), dense, rtol=1e-5, atol=1e-5)


def test_autocast_does_not_reach_it():
    A, B = factors(dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        inside = factor_sigma(A, B, 1.0)
    assert torch.equal(inside, factor_sigma(A, B, 1.0))


def test_factors_that_are_not_finite_have_no_spectrum_and_spoil_no_other():
    A, B = factors()
    broken = A.clone()
    broken[2, 3] = float("inf")
    good, bad = spectra([LayerWeights("a", A, B, 1.0, 1.0), LayerWeights("b", broken, B, 1.0, 1.0)])
    assert np.isnan(bad).all()
    assert np.isfinite(good).all()


def test_a_whole_model_in_its_own_order():
    """Layers of equal shape are batched; the answer comes in the order of the question."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 5), nn.Linear(5, 8), nn.Linear(8, 8))
    layers = inject(model, rank=3, alpha=6.0)
    for layer in layers.values():
        nn.init.normal_(layer.lora_B)
    for layer, sigma in zip(layers.values(), spectra(layers.values()), strict=True):
        dense = torch.linalg.svdvals(layer.delta_weight())[: layer.rank]
        np.testing.assert_allclose(sigma, dense.detach().numpy(), rtol=1e-5)


def test_full_fine_tuning_has_a_dense_spectrum():
    model = nn.Sequential(nn.Linear(6, 4))
    layer = inject(model, variant="full")["0"]
    with torch.no_grad():
        layer.tuned_weight += 0.1
    (sigma,) = spectra([layer])
    np.testing.assert_allclose(sigma, [0.1 * 24**0.5, 0, 0, 0], atol=1e-6)


def test_zero_is_zero():
    A, B = factors()
    (sigma,) = spectra([LayerWeights("x", A, torch.zeros_like(B), 1.0, 1.0)])
    assert not sigma.any()


def test_never_slower_than_a_dense_svd():
    """The figures are in the benchmarks; this holds on any machine."""
    A, B = factors(512, 512, 8, torch.float32)
    began = time.perf_counter()
    for _ in range(5):
        factor_sigma(A, B, 1.0)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(5):
        torch.linalg.svdvals(B @ A)
    assert ours < time.perf_counter() - began
