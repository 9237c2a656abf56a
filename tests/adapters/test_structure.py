"""DID and SAID: a projection of each tensor of the same numbers, and a λ of each."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.space import space_of
from lora_lab.adapters.subspace_resize import resize_subspace
from lora_lab.errors import AdapterError
from lora_lab.projections import PROJECTIONS, STRUCTURES

APART = [name for name in STRUCTURES if name != "flat"]
each_projection = pytest.mark.parametrize("projection", PROJECTIONS)


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 5)).double()


def adapted(structure, projection="hash", d=24, **settings):
    model = net()
    layers = inject(
        model, variant="subspace", dimension=d, seed=2, projection=projection,
        structure=structure, **settings,
    )  # fmt: skip
    return model, space_of(layers.values())


def matrices(space):
    """P of each tensor (its size × d), column by column, λ at 1."""
    before = space.theta.detach().clone()
    columns = [[] for _ in space.shapes]
    with torch.no_grad():
        for number in range(len(before)):
            space.theta.zero_()[number] = 1
            for place, found in enumerate(columns):
                found.append(space.change(place).flatten().clone())
        space.theta.copy_(before)
    return [torch.stack(found, 1) for found in columns]


@each_projection
def test_each_tensor_has_unit_columns_of_the_same_numbers(projection):
    _, space = adapted("did", projection)
    sizes = [shape.numel() for shape in space.shapes]
    assert sizes == [64 * 48, 48, 48 * 5, 5]
    for n, P in zip(sizes, matrices(space), strict=True):
        norms = P.norm(dim=0)
        if projection == "hash":  # of a tensor of fewer weights than numbers each has one
            assert int((norms > 0).sum()) == min(n, 24)
            norms = norms[norms > 0]
        if projection == "fastfood":  # a sum of fewer rows is a unit in the mean alone
            assert float(norms.square().mean()) == pytest.approx(1, abs=0.25 if n > 40 else 0.6)
            assert bool((norms > 0).all())  # no number is cropped
        else:
            torch.testing.assert_close(norms, torch.ones_like(norms), rtol=0, atol=1e-12)


@each_projection
def test_said_multiplies_each_tensors_part_by_its_lambda_and_both_learn(projection):
    model, space = adapted("said", projection)
    assert (len(space.theta), len(space.lambdas), space.dimension) == (20, 4, 24)
    assert space.lambdas.tolist() == [1.0] * 4
    P = matrices(space)
    theta, lam = torch.randn(20, dtype=torch.float64), torch.rand(4, dtype=torch.float64) + 0.5
    with torch.no_grad():
        space.theta.copy_(theta)
        space.lambdas.copy_(lam)
    plain = net()
    twin, scale = theta.clone().requires_grad_(), lam.clone().requires_grad_()
    weights = {
        name: p.detach() + (scale[i] * (P[i] @ twin)).view(p.shape)
        for i, (name, p) in enumerate(plain.named_parameters())
    }
    expected = 0.0
    for x in torch.randn(6, 64, dtype=torch.float64).split(3):  # a step in parts
        y, answer = model(x), torch.func.functional_call(plain, weights, (x,))
        torch.testing.assert_close(y, answer, rtol=1e-12, atol=1e-13)
        y.square().sum().backward()
        expected = expected + answer.square().sum()
    expected.backward()
    torch.testing.assert_close(space.theta.grad, twin.grad, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(space.lambdas.grad, scale.grad, rtol=1e-11, atol=1e-12)


@each_projection
@pytest.mark.parametrize("structure", APART)
def test_at_zero_it_is_the_base_and_d_stays_with_the_reason(projection, structure):
    model, space = adapted(structure, projection)
    x = torch.randn(3, 64, dtype=torch.float64)
    torch.testing.assert_close(model(x), net()(x), rtol=0, atol=0)
    assert next(name for name, p in model.named_parameters() if p.requires_grad) == "0.theta"
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 24
    with pytest.raises(AdapterError, match=r"stays: .* has a d that moves"):
        resize_subspace(space, 48, torch.optim.SGD([space.theta], lr=0.1))


@pytest.mark.parametrize("d", [1, 4])
def test_said_needs_more_numbers_than_tensors(d):
    with pytest.raises(AdapterError, match=rf"each of the 4 tensors.* above 4, not {d}\..*DID"):
        adapted("said", d=d)
    assert adapted("said", d=5)[1].dimension == 5
    assert adapted("did", d=d)[1].dimension == d


def test_one_tensor_has_a_lambda_as_well():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4, bias=False))
    (layer,) = inject(model, variant="subspace", dimension=5, seed=2, structure="said").values()
    with torch.no_grad():
        layer.space.theta.fill_(1.0)
        once = layer.delta_weight()
        layer.space.lambdas.fill_(3.0)
        torch.testing.assert_close(layer.delta_weight(), 3 * once)


@each_projection
def test_the_fingerprint_tells_structures_apart(projection):
    prints = {adapted(name, projection)[1].fingerprint() for name in STRUCTURES}
    assert len(prints) == len(STRUCTURES)


def test_factors_have_structures_as_weights_do():
    model = net()
    layers = inject(model, variant="uni-lora", rank=2, dimension=24, seed=2, structure="said")
    space = space_of(layers.values())
    assert (len(space.theta), space.scaled) == (20, 4)
    with torch.no_grad():
        space.theta.normal_()
    for P, place in zip(matrices(space), range(4), strict=True):
        found = space.change(place).flatten()
        torch.testing.assert_close(found, P @ space.theta, rtol=1e-12, atol=1e-13)
