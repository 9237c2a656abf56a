"""Subspaces against scipy, dense decompositions, and what the geometry itself demands."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.subspace import (
    principal_angles,
    similarity,
    similarity_of_delta,
    singular_factors,
)
from lora_lab.errors import AdapterError


def layer(A, B, scaling=0.5, name="fc"):
    return LayerWeights(name, A, B, alpha=scaling * A.shape[0], scaling=scaling)


@pytest.mark.parametrize(
    ("out", "into", "rank", "dtype"),
    [
        (40, 30, 6, torch.float64),
        (30, 40, 1, torch.float32),
        (20, 50, 5, torch.bfloat16),
        (4, 3, 8, torch.float16),  # more rank than the layer can use
    ],
)
@pytest.mark.parametrize("scaling", [0.5, -2.0])
def test_singular_factors_are_the_svd_of_the_product(draw, out, into, rank, dtype, scaling):
    A, B = draw.randn(rank, into).to(dtype), draw.randn(out, rank).to(dtype)
    delta = scaling * B.double() @ A.double()
    with torch.autocast("cpu", torch.bfloat16):
        U, sigma, Vh = singular_factors(A, B, scaling)
    q = min(out, into, rank)
    assert U.shape == (out, q)
    assert Vh.shape == (q, into)
    one = torch.eye(q, dtype=torch.float64)
    torch.testing.assert_close(U.mT @ U, one, rtol=0, atol=1e-13)
    torch.testing.assert_close(Vh @ Vh.mT, one, rtol=0, atol=1e-13)
    dense = torch.linalg.svdvals(delta)
    torch.testing.assert_close(sigma, dense[:q], rtol=0, atol=1e-13 * float(dense[0]))
    torch.testing.assert_close((U * sigma) @ Vh, delta, rtol=0, atol=1e-13 * float(dense[0]))


def test_phi_of_equal_and_of_orthogonal_subspaces(draw):
    Q = draw.basis(50, 12)
    torch.testing.assert_close(similarity(Q, Q).diagonal(), torch.ones(12).double())
    torch.testing.assert_close(similarity(Q[:, :4], Q)[:, 3:], torch.ones(4, 9).double())
    assert similarity(Q[:, :5], Q[:, 5:]).max() < 1e-28


@pytest.mark.parametrize(("n", "p", "q"), [(30, 4, 7), (30, 20, 20), (9, 9, 1)])
def test_phi_is_the_mean_of_cos_squared_of_the_principal_angles(draw, n, p, q):
    X, Y = draw.basis(n, p), draw.basis(n, q)
    phi = similarity(X, Y)
    assert phi.shape == (p, q)
    assert ((phi >= 0) & (phi <= 1)).all()
    torch.testing.assert_close(phi.mT, similarity(Y, X), rtol=1e-13, atol=0)
    for i, j in {(1, 1), (p, 1), (1, q), (p, q), (p // 2 + 1, q // 2 + 1)}:
        angles = subspace_angles(X[:, :i].numpy(), Y[:, :j].numpy())
        assert float(phi[i - 1, j - 1]) == pytest.approx(np.mean(np.cos(angles) ** 2), abs=1e-12)


def test_phi_in_the_metric_form_and_not_as_appendix_G_prints_it(draw):
    p = 5
    X, Y = draw.basis(20, p), draw.basis(20, p)
    d2 = p - float(torch.linalg.svdvals(X.mT @ Y).square().sum())
    assert float(similarity(X, Y)[-1, -1]) == pytest.approx(1 - d2 / p, abs=1e-13)
    assert float(similarity(X, Y)[-1, -1]) != pytest.approx((1 - d2) / p, abs=0.1)
    assert float(similarity(X, X)[-1, -1]) == pytest.approx(1)  # d = 0, where the print has 1/p


def test_the_map_of_delta_is_gauge_invariant(draw):
    first, second = (layer(draw.randn(r, 30), draw.randn(40, r)) for r in (4, 7))
    phi = similarity_of_delta(first, second)
    moved = similarity_of_delta(draw.gauged(first), draw.gauged(second))
    torch.testing.assert_close(moved, phi, rtol=0, atol=1e-10)


def test_the_directions_are_those_of_the_dense_svd(draw):
    first, second = (layer(draw.randn(r, 30), draw.randn(40, r)) for r in (4, 7))
    bases = []
    for one in (first, second):
        _, _, Vh = torch.linalg.svd(one.delta_weight(), full_matrices=False)
        bases.append(Vh.mT[:, : one.rank])
    phi = similarity_of_delta(first, second)
    torch.testing.assert_close(phi, similarity(*bases), rtol=0, atol=1e-12)


def test_directions_that_are_not_there_are_nan(draw):
    full = layer(draw.randn(3, 20), draw.randn(20, 3))
    grown = layer(draw.randn(5, 20), torch.cat([draw.randn(20, 2), torch.zeros(20, 3).double()], 1))
    fresh = layer(draw.randn(2, 20), torch.zeros(20, 2).double())
    phi = similarity_of_delta(full, grown)
    assert phi.shape == (3, 5)
    assert torch.equal(phi.isnan().all(0), torch.tensor([0, 0, 1, 1, 1], dtype=torch.bool))
    assert not phi[:, :2].isnan().any()
    assert similarity_of_delta(fresh, full).isnan().all()


@pytest.mark.parametrize("theta", [0.0, 1e-14, 1e-10, 1e-8, 1e-3, 0.7854, 1.5, np.pi / 2 - 1e-10])
def test_a_known_angle(draw, theta):
    Q = draw.basis(30, 8)
    Y = Q[:, :4].clone()
    Y[:, 0] = np.cos(theta) * Q[:, 0] + np.sin(theta) * Q[:, 6]
    mixed = Y @ draw.randn(4, 4)  # another basis of the same span
    angles = principal_angles(Q[:, :5], mixed)
    assert angles.shape == (4,)
    np.testing.assert_allclose(angles, [theta, 0, 0, 0], rtol=0, atol=1e-13)


@pytest.mark.parametrize("turn", [1.0, 1e-4, 1e-9, 1e-13])
@pytest.mark.parametrize(("p", "q"), [(4, 4), (3, 9), (9, 3), (18, 17)])
def test_angles_are_those_of_scipy(draw, p, q, turn):
    X, rest = draw.randn(20, p), draw.randn(20, q)
    Y = torch.cat([X, rest], 1)[:, :q] + turn * rest
    angles = principal_angles(X, Y)
    np.testing.assert_allclose(angles, subspace_angles(X.numpy(), Y.numpy()), rtol=0, atol=1e-12)


def bad(value):
    A = torch.ones(2, 5)
    A[1, 2] = value
    return A


GOOD = layer(torch.ones(2, 5), torch.ones(4, 2), name="encoder.fc1")
REFUSED = {
    "A nan": (lambda: singular_factors(bad(np.nan), GOOD.lora_B, 1.0), "lora_A.*NaN or inf"),
    "B inf": (lambda: singular_factors(GOOD.lora_A, bad(np.inf).mT, 1.0), "lora_B.*NaN or inf"),
    "scaling": (lambda: singular_factors(GOOD.lora_A, GOOD.lora_B, np.nan), "scaling is nan"),
    "overflow": (lambda: singular_factors(*[torch.eye(2).double() * 1e200] * 2, 1.0), "NaN or inf"),
    "ranks": (lambda: singular_factors(GOOD.lora_A, torch.ones(4, 3), 1.0), "rank 2.* has 3"),
    "vector": (lambda: singular_factors(torch.ones(5), GOOD.lora_B, 1.0), "lora_A is not a real"),
    "complex": (lambda: singular_factors(GOOD.lora_A * 1j, GOOD.lora_B, 1.0), "lora_A is not a r"),
    "empty": (lambda: similarity(torch.eye(3)[:, :0], torch.eye(3)), "X is not a real matrix"),
    "layer": (
        lambda: similarity_of_delta(GOOD, layer(bad(np.nan), GOOD.lora_B, name="fc2")),
        "Layer fc2: lora_A",
    ),
    "inputs": (
        lambda: similarity_of_delta(GOOD, layer(torch.ones(2, 6), GOOD.lora_B)),
        "a 5- and a 6-dim",
    ),
    "spaces": (lambda: similarity(torch.eye(4), torch.eye(3)), "a 4- and a 3-dim"),
    "lengths": (lambda: similarity(2 * torch.eye(3), torch.eye(3)), "X are not orthonormal"),
    "dependent": (lambda: principal_angles(torch.eye(3), torch.ones(3, 2)), "2 columns of Y"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared_is_refused_by_name(case):
    call, message = REFUSED[case]
    with pytest.raises(AdapterError, match=message):
        call()


WIDENED = {
    "singular_factors": lambda A, B: singular_factors(A, B, 0.5),
    "similarity_of_delta": lambda A, B: similarity_of_delta(layer(A, B), layer(A[1:], B[:, 1:])),
    "principal_angles": lambda A, B: principal_angles(A.mT, A[:2].mT),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("case", WIDENED)
def test_half_precision_and_parameters_are_widened_also_under_autocast(draw, case, dtype):
    """torch decomposes neither; what comes out is that of the same numbers in float64."""
    A, B = (torch.nn.Parameter(draw.randn(*s).to(dtype)) for s in ((3, 20), (30, 3)))
    with torch.autocast("cpu", torch.bfloat16):
        found = WIDENED[case](A, B)
    wide = WIDENED[case](A.detach().double(), B.detach().double())
    torch.testing.assert_close(found, wide, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "off"), [(torch.float32, 1e-6), (torch.bfloat16, 3e-2)], ids=str)
def test_phi_of_rounded_bases(draw, dtype, off):
    X, Y = draw.basis(50, 8), draw.basis(50, 6)
    phi = similarity(X.to(dtype), Y.to(dtype))
    assert phi.dtype == torch.float64
    torch.testing.assert_close(phi, similarity(X, Y), rtol=0, atol=off)
    torch.testing.assert_close(
        similarity(X.to(dtype), X.to(dtype)).diagonal(), torch.ones(8).double(), rtol=0, atol=off
    )
