"""Products by oneDNN: the right numbers, where they are asked for, and a rule that never wavers."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from lora_lab.adapters.product import LowRankLinear
from lora_lab.blocks import gemm

ROUNDING = 2e-6  # of the largest sum, float32 against float64

needs_onednn = pytest.mark.skipif(
    not gemm.onednn_multiplies(), reason="this torch has no oneDNN product"
)


@pytest.fixture(params=[False, pytest.param(True, marks=needs_onednn)], ids=["mkl", "onednn"])
def by_onednn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(gemm, "onednn_is_quicker", lambda: request.param)
    return request.param


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def off(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("turned", ["", "x", "W", "both"])
@pytest.mark.parametrize("shape", [(64, 192, 256), (8, 576, 512), (300, 8, 1024), (3, 4, 5)])
def test_a_product_is_that_of_float64(
    by_onednn: bool, shape: tuple[int, int, int], turned: str, biased: bool
) -> None:
    rows, out, width = shape
    x, W = numbers(rows, width), numbers(out, width, seed=1)
    if turned in ("x", "both"):
        x = x.t().contiguous().t()
    if turned in ("W", "both"):
        W = W.t().contiguous().t()
    b = numbers(out, seed=2) if biased else None
    y = gemm.product(x, W, b)
    wanted = x.double() @ W.double().t() + (0 if b is None else b.double())
    assert y.dtype == torch.float32
    assert y.is_contiguous()
    assert off(y, wanted) <= ROUNDING


def test_rows_of_rows_keep_their_shape_and_may_be_overwritten(by_onednn: bool) -> None:
    """An activation behind a node may not write in place to what is a view."""
    x, W = numbers(4, 33, 256), numbers(192, 256, seed=1)
    A, B = numbers(8, 256).requires_grad_(), numbers(192, 8).requires_grad_()
    y = LowRankLinear.apply(x, W, None, A, B, 1.0)
    assert y.shape == (4, 33, 192)
    y.relu_().sum().backward()
    assert B.grad is not None


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("shape", [(3, 8), (1, 3, 8), (64, 1024), (1, 64, 1024)])
def test_no_autocast_around_it_rounds_a_product(
    by_onednn: bool, shape: tuple[int, ...], biased: bool
) -> None:
    x, W = numbers(*shape), numbers(64, shape[-1], seed=1)
    b = numbers(64, seed=2) if biased else None
    wanted = gemm.product(x, W, b)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(gemm.product(x, W, b), wanted)


@needs_onednn
def test_the_two_libraries_add_up_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would say the same twice."""
    x, W = numbers(64, 1536), numbers(192, 1536, seed=1)
    monkeypatch.setattr(gemm, "onednn_is_quicker", lambda: True)
    one = gemm.product(x, W)
    assert torch.equal(one, gemm.product(x, W))
    assert not torch.equal(one, x @ W.t())
    monkeypatch.setattr(gemm, "onednn_is_quicker", lambda: False)
    assert torch.equal(gemm.product(x, W), x @ W.t())


@needs_onednn
@pytest.mark.parametrize(
    ("x", "W"),
    [
        (numbers(8, 64), numbers(64, 64)),
        (numbers(64, 256).double(), numbers(192, 256).double()),
        (numbers(64, 256).bfloat16(), numbers(192, 256).bfloat16()),
        (numbers(0, 256), numbers(192, 256)),
    ],
    ids=["small", "float64", "bfloat16", "no rows"],
)
def test_other_products_are_torchs_own_to_the_bit(
    monkeypatch: pytest.MonkeyPatch, x: torch.Tensor, W: torch.Tensor
) -> None:
    monkeypatch.setattr(gemm, "onednn_is_quicker", lambda: True)
    assert torch.equal(gemm.product(x, W), x @ W.t())


@needs_onednn
@pytest.mark.parametrize(
    ("maker", "capability", "wanted"),
    [
        ("AuthenticAMD", "AVX512", True),
        ("AuthenticAMD", "AVX2", False),
        ("GenuineIntel", "AVX512", False),
        ("", "AVX512", False),
    ],
)
def test_the_rule_looks_at_the_processor_alone(
    monkeypatch: pytest.MonkeyPatch, maker: str, capability: str, wanted: bool
) -> None:
    monkeypatch.setattr(gemm, "maker", lambda: maker)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    assert gemm.onednn_is_quicker() is wanted
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not gemm.onednn_is_quicker()


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("rank", [1, 8, 64])
def test_a_layer_and_its_gradients_are_those_of_float64(
    by_onednn: bool, rank: int, biased: bool
) -> None:
    """Sizes at which all products of the layer, or all but the smallest, are oneDNN's."""
    x, W, b = numbers(4, 96, 384), numbers(256, 384, seed=1), numbers(256, seed=2)
    A, B, dy = numbers(rank, 384, seed=3), numbers(256, rank, seed=4), numbers(4, 96, 256, seed=5)
    b = b if biased else None
    given = [t.requires_grad_() for t in (x, A, B)]
    y = LowRankLinear.apply(x, W, b, A, B, 0.5)
    found = torch.autograd.grad(y, given, dy)
    wide = [t.detach().double().requires_grad_() for t in given]
    wanted = wide[0] @ (W.double() + 0.5 * wide[2] @ wide[1]).t()
    wanted = wanted if b is None else wanted + b.double()
    assert off(y, wanted) <= ROUNDING
    for one, other in zip(found, torch.autograd.grad(wanted, wide, dy.double()), strict=True):
        assert off(one, other) <= ROUNDING


@needs_onednn
def test_a_product_without_values_has_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimate of memory goes through a step of tensors that have none, maybe as the first."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(gemm, "maker", lambda: "AuthenticAMD")
    gemm.onednn_multiplies.cache_clear()
    with FakeTensorMode():
        y = gemm.product(torch.empty(4, 64, 256), torch.empty(192, 256))
    assert y.shape == (4, 64, 192)
