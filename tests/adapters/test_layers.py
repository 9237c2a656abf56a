"""Every variant on every type of layer: one ΔW, a bit-exact switch, exact gradients and merges."""

import copy

import pytest
import torch
from torch import nn

from lora_lab.adapters import VARIANTS, DoRALayer, FullLayer, LoRALayer
from lora_lab.adapters.base import AdapterLayer
from lora_lab.adapters.eva import start_from_inputs
from lora_lab.adapters.inject import inject, remove
from lora_lab.adapters.merging import merge, merge_and_unload, unmerge
from lora_lab.adapters.resize import rescale, resize
from lora_lab.errors import AdapterError
from tests.adapters.zoo import REFUSED, ZOO

SHARED = ("subspace", "uni-lora")  # one θ for all layers
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 2e-2}

each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_case = pytest.mark.parametrize("case", ZOO.values(), ids=ZOO)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
exact_dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


def adapted(case, variant, dtype, **settings):
    """A base, its adapted twin, the adapter, and an input."""
    base = case.model(dtype)
    model = copy.deepcopy(base)
    how = {"variant": variant, "rank": case.rank, "alpha": 6.0, "targets": ("layer",), **settings}
    reason = REFUSED.get(variant, {}).get(type(base["layer"]))
    if variant == "lora-xs" and getattr(base["layer"], "groups", 1) > 1:
        reason = "decomposes a whole weight"
    if reason:
        with pytest.raises(AdapterError, match=reason):
            inject(model, **how)
        pytest.skip("there is no such adapter of this type of layer")
    layers = inject(model, **how)
    return base["layer"], model, layers["layer"], case.input(dtype)


def stir(layer: AdapterLayer, size: float = 0.2) -> None:
    """Move every trained number, as if it had been trained."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p += size * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        padding = getattr(layer.base_layer, "padding_idx", None)
        if padding is not None and hasattr(layer, "lora_A"):
            layer.lora_A[:, padding] = 0  # no gradient ever reaches it


def close(found, wanted, dtype):
    assert found.dtype == wanted.dtype
    assert (found - wanted).abs().max() <= TOLERANCE[dtype] * wanted.abs().max()


@each_dtype
@each_variant
@each_case
def test_a_fresh_adapter_is_the_base_bit_for_bit(case, variant, dtype):
    base, _, layer, x = adapted(case, variant, dtype)
    assert torch.equal(layer(x), base(x))
    assert not layer.delta_weight().any()
    assert torch.equal(layer.weight, base.weight)
    assert layer.shape == tuple(layer.delta_weight().shape) == tuple(layer.matrix.shape)


@each_dtype
@each_variant
@each_case
def test_the_switch_is_bit_exact_both_ways(case, variant, dtype):
    base, _, layer, x = adapted(case, variant, dtype)
    stir(layer)
    on = layer(x)
    layer.enabled = False
    assert torch.equal(layer(x), base(x))
    assert layer.weight is layer.base_layer.weight
    layer.enabled = True
    assert torch.equal(layer(x), on)
    assert not torch.equal(on, base(x))


@each_dtype
@each_variant
@each_case
def test_forward_and_gradients_are_those_of_the_weight_that_is_formed(case, variant, dtype):
    """W + ΔW formed in full and used in the layer's own operation is the reference."""
    if dtype == torch.bfloat16 and variant == "full":
        pytest.skip("full fine-tuning has no second path: it is its weight")
    _, _, layer, x = adapted(case, variant, dtype)
    stir(layer)
    parameters = layer.adapter_parameters()
    found = layer(x)
    wanted = AdapterLayer.forward(layer, x)
    close(found, wanted, dtype)
    if dtype == torch.bfloat16:
        return  # the formed weight is rounded, and so are its gradients
    weights = torch.linspace(-1, 1, found.numel(), dtype=dtype).view_as(found)
    by_layer = torch.autograd.grad((found * weights).sum(), parameters)
    by_weight = torch.autograd.grad((wanted * weights).sum(), parameters)
    for ours, theirs in zip(by_layer, by_weight, strict=True):
        assert (ours - theirs).abs().max() <= TOLERANCE[dtype] * max(1, theirs.abs().max())
    assert any(g.any() for g in by_layer)


@each_variant
@pytest.mark.parametrize(
    "case",
    [c for c in ZOO.values() if not c.tokens],
    ids=[n for n, c in ZOO.items() if not c.tokens],
)
def test_the_gradient_of_the_input_passes_through(case, variant):
    _, _, layer, x = adapted(case, variant, torch.float64)
    stir(layer)
    x.requires_grad_()
    found = torch.autograd.grad(layer(x).square().sum(), x)[0]
    wanted = torch.autograd.grad(AdapterLayer.forward(layer, x).square().sum(), x)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


@exact_dtypes
@each_case
@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
def test_the_gauge_identity(case, variant, dtype):
    """Bᵀ∇B = ∇A·Aᵀ, block by block in a grouped convolution: swapped factors or a wrong s fail."""
    _, _, layer, x = adapted(case, variant, dtype)
    stir(layer)
    layer(x).square().sum().backward()
    A, B = layer.lora_A, layer.lora_B
    blocks = layer.kind.groups(layer.base_layer)
    for a, b, ga, gb in zip(*(t.chunk(blocks) for t in (A, B, A.grad, B.grad)), strict=True):
        wanted = ga @ a.T
        tolerance = 1e-11 if dtype == torch.float64 else 1e-4
        assert (b.T @ gb - wanted).abs().max() <= tolerance * wanted.abs().max()


@each_dtype
@each_variant
@each_case
def test_merge_and_unmerge_against_the_pristine_weight(case, variant, dtype):
    base, model, layer, x = adapted(case, variant, dtype)
    stir(layer, 0.02)
    apart = layer(x)
    merge(model)
    close(layer(x), apart, dtype)
    assert torch.equal(layer.base_layer.weight, base.weight)
    with pytest.raises(AdapterError, match="merged already"):
        merge(model)
    unmerge(model)
    assert torch.equal(layer(x), apart)
    with pytest.raises(AdapterError, match="not merged"):
        unmerge(model)
    merge_and_unload(model)
    plain = model["layer"]
    assert type(plain) is type(base)
    close(plain(x), apart, dtype)
    with pytest.raises(AdapterError, match="no adapters"):
        merge_and_unload(model)


@each_variant
@each_case
def test_remove_gives_the_base_back(case, variant):
    base, model, layer, x = adapted(case, variant, torch.float32)
    stir(layer)
    remove(model)
    assert type(model["layer"]) is type(base)
    assert torch.equal(model["layer"].weight, base.weight)
    assert torch.equal(model["layer"](x), base(x))


@each_case
@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
@pytest.mark.parametrize("rank", [1, 2, 4], ids="rank {}".format)
def test_a_live_change_of_rank_keeps_or_cuts_the_product(case, variant, rank):
    _, _, layer, x = adapted(case, variant, torch.float64)
    stir(layer)
    optimizer = torch.optim.AdamW(layer.adapter_parameters(), lr=0.01)
    layer(x).square().sum().backward()
    optimizer.step()
    old = layer.rank
    before = plain_product(layer)
    sigma = torch.linalg.svdvals(before)
    scaling = layer.scaling_for(6.0, rank)
    done = resize(layer, rank, scaling, optimizer, torch.Generator().manual_seed(3))
    after = plain_product(layer)
    assert layer.scaling == scaling
    if layer.locked:
        assert (done.old_rank, done.new_rank) == (old, old)
    else:
        assert layer.rank == done.new_rank == min(rank, layer.max_rank)
    lost = (after - before).norm()
    tail = sigma[layer.rank :].square().sum().sqrt()
    assert lost == pytest.approx(tail.item(), rel=1e-9, abs=1e-12 * sigma[0].item())
    optimizer.zero_grad()
    layer(x).square().sum().backward()
    optimizer.step()  # the moments fit the new tensors
    assert all(torch.isfinite(p).all() for p in layer.adapter_parameters())
    assert {id(p) for g in optimizer.param_groups for p in g["params"]} == {
        id(p) for p in layer.adapter_parameters()
    }


def plain_product(layer) -> torch.Tensor:
    """s·B·A without DoRA's magnitudes."""
    A, B, s = LoRALayer.factors(layer)
    return (s * B @ A).detach()


@each_case
@pytest.mark.parametrize("variant", ["lora", "rslora"])
def test_alpha_scales_the_effect_or_keeps_the_function(case, variant):
    _, _, layer, _ = adapted(case, variant, torch.float64)
    stir(layer)
    optimizer = torch.optim.AdamW(layer.adapter_parameters())
    before = layer.delta_weight().detach()
    rescale(layer, layer.scaling * 3, True, optimizer)
    torch.testing.assert_close(layer.delta_weight(), before, rtol=1e-13, atol=1e-15)
    rescale(layer, layer.scaling * 3, False, optimizer)
    torch.testing.assert_close(layer.delta_weight(), 3 * before, rtol=1e-13, atol=1e-15)


@each_case
@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
def test_factors_as_plain_tensors_are_those_of_the_layer(case, variant):
    _, _, layer, _ = adapted(case, variant, torch.float64)
    stir(layer)
    weights = layer.layer_weights()
    torch.testing.assert_close(weights.delta_weight(), plain_product(layer))
    assert (weights.name, weights.shape) == ("layer", layer.shape)
    assert weights.alpha == pytest.approx(6.0)
    assert (weights.magnitude is not None) == isinstance(layer, DoRALayer)


@each_case
@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_a_start_from_W_keeps_the_function_and_the_base(case, init):
    if getattr(case.make(), "groups", 1) > 1:
        with pytest.raises(AdapterError, match="groups"):
            adapted(case, "lora", torch.float64, init=init)
        return
    base, _, layer, x = adapted(case, "lora", torch.float64, init=init)
    torch.testing.assert_close(layer(x), base(x), rtol=1e-12, atol=1e-12)
    assert not layer.delta_weight().any()
    assert torch.equal(layer.base_layer.weight, base.weight)
    residual = torch.linalg.svdvals(layer.matrix - layer.scaling * layer.start_B @ layer.start_A)
    sigma = torch.linalg.svdvals(layer.matrix)
    rank = layer.rank
    if init == "pissa":  # what stays frozen is the tail
        torch.testing.assert_close(residual[: len(sigma) - rank], sigma[rank:])
        assert residual[len(sigma) - rank :].max() < 1e-12
    stir(layer)
    assert torch.linalg.matrix_rank(layer.delta_weight()) <= 2 * rank
    wanted = AdapterLayer.forward(layer, x)
    torch.testing.assert_close(layer(x), wanted, rtol=1e-11, atol=1e-11)
    optimizer = torch.optim.AdamW(layer.adapter_parameters())
    before = layer.delta_weight().detach()
    done = resize(layer, 1, 2 * layer.scaling, optimizer, torch.Generator())
    assert (done.new_rank, dict(layer.locked)["rank"][: len(init)]) == (rank, init)
    torch.testing.assert_close(layer.delta_weight(), before)


@pytest.mark.parametrize(
    "case",
    [c for n, c in ZOO.items() if not c.tokens and c.rank == 3],
    ids=[n for n, c in ZOO.items() if not c.tokens and c.rank == 3],
)
def test_eva_starts_from_the_directions_of_the_inputs(case):
    """The rows are orthonormal, and no others keep more of what W is multiplied with."""
    base, model, layer, x = adapted(case, "lora", torch.float64, init="eva")
    start_from_inputs({"layer": layer}, lambda: model["layer"](x))
    assert torch.equal(layer(x), base(x))
    A = layer.lora_A.detach()
    torch.testing.assert_close(A @ A.T, torch.eye(layer.rank, dtype=A.dtype))
    columns = inputs_as_rows(layer, x)
    sigma = torch.linalg.svdvals(columns)
    kept = (columns @ A.T).square().sum()
    assert kept.item() == pytest.approx(sigma[: layer.rank].square().sum().item(), rel=1e-9)


def inputs_as_rows(layer, x) -> torch.Tensor:
    """X (n × in), read off the layer's own operation, output by output, with one-hot weights."""
    base = layer.base_layer
    rows = []
    for i in range(layer.shape[1]):
        hot = torch.zeros(layer.shape, dtype=x.dtype)
        hot[0, i] = 1
        y = layer.kind.apply(base, x, layer.kind.native(base, hot), None)
        first = y[..., 0] if layer.kind.name != "conv" else y[:, 0]
        rows.append(first.flatten())
    return torch.stack(rows, 1)


def test_eva_refuses_tokens_and_too_few_inputs():
    case = ZOO["embedding"]
    _, model, layer, x = adapted(case, "lora", torch.float32, init="eva")
    with pytest.raises(AdapterError, match="continuous inputs"):
        start_from_inputs({"layer": layer}, lambda: model["layer"](x))
    _, model, layer, x = adapted(ZOO["linear"], "lora", torch.float32, init="eva")
    before = layer.lora_A.detach().clone()
    with pytest.raises(AdapterError, match="span 2 directions"):
        start_from_inputs({"layer": layer}, lambda: model["layer"](x[0, :2]))
    with pytest.raises(AdapterError, match="saw no input"):
        start_from_inputs({"layer": layer}, lambda: None)
    assert torch.equal(layer.lora_A, before)


@each_dtype
@each_case
def test_dora_is_m_times_the_direction(case, dtype):
    """W' = m·V/‖V‖ with norms of its rows m, against the formula written out."""
    _, _, layer, _ = adapted(case, "dora", dtype)
    assert torch.equal(layer.stretch(), torch.ones_like(layer.magnitude))
    stir(layer, 0.05)
    W = layer.matrix.to(layer.lora_A.dtype)
    V = W + plain_product(layer)
    wanted = layer.magnitude[:, None] * V / V.norm(dim=1, keepdim=True)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    found = W + layer.delta_weight()
    assert (found - wanted).abs().max() <= tolerance * wanted.abs().max()
    torch.testing.assert_close(found.norm(dim=1), layer.magnitude.abs(), rtol=1e-5, atol=0)
    sigma = torch.linalg.svdvals(layer.delta_weight())
    assert layer.factors() is None
    assert sigma[layer.rank :].numel() == 0 or sigma[-1] > 0


def test_dora_of_a_row_of_zeros_stays_finite():
    _, _, layer, x = adapted(ZOO["embedding with padding"], "dora", torch.float32)
    with torch.no_grad():
        layer.base_layer.weight[:, 3] = 0
    model = nn.ModuleDict({"layer": layer.base_layer})
    layer = inject(model, variant="dora", rank=3, alpha=6.0, targets=("layer",))["layer"]
    layer(x).sum().backward()
    assert torch.isfinite(layer(x)).all()
    assert all(torch.isfinite(p.grad).all() for p in layer.adapter_parameters())


@each_case
def test_full_fine_tuning_moves_every_weight(case):
    base, _, layer, x = adapted(case, "full", torch.float64)
    assert isinstance(layer, FullLayer)
    stir(layer)
    tuned = copy.deepcopy(base)
    with torch.no_grad():
        tuned.weight.copy_(layer.tuned_weight)
        if layer.tuned_bias is not None:
            tuned.bias.copy_(layer.tuned_bias)
    assert torch.equal(layer(x), tuned(x))
    wanted = layer.kind.matrix(base, tuned.weight - base.weight)
    assert torch.equal(layer.delta_weight(), wanted)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in SHARED])
def test_a_frozen_layer_keeps_its_change_bit_for_bit(variant):
    _, _, layer, x = adapted(ZOO["linear"], variant, torch.float32)
    stir(layer)
    optimizer = torch.optim.AdamW(layer.adapter_parameters(), lr=0.1, weight_decay=0.5)
    layer(x).square().sum().backward()
    layer.frozen = True
    assert layer.frozen
    before = layer.delta_weight().clone()
    optimizer.step()
    assert torch.equal(layer.delta_weight(), before)
    x.requires_grad_()
    layer(x).square().sum().backward()
    assert x.grad is not None
    layer.frozen = False
    layer(x).square().sum().backward()
    optimizer.step()
    assert not torch.equal(layer.delta_weight(), before)
