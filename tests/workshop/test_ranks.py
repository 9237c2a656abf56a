"""Ranks chosen by every rule, against the rule said anew."""

from time import thread_time

import numpy as np
import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop import ranks

SIGMA = {"a": [4.0, 2.0, 1.0, 0.5], "b": [1.0, 0.1, 0.05, 0.01], "c": [3.0, 3.0, 3.0, 3.0]}
SIZES = {"a": (8, 6), "b": (20, 10), "c": (5, 7)}


@pytest.fixture(scope="module")
def adapter():
    generator = torch.Generator().manual_seed(0)
    layers = []
    for name, sigma in SIGMA.items():
        out, inputs = SIZES[name]
        U = torch.linalg.qr(torch.randn(out, 4, generator=generator, dtype=torch.float64)).Q
        V = torch.linalg.qr(torch.randn(inputs, 4, generator=generator, dtype=torch.float64)).Q
        B = U * torch.tensor(sigma, dtype=torch.float64) / 2
        layers.append(LayerWeights(name, V.t().contiguous(), B, 8.0, 2.0))
    return AdapterWeights("lora", tuple(layers))


@pytest.fixture(scope="module")
def found(adapter):
    return ranks.measured(adapter)


def energy(chosen):
    kept = sum((np.array(s[:r]) ** 2).sum() for s, r in zip(SIGMA.values(), chosen, strict=True))
    return kept / sum((np.array(s) ** 2).sum() for s in SIGMA.values())


def test_spectra_and_costs_are_those_of_the_layers(found):
    for sigma, wanted in zip(found.sigma, SIGMA.values(), strict=True):
        np.testing.assert_allclose(sigma, wanted, rtol=1e-12)
    assert found.costs == (14, 30, 12)
    assert found.kept((2, 1, 3)) == pytest.approx(energy((2, 1, 3)))


def test_the_curve_is_what_each_rank_keeps():
    sigma = tuple(np.array(s) for s in (*SIGMA.values(), [2.0], [0.0, 0.0]))
    fixed = (False, True, False, False, False)
    some = ranks.Spectra(tuple("abcde"), sigma, (1,) * 5, fixed, 0, 4)
    total = sum((s**2).sum() for s in sigma)
    for rank in range(1, 5):
        chosen = some.uniform(rank)
        kept = [(s[:r] ** 2).sum() for s, r in zip(sigma, chosen, strict=True)]
        assert some.curve[rank - 1] == pytest.approx(sum(kept) / total)
        assert some.kept(chosen) == pytest.approx(sum(kept) / total)
        lost = [1 - k / max((s**2).sum(), 1e-300) for s, k in zip(sigma, kept, strict=True)]
        np.testing.assert_allclose(some.lost(chosen), lost, atol=1e-12)
    nothing = ranks.Spectra(("a",), (np.zeros(2),), (1,), (False,), 0, 4)
    assert nothing.curve.tolist() == [1, 1]
    assert nothing.kept((1,)) == 1


def test_many_layers_beside_a_large_rank_take_a_moment():
    sigma = (*(np.ones(1) for _ in range(5000)), np.linspace(1, 0, 2000))
    many = len(sigma)
    some = ranks.Spectra(("x",) * many, sigma, (2,) * many, (False,) * many, 0, 4)
    began = thread_time()
    assert ranks.by_energy(some, 0.99)[-1] > 1
    for rank in range(1, 100):
        some.kept(some.uniform(rank))
    assert thread_time() - began < 2  # with every layer for every rank some 20


@pytest.mark.parametrize("rank", [1, 2, 3, 4, 9])
def test_a_rank(found, rank):
    assert ranks.by_rank(found, rank) == (min(rank, 4),) * 3


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99, 1.0])
def test_energy_takes_the_fewest(found, share):
    chosen = ranks.by_energy(found, share)
    assert energy(chosen) >= share - 1e-9
    assert chosen[0] == 1 or energy(tuple(r - 1 for r in chosen)) < share
    assert ranks.by_norm(found, share**0.5) == chosen
    spread = ranks.by_energy(found, share, per_layer=True)
    assert energy(spread) >= share - 1e-9
    assert found.parameters(spread) <= found.parameters(chosen)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spreading_the_same_budget_keeps_more(found, rank):
    chosen, uniform = ranks.by_rank(found, rank, per_layer=True), (rank,) * 3
    assert found.parameters(chosen) <= found.parameters(uniform)
    assert energy(chosen) >= energy(uniform) - 1e-12
    best = max(
        energy((i, j, k))
        for i in range(1, 5) for j in range(1, 5) for k in range(1, 5)
        if found.parameters((i, j, k)) <= found.parameters(uniform)
    )  # fmt: skip
    assert energy(chosen) >= 0.95 * best, "a greedy knapsack, near the best of all"


def test_a_ratio_is_taken_layer_by_layer(found):
    assert ranks.by_ratio(found, 4.001) == (3, 1, 4)
    assert ranks.by_ratio(found, 1) == (1, 1, 4)


def test_the_size_is_that_of_a_file(adapter, found, tmp_path):
    from lora_lab.formats.verify import export
    from lora_lab.workshop.resize import resized

    chosen = ranks.by_rank(found, 2)
    report = export(resized(adapter, chosen)[0], tmp_path / "a")
    assert abs(report.bytes - found.bytes(chosen)) < 900  # names and metadata of a tiny file


WRONG = {
    "rank": lambda f: ranks.by_rank(f, 0),
    "energy": lambda f: ranks.by_energy(f, 0.0),
    "too much energy": lambda f: ranks.by_energy(f, 1.5),
    "NaN": lambda f: ranks.by_norm(f, float("nan")),
    "ratio": lambda f: ranks.by_ratio(f, 0.5),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_refused(found, name):
    with pytest.raises(AdapterError):
        WRONG[name](found)
