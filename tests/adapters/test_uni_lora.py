"""A random subspace of LoRA's factors, against a dense P of A and B written out."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.merging import merge, merge_and_unload, unmerge
from lora_lab.adapters.space import space_of, weights_moved
from lora_lab.adapters.subspace_resize import resize_subspace
from lora_lab.errors import AdapterError


def net(dtype=torch.float64):
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 5))
    return layers.to(dtype)


def adapted(d=9, dtype=torch.float64, rank=3, **settings):
    model = net(dtype)
    layers = inject(
        model, variant="uni-lora", rank=rank, alpha=6.0, dimension=d, seed=2, **settings
    )
    return model, layers, space_of(layers.values())


def matrix(space):
    """P (D × d), column by column: what each number alone moves."""
    columns = []
    before = space.theta.detach().clone()
    with torch.no_grad():
        for number in range(space.dimension):
            space.theta.zero_()[number] = 1
            columns.append(torch.cat([space.change(i).flatten() for i in range(len(space.shapes))]))
        space.theta.copy_(before)
    return torch.stack(columns, 1)


@pytest.mark.parametrize("projection", ["hash", "dense", "fastfood"])
def test_outputs_and_gradients_are_those_of_factors_moved_by_a_dense_projection(projection):
    model, layers, space = adapted(projection=projection)
    assert space.total == 3 * (12 + 20 + 20 + 5)
    P, theta = matrix(space), torch.randn(9, dtype=torch.float64)
    if projection == "hash":
        torch.testing.assert_close(P.t() @ P, torch.eye(9).double(), rtol=0, atol=1e-12)
    with torch.no_grad():
        space.theta.copy_(theta)
    plain, twin, x = net(), theta.clone().requires_grad_(), torch.randn(4, 12).double()
    parts = (P @ twin).split([shape.numel() for shape in space.shapes])
    A1, B1, A2, B2 = (part.view(shape) for part, shape in zip(parts, space.shapes, strict=True))
    first, second = layers.values()
    W1 = plain[0].weight + 2.0 * B1 @ (first.lora_A + A1)  # s = 6/3, B₀ = 0
    W2 = plain[2].weight + 2.0 * B2 @ (second.lora_A + A2)
    linear = nn.functional.linear
    expected = linear(linear(x, W1, plain[0].bias).tanh(), W2, plain[2].bias)
    y = model(x)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-13)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(space.theta.grad, twin.grad, rtol=1e-12, atol=1e-12)


def test_at_zero_and_switched_off_it_is_the_base_to_the_bit():
    plain, (model, layers, space) = net(torch.float32), adapted(dtype=torch.float32)
    x = torch.randn(7, 12)
    assert torch.equal(model(x), plain(x))
    assert all(layer.lora_A.any() and not layer.lora_B.any() for layer in layers.values())
    with torch.no_grad():
        space.theta.normal_()
    assert not torch.equal(model(x), plain(x))
    for layer in layers.values():
        layer.enabled = False
    assert torch.equal(model(x), plain(x))


def test_numbers_are_one_parameter_and_a_factor_is_none():
    model, layers, space = adapted()
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["0.theta"]
    assert [layer.frozen for layer in layers.values()] == [False, False]
    with pytest.raises(AdapterError, match="θ is shared by all layers"):
        layers["2"].frozen = True
    assert space.locked == ()


def test_growing_keeps_the_change_of_every_layer():
    _, layers, space = adapted(8)
    with torch.no_grad():
        space.theta.normal_()
    before = [layer.delta_weight().clone() for layer in layers.values()]
    assert resize_subspace(space, 32, torch.optim.SGD([space.theta], lr=0.1)) == 0.0
    for layer, delta in zip(layers.values(), before, strict=True):
        torch.testing.assert_close(layer.delta_weight(), delta, rtol=1e-13, atol=1e-14)


def test_it_is_merged_and_unmerged_and_unloaded():
    model, _, space = adapted()
    with torch.no_grad():
        space.theta.normal_()
    x = torch.randn(3, 12).double()
    expected = model(x)
    merge(model)
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12)
    unmerge(model)
    assert torch.equal(model(x), expected)
    merge_and_unload(model)
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12)


def test_an_embedding_and_a_convolution_have_factors_that_move():
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Embedding(9, 5), nn.Conv1d(4, 6, 3, groups=2)]).double()
    layers = inject(model, variant="uni-lora", rank=2, targets=("0", "1"), dimension=7, seed=0)
    inputs = (torch.randint(9, (2, 3)), torch.randn(2, 4, 8, dtype=torch.float64))
    for layer, x in zip(layers.values(), inputs, strict=True):
        before = layer(x)
        torch.testing.assert_close(before, layer.base_layer(x), rtol=0, atol=0)
    space = space_of(layers.values())
    with torch.no_grad():
        space.theta.normal_()
    for layer, x in zip(layers.values(), inputs, strict=True):
        plain = layer.merged_layer()
        torch.testing.assert_close(layer(x), plain(x), rtol=1e-12, atol=1e-13)
        assert (layer.merged_layer().weight != layer.base_layer.weight).any()


def test_the_fingerprint_tells_another_start_of_the_factors():
    (_, _, space), (_, other, _) = adapted(), adapted()
    assert space.fingerprint() == adapted()[2].fingerprint() != adapted(rank=2)[2].fingerprint()
    with torch.no_grad():
        other["0"].lora_A.neg_()
    assert space.fingerprint() != other["0"].space.fingerprint()


def test_weights_are_counted_once_where_two_layers_have_them_in_common():
    one, two = nn.Linear(4, 3), nn.Linear(4, 3, bias=False)
    assert weights_moved({"one": one, "two": two}) == 12 + 3 + 12
    two.weight = one.weight
    assert weights_moved({"one": one, "two": two}) == 12 + 3
