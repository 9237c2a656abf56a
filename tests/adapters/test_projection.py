"""The hash projection against its own matrix, written out dense from the definition."""

import pytest
import torch

from lora_lab.adapters.projection import HashProjection, digest, down, folded, table, up

CASES = [
    (sizes, d)
    for sizes in ((300,), (700, 300), (64 * 128, 64, 128 * 10, 10))
    for d in (1, 7, 64, 256)
    if d <= sum(sizes)
]


def dense(projection):
    """P (D × d) in float64, an entry a row: ±1/√n of its column."""
    P = torch.zeros(projection.total, projection.dimension, dtype=torch.float64)
    codes = torch.cat(list(projection.codes())).long()
    column = codes % projection.dimension
    sign = 1.0 - 2.0 * (codes >= projection.dimension)
    members = torch.bincount(column, minlength=projection.dimension).double()
    P[torch.arange(projection.total), column] = sign.double() / members.sqrt()[column]
    return P


def up_all(projection, theta):
    looked_up = table(theta, projection.scales())
    return torch.cat([up(looked_up, code) for code in projection.codes()])


def down_all(projection, G):
    sums = torch.zeros(2 * projection.dimension, dtype=torch.float64)
    for code, part in zip(projection.codes(), G.split(projection.sizes), strict=True):
        down(sums, code, part)
    return folded(sums, projection.scales())


@pytest.mark.parametrize(("sizes", "d"), CASES)
def test_up_and_down_are_the_dense_projection_and_its_transpose(sizes, d):
    projection = HashProjection(sizes, d, seed=3)
    P = dense(projection)
    theta, G = torch.randn(d).double(), torch.randn(sum(sizes)).double()
    torch.testing.assert_close(up_all(projection, theta), P @ theta, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(down_all(projection, G), P.T @ G, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("sizes", "d"), CASES)
def test_columns_are_orthonormal_even_where_d_does_not_divide(sizes, d):
    P = dense(HashProjection(sizes, d, seed=0))
    torch.testing.assert_close(P.T @ P, torch.eye(d).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [7, 64, 256, 1_000])
@pytest.mark.parametrize("sizes", [(300,), (700, 300), (8_192, 8_192, 832, 10)])
def test_down_is_up_transposed(sizes, d):
    """⟨P·θ, G⟩ = ⟨θ, Pᵀ·G⟩ up to the size of the digits' net, 17,226 weights."""
    projection = HashProjection(sizes, min(d, sum(sizes)), seed=3)
    draw = torch.Generator().manual_seed(d)
    theta, G = (torch.randn(n, generator=draw).double() for n in (projection.dimension, sum(sizes)))
    left, right = up_all(projection, theta) @ G, theta @ down_all(projection, G)
    assert abs(float(left - right)) <= 1e-10 * float(theta.norm() * G.norm())


def test_at_full_size_every_weight_has_a_number_of_its_own():
    P = dense(HashProjection((40, 60), 100, seed=1))
    assert P.abs().sum(0).tolist() == P.abs().sum(1).tolist() == [1.0] * 100


@pytest.mark.parametrize(("d", "larger"), [(8, 16), (8, 24), (5, 40)])
def test_subspaces_of_one_seed_are_nested(d, larger):
    small, large = (dense(HashProjection((500, 200), n, seed=4)) for n in (d, larger))
    torch.testing.assert_close(large @ (large.T @ small), small, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [0, -1, 101])
def test_a_dimension_that_cannot_be_is_refused(d):
    with pytest.raises(ValueError, match="from 1 to 100"):
        HashProjection((40, 60), d, seed=0)


def test_codes_are_drawn_again_from_the_seed_and_are_others_for_another():
    first, same, other = (HashProjection((900,), 50, seed) for seed in (7, 7, 8))
    assert digest(first.codes()) == digest(same.codes()) != digest(other.codes())


def test_codes_take_two_bytes_where_they_fit():
    kinds = [next(HashProjection((40_000,), d, 0).codes()).dtype for d in (2**14, 2**14 + 1)]
    assert kinds == [torch.int16, torch.int32]
