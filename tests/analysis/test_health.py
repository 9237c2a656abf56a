"""Spectral health against drawn matrices: the edge of noise, what stands above it, the hints."""

import math
import time

import numpy as np
import pytest

from lora_lab.analysis.health import DEAD, FALLING, SPIKE, Health, edge_of_noise, noise_edge
from lora_lab.records import LayerSpectrum, SpectrumRecord, frozen_array


def drawn(shape, rank, seed):
    """σ of a random matrix of this rank, by numpy's SVD."""
    rng, (out, into) = np.random.default_rng(seed), shape
    if rank >= min(shape):
        return np.linalg.svd(rng.normal(size=shape), compute_uv=False)
    left, right = rng.normal(size=(out, rank)), rng.normal(size=(rank, into))
    between = np.linalg.qr(left)[1] @ np.linalg.qr(right.T)[1].T  # of (rank × rank), the same σ
    return np.linalg.svd(between, compute_uv=False)


@pytest.mark.parametrize(
    ("shape", "rank", "within"),
    [
        ((200, 300), 200, 0.03), ((300, 300), 300, 0.03), ((64, 512), 64, 0.06),
        ((768, 768), 64, 0.04), ((400, 1600), 128, 0.04), ((500, 500), 250, 0.04),
    ],
)  # fmt: skip
def test_the_edge_is_where_the_first_value_of_noise_lies(shape, rank, within):
    ratios = []
    for seed in range(4):
        sigma = drawn(shape, rank, seed)
        ratios.append(sigma[0] / np.linalg.norm(sigma) / edge_of_noise(shape, rank))
    assert np.mean(ratios) == pytest.approx(1, abs=within)


def test_of_full_rank_it_is_marchenko_and_pasturs():
    rms, (out, into) = 0.3, (64, 100)
    edge, above = noise_edge(np.array([0.1]), rms * math.sqrt(out * into), (out, into), out)
    assert above == 0
    assert edge == pytest.approx(rms * (math.sqrt(out) + math.sqrt(into)), rel=1e-12)


@pytest.mark.parametrize("shape", [(200, 300), (384, 96)])
@pytest.mark.parametrize("true", [0, 1, 2, 3, 5, 8])
@pytest.mark.parametrize("leading", [64, 1000])
def test_known_rank_plus_noise_has_just_that_many_above_the_edge(shape, true, leading):
    """However many σ were computed: the norm is of all. The edge is that of the noise alone."""
    rng, (out, into), noise = np.random.default_rng(true), shape, 0.01
    D = noise * rng.normal(size=shape)
    if true:
        U, _ = np.linalg.qr(rng.normal(size=(out, true)))
        V, _ = np.linalg.qr(rng.normal(size=(into, true)))
        D += U * np.linspace(4, 1, true) @ V.T
    sigma = np.linalg.svd(D, compute_uv=False)[:leading]
    edge, above = noise_edge(sigma, float(np.linalg.norm(D)), shape, min(shape))
    assert above == true
    assert edge == pytest.approx(noise * (math.sqrt(out) + math.sqrt(into)), rel=0.03)


def test_factors_of_a_known_rank_plus_noise():
    """LoRA of rank 32: noise in the factors' space, two directions on top."""
    rng = np.random.default_rng(1)
    D = rng.normal(size=(512, 32)) @ rng.normal(size=(32, 256))
    U, _ = np.linalg.qr(rng.normal(size=(512, 2)))
    D += 3000 * U @ np.linalg.qr(rng.normal(size=(256, 2)))[0].T
    sigma = np.linalg.svd(D, compute_uv=False)[:34]
    _, above = noise_edge(sigma, float(np.linalg.norm(sigma)), D.shape, 34)
    assert above == 2


@pytest.mark.parametrize("sigma", [[], [0.0, 0.0], [math.nan, 1.0]])
def test_nothing_has_no_edge(sigma):
    norm = float(np.linalg.norm(sigma))
    edge, above = noise_edge(np.array(sigma), norm, (8, 8), 4)
    assert math.isnan(edge)
    assert above == 0


def layer(sigma, rank, name="fc"):
    sigma = np.array(sigma, float)
    p = sigma[sigma > 0] / sigma.sum()
    effective = float(np.exp(-(p * np.log(p)).sum()))
    norm = float(np.linalg.norm(sigma))
    return LayerSpectrum(name, frozen_array(sigma), rank, 1.0, effective, norm, rank, 8.0, 1.0)


def found(*spectra, shape=(64, 64)):
    """Findings after spectra of one layer at steps 100, 200, …"""
    health = Health({"fc": shape})
    for number, sigma in enumerate(spectra, 1):
        health.add(SpectrumRecord(100 * number, (layer(sigma, len(sigma)),)))
    return health.findings()


EVEN, SPIKED = [1.0] * 8, [10.0, *[1.0] * 7]


@pytest.mark.parametrize(
    ("spectra", "kinds"),
    [
        ((EVEN, EVEN), []),
        ((EVEN, SPIKED), [SPIKE, FALLING]),
        ((SPIKED, SPIKED), [SPIKE]),  # 93 %: it need not have grown
        (([1.6, *[1.0] * 7], [1.5, *[1.0] * 7]), []),
        (([4, 4, 1, 1, 1, 1, 1, 1], [4, 4, 1, 1, 1, 1, 1, 1]), []),  # two, not one
        (([2, 1, 1, 1e-6], [2, 1, 1, 1e-6]), [DEAD]),
        (([2, 1, 1, 0.5], [2, 1, 1, 1e-6]), []),  # only just now
        (([1, 1, 1, 1], [1, 0.5, 0.1, 0.05]), [FALLING]),
    ],
)
def test_what_is_worth_a_look(spectra, kinds):
    assert [finding.kind for finding in found(*spectra)] == kinds


def test_what_a_finding_says():
    spike, falling = found(EVEN, SPIKED)
    assert (spike.value, spike.before) == pytest.approx((100 / 107, 1 / 8))
    assert (spike.keep, spike.ceiling, spike.since) == (8, 1.0, 100)
    assert spike.words() == "σ₁ holds 93.5 % of ΔW's energy (12.5 % at step 100)"
    assert falling.before == pytest.approx(8)
    (dead,) = found([2, 1, 1, 1e-6], [2, 1, 1, 1e-6])
    assert (dead.value, dead.before, dead.keep, dead.ceiling) == (1, 4, 3, math.inf)
    assert dead.words() == "1 of 4 directions are unused"


def test_early_steps_and_steps_that_do_not_hold_say_nothing():
    health = Health({"fc": (64, 64)})
    health.add(SpectrumRecord(10, (layer(SPIKED, 8),)))
    assert health.findings() == ()
    health.add(SpectrumRecord(100, (layer(EVEN, 8),)))
    health.add(SpectrumRecord(200, (layer(SPIKED, 8),)))
    assert health.findings()
    health.cut(150)  # gone back
    assert health.findings() == ()
    health.add(SpectrumRecord(150, (layer(EVEN, 8),)))
    assert health.findings() == ()


def test_the_watch_is_a_small_part_of_what_the_spectra_take():
    """They may take 3 % of the time: a third of that would be 1 %."""
    import torch

    from lora_lab.analysis.spectrum import factor_sigma

    layers = tuple(layer(2.0 ** -np.arange(16), 16, f"l{n}") for n in range(210))
    health = Health({row.name: (576, 1536) for row in layers})
    A, B = torch.randn(210, 16, 1536), torch.randn(210, 576, 16)
    took = {"spectra": [], "watch": []}
    for step in range(8):  # the best of rounds in turn: others may be busy
        began = time.process_time()
        factor_sigma(A, B, 1.0)
        between = time.process_time()
        health.add(SpectrumRecord(100 + step, layers))
        took["spectra"].append(between - began)
        took["watch"].append(time.process_time() - between)
    assert min(took["watch"]) < min(took["spectra"]) / 3, took
