"""Trials leave no trace: what a run does after one is what it does without, bit for bit."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lora_lab.errors import LabError
from lora_lab.measured import (
    RankHintRecord,
    RateFoundRecord,
    RatePointRecord,
    SpeedRecord,
)
from lora_lab.presets import get_preset
from lora_lab.records import ErrorRecord
from lora_lab.training.commands import FindRate, MeasureSpeed, SuggestRank
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.measure import trial as trial_module
from lora_lab.training.measure.rate_finder import find_rate, smoothed, suggestions
from lora_lab.training.measure.speed import measure_speed
from lora_lab.training.measure.trial import trial
from tests.training.driven_run import DrivenRun, digits

VALLEY = np.concatenate([np.full(20, 2.0), np.linspace(2, 1, 20), np.linspace(1, 9, 20)])
KINDS = {
    "dropout": {"hyper": {"dropout": 0.3}},
    "lora+, clipped": {"b_rate_ratio": 16.0, "max_grad_norm": 0.1},
    "dora, momentum": {"variant": "dora", "optimizer": "sgd", "momentum": 0.9},
    "pissa, parts": {"init": "pissa", "accumulation": 4},
    "full": {"variant": "full"},
}


def started(name):
    settings = KINDS[name]
    run = DrivenRun(digits(**settings))
    run.steps(6)
    if not dict(run.experiment.locked).get("rank"):
        run.edit(rank=6)  # ramps are under way
    run.steps(3)
    return run


@pytest.mark.parametrize("name", KINDS)
def test_the_run_goes_on_as_if_nothing_had_been_tried(name):
    expected = started(name).steps(8)
    run = started(name)
    run.controls.request(MeasureSpeed())
    run.controls.request(FindRate(12))
    run.next(SpeedRecord)
    best, batches = run.experiment.best.loss, run.experiment.batches.taken
    run.next(RateFoundRecord)
    assert run.experiment.best.loss == best
    assert run.experiment.batches.taken == batches
    assert run.steps(8) == expected


def test_what_has_no_gradient_is_put_back_too():
    run = DrivenRun(digits())
    run.experiment.model.register_module("norm", nn.BatchNorm1d(3))
    before = {key: value.clone() for key, value in run.experiment.model.state_dict().items()}
    random = torch.get_rng_state()
    with trial(run.experiment) as batches:
        next(batches)
        run.experiment.model.norm(torch.randn(5, 3))
        run.experiment.accumulation = 32
        for p in run.experiment.parameters():
            p.data.add_(1)
    assert run.experiment.accumulation == 1
    assert torch.equal(torch.get_rng_state(), random)
    for key, value in run.experiment.model.state_dict().items():
        assert torch.equal(value, before[key]), key


def test_a_search_can_be_broken_off_and_leaves_nothing():
    expected = started("dropout").steps(5)
    run = started("dropout")
    search = FindRate(400)
    run.controls.request(search)
    run.next(RatePointRecord)
    run.next(RatePointRecord)
    run.controls.cancel(search)
    assert run.steps(5) == expected
    points = [record for record in run.seen if isinstance(record, RatePointRecord)]
    assert [point.number for point in points] == [1, 2]  # looked at after each
    assert not any(isinstance(record, RateFoundRecord) for record in run.seen)
    run.controls.cancel(search)  # nothing runs; the next one is not meant
    run.controls.request(FindRate(400))
    run.next(RateFoundRecord)


def test_a_search_that_is_asked_for_with_the_stop_is_cancelled():
    run = DrivenRun(digits())
    run.steps(3)
    run.controls.stop()
    run.controls.request(FindRate(400))
    rest = run.rest()
    assert sum(isinstance(record, RatePointRecord) for record in rest) <= 1
    assert not any(isinstance(record, RateFoundRecord) for record in rest)


def test_the_search_crosses_the_decades_and_stops_where_it_diverges():
    run = DrivenRun(get_preset("known-rank").config)
    records = list(find_rate(run.experiment, 80))
    found = records[-1]
    assert isinstance(found, RateFoundRecord)
    points = [point for point in records[:-1] if math.isfinite(point.loss)]
    assert [point.number for point in points] == list(range(1, len(found.rates) + 1))
    assert [point.loss for point in points] == found.losses.tolist()
    factors = found.rates[1:] / found.rates[:-1]
    assert np.allclose(factors, 1e6 ** (1 / 79))
    assert found.diverged
    assert len(found.rates) < 80
    assert found.rates[0] < found.steepest < found.rates[int(np.argmin(found.smoothed))]
    assert 1e-3 < found.third < 0.3
    assert run.experiment.step == 0


def test_the_losses_are_those_of_a_plain_loop_at_those_rates():
    """Against a loop that is written out here, on a copy of the experiment."""
    config = digits(optimizer="sgd", hyper={"learning_rate": 1e-3})
    found = list(find_rate(Experiment.build(config), 20))[-1]
    other = Experiment.build(config)
    batches = other.task.batches(config.batch_size, config.seed + 1)
    for rate, expected in zip(found.rates, found.losses, strict=True):
        loss = other.task.loss(other.model, next(batches))
        assert loss.item() == pytest.approx(expected, rel=1e-12)
        params = other.parameters()
        for p, grad in zip(params, torch.autograd.grad(loss, params), strict=True):
            p.data.sub_(float(rate) * grad)


@pytest.mark.parametrize(
    ("curve", "named"),
    [
        (VALLEY, True),
        (np.full(60, 2.0), False),
        (np.linspace(2, 9, 60), False),
        (np.array([2.0, math.nan, math.nan]), False),
        (2 + 0.3 * np.random.default_rng(0).standard_normal(60), False),
        (VALLEY + 0.1 * np.random.default_rng(0).standard_normal(60), True),
    ],
    ids=["a valley", "flat", "rising", "broken", "noise", "a noisy valley"],
)
def test_rates_are_named_only_where_the_loss_falls(curve, named):
    rates = np.geomspace(1e-6, 1, 60)[: len(curve)]
    steepest, third = suggestions(rates, smoothed(curve), curve)
    assert math.isfinite(steepest) == math.isfinite(third) == named
    if named:
        assert rates[19] < steepest < rates[40]
        assert rates[34] < third * 3 < rates[44]


def test_smoothing_keeps_lines_and_stops_at_what_is_not_finite():
    line = np.arange(30.0)
    assert np.allclose(smoothed(line)[8:-8], line[8:-8], atol=0.01)
    broken = smoothed(np.array([1.0, 1.0, math.inf, 1.0]))
    assert broken.tolist() == [1.0, 1.0, math.inf, 1.0]


@pytest.mark.slow
def test_a_step_without_room_is_told_and_put_back(monkeypatch):
    run = DrivenRun(digits())
    run.steps(2)
    before = run.deltas()

    def refuse(model, batch):
        raise MemoryError("no room")

    monkeypatch.setattr(run.experiment.task, "loss", refuse)
    with pytest.raises(LabError, match="no room"):
        list(find_rate(run.experiment, 5))
    assert measure_speed(run.experiment).per_second == 0
    assert run.experiment.halvings == 0
    assert all(torch.equal(value, before[name]) for name, value in run.deltas().items())


def test_speed_is_that_of_the_steps_it_made(monkeypatch):
    made = []
    real = trial_module.Snapshot
    monkeypatch.setattr(trial_module, "Snapshot", lambda e: made.append(e) or real(e))
    run = DrivenRun(digits())
    found = measure_speed(run.experiment)
    assert made == [run.experiment]
    assert found.per_second > 1
    assert found.trained == sum(p.numel() for p in run.experiment.parameters())


def test_ranks_are_suggested_with_the_loss_at_the_cut():
    config = get_preset("known-rank").config
    config = config.model_copy(
        update={"hyper": config.hyper.model_copy(update={"rank": 8}), "max_steps": 400}
    )
    run = DrivenRun(config)
    run.controls.request(SuggestRank())
    refused = run.next((ErrorRecord, RankHintRecord))
    assert "ΔW is zero" in refused.message
    run.steps(400)
    before = run.deltas()
    run.controls.request(SuggestRank((0.9, 0.95, 0.999999)))
    found = run.next((ErrorRecord, RankHintRecord))
    # σ = 4, 2, 1, ½: Σσ² = 21.25, of which one direction holds 75 %, two 94 %, three 98.8 %
    assert [hint.rank for hint in found.hints] == [2, 3, 4]
    tails = [(1 + 0.25) / 48, 0.25 / 48]
    for hint, tail in zip(found.hints, tails, strict=False):
        assert hint.loss == pytest.approx(tail, rel=0.05)
    assert found.loss < 1e-3
    assert found.present == 8
    assert all(torch.equal(value, before[name]) for name, value in run.deltas().items())


@pytest.mark.parametrize("variant", ["dora", "full"])
def test_no_rank_is_suggested_where_energy_tells_nothing(variant):
    run = DrivenRun(digits(variant=variant))
    run.steps(2)
    run.controls.request(SuggestRank())
    assert "plain factors only" in run.next(ErrorRecord).message


def test_no_rate_is_named_that_ruins_what_is_held_out():
    """The digits: the loss of the nines falls at any rate, and a high one unlearns the others."""
    run = DrivenRun(get_preset("digits").config)
    *_, found = find_rate(run.experiment, 80)
    refused = found.raising
    assert all(not after <= 1.01 * before for _, before, after in refused)
    assert refused, "what the falling loss alone would have named"
    named = max(found.steepest, found.third)
    assert math.isnan(named) or named < min(rate for rate, _, _ in refused)
    if not math.isnan(named):
        before = run.experiment.held_out(True).loss
        with trial(run.experiment) as batches:
            for _ in range(300):
                run.experiment.optimizer.zero_grad(set_to_none=True)
                step_at(run.experiment, next(batches), named)
            after = run.experiment.held_out(True).loss
        assert after <= 1.01 * before


def step_at(experiment, batch, rate):
    gradients(experiment, batch)
    descend(experiment, rate, gradient_norm(experiment.optimizer))
