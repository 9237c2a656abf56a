"""What every variant must hold: no-op at the start, one ΔW, a bit-exact switch, an exact merge."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.adapters import INITS, VARIANTS
from lora_lab.adapters.inject import adapter_layers, inject
from lora_lab.errors import AdapterError
from tests.anywhere import ANYWHERE

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def net(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 7, bias=False)).to(dtype)


def adapted(variant: str, dtype: torch.dtype, **settings) -> tuple[nn.Module, nn.Module]:
    base = net(dtype)
    model = copy.deepcopy(base)
    inject(model, variant=variant, rank=3, alpha=6.0, **settings)
    return base, model


def train_a_little(model: nn.Module, dtype: torch.dtype, steps: int = 5) -> None:
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(16, 12, generator=generator, dtype=dtype)
        optimizer.zero_grad()
        (model(x) - 1).square().mean().backward()
        optimizer.step()


each_variant = pytest.mark.parametrize("variant", VARIANTS)
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)


@pytest.mark.parametrize("init", ANYWHERE)
def test_every_init_starts_from_zero(init):
    base, model = adapted("lora", torch.float32, init=init)
    x = torch.randn(4, 12)
    assert all(not layer.delta_weight().any() for layer in adapter_layers(model).values())
    if INITS[init].principal is None:
        assert torch.equal(model(x), base(x))
    else:  # a part of W leaves and comes back
        torch.testing.assert_close(model(x), base(x), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("init", ANYWHERE)
def test_every_init_is_drawn_from_its_seed(init):
    first, second, other = (
        inject(net(), rank=3, init=init, seed=seed)["0"].lora_A for seed in (1, 1, 2)
    )
    assert torch.equal(first, second)
    assert INITS[init].principal is not None or not torch.equal(first, other)


@pytest.mark.parametrize(
    ("init", "std"), [("kaiming", 1 / 300**0.5), ("gaussian", 1 / 8), ("normal", 1.0),
                      ("orthogonal", 1 / 10)]
)  # fmt: skip
def test_the_width_of_every_law(init, std):
    A = INITS[init].rows(8, 100, 8, torch.Generator().manual_seed(0))
    assert A.std().item() == pytest.approx(std, rel=0.08)
    if init == "orthogonal":
        torch.testing.assert_close(A @ A.T, torch.eye(8), rtol=0, atol=1e-6)


def test_rslora_scales_by_the_root_of_the_rank():
    for rank in (1, 4, 7):
        plain, stable = (
            inject(net(), variant=v, rank=rank, alpha=6.0)["0"] for v in ("lora", "rslora")
        )
        assert plain.scaling == 6.0 / rank
        assert stable.scaling == pytest.approx(plain.scaling * rank**0.5, rel=1e-15)
        assert stable.alpha == pytest.approx(6.0)


def test_four_knobs_are_two():
    """α → α/(pq), A → p·A, η_A → p·η_A, η_B → q·η_B leaves Adam's course as it was (with ε_A/p
    and ε_B/q in place of ε → 0): Schulman et al. 2025, "LoRA Without Regret"."""
    x = torch.randn(64, 12, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    courses = []
    for p, q in ((1.0, 1.0), (3.0, 0.25)):
        model = net(torch.float64)
        layers = inject(model, rank=3, alpha=6.0 / (p * q)).values()
        groups = [
            {"params": [a.lora_A for a in layers], "lr": 0.01 * p, "eps": 1e-6 / p},
            {"params": [a.lora_B for a in layers], "lr": 0.01 * q, "eps": 1e-6 / q},
        ]
        with torch.no_grad():
            for layer in layers:
                layer.lora_A.mul_(p)
        optimizer = torch.optim.Adam(groups)
        losses = []
        for _ in range(200):
            optimizer.zero_grad()
            loss = (model(x) - 1).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        courses.append(losses)
    assert courses[0][-1] < 0.5 * courses[0][0]
    assert courses[1] == pytest.approx(courses[0], rel=1e-10)


@each_variant
def test_only_the_adapter_is_trained(variant):
    base, model = adapted(variant, torch.float32)
    train_a_little(model, torch.float32)
    for name, layer in adapter_layers(model).items():
        assert torch.equal(layer.base_layer.weight, base.get_submodule(name).weight)


def test_the_tutorial_identity():
    """W + (B·A)·α/r, and the frozen W itself when it is not enabled."""
    _, model = adapted("lora", torch.float32, init="normal")
    train_a_little(model, torch.float32)
    layer = model[0]
    W, A, B = layer.base_layer.weight, layer.lora_A, layer.lora_B
    assert torch.equal(layer.weight, W + (B @ A) * (6.0 / 3))
    layer.enabled = False
    assert torch.equal(layer.weight, W)


def test_gradients_are_those_of_the_plain_weight():
    """∇B = s·G·Aᵀ and ∇A = s·Bᵀ·G with G = ∂L/∂W; the gauge identity Bᵀ∇B = ∇A·Aᵀ follows."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 9)).double()
    inject(model, rank=3, alpha=6.0)
    layer = model[0]
    with torch.no_grad():
        layer.lora_B.normal_()
    x = torch.randn(16, 12, dtype=torch.float64)
    model(x).pow(3).sum().backward()
    W = layer.weight.detach().requires_grad_()
    F.linear(x, W, layer.base_layer.bias).pow(3).sum().backward()
    G, s, A, B = W.grad, layer.scaling, layer.lora_A, layer.lora_B
    torch.testing.assert_close(B.grad, s * G @ A.T, rtol=1e-12, atol=1e-9)
    torch.testing.assert_close(A.grad, s * B.T @ G, rtol=1e-12, atol=1e-9)
    torch.testing.assert_close(B.T @ B.grad, A.grad @ A.T, rtol=1e-11, atol=1e-9)


def test_first_adam_step_moves_only_B_and_by_the_rate_at_most():
    model = net()
    inject(model, rank=4, alpha=4.0)
    layer, lr, eps = model[0], 0.01, 1e-8
    A, parameters = layer.lora_A.detach().clone(), [layer.lora_A, layer.lora_B]
    optimizer = torch.optim.AdamW(parameters, lr=lr, eps=eps, weight_decay=0.0, fused=True)
    model(torch.randn(16, 12)).square().sum().backward()
    g = layer.lora_B.grad.clone()
    optimizer.step()
    B = layer.lora_B.detach()
    assert torch.equal(layer.lora_A, A)
    assert B.abs().max() <= lr * (1 + 1e-5)
    torch.testing.assert_close(B, -lr * g / (g.abs() + eps), rtol=1e-4, atol=1e-9)


def test_dropout_acts_in_training_only():
    _, model = adapted("lora", torch.float32)
    train_a_little(model, torch.float32)
    x = torch.randn(64, 12)
    plain = model(x)
    for layer in adapter_layers(model).values():
        layer.dropout = 0.5
    assert not torch.equal(model(x), plain)
    model.eval()
    assert torch.equal(model(x), plain)


def test_half_precision_bases_keep_float32_factors():
    model = net(torch.bfloat16)
    layers = inject(model, rank=3, alpha=6.0)
    assert {layer.lora_A.dtype for layer in layers.values()} == {torch.float32}
    y = model(torch.randn(4, 12, dtype=torch.bfloat16))
    assert y.dtype == torch.bfloat16
    y.sum().backward()
    assert layers["0"].lora_B.grad is not None


def test_a_capped_layer_keeps_the_common_scaling():
    layers = inject(net(), rank=10, alpha=20.0)
    assert (layers["0"].rank, layers["2"].rank) == (10, 7)
    assert layers["0"].scaling == layers["2"].scaling == 2.0
    assert layers["2"].alpha == 14.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 0}, "at least 1"),
        ({"rank": -3}, "at least 1"),
        ({"rank": 13}, "Rank 13 is above what any layer can use: the largest, 0, is 20 × 12"),
        ({"alpha": 0.0}, "positive"),
        ({"alpha": -1.0}, "positive"),
        ({"alpha": float("nan")}, "positive"),
        ({"targets": ("3",)}, "No layer is called '3'"),
        ({"targets": ("1",)}, "is a ReLU"),
        ({"variant": "lorra"}, "No variant"),
        ({"init": "zeros"}, "No init"),
    ],
)
def test_bad_settings_are_named(settings, words):
    model = net()
    with pytest.raises(AdapterError, match=words):
        inject(model, **settings)
    assert not adapter_layers(model), "a refused injection leaves the model as it was"


def test_injecting_twice_is_refused():
    model = net()
    inject(model)
    with pytest.raises(AdapterError, match="already"):
        inject(model)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool])
def test_a_quantized_weight_is_refused_by_name(dtype):
    model = net()
    model[2].weight = nn.Parameter(torch.ones(7, 20, dtype=dtype), requires_grad=False)
    with pytest.raises(AdapterError, match="Layer 2 holds quantized numbers"):
        inject(model)
