"""The projections that move all weights at once, against their own matrices written out."""

import pytest
import torch
from torch import nn

from lora_lab.adapters import at_once
from lora_lab.adapters.at_once import DenseProjection, Fastfood, transform
from lora_lab.adapters.inject import inject
from lora_lab.adapters.space import space_of
from lora_lab.adapters.subspace_resize import resize_subspace
from lora_lab.errors import AdapterError

KINDS = {"dense": DenseProjection, "fastfood": Fastfood}
SIZES = ((300,), (700, 300), (8_192, 8_192, 832, 10))  # together 17,226, as the digits' net


def hadamard(n):
    """Sylvester's: H_2n = [[H, H], [H, −H]]."""
    H = torch.ones(1, 1, dtype=torch.float64)
    while len(H) < n:
        H = torch.cat([torch.cat([H, H], 1), torch.cat([H, -H], 1)])
    return H


def drawn(kind, sizes, d, seed=3):
    P = KINDS[kind](sizes, d, seed)
    P.to(torch.device("cpu"), torch.float64)
    return P


@pytest.mark.parametrize("n", [2**k for k in range(14)])
def test_the_transform_is_the_matrix_and_its_own_inverse(n):
    x = torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    few = 1 << (n.bit_length() // 2)  # H of n is the Kronecker product of two smaller ones
    expected = (hadamard(few) @ x.view(few, -1) @ hadamard(n // few)).flatten()
    once = transform(x.clone())
    size = float(x.norm())
    assert float((once - expected).abs().max()) <= 1e-13 * size
    assert float((transform(once.clone()) - n * x).abs().max()) <= 1e-13 * n * size
    narrow = transform(x.float())
    assert float((narrow.double() - once).norm()) < 1e-6 * float(once.norm())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("d", [7, 64, 256, 1_000])
def test_down_is_up_transposed(kind, sizes, d):
    d = min(d, sum(sizes))
    P = drawn(kind, sizes, d)
    theta, G = (torch.randn(n, dtype=torch.float64) for n in (d, sum(sizes)))
    left, right = P.up(theta) @ G, theta @ P.down(G)
    assert abs(float(left - right)) <= 1e-10 * float(theta.norm() * G.norm())


@pytest.mark.parametrize("sizes", [(300,), (700, 300)])
def test_fastfood_is_its_five_matrices(sizes):
    P, D, d = drawn("fastfood", sizes, 24), sum(sizes), 24
    (one,) = P.transforms
    n = len(one.G)
    H, order = hadamard(n), torch.eye(n, dtype=torch.float64)[one.order]
    G = torch.Generator().manual_seed(3)
    B = 1.0 - 2.0 * torch.randint(2, (d,), generator=G)
    torch.randperm(n, generator=G)
    normal = torch.randn(n, generator=G).double()
    wide = torch.diag(torch.nn.functional.pad(B.double(), (0, n - d)))
    c = 1 / (D * normal.square().sum()).sqrt()
    whole = c * (H @ torch.diag(normal) @ order @ H @ wide)[:D, :d]
    found = torch.stack([P.up(row) for row in torch.eye(d, dtype=torch.float64)], 1)
    torch.testing.assert_close(found, whole, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sizes", SIZES)
def test_columns_of_a_dense_projection_are_unit_vectors_nearly_orthogonal(sizes):
    P = drawn("dense", sizes, 64)
    products = P.P.t() @ P.P
    torch.testing.assert_close(products.diagonal(), torch.ones(64).double(), rtol=0, atol=1e-12)
    assert float((products - torch.eye(64)).abs().max()) <= 7 / sum(sizes) ** 0.5


@pytest.mark.parametrize("sizes", SIZES)
def test_columns_of_fastfood_are_nearly_orthonormal(sizes):
    P = drawn("fastfood", sizes, 64)
    columns = torch.stack([P.up(row) for row in torch.eye(64, dtype=torch.float64)], 1)
    products = columns.t() @ columns
    assert float((products.diagonal().sqrt() - 1).abs().max()) <= 4 / len(P.transforms[0].G) ** 0.5
    assert float((products - products.diagonal().diag()).abs().max()) <= 7 / sum(sizes) ** 0.5


def test_what_would_be_too_large_is_refused_with_the_way_out(monkeypatch):
    assert at_once.MOST_ENTRIES == 20_000_000
    with pytest.raises(ValueError, match=r"17,226 weights by 1,162.*hash.*dense, d can be 1,161"):
        DenseProjection((17_226,), 1_162, 0)
    monkeypatch.setattr(at_once, "MOST_ENTRIES", 1_000)
    drawn("dense", (100,), 10)
    with pytest.raises(ValueError, match="1,100 entries"):
        drawn("dense", (100,), 11)
    with pytest.raises(ValueError, match=r"3,000,001 weights.*The projection hash has no"):
        Fastfood((3_000_001,), 8, 0)
    for kind in KINDS.values():
        for wrong in (0, 301):
            with pytest.raises(ValueError, match="from 1 to 300"):
                kind((300,), wrong, 0)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 5)).double()


def adapted(kind, d=9):
    model = net()
    layers = inject(model, variant="subspace", dimension=d, seed=2, projection=kind)
    return model, space_of(layers.values())


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_the_matrix_also_of_a_step_in_parts(kind):
    model, space = adapted(kind)
    P = torch.stack([space.projection.up(row) for row in torch.eye(9).double()], 1)
    theta = torch.randn(9, dtype=torch.float64)
    with torch.no_grad():
        space.theta.copy_(theta)
    plain, twin = net(), theta.clone().requires_grad_()
    parameters = dict(plain.named_parameters())
    flat = torch.cat([p.detach().flatten() for p in parameters.values()]) + P @ twin
    values = flat.split([p.numel() for p in parameters.values()])
    weights = {n: v.view(parameters[n].shape) for n, v in zip(parameters, values, strict=True)}
    expected = 0.0
    for part in torch.randn(6, 12, dtype=torch.float64).split(2):
        y, answer = model(part), torch.func.functional_call(plain, weights, (part,))
        torch.testing.assert_close(y, answer, rtol=1e-13, atol=1e-14)
        y.square().sum().backward()
        expected = expected + answer.square().sum()
    expected.backward()
    torch.testing.assert_close(space.theta.grad, twin.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_another_theta_is_another_change_whatever_wrote_it(kind):
    model, space = adapted(kind)
    x = torch.randn(3, 12, dtype=torch.float64)
    answers = [model(x)]
    space.theta.data.add_(0.5)  # past torch's count of versions, as fused optimizers write
    answers.append(model(x))
    space.owner.theta = nn.Parameter(space.theta.detach() * 2)
    answers.append(model(x))
    assert not torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[1], answers[2])
    with torch.no_grad():
        assert not model(x).requires_grad
    assert model(x).requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_p_is_applied_once_for_all_layers_and_back_once(kind, monkeypatch):
    calls = []
    for name in ("up", "down"):
        real = getattr(KINDS[kind], name)
        monkeypatch.setattr(
            KINDS[kind],
            name,
            lambda self, v, real=real, name=name: calls.append(name) or real(self, v),
        )
    model, _ = adapted(kind)
    for _ in range(2):
        model(torch.randn(3, 12, dtype=torch.float64)).sum().backward()
    assert calls == ["up", "down", "down"]


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_leaves_the_projection_alone(kind):
    model, space = adapted(kind)
    model, theta = model.float(), torch.randn(9)
    space.projection.to(torch.device("cpu"), torch.float32)
    with torch.no_grad():
        space.owner.theta.data = theta
        wide = space.change(0).clone()
        with torch.autocast("cpu", torch.bfloat16):
            space.owner.theta.data = theta.clone() + 0  # made again
            torch.testing.assert_close(space.change(0), wide, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_d_stays_with_the_reason(kind):
    _, space = adapted(kind)
    with pytest.raises(AdapterError, match=r"stays: .* the projection hash has a d that moves"):
        resize_subspace(space, 18, torch.optim.SGD([space.theta], lr=0.1))
    assert space.dimension == 9
    assert space.kept() == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_fingerprint_tells_seeds_dimensions_and_kinds_apart(kind):
    _, space = adapted(kind)
    other = adapted("dense" if kind == "fastfood" else "fastfood")[1]
    assert space.fingerprint() == adapted(kind)[1].fingerprint()
    assert len({space.fingerprint(), space.fingerprint(10), other.fingerprint()}) == 3
