"""Live edits: ΔW survives a change of rank and α, and the optimizer's moments follow."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.lora import LoRALayer
from lora_lab.adapters.resize import principal_maps, rescale, resize


def trained(dtype=torch.float64, rank=4, steps=30, alpha=8.0):
    """A layer in mid-run with its optimizer, and a function that makes one more step."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 14)).to(dtype)
    layer: LoRALayer = inject(model, rank=rank, alpha=alpha)["0"]
    optimizer = torch.optim.AdamW([layer.lora_A, layer.lora_B], lr=0.01, weight_decay=0.0)
    x = torch.randn(64, 10, dtype=dtype)
    y = torch.randn(64, 14, dtype=dtype)

    def step() -> float:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(steps):
        step()
    return layer, optimizer, step, x


def generator():
    return torch.Generator().manual_seed(7)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)], ids=str
)
def test_growing_keeps_delta_weight_and_the_new_directions_learn(dtype, tolerance):
    layer, optimizer, step, x = trained(dtype)
    before, y = layer.delta_weight().detach(), layer(x).detach()
    done = resize(layer, 7, 8.0 / 7, optimizer, generator())
    assert (done.old_rank, done.new_rank, done.added, done.discarded) == (4, 7, 3, 0.0)
    assert layer.scaling == 8.0 / 7
    scale = before.abs().max()
    assert (layer.delta_weight() - before).abs().max() <= tolerance * scale
    assert (layer(x) - y).abs().max() <= tolerance * y.abs().max()
    assert not layer.lora_B[:, 4:].any()
    step()
    assert (layer.lora_B[:, 4:] != 0).all()


def test_padding_with_zeros_on_both_sides_would_never_learn():
    """The control that the fresh random rows of A are there for."""
    layer, optimizer, step, _ = trained()
    resize(layer, 6, 8.0 / 6, optimizer, generator())
    with torch.no_grad():
        layer.lora_A[4:] = 0
    for _ in range(10):
        step()
    assert not layer.lora_B[:, 4:].any()
    assert not layer.lora_A[4:].any()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str
)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_shrinking_is_the_best_approximation(dtype, tolerance, rank):
    layer, optimizer, _, _ = trained(dtype)
    before = layer.delta_weight().detach().double()
    A, B, s = layer.lora_A.detach().double(), layer.lora_B.detach().double(), layer.scaling
    sigma = torch.linalg.svdvals(before)
    tail = sigma[rank:].square().sum().sqrt()
    done = resize(layer, rank, 8.0 / rank, optimizer, generator())
    error = (layer.delta_weight().detach().double() - before).norm()
    assert abs(error - tail) <= tolerance * sigma[0]
    assert done.discarded == pytest.approx(float(tail**2 / before.norm() ** 2), rel=1e-4)
    dropped_rows = (s * B[:, :rank] @ A[:rank] - before).norm()
    C, D = torch.randn(14, rank).double(), torch.randn(rank, 10).double()
    fit = C @ torch.linalg.lstsq(C, before).solution
    assert error <= min(dropped_rows, (fit - before).norm(), (C @ D - before).norm()) + tolerance
    torch.testing.assert_close(  # balanced: AAᵀ = BᵀB up to the scaling that B carries
        layer.lora_A @ layer.lora_A.T * (s / layer.scaling),
        layer.lora_B.T @ layer.lora_B * (layer.scaling / s),
        rtol=1e-3,
        atol=1e-6,
    )  # fmt: skip


def test_the_moments_map_like_the_gradients():
    """g_B' = g_B·Nᵀ/c and g_A' = Mᵀ·g_A: the state after a cut is the gradient after it."""
    layer, optimizer, _, _ = trained()
    G = torch.randn(14, 10, dtype=torch.float64)
    A, B, s = layer.lora_A.detach(), layer.lora_B.detach(), layer.scaling
    optimizer.state[layer.lora_A]["exp_avg"] = s * B.T @ G
    optimizer.state[layer.lora_B]["exp_avg"] = s * G @ A.T
    resize(layer, 3, 8.0 / 3, optimizer, generator())
    A2, B2, s2 = layer.lora_A, layer.lora_B, layer.scaling
    # A cut loses part of ΔW but not of the gradients of what is kept.
    for p, gradient in ((A2, s2 * B2.T @ G), (B2, s2 * G @ A2.T)):
        found = optimizer.state[p]["exp_avg"]
        torch.testing.assert_close(found, gradient.detach(), rtol=1e-10, atol=1e-10)


def test_the_mapped_moments_arrive_in_the_optimizer():
    layer, optimizer, _, _ = trained()
    A, B = layer.lora_A, layer.lora_B
    _, N, _ = principal_maps(layer, 3)
    state = {k: v.clone() for k, v in optimizer.state[B].items()}
    c = 3 / 4  # s/s' = r'/r at one α
    resize(layer, 3, 8.0 / 3, optimizer, generator())
    mapped = optimizer.state[layer.lora_B]
    torch.testing.assert_close(mapped["exp_avg"], state["exp_avg"] @ N.T / c)
    norms = A.detach().square().sum(1)
    u = state["exp_avg_sq"] @ norms / norms.square().sum()
    expected = torch.outer(u, (N @ A.detach()).square().sum(1)) / c**2
    torch.testing.assert_close(mapped["exp_avg_sq"], expected)
    assert mapped["step"] == state["step"]
    assert A not in optimizer.state
    assert B not in optimizer.state
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert held[0] is layer.lora_A
    assert held[1] is layer.lora_B


def test_growing_keeps_the_moments_of_the_old_directions():
    layer, optimizer, _, _ = trained()
    old = {
        p: {k: v.clone() for k, v in optimizer.state[p].items()}
        for p in (layer.lora_A, layer.lora_B)
    }
    (A, B), c = old, 6 / 4
    resize(layer, 6, 8.0 / 6, optimizer, generator())
    new_A, new_B = optimizer.state[layer.lora_A], optimizer.state[layer.lora_B]
    torch.testing.assert_close(new_A["exp_avg_sq"][:4], old[A]["exp_avg_sq"])
    torch.testing.assert_close(new_B["exp_avg_sq"][:, :4], old[B]["exp_avg_sq"] / c**2)
    torch.testing.assert_close(new_B["exp_avg"][:, :4], old[B]["exp_avg"] / c)
    assert not new_A["exp_avg"][4:].any()
    assert (new_A["exp_avg_sq"][4:] > 0).all()
    assert (new_B["exp_avg_sq"][:, 4:] > 0).all()


def test_the_estimated_second_moments_are_those_of_the_new_gradients():
    """For a random G the mean square of the mapped gradients is what the mapped v says."""
    layer, optimizer, _, _ = trained()
    A, B, s = layer.lora_A, layer.lora_B, layer.scaling
    scale = torch.rand(14, 10, generator=generator(), dtype=torch.float64) ** 2
    draws = torch.randn(4000, 14, 10, generator=generator(), dtype=torch.float64) * scale
    for p, g in ((A, s * B.detach().T @ draws), (B, s * draws @ A.detach().T)):
        optimizer.state[p]["exp_avg_sq"] = g.square().mean(0)
    resize(layer, 2, 8.0 / 2, optimizer, generator())
    A2, B2, s2 = layer.lora_A.detach(), layer.lora_B.detach(), layer.scaling
    for p, g in ((layer.lora_A, s2 * B2.T @ draws), (layer.lora_B, s2 * draws @ A2.T)):
        ratio = optimizer.state[p]["exp_avg_sq"] / g.square().mean(0)
        assert 0.5 < float(ratio.median()) < 2
        assert float(ratio.max()) < 10


def test_many_changes_of_rank_do_not_inflate_the_moments():
    layer, optimizer, step, _ = trained(torch.float32)
    rng, largest = torch.Generator().manual_seed(5), []
    for _ in range(300):
        rank = int(torch.randint(1, 11, (), generator=rng))
        resize(layer, rank, 8.0 / rank, optimizer, rng)
        step()
        states = [optimizer.state[p] for p in (layer.lora_A, layer.lora_B)]
        largest.append(max(float(state["exp_avg_sq"].max()) for state in states))
        assert all(float(state["exp_avg_sq"].min()) >= 0 for state in states)
    assert max(largest[150:]) <= 10 * max(largest[:150])


def test_factors_that_are_not_finite_are_refused_by_name():
    layer, optimizer, _, _ = trained()
    with torch.no_grad():
        layer.lora_A[0, 0] = float("nan")
    with pytest.raises(Exception, match="Layer 0: its factors are not finite"):
        resize(layer, 2, 8.0 / 2, optimizer, generator())
    assert layer.rank == 4


def test_a_cut_without_a_tail_does_not_move_the_loss():
    layer, optimizer, step, _ = trained(rank=2, alpha=4.0)
    resize(layer, 5, 4.0 / 5, optimizer, generator())
    before = step()  # the loss before this step's update; B's fresh columns move now
    layer, optimizer, step, _ = trained(rank=2, alpha=4.0)
    resize(layer, 5, 4.0 / 5, optimizer, generator())
    resize(layer, 2, 4.0 / 2, optimizer, generator())
    assert step() == pytest.approx(before, rel=1e-10)


def test_shrinking_before_the_first_step_leaves_an_adapter_that_can_learn():
    """ΔW = 0 has no directions to keep; zero beside zero would never move."""
    layer, optimizer, step, _ = trained(steps=0)
    done = resize(layer, 2, 8.0 / 2, optimizer, generator())
    assert (done.added, done.discarded) == (2, 0.0)
    assert layer.lora_A.any()
    step()
    assert layer.lora_B.all()


def test_rank_is_capped_by_the_shape():
    layer, optimizer, _, _ = trained()
    before = layer.delta_weight().detach()
    done = resize(layer, 64, 8.0 / 64, optimizer, generator())
    assert done.new_rank == 10
    assert layer.scaling == 8.0 / 64
    torch.testing.assert_close(layer.delta_weight(), before)


def test_scale_the_effect_is_linear_and_exact_to_undo():
    layer, optimizer, _, _ = trained()
    before = layer.delta_weight().detach()
    rescale(layer, layer.scaling * 4, False, optimizer)
    assert torch.equal(layer.delta_weight(), before * 4)
    rescale(layer, layer.scaling / 4, False, optimizer)
    assert torch.equal(layer.delta_weight(), before)


def test_keep_the_function_is_a_learning_rate_of_B():
    """With lr_B and ε_B scaled by c as well, the next losses are those of the unedited run."""
    c = 0.25  # α/α'
    losses = []
    for edited in (False, True):
        layer, _, _, x = trained(steps=0)
        y = torch.randn(64, 14, dtype=torch.float64, generator=generator())
        groups = [{"params": [layer.lora_A]}, {"params": [layer.lora_B]}]
        optimizer = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.0)
        seen = []
        for i in range(130):
            if edited and i == 30:
                before = layer.delta_weight().detach()
                rescale(layer, layer.scaling / c, True, optimizer)
                torch.testing.assert_close(layer.delta_weight(), before, rtol=1e-14, atol=0)
                optimizer.param_groups[1]["lr"] *= c
                optimizer.param_groups[1]["eps"] *= 1 / c
            optimizer.zero_grad()
            loss = (layer(x) - y).square().mean()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        losses.append(seen)
    plain, kept = losses
    # g_B is divided by c, so ε is as well; the trajectories are then the same.
    assert max(abs(a - b) for a, b in zip(plain, kept, strict=True)) <= 1e-12
