"""Intruder dimensions where they were planted, where there are none, and against PEFT's lines."""

import pytest
import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.errors import AdapterError


def layer(A, B, scaling=1.0):
    return LayerWeights("fc", A, B, alpha=scaling * A.shape[0], scaling=scaling)


def graded(draw, out=40, into=32):
    """W with σ = 32, 31, …, 1, and its singular vectors."""
    U, V = draw.basis(out, into), draw.basis(into, into)
    return (U * torch.arange(into, 0, -1)) @ V.mT, U, V


def test_no_change_brings_no_intruder(draw):
    W, _, _ = graded(draw)
    found = intruder_dimensions(W, layer(draw.randn(3, 32), torch.zeros(40, 3)), epsilon=1 - 1e-9)
    assert found.indices == found.similarity == found.sigma == ()
    assert found.checked == 10


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_planted_direction_is_found(draw, sign, dtype):
    """An even mixture of all of W's left vectors, far stronger than W: cos = 1/√32 to each."""
    W, U, V = graded(draw)
    planted = layer(
        V[:, :1].mT.to(dtype), U.mean(1, keepdim=True).mul(32**0.5).to(dtype), sign * 1e6
    )
    found = intruder_dimensions(W, planted)
    assert found.indices[0] == 0
    assert found.similarity[0] == pytest.approx(32**-0.5, rel=1e-2)
    assert found.sigma[0] == pytest.approx(1e6, rel=1e-2)


def test_a_stronger_old_direction_is_none(draw):
    """ΔW along W's weakest vector, which lands first: a similarity of 1, found only among all."""
    W, U, V = graded(draw)
    for sign in (1, -1):
        amplified = layer(V[:, -1:].mT, U[:, -1:], sign * 100.0)
        assert intruder_dimensions(W, amplified, epsilon=0.999).indices == ()


def test_a_direction_outside_the_range_of_W_is_like_nothing(draw):
    U, V = draw.basis(20, 20), draw.basis(16, 16)
    new = layer(V[:, 8:9].mT, U[:, 8:9], 6.5)
    W = (U[:, :8] * torch.arange(8, 0, -1)) @ V[:, :8].mT
    found = intruder_dimensions(W, new, k=50)
    assert found.checked == 9  # the rank of W + ΔW
    assert found.indices == (2,)  # after W's own 8 and 7
    assert found.similarity == pytest.approx((0,), abs=1e-12)
    assert found.sigma == pytest.approx((6.5,))
    alone = intruder_dimensions(torch.zeros(20, 16), new)
    assert (alone.indices, alone.similarity, alone.checked) == ((0,), (0.0,), 1)


@pytest.mark.parametrize("strength", [0.5, 3.0, 30.0])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_as_peft_selects_them(draw, k, strength):
    W, A, B = draw.randn(24, 30), draw.randn(3, 30), draw.randn(24, 3)
    one = layer(A, B, strength)
    U_base, _, _ = torch.linalg.svd(W, full_matrices=False)
    U_merged, S_merged, _ = torch.linalg.svd(W + one.delta_weight(), full_matrices=False)
    cosine = (U_merged.T @ U_base).abs().max(dim=1).values
    expected = torch.where(cosine[:k] < 0.5)[0]
    found = intruder_dimensions(W, one, k)
    assert found.indices == tuple(expected.tolist())
    assert found.similarity == pytest.approx(cosine[expected].tolist(), abs=1e-10)
    assert found.sigma == pytest.approx(S_merged[expected].tolist(), rel=1e-10)
    assert found.checked == min(k, 24)
    moved = intruder_dimensions(W, draw.gauged(one), k)
    assert moved.similarity == pytest.approx(found.similarity, abs=1e-9)


NAN = torch.full((8, 6), float("nan"))
FINE = layer(torch.ones(2, 6), torch.ones(8, 2))
REFUSED = {
    "W": (NAN, FINE, {}, "Layer fc: W holds"),
    "A": (torch.ones(8, 6), layer(NAN[:2], torch.ones(8, 2)), {}, "Layer fc: lora_A holds"),
    "shape": (torch.ones(6, 8), FINE, {}, "W is 6 × 8, but ΔW is 8 × 6"),
    "k": (torch.ones(8, 6), FINE, {"k": 0}, "k must be at least 1"),
    "ε": (torch.ones(8, 6), FINE, {"epsilon": float("nan")}, "ε in"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_name(case):
    W, one, settings, message = REFUSED[case]
    with pytest.raises(AdapterError, match=message):
        intruder_dimensions(W, one, **settings)
