"""Sums of adapters against the dense sum of their ΔWs, and PEFT's own combinations."""

import warnings
from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop.combine import METHODS, combine
from lora_lab.workshop.dense_merges import DENSE

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft


def adapter(seed, rank=3, s=2.0, names=("a.x", "b.x"), **more):
    generator = torch.Generator().manual_seed(seed)
    layers = [
        LayerWeights(
            name, torch.randn(rank, 6, generator=generator),
            torch.randn(8, rank, generator=generator), s * rank, s, **more,
        )
        for name in names
    ]  # fmt: skip
    return AdapterWeights("lora", tuple(layers))


def dense(terms, name):
    rows = [(x, w) for weights, w in terms for x in weights.layers if x.name == name]
    return sum(w * x.delta_weight() for x, w in rows)


@pytest.mark.parametrize("terms", [
    [(adapter(1), 0.7), (adapter(2), 0.3)],
    [(adapter(1), 1.0), (adapter(2, rank=2), -0.5), (adapter(3, s=0.1), 4.0)],
    [(adapter(1), 1.0), (adapter(2, names=("b.x", "c.x")), 1.0)],
])  # fmt: skip
@pytest.mark.parametrize("method", ["exact", "cat"])
def test_the_sum_is_the_sum(terms, method):
    found = combine(terms, method)
    assert {x.name for x in found.weights.layers} == {x.name for w, _ in terms for x in w.layers}
    for layer in found.weights.layers:
        wanted = dense(terms, layer.name)
        assert (layer.delta_weight() - wanted).norm() <= 2e-6 * wanted.norm()
    assert found.error <= 2e-6
    if method == "exact":
        assert all(x.rank <= 6 for x in found.weights.layers), "no more than W can have"
    if len(terms[1][0].layers[0].name) and terms[1][0].layers[0].name == "b.x":
        assert "not in every adapter" in found.notes[0]


def test_a_cut_is_the_best_one_and_its_error_is_measured():
    terms = [(adapter(1), 0.7), (adapter(2), 0.3)]
    found = combine(terms, "exact", rank=2)
    for layer, (_, error) in zip(found.weights.layers, found.errors, strict=True):
        wanted = dense(terms, layer.name)
        sigma = torch.linalg.svdvals(wanted)
        best = float(sigma[2:].norm() / sigma.norm())
        assert error == pytest.approx(best, rel=1e-4)
        assert layer.rank == 2


@pytest.mark.parametrize("given", [(0.7, 0.3), (0.7, -0.3)])
def test_linear_is_pefts_and_far_off(given):
    terms = [(adapter(1), given[0]), (adapter(2), given[1])]
    found = combine(terms, "linear")
    net = nn.ModuleDict({k: nn.ModuleDict({"x": nn.Linear(6, 8)}) for k in "ab"})
    config = peft.LoraConfig(r=3, lora_alpha=6, target_modules=["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(net, config, adapter_name="one")
        model.add_adapter("two", config)
    for key, (weights, _) in zip(("one", "two"), terms, strict=True):
        for layer in weights.layers:
            module = model.base_model.model.get_submodule(layer.name)
            module.lora_A[key].weight.data, module.lora_B[key].weight.data = (
                layer.lora_A,
                layer.lora_B,
            )
    model.add_weighted_adapter(["one", "two"], list(given), "sum", combination_type="linear")
    for layer, (name, error) in zip(found.weights.layers, found.errors, strict=True):
        theirs = model.base_model.model.get_submodule(name).get_delta_weight("sum").double()
        assert (layer.delta_weight() - theirs).norm() <= 1e-5 * theirs.norm()
        wanted = dense(terms, name)
        assert error == pytest.approx(float((theirs - wanted).norm() / wanted.norm()), rel=1e-4)
        assert error > 0.3


REFUSED = {
    "one alone": ([(adapter(1), 1.0)], "exact", "two adapters"),
    "shapes": (
        [(adapter(1), 1.0), (AdapterWeights("lora", (LayerWeights("a.x", torch.ones(1, 5),
         torch.ones(8, 1), 1, 1),)), 1.0)], "exact", "different bases",
    ),
    "dora": ([(adapter(1), 1.0), (adapter(2, magnitude=torch.ones(8)), 1.0)], "exact", "DoRA"),
    "ranks": ([(adapter(1), 1.0), (adapter(2, rank=2), 1.0)], "linear", "equal ranks"),
    "no such": ([(adapter(1), 1.0), (adapter(2), 1.0)], "TIES", "no method"),
    "NaN": ([(adapter(1), 1.0), (adapter(2), float("nan"))], "cat", "finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_added_is_refused(name):
    terms, method, reason = REFUSED[name]
    with pytest.raises(AdapterError, match=reason):
        combine(terms, method)


@pytest.mark.parametrize("method", ["cat", "linear"])
def test_a_rank_is_refused_where_a_method_has_its_own(method):
    with pytest.raises(AdapterError, match="take exact"):
        combine([(adapter(1), 1.0), (adapter(2), 1.0)], method, rank=2)


def test_every_method_says_what_it_does():
    assert set(METHODS) == {"exact", "cat", "linear", "slerp", *DENSE}


def test_a_layer_is_not_looked_for_among_all_others():
    names = tuple(f"h.{i}.q" for i in range(3000))
    looked = Counter()

    class Named(LayerWeights):
        def __getattribute__(self, name):
            looked[name] += 1
            return super().__getattribute__(name)

    pair = (adapter(seed, 1, names=names) for seed in (1, 2))
    terms = [
        (replace(weights, layers=tuple(Named(**vars(x)) for x in weights.layers)), 1.0)
        for weights in pair
    ]
    combine(terms, "cat")
    assert looked["name"] < 20 * len(names)


def test_terms_that_cancel_out_have_no_error():
    found = combine([(adapter(1), 1.0), (adapter(1), -1.0)], "exact")
    assert found.error <= 1e-6
