"""The optimizers and their groups, the learning rate's course, and the start of directions."""

import pytest
import torch
from torch import nn

from lora_lab.adapters import VARIANTS
from lora_lab.adapters.inject import inject
from lora_lab.adapters.resize import resize
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.rules import schedule_factor
from lora_lab.training.adam import FusedAdamW
from lora_lab.training.optim import Ramp, build_optimizer, optimizer_notes
from tests.training.driven_run import DrivenRun, digits


def config(**settings) -> RunConfig:
    return RunConfig(task="known_rank", **settings)


def layers(variant: str = "lora", **settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4)).double()
    return list(inject(model, variant=variant, rank=2, **settings).values())


GROUPS = [
    ("lora", 1.0, [(1.0, True)]),
    ("rslora", 16.0, [(1.0, True), (16.0, True)]),
    ("dora", 1.0, [(1.0, True), (1.0, False)]),
    ("dora", 16.0, [(1.0, True), (16.0, True), (1.0, False)]),
    ("full", 1.0, [(1.0, True), (1.0, False)]),
    ("full", 16.0, [(1.0, True), (1.0, False)]),
]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize(("variant", "ratio", "expected"), GROUPS)
def test_what_is_trained_alike_is_one_group(variant, ratio, expected, optimizer):
    adapted = layers(variant)
    settings = config(variant=variant, b_rate_ratio=ratio, optimizer=optimizer)
    groups = build_optimizer(
        adapted, settings, Hyperparameters(learning_rate=0.5, weight_decay=0.25)
    ).param_groups
    assert [(group["rate"], group["decays"]) for group in groups] == expected
    assert [group["lr"] for group in groups] == [0.5 * rate for rate, _ in expected]
    assert [group["weight_decay"] for group in groups] == [0.25 * d for _, d in expected]
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for layer in adapted for p in layer.adapter_parameters())
    for group in groups:
        labels = {
            label for layer in adapted for label, p in layer.named_parameters(recurse=False)
            if any(p is one for one in group["params"])
        }  # fmt: skip
        if group["rate"] != 1:
            assert labels == {"lora_B"}
        if not group["decays"]:
            assert labels in ({"magnitude"}, {"tuned_bias"})


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("rules", "left_alone"), [(2, {"magnitude", "tuned_bias"}), (1, {"magnitude"})]
)
def test_decay_pulls_matrices_and_no_bias_or_magnitude(variant, optimizer, rules, left_alone):
    """By the first rules, those of older runs, biases decay as well."""
    adapted = layers(variant, init="pissa" if variant != "full" else "kaiming")
    hyper = Hyperparameters(learning_rate=0.5, weight_decay=0.25)
    settings = config(optimizer=optimizer, momentum=0.9, rules=rules)
    made = build_optimizer(adapted, settings, hyper)
    before = {}
    for layer in adapted:
        for label, p in layer.named_parameters(recurse=False):
            before[p], p.grad = (label, p.detach().clone()), torch.zeros_like(p)
    made.step()
    for p, (label, old) in before.items():
        factor = 1 if label in left_alone else 1 - 0.5 * 0.25
        torch.testing.assert_close(p.detach(), factor * old, rtol=1e-15, atol=0)


@pytest.mark.parametrize(
    ("variant", "optimizer", "moved"),
    [
        ("lora", "muon", {"lora_A", "lora_B"}),
        ("dora", "muon", {"lora_A", "lora_B"}),
        ("dora", "muon_b", {"lora_B"}),
        ("full", "muon", {"tuned_weight"}),
        ("full", "muon_b", set()),
    ],
)
def test_muon_moves_matrices_and_adam_the_rest(variant, optimizer, moved):
    adapted = layers(variant)
    made = build_optimizer(adapted, config(variant=variant, optimizer=optimizer), Hyperparameters())
    of_muon = {id(p) for g in made.param_groups if g["orthogonal"] for p in g["params"]}
    named = [(label, p) for layer in adapted for label, p in layer.named_parameters(recurse=False)]
    assert {label for label, p in named if id(p) in of_muon} == moved
    for _, p in named:
        p.grad = torch.ones_like(p)
    made.step()
    for label, p in named:
        kept = {"momentum_buffer"} if label in moved else {"exp_avg", "exp_avg_sq", "step"}
        assert set(made.state[p]) == kept
    words = optimizer_notes(made, config(variant=variant, optimizer=optimizer))
    assert bool(words) is not bool(moved)


def test_muon_leaves_embeddings_and_heads_beside_the_adapters_to_adam():
    model = nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 5), nn.Linear(5, 4))
    full = list(inject(model, variant="full", rank=2).values())
    named = {layer.name: layer for layer in full}
    made = build_optimizer(full, config(variant="full", optimizer="muon", whole=("2",)),
                           Hyperparameters())  # fmt: skip
    of_muon = {id(p) for g in made.param_groups if g["orthogonal"] for p in g["params"]}
    assert of_muon == {id(named["1"].tuned_weight)}
    made = build_optimizer(full, config(optimizer="muon"), Hyperparameters())  # beside adapters
    assert not any(group["orthogonal"] for group in made.param_groups)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_the_textbook_one(momentum):
    """m ← μ·m + g, p ← p − η·λ·p − η·m: the decay never enters m."""
    adapted = layers()
    hyper = Hyperparameters(learning_rate=0.5, weight_decay=0.25)
    settings = config(optimizer="sgd", momentum=momentum, b_rate_ratio=2.0)
    made = build_optimizer(adapted, settings, hyper)
    p, rate = adapted[0].lora_B, 2 * 0.5
    generator = torch.Generator().manual_seed(0)
    expected, m = p.detach().clone(), torch.zeros_like(p)
    for _ in range(4):
        p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)
        m = momentum * m + p.grad
        expected = expected - rate * 0.25 * expected - rate * m
        made.step()
        torch.testing.assert_close(p.detach(), expected, rtol=1e-13, atol=1e-15)
    assert {group["weight_decay"] for group in made.param_groups} == {0.25}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("variant", ["lora", "rslora", "dora"])
def test_b_moves_as_many_times_as_far_in_the_first_step(variant, optimizer):
    moved = {}
    for ratio in (1.0, 16.0):
        settings = {"variant": variant, "optimizer": optimizer, "b_rate_ratio": ratio}
        run = DrivenRun(digits(init="pissa", **settings))  # neither factor starts at zero
        before = run.tensors("fc1")
        run.steps(1)
        moved[ratio] = {label: p - before[label] for label, p in run.tensors("fc1").items()}
    for label, step in moved[1.0].items():
        factor = 16.0 if label == "lora_B" else 1.0
        assert step.any()
        torch.testing.assert_close(moved[16.0][label], factor * step, rtol=1e-6, atol=1e-13)


def test_every_group_follows_the_course_of_the_rate():
    run = DrivenRun(digits(max_steps=10, schedule="linear", warmup_steps=2, b_rate_ratio=8.0))
    for step in range(6):
        run.steps(1)
        factor = [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8][step]
        rates = [group["lr"] for group in run.experiment.optimizer.param_groups]
        assert rates == pytest.approx([1e-3 * factor, 8e-3 * factor])


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1]),
        ("linear", [1, 0.5, 0.01]),
        ("cosine", [1, 0.5, 0.000247]),
    ],
)
def test_schedules(schedule, expected):
    course = config(schedule=schedule)
    found = [schedule_factor(course, step, 100) for step in (0, 50, 99)]
    assert found == pytest.approx(expected, abs=1e-4)


def test_warm_up_rises_to_the_peak_and_the_course_begins_there():
    course = config(schedule="linear", warmup_steps=4)
    found = [schedule_factor(course, step, 104) for step in (0, 1, 2, 3, 4, 54)]
    assert found == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.5])


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, [1]),
        (2, [1, 1]),
        (4, [0.5, 1, 1, 0.5]),
        (5, [0.5, 1, 1, 2 / 3, 1 / 3]),
        (19, [step / 9 for step in range(1, 10)] + [1 - step / 10 for step in range(10)]),
    ],
)
def test_warm_up_takes_half_of_a_short_run_at_most(length, expected):
    course = config(schedule="linear", warmup_steps=10)
    found = [schedule_factor(course, step, length) for step in range(length)]
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_a_run_of_twice_its_warm_up_is_as_it_was_by_the_old_rules(schedule):
    """An older run that is resumed keeps them, and with them its rates where it is shorter."""
    now, old = (config(schedule=schedule, warmup_steps=10, rules=rules) for rules in (2, 1))
    for length in (20, 21, 1000):
        for step in range(length):
            assert schedule_factor(now, step, length) == schedule_factor(old, step, length)
    assert [schedule_factor(old, step, 4) for step in range(4)] == [0.1, 0.2, 0.3, 0.4]


def test_fresh_directions_start_slowly_and_end_at_full_speed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5)).double()
    layer = inject(model, rank=2, alpha=4.0)["0"]
    optimizer = build_optimizer([layer], config(), Hyperparameters())
    x, y = torch.randn(32, 6).double(), torch.randn(32, 5).double()

    def step():
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()

    for _ in range(100):
        step()
    resize(layer, 4, 4.0, optimizer, torch.Generator().manual_seed(1))
    ramp, moved, alive = Ramp(layer, 2, 4, steps=10), [], True
    while alive:
        before = layer.lora_B.detach()[:, 2:].clone()
        ramp.before_step()
        step()
        alive = ramp.after_step()
        moved.append(float((layer.lora_B.detach()[:, 2:] - before).abs().max()))
    assert len(moved) == 10
    # The very first step is a tenth of the rate, where Adam alone would make a full one or more.
    assert 0 < moved[0] <= 0.1 * 1e-3 * 3.2
    assert moved[-1] > 3 * moved[0]


def test_our_adamw_is_that_of_torch_to_the_bit():
    """Over groups of other rates and decays, with a parameter that rests in between."""

    def run(kind, **settings):
        torch.manual_seed(0)
        ps = [torch.nn.Parameter(torch.randn(5, 3)) for _ in range(4)]
        groups = [{"params": ps[:3], "weight_decay": 0.1}, {"params": ps[3:], "lr": 0.3}]
        optimizer = kind(groups, lr=0.01, betas=(0.8, 0.95), eps=1e-6, **settings)
        for step in range(20):
            for i, p in enumerate(ps):
                p.grad = None if (step + i) % 4 == 0 else torch.randn(5, 3)
            optimizer.step()
        return ps, optimizer

    (ours, mine), (theirs, torchs) = run(FusedAdamW), run(torch.optim.AdamW, fused=True)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    for a, b in zip(ours, theirs, strict=True):
        assert mine.state[a].keys() == torchs.state[b].keys()
        assert all(torch.equal(mine.state[a][key], torchs.state[b][key]) for key in mine.state[a])
    mine.load_state_dict(torchs.state_dict())
