"""TIES, DARE, magnitude and SLERP against PEFT's own merges of ΔW, NumPy and SciPy."""

import math
import warnings
from contextlib import nullcontext, suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import geometric_slerp
from torch import nn

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError, Cancelled
from lora_lab.workshop.combine import AS_ADDED, METHODS, combine, errors_by_method
from lora_lab.workshop.dense_merges import DENSE, drawn, largest, layer_seed
from lora_lab.workshop.requests import Trim
from tests.workshop.test_combine import adapter, dense

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft
    from peft.utils import merge_utils

PEFTS = {
    "ties": "ties", "dare-ties": "dare_ties", "dare-linear": "dare_linear",
    "magnitude": "magnitude_prune",
}  # fmt: skip
WEIGHTS = [(0.7, 0.3), (1.0, 1.0), (1.0, -0.5)]


def in_peft(terms, kind, density, seed, rank=6):
    """Name of a layer → ΔW that PEFT merges, drawing from torch's own stream for each."""
    names = [layer.name for layer in terms[0][0].layers]
    found = {}
    for name in names:
        alone = [
            (replace(x, layers=tuple(y for y in x.layers if y.name == name)), w) for x, w in terms
        ]
        found |= one_layer_in_peft(alone, kind, density, layer_seed(seed, name), rank)
    return found


def one_layer_in_peft(terms, kind, density, seed, rank):
    names = [layer.name for layer in terms[0][0].layers]
    net = nn.ModuleDict({n.split(".")[0]: nn.ModuleDict({"x": nn.Linear(6, 8)}) for n in names})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keys = [f"k{i}" for i in range(len(terms))]
        config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=["x"])
        model = peft.get_peft_model(net, config, adapter_name=keys[0])
        for key in keys[1:]:
            model.add_adapter(key, config)
        for key, (weights, _) in zip(keys, terms, strict=True):
            for layer in weights.layers:
                module = model.base_model.model.get_submodule(layer.name)
                module.lora_A[key].weight.data = layer.lora_A
                module.lora_B[key].weight.data = layer.lora_B
        inject = model.base_model.inject_adapter

        def seeded(*arguments, **settings):
            inject(*arguments, **settings)  # which draws an init that is then overwritten
            torch.manual_seed(seed)

        model.base_model.inject_adapter = seeded
        model.add_weighted_adapter(
            keys, [w for _, w in terms], "sum", combination_type=kind, density=density,
            svd_rank=rank,
        )  # fmt: skip
    return {
        n: model.base_model.model.get_submodule(n).get_delta_weight("sum").double() for n in names
    }


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("density", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("method", DENSE)
def test_trimmed_deltas_are_those_of_pefts_svd_methods(method, density, weights):
    terms = [(adapter(1), weights[0]), (adapter(2), weights[1])]
    found = combine(terms, method, rank=6, trim=Trim(density, 5))
    theirs = in_peft(terms, f"{PEFTS[method]}_svd", density, 5)
    for layer, (name, error) in zip(found.weights.layers, found.errors, strict=True):
        wanted = theirs[name]
        assert (layer.delta_weight() - wanted).norm() <= 2e-5 * wanted.norm().clamp(min=1)
        exact = dense(terms, name)
        assert error == pytest.approx(float((wanted - exact).norm() / exact.norm()), rel=1e-3,
                                      abs=1e-5)  # fmt: skip


def test_a_density_whose_inverse_no_float_holds_is_refused():
    with pytest.raises(AdapterError, match="not finite"):
        combine([(adapter(1), 1.0), (adapter(2), 1.0)], "dare-linear", trim=Trim(1e-320, 5))


@pytest.mark.parametrize("method", METHODS)
def test_factors_whose_product_no_float_holds_stay_or_are_refused(method):
    huge = adapter(1)
    layers = tuple(
        replace(x, lora_A=torch.full_like(x.lora_A, 1e30), lora_B=torch.full_like(x.lora_B, 1e30))
        for x in huge.layers
    )
    for terms in ([huge, adapter(2)], [adapter(2), huge], [huge, huge]):
        given = [(replace(x, layers=layers) if x is huge else x, 0.5) for x in terms]
        refusal = nullcontext() if method in AS_ADDED else suppress(AdapterError)
        with refusal:
            found = combine(given, method).weights.layers
            assert all(layer.lora_A.isfinite().all() for layer in found)


@pytest.mark.parametrize("method", DENSE)
def test_pefts_methods_of_the_bare_names_trim_the_factors_and_are_another_thing(method):
    terms = [(adapter(1), 0.7), (adapter(2), 0.3)]
    ours = combine(terms, method, rank=6, trim=Trim(0.5, 5)).weights.layers
    theirs = in_peft(terms, PEFTS[method], 0.5, 5)
    for layer in ours:
        assert (layer.delta_weight() - theirs[layer.name]).norm() > 0.2 * theirs[layer.name].norm()


@pytest.mark.parametrize("method", DENSE)
def test_the_functions_are_pefts_entry_by_entry(method):
    deltas = [x.delta_weight().float() for x in (adapter(1).layers[0], adapter(2).layers[0])]
    deltas.append(-deltas[0])  # sums of exactly 0: the sign there is +
    weights = torch.tensor([0.7, 0.3, 0.4])
    torch.manual_seed(3)
    theirs = getattr(merge_utils, PEFTS[method])(deltas, weights, 0.6)
    generator = torch.Generator().manual_seed(3)
    terms = list(zip(deltas, weights.tolist(), strict=True))
    ours = DENSE[method](terms, Trim(0.6, 3), generator)
    assert torch.allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_share_of_the_entries_stays_and_dare_keeps_the_mean():
    delta = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    trimmed = largest(delta, 0.3)
    assert int((trimmed != 0).sum()) == 18_000
    cut = np.sort(np.abs(delta.numpy()).ravel())[-18_000]
    assert float(trimmed.abs()[trimmed != 0].min()) >= cut
    kept = drawn(delta, 0.25, torch.Generator().manual_seed(1))
    assert set(torch.unique((kept / delta).round(decimals=4)).tolist()) == {0.0, 4.0}
    assert int((kept != 0).sum()) == pytest.approx(15_000, rel=0.02)


@pytest.mark.parametrize("method", DENSE)
def test_what_the_kept_rank_loses_is_the_tail_and_is_said(method):
    terms = [(adapter(1), 0.7), (adapter(2), 0.3)]
    whole = combine(terms, method, rank=6, trim=Trim(0.5, 5))
    cut = combine(terms, method, rank=2, trim=Trim(0.5, 5))
    assert whole.cut <= 1e-6
    tails = []
    for layer, small in zip(whole.weights.layers, cut.weights.layers, strict=True):
        sigma = np.linalg.svd(layer.delta_weight().numpy(), compute_uv=False)
        tails.append(np.linalg.norm(sigma[2:]) / np.linalg.norm(sigma))
        assert small.rank == 2
        lost = (layer.delta_weight() - small.delta_weight()).norm() / layer.delta_weight().norm()
        assert float(lost) == pytest.approx(tails[-1], rel=1e-4)
    assert cut.cut == pytest.approx(max(tails), rel=1e-4)
    assert "of full rank" in cut.notes[-1]
    free = combine(terms, method, trim=Trim(0.5, 5))
    assert all(layer.rank == 6 for layer in free.weights.layers), "Σr, and no more than W has"


@pytest.mark.parametrize("w", [(0.5, 0.5), (0.7, 0.3), (1.0, 0.0), (2.0, 1.0)])
def test_slerp_is_the_arc_of_scipy(w):
    terms = [(adapter(1), w[0]), (adapter(2), w[1])]
    found = combine(terms, "slerp")
    for layer in found.weights.layers:
        one, two = (
            next(x for x in weights.layers if x.name == layer.name).delta_weight().numpy()
            for weights, _ in terms
        )
        units = [m.ravel() / np.linalg.norm(m) for m in (one, two)]
        point = geometric_slerp(*units, w[1] / sum(w))  # of unit vectors: their shares count
        shares = sum(w) * np.linalg.lstsq(np.stack(units, 1), point, rcond=None)[0]
        wanted = shares[0] * one + shares[1] * two
        off = np.linalg.norm(layer.delta_weight().numpy() - wanted)
        assert off <= 1e-5 * np.linalg.norm(wanted)


def test_slerp_between_parallel_deltas_is_the_sum():
    one = adapter(1)
    found = combine([(one, 0.3), (one, 0.9)], "slerp")
    assert found.error <= 1e-6


def opposite():
    one = adapter(1)
    layers = tuple(LayerWeights(x.name, x.lora_A, -x.lora_B, x.alpha, x.scaling)
                   for x in one.layers)  # fmt: skip
    return [(one, 0.5), (AdapterWeights("lora", layers), 0.5)]


REFUSED = {
    "three": (lambda: [(adapter(i), 1.0) for i in (1, 2, 3)], "slerp", Trim(), "between two"),
    "negative": (lambda: [(adapter(1), 1.0), (adapter(2), -1.0)], "slerp", Trim(), "negative"),
    "opposite": (opposite, "slerp", Trim(), "opposite"),
    "nothing": (lambda: [(adapter(1), 1.0), (adapter(2), 1.0)], "ties", Trim(0.0), "above 0"),
    "too much": (lambda: [(adapter(1), 1.0), (adapter(2), 1.0)], "ties", Trim(1.5), "up to 1"),
    "no number": (
        lambda: [(adapter(1), 1.0), (adapter(2), 1.0)], "ties", Trim(math.nan), "above 0",
    ),
    "groups": (
        lambda: [(adapter(i, groups=3), 1.0) for i in (1, 2)], "ties", Trim(), "groups",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name):
    terms, method, trim, reason = REFUSED[name]
    with pytest.raises(AdapterError, match=reason):
        combine(terms(), method, trim=trim)


def test_the_table_of_errors_says_what_was_not_measured_and_can_be_cancelled():
    terms = [(adapter(1), 0.7), (adapter(2), 0.3)]
    few = errors_by_method(terms, most=50)
    assert all("not measured" in few[name] for name in DENSE)
    assert isinstance(few["slerp"], float)
    all_of_them = errors_by_method(terms)
    assert all(isinstance(value, float) for value in all_of_them.values())
    assert all_of_them["exact"] < 1e-6 < all_of_them["ties"]
    shares = []

    def report(what, share):
        shares.append(share)
        if share > 0.7:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        errors_by_method(terms, report)
    assert shares == sorted(shares)
