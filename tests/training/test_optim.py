"""The course of the learning rate and the slow start of fresh directions."""

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.resize import resize
from lora_lab.config import Hyperparameters, RunConfig
from lora_lab.training.optim import Ramp, build_optimizer, schedule_factor


def config(**settings) -> RunConfig:
    return RunConfig(task="known_rank", **settings)


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


def test_fresh_directions_start_slowly_and_end_at_full_speed():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5)).double()
    layer = inject(model, rank=2, alpha=4.0)["0"]
    optimizer = build_optimizer([layer.lora_A, layer.lora_B], config(), Hyperparameters())
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
