"""Adapters and blocks on the meta device: a pass asks for no number and meets no other device."""

from contextlib import nullcontext

import pytest
import torch

from lora_lab.adapters import VARIANTS
from lora_lab.blocks.forms import FORMS, dense
from tests.adapters.zoo import ZOO
from tests.gpu.test_adapters import adapted, refused

BY_CODES = ("subspace", "uni-lora")  # looked up in tables that meta has no kernel for
LAYERS = ("linear", "large linear", "conv2d", "embedding")


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_forward_and_backward_have_no_value_to_look_at(name, dtype, monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: False)  # meta has none
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    case = ZOO[name]
    for variant in VARIANTS:
        if variant in BY_CODES or refused(case, "cpu", variant=variant):
            continue
        model, layer = adapted(case, "cpu", dtype, variant=variant)
        model.to("meta")
        x = case.input(dtype).to("meta")
        model["layer"](x).float().square().sum().backward()
        trained = [p for p in layer.adapter_parameters() if p.requires_grad]
        assert trained
        assert all(p.grad is not None and p.grad.is_meta for p in trained), variant


@pytest.mark.parametrize("form", FORMS)
def test_blocks_are_undone_where_they_are(form):
    size = FORMS[form].shape(8, 512)
    W = dense(torch.empty(size, dtype=torch.uint8, device="meta"), form, 8, 512, torch.bfloat16)
    assert W.is_meta
    assert W.shape == (8, 512)
