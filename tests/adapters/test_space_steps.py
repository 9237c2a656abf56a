"""Steps in a random subspace: at d = D those of full training, Adam's first, what one holds."""

import copy
import time

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lora_lab.adapters.at_once import Fastfood
from lora_lab.adapters.inject import inject
from lora_lab.adapters.projection import HashProjection, down, folded, table, up
from lora_lab.adapters.space import space_of
from lora_lab.presets import get_preset
from lora_lab.tasks.digits import DigitsTask

STEPS = 300


@pytest.fixture(scope="module")
def digits():
    """The shipped net, its images and labels."""
    task = DigitsTask.open(get_preset("digits").config)
    return task.base_model(), task.images.float(), task.labels


def test_with_a_number_per_weight_it_is_full_training_of_the_digits_to_the_bit(digits):
    """All losses and weights of 300 steps of Adam; full training moves W + Δ by its Δ."""
    net, images, labels = digits
    model = copy.deepcopy(net)
    space = space_of(inject(model, variant="subspace", dimension=17_226, seed=4).values())
    moved = [torch.zeros_like(p, requires_grad=True) for p in net.parameters()]
    names = [name for name, _ in net.named_parameters()]

    def weights():
        rows = zip(names, net.parameters(), moved, strict=True)
        return {name: W.detach() + change for name, W, change in rows}

    both = (
        (lambda x: model(x), torch.optim.Adam([space.theta], lr=1e-3)),
        (lambda x: torch.func.functional_call(net, weights(), (x,)),
         torch.optim.Adam(moved, lr=1e-3)),
    )  # fmt: skip
    draw = torch.Generator().manual_seed(0)
    for _ in range(STEPS):
        rows = torch.randint(len(labels), (32,), generator=draw)
        losses = []
        for answer, optimizer in both:
            loss = nn.functional.cross_entropy(answer(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == losses[1]
    for name, full in weights().items():
        layer, label = name.rsplit(".", 1)
        assert torch.equal(getattr(model.get_submodule(layer), label), full), name


def test_the_first_step_of_adam_is_a_rate_each_and_alike_within_a_group(digits):
    """|Δθ| = lr·|g|/(|g| + ε) ≤ lr, and each weight of a number moves by as much."""
    net, images, labels = digits
    model = copy.deepcopy(net).double()
    layers = inject(model, variant="subspace", dimension=50, seed=1)
    space = space_of(layers.values())
    optimizer = torch.optim.Adam([space.theta], lr=0.1, eps=1e-3)
    nn.functional.cross_entropy(model(images[:64].double()), labels[:64]).backward()
    optimizer.step()
    g, theta = space.theta.grad.abs(), space.theta.detach()
    torch.testing.assert_close(theta.abs(), 0.1 * g / (g + 1e-3), rtol=1e-12, atol=0)
    assert float(theta.abs().max()) <= 0.1
    moved = [t for x in layers.values() for t in (x.delta_weight(), x.bias - x.base_bias)]
    moves = torch.cat([t.detach().abs().flatten() for t in moved])
    group = torch.cat(list(space.projection.codes())).long() % 50
    for k in range(50):
        mine = moves[group == k]
        torch.testing.assert_close(mine, mine[:1].expand_as(mine), rtol=1e-12, atol=0)
        assert len(mine) in (344, 345)  # of 17,226 weights
        assert mine[0] == pytest.approx(float(theta[k].abs()) / len(mine) ** 0.5, rel=1e-12)


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operation makes."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for t in made if isinstance(made, list | tuple) else (made,):
            if isinstance(t, torch.Tensor):
                self.bytes = max(self.bytes, t.numel() * t.element_size())
        return made


def test_a_step_makes_nothing_larger_than_one_layer_in_float32():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 90), nn.Tanh(), nn.Linear(90, 120), nn.Tanh(),
                          nn.Linear(120, 30))  # fmt: skip
    space = space_of(inject(model, variant="subspace", dimension=64, seed=0).values())
    x = torch.randn(3, 40)
    with Largest() as made:
        model(x).square().sum().backward()
        torch.optim.Adam([space.theta], lr=0.1).step()
    assert made.bytes == 4 * 90 * 120


@pytest.mark.slow
def test_hash_takes_a_fifth_of_the_time_of_fastfood():
    """Up and down at 2.8 million weights, in CPU seconds, the best of rounds in turn."""
    D, d = 2_807_010, 1_000
    hashed, fast = HashProjection((D,), d, 0), Fastfood((D,), d, 0)
    fast.to(torch.device("cpu"), torch.float32)
    (code,), scales = hashed.codes(), hashed.scales().float()
    theta, G = torch.randn(d), torch.randn(D)

    def by_hash():
        up(table(theta, scales), code)
        sums = torch.zeros(2 * d)
        down(sums, code, G)
        folded(sums, scales)

    def by_fastfood():
        fast.up(theta)
        fast.down(G)

    took = {by_hash: [], by_fastfood: []}
    for _ in range(5):
        for work, seconds in took.items():
            began = time.process_time()
            work()
            seconds.append(time.process_time() - began)
    assert min(took[by_hash]) <= min(took[by_fastfood]) / 5, took
