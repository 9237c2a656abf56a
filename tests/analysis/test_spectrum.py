"""σ(ΔW) against torch's own dense decomposition, and the invariances that a plot must have."""

import itertools
import time

import numpy as np
import pytest
import torch
from torch import nn

from lora_lab.adapters import VARIANTS
from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis import randomized
from lora_lab.analysis.rank import numerical_rank, stable_rank
from lora_lab.analysis.spectrum import factor_sigma, spectra, stated_spectra
from tests.anywhere import ANYWHERE


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


each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)


@each_dtype
@pytest.mark.parametrize(("grading", "gram_is_off"), [(1, False), (4, True), (6, True), (8, True)])
def test_small_values_are_right_where_a_gram_matrix_has_lost_them(grading, gram_is_off, dtype):
    """The largest relative error of any σ, the last of which is 10^−grading of the first."""
    A, B = factors(256, 192, 16, dtype, grading)
    true = torch.linalg.svdvals(B.double() @ A.double())[:16]

    def error(sigma):
        return float(((sigma - true).abs() / true).max())

    assert error(factor_sigma(A, B, 1.0)) < 2e-5
    A, B = A.float(), B.float()
    values, vectors = torch.linalg.eigh(B.mT @ B)
    root = vectors * values.clamp_min(0).sqrt()
    of_gram = torch.linalg.eigvalsh(root.mT @ (A @ A.mT) @ root).clamp_min(0).sqrt().flip(0)
    assert (error(of_gram) > 0.05) is gram_is_off


@pytest.mark.parametrize("of_A", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("of_B", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_half_precision_factors_are_widened(of_A, of_B):
    """torch has no QR and no SVD for them."""
    A, B = factors()
    A, B = A.to(of_A), B.to(of_B)
    dense = torch.linalg.svdvals(B.double() @ A.double())[:6]
    torch.testing.assert_close(factor_sigma(A, B, 1.0), dense, rtol=1e-5, atol=1e-5)
    (sigma,) = spectra([LayerWeights("half", A, B, 6.0, 1.0)])
    np.testing.assert_array_equal(sigma, factor_sigma(A, B, 1.0))


@each_dtype
def test_autocast_does_not_reach_it(dtype):
    """It would make the core bfloat16, which no decomposition takes."""
    A, B = factors(dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        inside = factor_sigma(A, B, 1.0)
    assert torch.equal(inside, factor_sigma(A, B, 1.0))


@each_dtype
def test_the_zeros_of_a_product_in_floating_point_are_no_rank(dtype):
    """svdvals(B·A) has min(out, in) values, none of them 0; the factors have r and no more."""
    A, B = factors(dtype=dtype)
    dense = torch.linalg.svdvals(B.float() @ A.float()).double().numpy()
    assert (dense[6:] > 0).all()
    assert numerical_rank(dense, (40, 30), "float32") == 6
    (sigma,) = spectra([LayerWeights("x", A, B, 1.0, 1.0)])
    assert sigma.shape == (6,)
    assert numerical_rank(sigma, (40, 30), "float32") == 6


@each_dtype
def test_no_change_has_zeros_no_rank_and_no_stable_rank(dtype):
    A, B = factors(dtype=dtype)
    (zero,) = stated_spectra([LayerWeights("x", A, torch.zeros_like(B), 1.0, 1.0)])
    assert np.array_equal(zero.sigma, np.zeros(6))
    assert zero.norm == numerical_rank(zero.sigma, (40, 30)) == 0
    assert np.isnan(stable_rank(zero.sigma))


def test_factors_that_are_not_finite_have_no_spectrum_and_spoil_no_other():
    A, B = factors()
    broken = A.clone()
    broken[2, 3] = float("inf")
    layers = [LayerWeights("a", A, B, 2.0, 1 / 3), LayerWeights("b", broken, B, 2.0, 1 / 3)]
    good, bad = stated_spectra(layers)
    for values in (bad.sigma, bad.error, bad.norm):
        assert np.isnan(values).all()
    assert (good.exact, bad.exact) == (True, False)
    assert not good.error.any()
    dense = torch.linalg.svdvals(layers[0].delta_weight())
    np.testing.assert_allclose(good.sigma, dense[:6], rtol=1e-12)
    assert good.norm == pytest.approx(float(dense.norm()), rel=1e-12)


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


def changed_layer(shape=(20, 14), bias=True, **settings):
    """A layer whose ΔW is not 0."""
    torch.manual_seed(1)
    out, into = shape
    layer = inject(nn.Sequential(nn.Linear(into, out, bias)), rank=4, alpha=6.0, **settings)["0"]
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p += 0.05 * torch.randn_like(p)
    return layer


EVERY_KIND = [{"variant": name} for name in VARIANTS] + [{"init": name} for name in ANYWHERE]


@pytest.mark.parametrize("settings", EVERY_KIND, ids=lambda settings: "".join(settings.values()))
def test_every_variant_and_init_has_the_spectrum_of_its_real_change(settings):
    """Also where ΔW is not s·lora_B·lora_A: DoRA, PiSSA, full fine-tuning."""
    layer = changed_layer(**settings)
    dense = torch.linalg.svdvals(layer.delta_weight().detach().double()).numpy()
    (found,) = stated_spectra([layer])
    count = len(found.sigma)
    np.testing.assert_allclose(found.sigma, dense[:count], rtol=0, atol=2e-6 * dense[0])
    assert (dense[count:] < 2e-6 * dense[0]).all()
    assert found.exact
    assert not found.error.any()
    assert found.norm == pytest.approx(np.sqrt(np.sum(dense**2)), rel=1e-5)


@pytest.mark.parametrize("rank", [1, 8])
@pytest.mark.parametrize("init", ANYWHERE)
def test_before_any_training_there_is_no_rank(init, rank):
    """Also where B·A − B₀·A₀ cancels, which leaves rounding in the factors' QR."""
    torch.manual_seed(0)
    layer = inject(nn.Sequential(nn.Linear(90, 70)), rank=rank, init=init)["0"]
    (fresh,) = stated_spectra([layer])
    assert not fresh.sigma.any()
    assert fresh.norm == numerical_rank(fresh.sigma, layer.shape) == 0
    with torch.no_grad():
        layer.lora_B += 1e-4
    assert spectra([layer])[0].any()


@pytest.mark.parametrize("variant", VARIANTS)
def test_autocast_reaches_no_variant(variant):
    """It would round the product in DoRA's ΔW to bfloat16."""
    layer = changed_layer(variant=variant)
    with torch.autocast("cpu", torch.bfloat16):
        (inside,) = spectra([layer])
    np.testing.assert_array_equal(inside, spectra([layer])[0])


def test_full_fine_tuning_has_a_dense_spectrum():
    model = nn.Sequential(nn.Linear(6, 4))
    layer = inject(model, variant="full")["0"]
    with torch.no_grad():
        layer.tuned_weight += 0.1
    (sigma,) = spectra([layer])
    np.testing.assert_allclose(sigma, [0.1 * 24**0.5, 0, 0, 0], atol=1e-6)


def test_large_layers_without_factors_state_their_error(monkeypatch):
    monkeypatch.setattr(randomized, "EXACT", 100)
    layers = [
        changed_layer((160, 140), variant="full"),
        changed_layer((160, 140)),
        changed_layer((160, 140), variant="dora"),
        changed_layer((160, 90), variant="full"),
    ]
    found = stated_spectra(layers)
    assert [one.exact for one in found] == [False, True, False, True]
    assert [len(one.sigma) for one in found] == [64, 4, 64, 90]
    for one, layer in zip(found, layers, strict=True):
        dense = torch.linalg.svdvals(layer.delta_weight().detach().double()).numpy()
        dense, rounding = dense[: len(one.sigma)], 2e-6 * dense[0]
        assert (one.sigma - rounding <= dense).all()
        assert (dense <= one.sigma + one.error + rounding).all()
        assert one.error.any() != one.exact
    for one, sigma in zip(found, spectra(layers), strict=True):
        assert np.array_equal(one.sigma, sigma)


def test_a_layer_is_read_alike_alone_and_among_others_of_its_shape():
    """In a batch, a neighbour's dtype would change a layer's own precision."""
    dtypes = (torch.float64, torch.float32, torch.bfloat16)
    layers = [
        LayerWeights("x", factors(dtype=of_A)[0], factors(dtype=of_B)[1], 6.0, scaling)
        for scaling, (of_A, of_B) in enumerate(itertools.product(dtypes, dtypes), start=1)
    ]
    for layer, together in zip(layers, spectra(layers), strict=True):
        np.testing.assert_allclose(together, spectra([layer])[0], rtol=1e-13)


def test_never_slower_than_a_dense_svd():
    """The figures are in the benchmarks; this holds on any machine."""
    A, B = factors(512, 512, 8, torch.float32)
    works = {"ours": lambda: factor_sigma(A, B, 1.0), "dense": lambda: torch.linalg.svdvals(B @ A)}
    took = {name: [] for name in works}
    for _ in range(5):
        for name, work in works.items():
            began = time.process_time()
            work()
            took[name].append(time.process_time() - began)
    assert min(took["ours"]) < min(took["dense"]), took
