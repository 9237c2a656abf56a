"""What stands behind and around an adapted layer in real nets: in-place work, hooks, views, casts.

The reference is the same net whose layer has the formed weight W + ΔW, computed by torch alone.
"""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from lora_lab.adapters.inject import inject
from tests.adapters.test_layers import stir

INPLACE = {
    "relu": nn.ReLU(inplace=True),
    "leaky": nn.LeakyReLU(0.2, inplace=True),
    "silu": nn.SiLU(inplace=True),
    "elu": nn.ELU(inplace=True),
    "hardtanh": nn.Hardtanh(inplace=True),
    "relu6": nn.ReLU6(inplace=True),
    "tanh, not in place": nn.Tanh(),
    "gelu, not in place": nn.GELU(),
}


def in_place(act):
    return lambda layer, x: act(layer(x))


def added(layer, x):
    y = layer(x)
    y += 1.5
    y[..., 0].mul_(2.0)  # a view of the answer, written to
    return y.relu_()


def viewed(layer, x):
    y = layer(x)
    return y.view(-1, y.shape[-1]).relu_().view(y.shape).transpose(0, 1).contiguous()


def residual(layer, x):
    y = layer(x)
    return y.add_(x[..., :1]).sigmoid_()


def checkpointed(layer, x):
    return checkpoint(lambda z: layer(z).relu_(), x, use_reentrant=False)


def split(layer, x):
    first, second = layer(x).chunk(2, -1)
    return F.silu(first) * second


def saved_on_the_way(layer, x):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        return layer(x).relu_()


def transposed_input(layer, x):
    return layer(x.transpose(0, 1)).relu_()


def one_row(layer, x):
    return layer(x[0, 0]).relu_()


def no_row(layer, x):
    return torch.cat([layer(x[:0]).relu_().flatten(), layer(x).flatten()])


BEHIND = {
    **{name: in_place(act) for name, act in INPLACE.items()},
    **{
        f.__name__: f
        for f in (
            added, viewed, residual, checkpointed, split, saved_on_the_way, transposed_input,
            one_row, no_row,
        )
    },
}  # fmt: skip
SIZES = {"formed": (2, 3, 16), "low rank": (8, 256, 64)}  # below and above lora.SMALL
VARIANTS = ("lora", "rslora", "dora", "full")


def twins(variant, bias, dtype=torch.float64, width=64, hook=None):
    """A layer with an adapter that was moved, and a torch layer of the formed weight."""
    torch.manual_seed(0)
    base = nn.ModuleDict({"layer": nn.Linear(width, 48, bias=bias)}).to(dtype)
    if hook is not None:
        hook(base["layer"])
    plain = copy.deepcopy(base)
    layer = inject(base, variant=variant, rank=3, targets=("layer",))["layer"]
    stir(layer)
    with torch.no_grad():
        plain["layer"].weight.copy_(layer.weight)
        if layer.bias is not None:
            plain["layer"].bias.copy_(layer.bias)
    return layer, plain["layer"]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", BEHIND)
def test_what_stands_behind_a_layer_gets_what_torch_would_give(name, size, variant):
    for bias in (True, False):
        layer, plain = twins(variant, bias, width=SIZES[size][-1])
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(SIZES[size], generator=generator, dtype=torch.float64)
        mine, others = (x.clone().requires_grad_() for _ in range(2))
        found, wanted = BEHIND[name](layer, mine), BEHIND[name](plain, others)
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)
        found.square().sum().backward()
        wanted.square().sum().backward()
        assert torch.allclose(mine.grad, others.grad, rtol=1e-8, atol=1e-8)
        assert all(p.grad is not None for p in layer.adapter_parameters())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_an_input_that_is_overwritten_afterwards_is_noticed_as_torch_notices_it(variant, size):
    layer, _ = twins(variant, True, width=SIZES[size][-1])
    x = torch.randn(SIZES[size], dtype=torch.float64).requires_grad_()
    z = x * 1.0
    y = layer(z)
    z.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("size", SIZES)
def test_a_layers_own_hooks_are_called(size):
    seen = []

    def hook(layer):
        layer.register_forward_pre_hook(lambda m, args: seen.append("before"))
        layer.register_forward_hook(lambda m, args, y: y * 1.0)

    layer, plain = twins("lora", True, width=SIZES[size][-1], hook=hook)
    x = torch.randn(SIZES[size], dtype=torch.float64)
    assert torch.allclose(layer(x), plain(x), rtol=1e-9, atol=1e-9)
    assert seen == ["before", "before"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("size", SIZES)
def test_in_place_work_under_autocast_and_over_half_precision(size, dtype):
    layer, plain = twins("lora", True, dtype, width=SIZES[size][-1])
    x = torch.randn(SIZES[size], dtype=dtype).requires_grad_()
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found, wanted = layer(x).relu_(), plain(x).relu_()
        assert found.dtype == wanted.dtype
        bound = 3e-2 if autocast or dtype == torch.bfloat16 else 4e-3
        assert (found - wanted).abs().max() <= bound * wanted.abs().max()
        found.float().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in layer.adapter_parameters())


def test_a_network_may_ask_the_layer_for_its_own_settings():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Linear(4, 2))
    conv, linear = inject(net, rank=2, targets=("0", "1")).values()
    assert (conv.stride, conv.kernel_size, conv.padding) == ((2, 2), (3, 3), (1, 1))
    assert (linear.in_features, linear.out_features) == (4, 2)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        _ = linear.nothing
