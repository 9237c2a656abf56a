"""Layers without an adapter: the right gradient, adapted ones' bits, and nothing else changed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.kinds import Linear, kind_of
from lora_lab.blocks import frozen_linear, gemm
from lora_lab.blocks.frozen import in_blocks
from lora_lab.blocks.frozen_linear import QuickLinear, quicken
from lora_lab.variants import VARIANTS

pytestmark = pytest.mark.skipif(
    not gemm.onednn_multiplies(), reason="this torch has no oneDNN product"
)


class OwnLinear(nn.Linear):
    """A layer that may compute something else."""


@pytest.fixture(params=[False, True], ids=["no bias", "bias"])
def layer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> nn.Linear:
    for module in (gemm, frozen_linear):
        monkeypatch.setattr(module, "onednn_is_quicker", lambda: True)
    torch.manual_seed(0)
    return nn.Linear(256, 192, bias=request.param).requires_grad_(False)


def test_the_gradient_is_that_of_float64(layer: nn.Linear) -> None:
    x, dy = torch.randn(4, 33, 256, requires_grad=True), torch.randn(4, 33, 192)
    wide, wanted_x = copy.deepcopy(layer).double(), x.detach().double().requires_grad_()
    plain = layer(x)
    quicken(layer)
    y = layer(x)
    assert not torch.equal(y, plain)  # it is another library's
    torch.testing.assert_close(y.double(), wide(wanted_x), atol=1e-5, rtol=1e-5)
    (dx,) = torch.autograd.grad(y, x, dy)
    (wanted,) = torch.autograd.grad(wide(wanted_x), wanted_x, dy.double())
    torch.testing.assert_close(dx.double(), wanted, atol=1e-5, rtol=1e-5)


def test_on_off_and_without_an_adapter_are_the_same_to_the_bit(layer: nn.Linear) -> None:
    """As long as the adapter adds nothing: what is switched is ΔW, and no library."""
    x = torch.randn(64, 256)
    model = nn.Sequential(copy.deepcopy(layer))
    (adapter,) = inject(model, rank=4, alpha=8.0, targets=["0"]).values()
    alone = nn.Sequential(layer)
    quicken(model)
    quicken(alone)
    on = model(x)
    adapter.enabled = False
    assert torch.equal(model(x), on)
    assert torch.equal(alone(x), on)
    assert isinstance(adapter.merged_layer(), nn.Linear)
    assert torch.equal(adapter.merged_layer()(x), on)


def test_it_counts_as_the_layer_that_it_was(layer: nn.Linear) -> None:
    before = layer.state_dict()
    quicken(layer)
    assert list(layer.state_dict()) == list(before)
    assert kind_of(layer, "0") is Linear
    assert torch.equal(copy.deepcopy(layer)(torch.ones(64, 256)), layer(torch.ones(64, 256)))


@pytest.mark.parametrize("trained", ["weight", "bias"])
def test_what_is_trained_gets_its_gradient(trained: str, layer: nn.Linear) -> None:
    if layer.bias is None and trained == "bias":
        layer.bias = nn.Parameter(torch.zeros(192))
    quicken(layer)
    getattr(layer, trained).requires_grad_()
    layer(torch.randn(64, 256)).sum().backward()
    assert getattr(layer, trained).grad.abs().sum() > 0


def test_autocast_keeps_its_type(layer: nn.Linear) -> None:
    quicken(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(64, 256)).dtype == torch.bfloat16


def test_only_plain_layers_are_changed_and_only_where_it_is_quicker(
    layer: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Sequential(layer, OwnLinear(4, 4), nn.Conv1d(4, 4, 1))
    monkeypatch.setattr(frozen_linear, "onednn_is_quicker", lambda: False)
    quicken(model)
    assert type(layer) is nn.Linear
    monkeypatch.setattr(frozen_linear, "onednn_is_quicker", lambda: True)
    quicken(model)
    assert [type(m) for m in model] == [QuickLinear, OwnLinear, nn.Conv1d]


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_merged_on_and_off_are_the_same_to_the_bit_where_nothing_is_learned(
    variant: str, layer: nn.Linear
) -> None:
    model, x = nn.Sequential(layer), torch.randn(64, 256)
    (adapter,) = inject(model, variant=variant, rank=4, alpha=8.0, targets=["0"]).values()
    quicken(model)
    on = model(x)
    adapter.enabled = False
    off = model(x)
    adapter.enabled = True
    assert torch.equal(on, off)
    adapter.merge()
    assert torch.equal(model(x), adapter.merged_layer()(x))


@pytest.mark.parametrize("form", ["q8_0", "nf4"])
def test_a_layer_in_blocks_answers_alike_whether_its_adapter_is_on(
    form: str, layer: nn.Linear
) -> None:
    model = nn.Sequential(in_blocks(layer, layer.weight, form, "0").requires_grad_(False))
    if layer.bias is not None:
        model[0].bias.data.copy_(layer.bias)
    (adapter,) = inject(model, rank=4, alpha=8.0, targets=["0"]).values()
    found = []
    for adapter.enabled in (True, False):
        x = torch.ones(64, 256).requires_grad_()
        y = model(x)
        y.square().sum().backward()
        found.append((y, x.grad))
    for on, off in zip(*found, strict=True):
        assert torch.equal(on, off)


def test_gradients_of_all_weights_are_those_of_float64(layer: nn.Linear) -> None:
    x, dy = torch.randn(4, 33, 256), torch.randn(4, 33, 192)
    model = nn.Sequential(copy.deepcopy(layer))
    inject(model, variant="full", rank=4, alpha=8.0, targets=["0"])
    wide = copy.deepcopy(layer).double().requires_grad_()
    given = [p for p in model.parameters() if p.requires_grad]
    y = model(x)
    assert not torch.equal(y, layer(x))  # it is another library's
    found = torch.autograd.grad(y, given, dy)
    wanted = torch.autograd.grad(wide(x.double()), list(wide.parameters()), dy.double())
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-4, rtol=1e-5)


def test_a_width_that_does_not_fit_is_said_in_torchs_words(layer: nn.Linear) -> None:
    quicken(layer)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        layer(torch.randn(64, 300))


def by_itself(net, x):
    """A gradient that is learned from, as a net of forces has it."""
    given = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(net(given).square().sum(), given, create_graph=True)
    g.square().sum().backward()
    return given.grad


ELSEWHERE = {
    "a gradient of a gradient": by_itself,
    "torch.func.grad": lambda net, x: torch.func.grad(lambda x: net(x).square().sum())(x),
    "torch.func.jvp": lambda net, x: torch.func.jvp(net, (x,), (x,))[1],
    "torch.func.vmap": lambda net, x: torch.func.vmap(net)(torch.stack([x, 2 * x])),
    "torch.jit.trace": lambda net, x: torch.jit.trace(net, (x,))(x),
    "torch.export": lambda net, x: torch.export.export(net, (x,)).module()(x),
    "no values": lambda net, x: torch.tensor(copy.deepcopy(net).to("meta")(x.to("meta")).shape),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_network_may_do_with_it_what_it_may_with_any_linear_layer(
    name: str, layer: nn.Linear
) -> None:
    plain, x = copy.deepcopy(layer), torch.randn(64, 256)
    quicken(layer)
    found, wanted = ELSEWHERE[name](layer, x), ELSEWHERE[name](plain, x)
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=1e-4)
