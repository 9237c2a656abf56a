"""What a merge loses, against the merge itself and against measured figures."""

import math

import pytest
import torch
from torch.overrides import TorchFunctionMode

from lora_lab.analysis import merge_loss as module
from lora_lab.analysis.merge_loss import merge_loss
from lora_lab.errors import AdapterError

BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32

# ‖ΔW‖/‖W‖, the loss in bf16 and the share of entries it moves, and the loss in fp16.
MEASURED = [
    (1e-1, 0.017, 0.98, 0.002),
    (1e-2, 0.165, 0.81, 0.021),
    (3e-3, 0.47, 0.51, 0.07),
    (1e-3, 0.78, 0.22, 0.21),
    (1e-4, 0.98, 0.02, 0.83),
]


def weight_and_change(draw, relative, n=1024, rank=8):
    """W ~ N(0, 0.02²) and a ΔW of this rank and relative size, in float32."""
    W = (0.02 * draw.randn(n, n)).float()
    delta = (draw.randn(n, rank) @ draw.randn(rank, n)).float()
    return W, delta * (relative * W.norm() / delta.norm())


@pytest.mark.parametrize(("relative", "bf16", "moved", "fp16"), MEASURED)
def test_the_measured_losses(draw, relative, bf16, moved, fp16):
    W, delta = weight_and_change(draw, relative)
    narrow = merge_loss(W, delta, BF16)
    assert narrow.loss == pytest.approx(bf16, rel=0.1)
    assert narrow.changed == pytest.approx(moved, abs=0.01)
    assert narrow.relative_size == pytest.approx(relative, rel=1e-5)
    assert merge_loss(W, delta, FP16).loss == pytest.approx(fp16, rel=0.1)
    assert 0 < merge_loss(W, delta, FP32).loss < 5e-4
    assert narrow.overflow == 0


@pytest.mark.parametrize("block", [1, 64, 100, 2**20])
@pytest.mark.parametrize("dtype", [BF16, FP16, FP32, torch.float64], ids=str)
@pytest.mark.parametrize("given", [BF16, FP32], ids=str)
def test_it_is_the_merge_itself_whatever_the_blocks(draw, monkeypatch, given, dtype, block):
    monkeypatch.setattr(module, "BLOCK", block)
    W, delta = draw.randn(37, 24).to(given), 0.01 * draw.randn(37, 24).to(given)
    base = W.to(dtype)
    merged = (base.double() + delta.double()).to(dtype)
    effect = merged.double() - base.double()
    found = merge_loss(W, delta, dtype)
    expected = float((effect - delta.double()).norm() / delta.double().norm())
    assert found.loss == pytest.approx(expected, rel=1e-9)
    assert found.changed == float((merged != base).double().mean())
    sizes = delta.double().norm() / W.double().norm()
    assert found.relative_size == pytest.approx(float(sizes), rel=1e-12)


def test_the_rounding_of_W_itself_is_not_counted(draw):
    W, delta = weight_and_change(draw, 1e-3, n=200)
    wide, narrow = (merge_loss(base, delta, BF16) for base in (W, W.to(BF16)))
    assert (wide.loss, wide.changed) == (narrow.loss, narrow.changed)


def test_no_change_has_no_loss_and_no_base_no_relative_size(draw):
    W = draw.randn(8, 6)
    none = merge_loss(W, torch.zeros(8, 6), BF16)
    assert math.isnan(none.loss)
    assert (none.changed, none.relative_size, none.overflow) == (0, 0, 0)
    alone = merge_loss(torch.zeros(8, 6), W, BF16)
    assert alone.loss < 2**-8
    assert alone.changed == 1
    assert math.isnan(alone.relative_size)


@pytest.mark.parametrize(
    ("W", "delta", "dtype", "entries"),
    [
        (6e4, 6e3, FP16, 1),  # W + ΔW is beyond 65504
        (1e5, 1.0, FP16, 1),  # W itself is
        (1e5, 1.0, BF16, 0),
    ],
)
def test_an_overflow_is_counted_and_loses_everything(W, delta, dtype, entries):
    base, change = torch.ones(5, 4), torch.full((5, 4), 0.25)
    base[2, 1], change[2, 1] = W, delta
    found = merge_loss(base, change, dtype)
    assert found.overflow == entries
    assert math.isinf(found.loss) == (entries > 0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("where", [0, 1])
def test_what_is_not_finite_has_no_loss(value, where):
    pair = [torch.ones(5, 4), torch.ones(5, 4)]
    pair[where][4, 3] = value
    found = merge_loss(*pair, BF16)
    assert all(math.isnan(x) for x in (found.loss, found.changed, found.relative_size))
    assert found.overflow == 0


class Widest(TorchFunctionMode):
    """The size of the largest float64 tensor that is made."""

    numel = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.dtype == torch.float64:
            self.numel = max(self.numel, made.numel())
        return made


def test_no_copy_of_the_size_of_W_is_made(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 512)
    W = torch.nn.Parameter(torch.ones(64, 128))
    with Widest() as widest, torch.autocast("cpu", BF16):
        assert merge_loss(W, W, FP32).loss == 0
    assert widest.numel == 512


@pytest.mark.parametrize(
    ("delta", "dtype", "message"),
    [
        (torch.ones(4, 5), BF16, r"W is \(5, 4\), but ΔW is \(4, 5\)"),
        (torch.ones(5, 4), torch.int8, r"into torch\.int8: name a floating"),
    ],
)
def test_what_cannot_be_merged_is_refused(delta, dtype, message):
    with pytest.raises(AdapterError, match=message):
        merge_loss(torch.ones(5, 4), delta, dtype)
