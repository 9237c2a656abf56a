"""The amplification factor on matrices where it is known."""

import math

import pytest
import torch
from torch import nn

from lora_lab.adapters import LoRALayer
from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.amplification import amplification, amplified
from lora_lab.analysis.subspace import delta_directions
from lora_lab.errors import AdapterError


def layer(A, B, scaling=1.0):
    return LayerWeights("fc", A, B, alpha=scaling * A.shape[0], scaling=scaling)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("i", [0, 2, 5])
@pytest.mark.parametrize("c", [0.5, -40.0])
def test_a_single_direction_of_a_diagonal(i, c, dtype):
    """W = diag(σ), ΔW = c·u_i v_iᵀ: the factor is |c|/σ_i."""
    sigma = torch.tensor([32.0, 16, 8, 4, 2, 1])
    W = torch.zeros(8, 6)
    W[range(6), range(6)] = sigma
    one = layer(torch.eye(6)[i : i + 1].to(dtype), torch.eye(8)[:, i : i + 1].to(dtype), c)
    factor = amplification(W.to(dtype), one)
    assert factor == pytest.approx(abs(c) / float(sigma[i]), rel=1e-12)


def test_against_the_dense_definition_and_blind_to_the_gauge(draw):
    W, A, B = draw.randn(40, 30), draw.randn(5, 30), draw.randn(40, 5)
    U, sigma, Vh = torch.linalg.svd(0.25 * B @ A)
    factor = amplification(W, layer(A, B, 0.25))
    inside = float((U[:, :5].mT @ W @ Vh[:5].mT).norm())
    assert factor == pytest.approx(float(sigma.norm()) / inside, rel=1e-12)
    moved = amplification(W, draw.gauged(layer(A, B, 0.25)))
    assert moved == pytest.approx(factor, rel=1e-10)


@pytest.mark.parametrize(("delta", "inside", "printed"), [(6.91, 0.32, 21.5), (3.57, 1.90, 1.9)])
def test_the_factor_of_table_7(delta, inside, printed):
    """A W and a ΔW with the norms that the paper prints have the factor that it prints."""
    one = layer(torch.eye(3)[:1], torch.eye(3)[:, :1], delta)
    assert amplification(inside * torch.eye(3), one) == pytest.approx(printed, rel=0.02)


UNDEFINED = {
    "B = 0": layer(torch.ones(3, 6), torch.zeros(8, 3)),
    "A = 0": layer(torch.zeros(3, 6), torch.ones(8, 3)),
    "α = 0": layer(torch.ones(3, 6), torch.ones(8, 3), 0.0),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_no_change_has_no_factor(draw, case):
    assert math.isnan(amplification(draw.randn(8, 6), UNDEFINED[case]))


def test_directions_that_W_does_not_have_give_nan_and_never_infinity(draw):
    U, V = draw.basis(20, 20), draw.basis(16, 16)
    W = U[:, :8] @ V[:, :8].mT
    for base in (W, torch.zeros(20, 16)):
        assert math.isnan(amplification(base, layer(V[:, 8:10].mT, U[:, 8:10])))


def test_new_columns_of_a_grown_rank_take_no_part(draw):
    W, A, B = draw.randn(20, 16), draw.randn(3, 16), draw.randn(20, 3)
    grown = layer(torch.cat([A, draw.randn(2, 16)]), torch.cat([B, torch.zeros(20, 2)], 1))
    assert amplification(W, grown) == pytest.approx(amplification(W, layer(A, B)), rel=1e-10)


def test_a_live_layer_is_read_like_its_weights(draw):
    live = LoRALayer(torch.nn.Linear(16, 20), "fc", 3, 6.0, "kaiming", draw.generator)
    live.lora_B.data.normal_(generator=draw.generator)
    W = live.base_layer.weight
    assert amplification(W, live) == amplification(W, live.layer_weights())


def test_autocast_changes_nothing(draw):
    W, one = draw.randn(20, 16).float(), layer(draw.randn(3, 16).float(), draw.randn(20, 3).float())
    plain = amplification(W, one)
    with torch.autocast("cpu", torch.bfloat16):
        assert amplification(W, one) == plain


def with_nan(*shape):
    M = torch.ones(*shape)
    M[0, 0] = float("nan")
    return M


FINE = layer(torch.ones(2, 6), torch.ones(8, 2))
REFUSED = {
    "W": (with_nan(8, 6), FINE, "Layer fc: W holds"),
    "A": (torch.ones(8, 6), layer(with_nan(2, 6), torch.ones(8, 2)), "Layer fc: lora_A"),
    "B": (torch.ones(8, 6), layer(torch.ones(2, 6), with_nan(8, 2)), "Layer fc: lora_B"),
    "transposed": (torch.ones(6, 8), FINE, "W is 6 × 8, but ΔW is 8 × 6"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_name(case):
    W, one, message = REFUSED[case]
    with pytest.raises(AdapterError, match=message):
        amplification(W, one)


@pytest.mark.parametrize(
    ("variant", "init"), [("dora", "kaiming"), ("full", "kaiming"), ("lora", "pissa")]
)
def test_the_real_delta_of_every_variant(variant, init):
    """ΔW is 0 before any training, whatever the factors hold, and W' − W after it."""
    model = nn.ModuleDict({"fc": nn.Linear(12, 9, dtype=torch.float64)})
    layer = inject(model, variant=variant, init=init, rank=2)["fc"]
    W = layer.matrix
    assert math.isnan(amplification(W, layer))
    with torch.no_grad():
        for p in layer.adapter_parameters():
            p += 0.1 * torch.randn_like(p)
    delta = layer.weight.detach() - W
    U, sigma, Vh = delta_directions(layer)
    torch.testing.assert_close((U * sigma) @ Vh, delta, rtol=1e-10, atol=1e-12)
    assert len(sigma) == (4 if init == "pissa" else 9)
    inside = torch.linalg.vector_norm(U.mT @ W @ Vh.mT)
    assert amplification(W, layer) == pytest.approx(float(delta.norm() / inside), rel=1e-10)


def test_dora_without_its_base_has_no_delta(draw):
    A, B = draw.randn(2, 6), draw.randn(5, 2)
    weights = LayerWeights("fc", A, B, 2.0, 1.0, magnitude=draw.randn(5))
    with pytest.raises(AdapterError, match="Layer fc: the ΔW of DoRA needs the base"):
        delta_directions(weights)


def test_the_three_columns_against_their_definitions(draw):
    """Those of ΔW and of W by dense SVDs; the random one by drawing subspaces."""
    W, A, B = draw.randn(40, 30), draw.randn(5, 30), draw.randn(40, 5)
    found = amplified(W, layer(A, B, 0.25))
    sigma = torch.linalg.svdvals(W)
    assert found.rank == 5
    assert found.in_own == pytest.approx(float(sigma[:5].norm()), rel=1e-12)
    assert found.delta_norm == pytest.approx(float((0.25 * B @ A).norm()), rel=1e-12)
    assert found.factor == pytest.approx(amplification(W, layer(A, B, 0.25)), rel=1e-12)
    assert found.weight_norm == pytest.approx(float(W.norm()), rel=1e-12)
    drawn = [
        float((draw.basis(40, 5).mT @ W @ draw.basis(30, 5)).square().sum()) for _ in range(400)
    ]
    assert found.in_random**2 == pytest.approx(sum(drawn) / 400, rel=0.05)
    assert found.over_random == found.in_delta / found.in_random


def test_without_a_change_all_columns_are_open(draw):
    found = amplified(draw.randn(8, 6), UNDEFINED["B = 0"])
    assert found.rank == 0
    assert all(map(math.isnan, (found.in_delta, found.in_own, found.in_random, found.factor)))
