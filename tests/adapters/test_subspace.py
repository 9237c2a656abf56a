"""The random subspace: its layer against a dense P, full training at d = D, and d moved live."""

import copy

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.merging import merge, merge_and_unload
from lora_lab.adapters.projection import digest
from lora_lab.adapters.space import rate_factor, space_of
from lora_lab.adapters.subspace_resize import resize_subspace
from lora_lab.analysis.health import edge_of_noise
from lora_lab.errors import AdapterError


def net(dtype=torch.float64):
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Linear(12, 20), nn.Tanh(), nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 5)
    )
    return layers.to(dtype)


def adapted(d, dtype=torch.float64, model=None):
    model = model or net(dtype)
    layers = inject(model, variant="subspace", dimension=d, seed=2)
    return model, layers, space_of(layers.values())


def flat_change(model, before):
    """θ_D − θ₀, in the order of the projection."""
    rows = []
    for module in model.modules():
        if hasattr(module, "space"):
            rows += [module.weight - module.base_layer.weight, module.bias - module.base_layer.bias]
    return torch.cat([row.flatten() for row in rows]).detach()


def dense(space):
    codes = torch.cat(list(space.projection.codes())).long()
    P = torch.zeros(space.total, space.dimension, dtype=torch.float64)
    sign = 1.0 - 2.0 * (codes >= space.dimension)
    column = codes % space.dimension
    P[torch.arange(space.total), column] = sign * space.projection.scales()[column]
    return P


def test_outputs_and_gradients_are_those_of_a_dense_projection():
    model, _, space = adapted(33)
    theta = torch.randn(33, dtype=torch.float64)
    with torch.no_grad():
        space.theta.copy_(theta)
    plain, P = net(), dense(space)
    flat = torch.cat([p.detach().flatten() for p in plain.parameters()])
    twin = theta.clone().requires_grad_()
    values = (flat + P @ twin).split([p.numel() for p in plain.parameters()])
    weights = {
        name: v.view(p.shape) for (name, p), v in zip(plain.named_parameters(), values, strict=True)
    }
    x = torch.randn(4, 3, 12, dtype=torch.float64, requires_grad=True)
    other = x.detach().clone().requires_grad_()
    y, expected = model(x), torch.func.functional_call(plain, weights, (other,))
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-14)
    y.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(space.theta.grad, twin.grad, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [
    nn.Conv2d(3, 4, 3), nn.Conv1d(4, 6, 3, groups=2), nn.Embedding(9, 5),
])  # fmt: skip
def test_other_kinds_of_layers_have_the_gradient_of_their_own_weight(layer):
    torch.manual_seed(1)
    model = nn.Sequential(layer).double()
    name = "0"
    layers = inject(model, variant="subspace", targets=[name], dimension=11, seed=0)
    space = space_of(layers.values())
    with torch.no_grad():
        space.theta.normal_()
    x = (
        torch.randint(9, (2, 3))
        if isinstance(layer, nn.Embedding)
        else torch.randn(
            (2, 3, 6, 6) if isinstance(layer, nn.Conv2d) else (2, 4, 8), dtype=torch.float64
        )
    )
    assert torch.autograd.gradcheck(
        lambda theta: torch.func.functional_call(model, {f"{name}.theta": theta}, (x,)),
        space.theta.detach().clone().requires_grad_(),
    )


def test_at_zero_and_switched_off_it_is_the_base_to_the_bit():
    plain, (model, layers, space) = net(torch.float32), adapted(64, torch.float32)
    x = torch.randn(7, 12)
    assert torch.equal(model(x), plain(x))
    with torch.no_grad():
        space.theta.normal_()
    assert not torch.equal(model(x), plain(x))
    for layer in layers.values():
        layer.enabled = False
    assert torch.equal(model(x), plain(x))


def test_nothing_of_the_size_of_a_weight_is_kept_for_the_backward():
    model, layers, space = adapted(10)
    known = {layer.base_layer.weight.data_ptr() for layer in layers.values()}
    known |= {code.data_ptr() for code in space.codes}
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        model(torch.randn(2, 12, dtype=torch.float64)).sum()
    sizes = [t.numel() for t in kept if t.data_ptr() not in known and t.dtype.is_floating_point]
    assert sizes
    assert max(sizes) < 12 * 20


def test_with_a_number_per_weight_it_is_full_training_to_the_bit():
    """W′ = W + Δ with Δ trained by Adam: the same steps, the same rounding."""
    model, _, space = adapted(16 * 20 + 20 * 12 + 16 * 5 + 20 + 16 + 5, torch.float32)
    plain = net(torch.float32)
    change = [torch.zeros_like(p, requires_grad=True) for p in plain.parameters()]
    names = [name for name, _ in plain.named_parameters()]
    first = torch.optim.Adam([space.theta], lr=1e-2)
    second = torch.optim.Adam(change, lr=1e-2)
    torch.manual_seed(5)
    for _ in range(60):
        x, y = torch.randn(8, 12), torch.randint(5, (8,))
        weights = {
            n: p.detach() + c for n, p, c in zip(names, plain.parameters(), change, strict=True)
        }
        losses = []
        for answer, optimizer in (
            (model(x), first), (torch.func.functional_call(plain, weights, (x,)), second),
        ):  # fmt: skip
            loss = nn.functional.cross_entropy(answer, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == losses[1]


def test_sgd_in_the_subspace_is_projected_sgd():
    model, _, space = adapted(40)
    plain, P = net(), dense(space)
    optimizer = torch.optim.SGD([space.theta], lr=0.05)
    torch.manual_seed(6)
    for _ in range(100):
        x, y = torch.randn(8, 12).double(), torch.randint(5, (8,))
        losses = []
        for answer in (model, plain):
            loss = nn.functional.cross_entropy(answer(x), y)
            loss.backward()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-10)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            G = torch.cat([p.grad.flatten() for p in plain.parameters()])
            steps = (P @ (P.T @ G)).split([p.numel() for p in plain.parameters()])
            for p, step in zip(plain.parameters(), steps, strict=True):
                p -= 0.05 * step.view(p.shape)
                p.grad = None


def trained(d):
    model, _, space = adapted(d)
    optimizer = torch.optim.AdamW([space.theta], lr=0.1, weight_decay=0.0)
    torch.manual_seed(9)
    for _ in range(20):
        loss = nn.functional.cross_entropy(
            model(torch.randn(8, 12).double()), torch.randint(5, (8,))
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, space, optimizer


def test_growing_keeps_the_change_and_shrinking_again_brings_everything_back():
    model, space, optimizer = trained(24)
    before, state = flat_change(model, None), copy.deepcopy(optimizer.state[space.theta])
    theta = space.theta.detach().clone()
    assert resize_subspace(space, 96, optimizer) == 0.0
    torch.testing.assert_close(flat_change(model, None), before, rtol=0, atol=1e-15)
    assert optimizer.param_groups[0]["params"] == [space.theta]
    assert len(optimizer.state) == 1
    assert resize_subspace(space, 24, optimizer) == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(space.theta.detach(), theta, rtol=1e-12, atol=1e-14)
    for key in ("exp_avg", "exp_avg_sq"):
        torch.testing.assert_close(
            optimizer.state[space.theta][key], state[key], rtol=1e-10, atol=0
        )


def test_halving_loses_what_was_foretold_and_nothing_nearer_is_in_the_subspace():
    model, space, optimizer = trained(48)
    before, kept = flat_change(model, None), dict(space.kept())
    assert list(kept) == [24, 12, 6, 3]
    lost = resize_subspace(space, 12, optimizer)
    after = flat_change(model, None)
    assert lost == pytest.approx(1 - kept[12], abs=1e-10)
    distance = (after - before).norm()
    assert float(distance**2 / before.norm() ** 2) == pytest.approx(lost, abs=1e-10)
    theta = space.theta.detach().clone()
    for _ in range(5):
        with torch.no_grad():
            space.theta.copy_(theta + 0.01 * torch.randn(12).double())
        assert (flat_change(model, None) - before).norm() > distance


def test_its_change_looks_like_noise():
    """σ₁ on the edge of Marchenko and Pastur, stable rank as that of noise."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(96, 128))
    layers = inject(model, variant="subspace", dimension=64, seed=0)
    with torch.no_grad():
        space_of(layers.values()).theta.normal_()
    delta = layers["0"].delta_weight().detach()
    sigma, norm = torch.linalg.matrix_norm(delta, 2).item(), delta.norm().item()
    assert 0.9 < sigma / (norm * edge_of_noise((128, 96), 96)) < 1.05
    foretold = 128 * 96 / (128**0.5 + 96**0.5) ** 2
    assert (norm / sigma) ** 2 == pytest.approx(foretold, rel=0.1)


def test_merging_gives_plain_layers_with_the_moved_bias():
    model, _, space = adapted(30)
    with torch.no_grad():
        space.theta.normal_()
    x = torch.randn(3, 12).double()
    expected = model(x)
    merge_and_unload(model)
    assert not any(hasattr(m, "space") for m in model.modules())
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [0, 682])
def test_more_numbers_than_weights_and_none_are_refused_and_the_model_is_left_alone(d):
    model = net()
    with pytest.raises(AdapterError, match="from 1 to 681"):
        adapted(d, model=model)
    assert all(type(m) in (nn.Sequential, nn.Linear, nn.Tanh) for m in model.modules())


def test_the_rule_of_the_rate():
    assert rate_factor(17_226, 17_226) == 8
    assert rate_factor(10_000, 100) == pytest.approx(80)


def test_a_merged_layer_is_made_whether_or_not_it_answers_merged_and_is_switched_on():
    model, layers, space = adapted(30)
    with torch.no_grad():
        space.theta.normal_()
    x = torch.randn(3, 12).double()
    expected = model(x)
    merge(model)
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12)
    for layer in layers.values():
        layer.enabled = False
    merge_and_unload(model)
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-12)


def test_the_fingerprint_of_what_is_drawn_is_that_of_drawing_it_anew():
    _, _, space = adapted(30)
    assert space.fingerprint() == digest(space.projection.codes())
    assert space.fingerprint(60) == adapted(60)[2].fingerprint() != space.fingerprint()


class Tied(nn.Module):
    """An embedding whose weight is that of the head as well."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words, self.mid = nn.Embedding(7, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x):
        return self.head(self.mid(self.words(x)).tanh())


def test_a_tied_weight_counts_once_and_moves_as_one():
    model = Tied().double()
    layers = inject(model, variant="subspace", dimension=5, targets=("words", "mid", "head"))
    space = space_of(layers.values())
    assert space.total == 7 * 4 + 4 * 4 + 4
    space.theta.data.normal_(generator=torch.Generator().manual_seed(1))
    assert torch.equal(layers["words"].weight, layers["head"].weight)
    moved = [layers["words"].delta_weight(), layers["mid"].delta_weight()]
    bias = layers["mid"].bias - layers["mid"].base_bias
    squares = sum(t.square().sum() for t in (*moved, bias))
    torch.testing.assert_close(squares, space.theta.square().sum())
    x = torch.tensor([[1, 2, 6]])
    model(x).square().sum().backward()
    found = space.theta.grad.clone()
    W, V = layers["words"].weight.detach(), layers["mid"].weight.detach()
    b = layers["mid"].bias.detach()
    W, V, b = (t.requires_grad_() for t in (W, V, b))
    linear = nn.functional.linear
    linear(linear(W[x], V, b).tanh(), W).square().sum().backward()
    wanted = torch.zeros_like(found)
    for number in range(5):
        one = torch.zeros_like(space.theta)
        one[number] = 1
        space.theta.data.copy_(one)
        parts = (layers["words"].delta_weight().t(), layers["mid"].delta_weight(),
                 layers["mid"].bias - layers["mid"].base_bias)  # fmt: skip
        wanted[number] = sum((g * p).sum() for g, p in zip((W.grad, V.grad, b.grad), parts))  # noqa: B905
    torch.testing.assert_close(found, wanted)
    assert space.fingerprint() == space.fingerprint(5)
