"""LoftQ's start is the best correction of its rank of what packing took, and moves no base."""

import math

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.analysis.spectrum import spectra
from lora_lab.blocks.frozen import in_blocks
from lora_lab.errors import AdapterError

OUT, IN = 48, 128


def packed(form="nf4", known=True):
    W = torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0)) * 0.05
    layer = in_blocks(nn.Linear(IN, OUT), W, form, "a")
    layer.original = (lambda: W) if known else None
    return layer, W


@pytest.mark.parametrize("variant", ["lora", "rslora"])
@pytest.mark.parametrize("rank", [1, 8])
def test_it_takes_off_the_largest_directions_of_the_rounding(rank, variant):
    base, W = packed()
    before = base.blocks.clone()
    layer = inject(nn.ModuleDict({"a": base}), variant=variant, rank=rank, init="loftq")["a"]
    lost = (W - base.dense()).double()
    sigma = torch.linalg.svdvals(lost)
    rest = (lost - layer.delta_weight().detach().double()).norm()
    assert float(rest) == pytest.approx(math.sqrt(float(sigma[rank:].square().sum())), rel=1e-5)
    assert rest < lost.norm(), "Eckart and Young: no other ΔW of this rank is nearer"
    assert torch.equal(base.blocks, before)
    found = torch.from_numpy(spectra([layer])[0])
    torch.testing.assert_close(found[:rank], sigma[:rank], rtol=1e-4, atol=0)
    assert layer.rank == rank
    assert not dict(layer.locked)


def test_more_rank_keeps_what_is_there_and_adds_nothing():
    base, _ = packed()
    layer = inject(nn.ModuleDict({"a": base}), rank=4, init="loftq")["a"]
    A, B = layer.new_factors(2, torch.Generator().manual_seed(0))
    assert not (B @ A).any()


CASES = {
    "plain": (lambda: nn.Linear(IN, OUT), "not packed"),
    "as it lies": (lambda: packed(known=False)[0], "blocks alone"),
}


@pytest.mark.parametrize("case", CASES)
def test_where_it_is_not_known_what_was_lost_it_is_refused(case):
    made, words = CASES[case]
    with pytest.raises(AdapterError, match=words):
        inject(nn.ModuleDict({"a": made()}), init="loftq")


def test_a_layer_that_is_not_packed_starts_with_no_effect():
    model = nn.ModuleDict({"a": packed()[0], "b": nn.Linear(IN, OUT)})
    layers = inject(model, rank=2, init="loftq")
    assert layers["a"].delta_weight().any()
    assert not layers["b"].delta_weight().any()
