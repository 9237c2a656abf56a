"""A layer over blocks is the dense layer over the same numbers, to the bit, and keeps no W."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.dora import DoRALayer
from lora_lab.adapters.inject import inject, remove
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.merging import merge_and_unload, ties
from lora_lab.blocks.forms import FORMS
from lora_lab.blocks.frozen import FrozenEmbedding, FrozenLinear, in_blocks, numbers_of
from lora_lab.blocks.frozen_linear import quicken
from lora_lab.errors import AdapterError
from lora_lab.variants import VARIANTS
from tests.blocks.raw import random_blocks

IN, OUT, ROWS = 512, 96, 24
DTYPES = (torch.float32, torch.bfloat16)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def blocks_of(form):
    """A layer of any form; bytes at random where there is no quantizer of it."""
    if FORMS[form].pack is not None:
        dense = nn.Linear(IN, OUT)
        return in_blocks(dense, draw(OUT, IN) * 0.05, form, "a")
    layer = FrozenLinear(IN, OUT, True, form, torch.float32)
    layer.fill(random_blocks(form, OUT, IN), "a")
    return layer


def twins(form, dtype):
    """The layer over blocks, and the dense one over the same numbers."""
    frozen = blocks_of(form)
    dense = nn.Linear(IN, OUT)
    with torch.no_grad():
        frozen.bias.copy_(draw(OUT, seed=3))
        dense.weight.copy_(frozen.dense(torch.float32))
        dense.bias.copy_(frozen.bias)
    return frozen.to(dtype), dense.to(dtype)


def passed(layer, dtype, *, seed=5):
    x = draw(2, ROWS, IN, seed=seed).to(dtype).requires_grad_()
    y = layer(x)
    y.backward(draw(*y.shape, seed=6).to(y.dtype))
    grads = {n: p.grad for n, p in layer.named_parameters() if p.grad is not None}
    return {"y": y.detach(), "dx": x.grad, **grads}


def adapted(base, variant):
    model = nn.ModuleDict({"a": base})
    layer = inject(model, variant=variant, rank=4, alpha=8.0, seed=1)["a"]
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p.add_(draw(*p.shape, seed=7))
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
def test_a_product_and_its_gradient_are_the_dense_ones(form, dtype):
    frozen, dense = twins(form, dtype)
    frozen.requires_grad_(False)
    quicken(dense.requires_grad_(False))  # as a run has it
    mine, wanted = passed(frozen, dtype), passed(dense, dtype)
    assert mine.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(mine[name], tensor), name


@pytest.mark.parametrize("variant", [name for name, row in VARIANTS.items() if row.factored])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["nf4", "q8_0", "q4_K"])
def test_an_adapter_over_blocks_is_that_over_the_dense_layer(form, dtype, variant):
    frozen, dense = twins(form, dtype)
    mine, wanted = (adapted(base, variant) for base in (frozen, dense))
    assert mine.kind.name == wanted.kind.name == "linear"
    assert (mine.shape, mine.factor_dtype) == (wanted.shape, wanted.factor_dtype)
    found, right = passed(mine, dtype), passed(wanted, dtype)
    assert found.keys() == right.keys()
    for name, tensor in right.items():
        assert torch.equal(found[name], tensor), name
    assert torch.equal(mine.delta_weight(), wanted.delta_weight())
    assert torch.equal(mine.weight, wanted.weight)


@pytest.mark.parametrize("layer", [None, LoRALayer, DoRALayer])
def test_nothing_of_the_size_of_w_is_kept_for_the_backward(layer):
    frozen = blocks_of("nf4").requires_grad_(False)
    made = frozen if layer is None else adapted(frozen, "lora" if layer is LoRALayer else "dora")
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made(draw(1, 2, IN).requires_grad_())
    assert max(kept, default=0) < IN * OUT / 4


@pytest.mark.parametrize("form", ["q8_0", "q4_K"])
def test_an_embedding_undoes_the_rows_that_are_looked_up(form):
    linear = blocks_of(form)
    table = FrozenEmbedding(OUT, IN, form, torch.float32)
    table.fill(linear.blocks, "e")
    ids = torch.tensor([[3, 0, 95], [7, 7, 1]])
    assert torch.equal(table(ids), nn.functional.embedding(ids, linear.dense()))
    model = nn.ModuleDict({"embed": table, "head": linear})
    assert numbers_of(model) == OUT * IN + OUT, "a table that is shared counts once"
    inject(model, rank=2, targets=["embed", "head"])
    assert ties(model) == {"embed": "head", "head": "embed"}
    assert model["embed"].shape == (IN, OUT)


def test_merged_it_is_a_plain_layer_of_what_was_trained():
    frozen, dense = twins("nf4", torch.float32)
    models = [nn.ModuleDict({"a": base}) for base in (frozen, dense)]
    for model in models:
        layer = inject(model, rank=4, alpha=8.0, seed=1)["a"]
        with torch.no_grad():
            layer.lora_B.copy_(draw(OUT, 4, seed=7))
        merge_and_unload(model)
    mine, wanted = (model["a"] for model in models)
    assert type(mine) is nn.Linear
    assert torch.equal(mine.weight, wanted.weight)
    assert torch.equal(mine.bias, wanted.bias)


def test_taken_out_the_blocks_are_as_they_were():
    frozen = blocks_of("nf4")
    model, before = nn.ModuleDict({"a": frozen}), frozen.blocks.clone()
    inject(model, rank=4)
    model["a"](draw(3, IN))
    remove(model)
    assert model["a"] is frozen
    assert torch.equal(frozen.blocks, before)


@pytest.mark.parametrize("variant", [name for name, row in VARIANTS.items() if not row.factored])
def test_what_moves_w_itself_is_refused_in_blocks(variant):
    model = nn.ModuleDict({"a": blocks_of("nf4")})
    with pytest.raises(AdapterError, match="stays in blocks of NF4"):
        inject(model, variant=variant)


def test_a_cast_of_the_model_moves_the_type_and_no_byte():
    frozen = blocks_of("q8_0")
    before = frozen.blocks.clone()
    model = nn.ModuleDict({"a": frozen}).to(torch.bfloat16)
    assert model["a"].dtype == torch.bfloat16
    assert model["a"].weight.dtype == torch.bfloat16
    assert torch.equal(frozen.blocks, before)
    assert list(model.state_dict()) == ["a.bias", "a.blocks"]
