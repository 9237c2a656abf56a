"""Loss scaling in float16, held against torch.amp.GradScaler and the gradients of float32."""

import json
import math

import pytest
import torch

from lora_lab.errors import LabError
from lora_lab.records import NonFiniteRecord, State, StateRecord, StepRecord
from lora_lab.tasks.chunked_loss import backward_from, chunked_cross_entropy
from lora_lab.training.controls import Controls
from lora_lab.training.descent import descend, gradient_norm
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.loop import train
from lora_lab.training.loss_scale import FIRST, INTERVAL, LossScale, Standing
from lora_lab.training.measure.trial import trial
from lora_lab.training.saving.state import restore, state_of
from tests.training.driven_run import DrivenRun, digits
from tests.training.test_gradients import short_above

HALF = 1e-2  # relative, of a gradient's norm: float16 rounds by 5e-4, a few layers deep


def small(dtype, factor=1.0, **settings):
    """The digits in `dtype`, with their loss times `factor`."""
    experiment = Experiment.build(digits(dtype=dtype, batch_size=32, **settings))
    if factor != 1:
        loss = experiment.task.loss
        experiment.task.loss = lambda model, part: factor * loss(model, part).float()
    return experiment


def found(experiment):
    gradients(experiment, next(experiment.batches))
    return [p.grad.double() for p in experiment.parameters()]


def apart(own, wanted):
    far = sum((o - w).square().sum() for o, w in zip(own, wanted, strict=True))
    return float((far / sum(w.square().sum() for w in wanted)).sqrt())


@pytest.mark.parametrize("settings", [{}, {"accumulation": 3}, {"variant": "full"}])
def test_gradients_that_float16_rounds_to_0_are_those_of_float32(settings):
    wanted = found(small("float32", 1e-7, **settings))
    unscaled = small("float16", 1e-7, **settings)
    unscaled.loss_scale.active, unscaled.loss_scale.scale = False, 1.0
    assert apart(found(unscaled), wanted) > 0.5
    assert apart(found(small("float16", 1e-7, **settings)), wanted) < HALF


def test_a_vocabulary_is_not_rounded_away():
    """Its gradient is made together with the loss, and not in the backward pass."""
    torch.manual_seed(0)
    W, targets = 1 + 0.1 * torch.randn(4000, 8), torch.randint(4000, (450,))
    hidden = 0.01 * torch.randn(450, 8)  # each word has a share of 6e-7

    def slopes(dtype, scale):
        x = hidden.to(dtype, copy=True).requires_grad_()
        W_ = W.to(dtype)
        with backward_from(scale):
            loss = chunked_cross_entropy(x, targets, lambda h: h @ W_.T, 2**19)
        (scale * loss).backward()
        return [x.grad.double() / scale]

    wanted = slopes(torch.float32, 1.0)
    assert apart(slopes(torch.float32, 0.25), wanted) < 1e-6
    assert apart(slopes(torch.float16, 2.0**14), wanted) < HALF
    assert apart(slopes(torch.float16, 1.0), wanted) > 0.1


def test_the_rule_is_that_of_grad_scaler():
    ours, theirs = LossScale(True), torch.amp.GradScaler("cpu")
    p = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([p], lr=0.0)
    ours.begin_step()
    for number in range(2 * INTERVAL + 40):
        overflows = number in (0, 1, 7, 30, 2040)
        p.grad = torch.full((1,), math.inf if overflows else 0.37)
        theirs.scale(torch.ones(1))
        theirs.unscale_(optimizer)
        theirs.step(optimizer)
        theirs.update()
        own = torch.full((1,), math.inf if overflows else 0.37)
        assert ours.fits(1.0, [own]) == (not overflows)
        assert ours.scale == theirs.get_scale()
        if not overflows:
            assert torch.equal(own, p.grad)
    assert ours.scale == FIRST / 16  # halved five times, and doubled once
    assert ours.good == theirs.state_dict()["_growth_tracker"]
    assert ours.fits(1.0, [])  # every layer is frozen


def test_steps_are_those_of_grad_scaler_to_the_bit():
    own, other = small("float16"), small("float16")
    start = 2.0**14
    own.loss_scale.restore(Standing(start, 0))
    scaler = torch.amp.GradScaler("cpu", init_scale=start)
    steps = train(own, Controls(own.hyper))
    for _ in range(6):
        loss = other.task.loss(other.model, next(other.batches))
        other.optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(other.optimizer)
        descend(other, other.hyper.learning_rate, gradient_norm(other.optimizer))
        scaler.update()
        assert next(r for r in steps if isinstance(r, StepRecord)).loss == loss.item()
    assert all(map(torch.equal, own.parameters(), other.parameters()))


@pytest.mark.parametrize("settings", [{}, {"accumulation": 2}, {"hyper": {"dropout": 0.3}}])
def test_where_a_gradient_overflows_the_same_batch_is_made_again(settings):
    """With the same random draws: it is the step of a run whose scale was right from the start."""
    run = small("float16", 3.0, **settings)
    losses = [r.loss for _, r in zip(range(5), steps_of(run), strict=False)]
    scale = run.loss_scale.scale
    assert scale <= FIRST / 2
    assert run.batches.taken == run.step == 5
    right = small("float16", 3.0, **settings)
    right.loss_scale.restore(Standing(scale, 0))
    assert [r.loss for _, r in zip(range(5), steps_of(right), strict=False)] == losses
    assert right.loss_scale.standing == run.loss_scale.standing
    assert all(map(torch.equal, run.parameters(), right.parameters()))


def steps_of(experiment):
    return (r for r in train(experiment, Controls(experiment.hyper)) if isinstance(r, StepRecord))


@pytest.mark.parametrize("what", ["gradient", "loss"])
def test_what_no_scale_helps_is_not_applied_and_says_nothing_of_the_scale(what):
    experiment, ill = small("float16"), []
    loss = experiment.task.loss

    def task_loss(model, part):
        value = loss(model, part)
        if experiment.step == 3:
            ill.append(experiment.loss_scale.scale)
            return value * math.nan if what == "loss" else 1e30 * value.float()
        return value

    experiment.task.loss = task_loss
    controls, seen = Controls(experiment.hyper), []
    for record in train(experiment, controls):
        seen.append(record)
        if isinstance(record, StepRecord):
            standing, before = experiment.loss_scale.standing, [*map(torch.clone, held(experiment))]
        if isinstance(record, NonFiniteRecord):
            controls.stop()
    (fault,) = [r for r in seen if isinstance(r, NonFiniteRecord)]
    assert (fault.step, fault.what) == (4, what)
    assert ("forward" in fault.message or "not scaled" in fault.message) == (what == "gradient")
    assert "backward pass alone" in fault.message or what == "gradient"
    assert [r for r in seen if isinstance(r, StateRecord)][-1].state is State.PAUSED
    assert experiment.step == 3
    assert experiment.batches.taken == 4
    assert experiment.loss_scale.standing == standing
    if what == "gradient":
        assert ill == [standing.scale / 2**i for i in range(len(ill))]
        assert ill[-1] == 1.0
        assert all(map(torch.equal, held(experiment), before))


def held(experiment):
    return [p.detach() for p in experiment.parameters()]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_other_dtypes_have_none_to_the_bit(dtype):
    experiment = Experiment.build(digits(dtype=dtype))
    batch = next(experiment.batches)
    loss = experiment.task.loss(experiment.model, batch)
    wanted = torch.autograd.grad(loss, experiment.parameters())
    gradients(experiment, batch)
    assert all(torch.equal(p.grad, w) for p, w in zip(experiment.parameters(), wanted, strict=True))
    assert experiment.loss_scale.standing is None
    assert state_of(experiment)[1]["loss_scale"] is None


def test_a_resumed_run_goes_on_with_its_scale_and_an_older_one_begins_anew():
    run = DrivenRun(digits(dtype="float16", hyper={"dropout": 0.2}))
    run.experiment.loss_scale.restore(Standing(2.0**12, INTERVAL - 3))
    run.steps(2)
    assert run.experiment.loss_scale.standing == (2.0**12, INTERVAL - 1)
    run.edit(rank=6)
    run.resumed(3)
    assert run.experiment.loss_scale.standing == (2.0**13, 2)
    tensors, facts = state_of(run.experiment)
    facts = json.loads(json.dumps(facts))
    assert facts["loss_scale"] == [2.0**13, 2]
    again = DrivenRun(digits(dtype="float16", hyper={"dropout": 0.2})).experiment
    restore(again, tensors, facts)
    assert again.loss_scale.standing == (2.0**13, 2)
    wide = DrivenRun(digits(dtype="float32", hyper={"dropout": 0.2})).experiment
    restore(wide, tensors, facts)  # a branch in another dtype
    assert wide.loss_scale.scale == 1
    for junk in ([3.0, 1], [0.5, 1], [2.0**127, 0], [2.0, INTERVAL], [2.0, -1], [2.0], 2.0, "x"):
        with pytest.raises(LabError, match="fit this run"):
            restore(again, tensors, {**facts, "loss_scale": junk})
    assert again.loss_scale.standing == (2.0**13, 2)
    del facts["loss_scale"]
    restore(again, tensors, facts)
    assert again.loss_scale.standing == (FIRST, 0)


def test_a_trial_leaves_it_where_it_was_and_short_memory_halves_the_parts_alone():
    experiment = small("float16")
    with trial(experiment) as batches:
        gradients(experiment, next(batches))
        assert experiment.loss_scale.standing != (FIRST, 0)
    assert experiment.loss_scale.standing == (FIRST, 0)
    experiment.loss_scale.restore(Standing(2.0**10, 5))
    short_above(experiment, 16, MemoryError())
    own = found(experiment)
    assert experiment.accumulation == 2
    assert experiment.loss_scale.standing == (2.0**10, 6)
    assert apart(own, found(small("float32"))) < HALF
