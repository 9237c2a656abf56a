"""Frozen blocks on a device: undone to the CPU's numbers, their products and their packing."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.blocks.forms import FORMS, NF4, Q8_0, dense, packed
from lora_lab.blocks.frozen import FrozenEmbedding, FrozenLinear
from tests.blocks.raw import random_blocks
from tests.gpu.devices import here_too, on_each

ROWS, COLUMNS = 24, 512


def blocks_of(form, rows=ROWS):
    if form == NF4:
        W = torch.randn(rows, COLUMNS, generator=torch.Generator().manual_seed(1))
        return packed(W, form)
    return random_blocks(form, rows, COLUMNS)


@here_too
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_numbers_are_the_same_to_the_bit(form, dtype, device):
    blocks = blocks_of(form)
    found = dense(blocks.to(device), form, ROWS, COLUMNS, dtype)
    assert found.device.type == device
    assert torch.equal(found.cpu(), dense(blocks, form, ROWS, COLUMNS, dtype))


@on_each
@pytest.mark.parametrize("form", [form for form, row in FORMS.items() if row.pack])
def test_packing_is_the_same_to_the_bit(form, device):
    if device == "mps" and form == NF4:
        pytest.skip("bitsandbytes' rounding of scales needs float64; packing is done on the CPU")
    W = torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(2))
    assert torch.equal(packed(W.to(device), form).cpu(), packed(W, form))


def stepped(form, device, variant, dtype):
    """Answers and gradients of an embedding and an adapted layer over blocks."""
    embedding = FrozenEmbedding(ROWS, COLUMNS, Q8_0, dtype)
    embedding.fill(blocks_of(Q8_0), "embedding")
    linear = FrozenLinear(COLUMNS, ROWS, False, form, dtype)
    linear.fill(blocks_of(form), "linear")
    model = nn.ModuleDict({"embedding": embedding, "linear": linear}).to(device)
    (layer,) = inject(model, targets=["linear"], variant=variant, rank=4, alpha=8.0).values()
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p += 0.1
    x = model["embedding"](torch.arange(ROWS).to(device)).requires_grad_()
    y = model["linear"](x)
    y.float().square().mean().backward()
    found = {
        "y": y,
        "x": x.grad,
        **{n: p.grad for n, p in layer.named_parameters() if p.grad is not None},
    }
    return {name: t.detach().float().cpu() for name, t in found.items()}


@on_each
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("variant", ["lora", "dora"])
def test_products_and_gradients(form, variant, device):
    wanted = stepped(form, "cpu", variant, torch.float32)
    scale = max(float(t.abs().max()) for t in wanted.values())
    found = stepped(form, device, variant, torch.float32)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6 * scale)


@on_each
def test_products_over_bfloat16(device):
    wanted, found = (stepped(NF4, where, "lora", torch.bfloat16) for where in ("cpu", device))
    torch.testing.assert_close(found, wanted, rtol=5e-2, atol=5e-2)
