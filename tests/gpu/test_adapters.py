"""Forward, gradients, starts and merges of every variant on a device, against the CPU's."""

import pytest
import torch

from lora_lab.adapters import VARIANTS
from lora_lab.adapters.inject import inject
from lora_lab.errors import AdapterError
from lora_lab.projections import PROJECTIONS, STRUCTURES
from tests.adapters.zoo import ZOO
from tests.anywhere import ANYWHERE
from tests.gpu.devices import CLOSE, here_too, on_each

LAYERS = ("linear", "large linear", "gpt2 linear", "conv2d", "conv2d in groups", "embedding")
SPACES = [
    {"variant": "subspace", "projection": p, "structure": s, "dimension": 16}
    for p in PROJECTIONS for s in STRUCTURES
]  # fmt: skip


def adapted(case, device, dtype=torch.float32, moved=0.3, **settings):
    """A layer of the zoo on a device, its adapter moved from where it starts, and both."""
    model = case.model(dtype).to(device)
    if "dimension" not in settings:
        settings |= {"rank": case.rank, "alpha": 6.0}
    (layer,) = inject(model, **settings).values()
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p += moved * torch.randn(p.shape, generator=draw).to(device, p.dtype)
    return model, layer


def passed(case, model, layer, device, dtype=torch.float32):
    """The answer and every gradient of one pass, on the CPU."""
    x = case.input(dtype).to(device)
    if x.is_floating_point():
        x.requires_grad_()
    y = model["layer"](x)
    draw = torch.Generator().manual_seed(6)
    (y.float() * torch.randn(y.shape, generator=draw).to(device)).sum().backward()
    found = {name: p.grad for name, p in layer.named_parameters() if p.requires_grad}
    assert all(g.device.type == torch.device(device).type for g in found.values())
    found |= {"y": y, "x": x.grad} if x.is_floating_point() else {"y": y}
    return {name: t.detach().float().cpu() for name, t in found.items()}


def refused(case, device, **settings):
    """Why such an adapter cannot be; "" where it can."""
    try:
        adapted(case, device, **settings)
    except AdapterError as error:
        return str(error)
    return ""


def compared(case, device, dtype=torch.float32, close=CLOSE, **settings):
    if reason := refused(case, "cpu", **settings):
        assert refused(case, device, **settings) == reason
        return
    found, wanted = (
        passed(case, *adapted(case, where, dtype, **settings), where, dtype)
        for where in (device, "cpu")
    )
    torch.testing.assert_close(found, wanted, **close)


@on_each
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "subspace"])
def test_answers_and_gradients(variant, name, device):
    compared(ZOO[name], device, variant=variant)


@on_each
@pytest.mark.parametrize("settings", SPACES, ids=str)
def test_answers_and_gradients_of_a_subspace(settings, device):
    compared(ZOO["linear"], device, **settings)


@on_each
@pytest.mark.parametrize("init", ANYWHERE)
def test_starts_are_drawn_alike(init, device):
    compared(ZOO["linear"], device, init=init)


@here_too
def test_over_bfloat16(device):
    close = {"rtol": 3e-2, "atol": 3e-2}
    compared(ZOO["large linear"], device, torch.bfloat16, close, moved=0.01)


@on_each
@pytest.mark.parametrize("variant", VARIANTS)
def test_off_and_merged(variant, device):
    case = ZOO["linear"]
    model, layer = adapted(case, device, variant=variant)
    x = case.input(torch.float32).to(device)
    with torch.no_grad():
        y = model["layer"](x)
        layer.merge()
        torch.testing.assert_close(model["layer"](x), y, **CLOSE)
        layer.unmerge()
        assert torch.equal(model["layer"](x), y)
        layer.enabled = False
        assert torch.equal(model["layer"](x), layer.base_layer(x))


@on_each
@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_arrive_on_the_cpu(variant, device):
    _, layer = adapted(ZOO["linear"], device, variant=variant)
    weights = layer.layer_weights()
    if weights is None:
        assert layer.factors() is None
        return
    assert weights.lora_A.device.type == weights.lora_B.device.type == "cpu"
    if weights.magnitude is None:
        delta = layer.delta_weight().detach().cpu().double()
        torch.testing.assert_close(weights.delta_weight(), delta, **CLOSE)
