"""Over a base in bfloat16 little that is learned is rounded away, against float64."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.product import LowRankLinear

IN, OUT, ROWS, RANK = 192, 256, 400, 8


def layer_of(variant="lora", bias=True, dropout=0.0, dtype=torch.bfloat16, scale=1e-3, **settings):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(IN, OUT, bias=bias)).to(dtype)
    layer = inject(net, rank=RANK, alpha=2.0 * RANK, variant=variant, **settings)["0"]
    with torch.no_grad():  # as after a few steps: the share is far below the last bit of W x
        layer.lora_B += scale * torch.randn_like(layer.lora_B)
    layer.dropout = dropout
    return layer


def seen(layer, x):
    """What of s·B·A·x is in the layer's answer: 1 is all of it, 0 nothing."""
    wide = x.double()
    base = wide @ layer.base_layer.weight.double().t()
    if layer.bias is not None:
        base = base + layer.bias.double()
    share = wide @ layer.delta_weight().double().t()
    return (((layer(x).double() - base) * share).sum() / share.square().sum()).item()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("scale", [3e-4, 1e-3, 1e-2])
def test_small_changes_arrive_whole_on_average(dtype, bias, scale):
    layer = layer_of(bias=bias, dtype=dtype, scale=scale)
    x = torch.randn(ROWS, IN).to(dtype)
    share = (x.double() @ layer.delta_weight().double().t()).abs().mean()
    last_bit = torch.finfo(dtype).eps * (x.double() @ layer.base_layer.weight.double().t()).abs()
    if scale < 1e-2 and dtype == torch.bfloat16:
        assert share < last_bit.mean(), "it is small enough to be lost"
    assert seen(layer, x) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("variant", ["lora", "rslora"])
def test_so_with_dropout_of_none_of_its_inputs(variant):
    layer = layer_of(variant, dropout=1e-9)
    assert seen(layer.train(), torch.randn(ROWS, IN).bfloat16()) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("narrow", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_float64_to_bfloat16s_last_bit(bias, narrow):
    layer = layer_of(bias=bias, scale=0.1)
    W, A, B = layer.base_layer.weight, layer.lora_A, layer.lora_B
    x = torch.randn(4, ROWS // 4, IN).bfloat16().requires_grad_()
    dy = torch.randn(4, ROWS // 4, OUT).bfloat16()
    y = LowRankLinear.apply(x, W, layer.bias, A, B, layer.scaling, True, narrow)
    y.backward(dy)
    wide = [t.detach().double().requires_grad_() for t in (x, A, B)]
    exact = wide[0] @ W.double().t() + layer.scaling * (wide[0] @ wide[1].t()) @ wide[2].t()
    exact = exact if layer.bias is None else exact + layer.bias.double()
    exact.backward(dy.double())
    assert y.dtype == torch.bfloat16
    assert (A.grad.dtype, B.grad.dtype) == (torch.float32, torch.float32)
    pairs = [(y, exact), (x.grad, wide[0].grad), (A.grad, wide[1].grad), (B.grad, wide[2].grad)]
    for found, wanted in pairs:
        assert (found.double() - wanted).norm() <= 4e-3 * wanted.norm()


@pytest.mark.parametrize("init", ["pissa", "olora"])
def test_what_starts_in_w_keeps_its_small_difference(init):
    layer = layer_of(init=init, scale=1e-4)
    x = torch.randn(ROWS, IN).bfloat16()
    assert seen(layer, x) == pytest.approx(1, abs=0.1)
