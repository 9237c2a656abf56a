"""How many numbers: a stack against single runs, the grid, the rules, what cannot be measured."""

import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.space import space_of
from lora_lab.config import changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.intrinsic.measure import Measurement, Settings, measure, planned
from lora_lab.intrinsic.results import Plan, Point, Result, Training
from lora_lab.intrinsic.runs import SingleRunner, StackedRunner, runner_for
from lora_lab.intrinsic.stacked import Copy, redrawn, stackable, train_stack
from lora_lab.presets import get_preset
from lora_lab.progress import silent
from tests.tasks.test_mnist import NAMES, idx, images


def digits(**settings):
    return changed(get_preset("digits").config, **settings)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 4))


def rows(seed):
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(8, 6, generator=generator), torch.randint(4, (8,), generator=generator)


def alone(net, d, seed, rate, steps):
    """One run as the lab's own layers and torch's Adam make it: losses and the last weights."""
    layers = inject(net, variant="subspace", dimension=d, seed=seed)
    theta = space_of(layers.values()).theta
    optimizer = torch.optim.Adam([theta], lr=rate)
    losses, course = [], rows(seed)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        x, y = next(course)
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, theta.detach()


def test_a_stack_trains_each_copy_as_if_it_were_alone():
    base = small_net()
    fresh = redrawn(base, 5)
    copies = [Copy(4, 0, base, 0.1), Copy(17, 1, base, 0.05), Copy(99, 1, fresh, 0.01)]
    steps = 60
    stack, late = train_stack(copies, (), rows, nn.functional.cross_entropy, steps, lambda _: None)
    thetas = stack.theta.detach().split([c.dimension for c in copies])
    for copy_, theta, loss in zip(copies, thetas, late.tolist(), strict=True):
        net = small_net()
        net.load_state_dict(copy_.net.state_dict())
        losses, expected = alone(net, copy_.dimension, copy_.seed, copy_.rate, steps)
        torch.testing.assert_close(theta, expected, rtol=2e-4, atol=2e-5)
        assert loss == pytest.approx(sum(losses[-6:]) / 6, rel=1e-4)


@pytest.mark.parametrize(("net", "fits"), [
    (small_net(), True),
    (nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), False),  # it would flatten the copies as well
    (nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)), False),
    (nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 4)), False),
])  # fmt: skip
def test_only_what_answers_the_same_in_a_stack_is_stacked(net, fits):
    assert stackable(net.eval(), torch.randn(3, 6)) == fits


def test_a_redrawn_net_is_another_and_the_base_is_left_alone():
    base = small_net()
    before = {name: t.clone() for name, t in base.state_dict().items()}
    one, same, other = (redrawn(base, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(base.state_dict()[name], t) for name, t in before.items())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not any(torch.equal(one[name], t) for name, t in [*before.items(), *other.items()])


def test_a_short_measurement_yields_its_plan_every_run_and_the_result():
    settings = Settings(seeds=2, steps=40, dimensions=(8, 64, 512))
    measurement = Measurement(digits(), settings)
    items = list(measurement.run())
    plan, result = items[0], items[-1]
    assert isinstance(plan, Plan)
    assert isinstance(result, Result)
    assert (plan.weights, plan.runs, plan.held_out) == (17_226, 2 * 2 * (3 + 3), 450)
    assert plan.seconds > 0
    assert "half new and half old" in plan.measure
    points = [item for item in items if isinstance(item, Point)]
    assert len([p for p in points if p.dimension]) == plan.runs
    assert [p.score for p in points if not p.dimension] == pytest.approx([0.496, 0.033], abs=1e-3)
    assert {p.dimension for p in points if not p.full} == {0, 8, 64, 512}
    assert all(
        p.rate == pytest.approx(8e-3 * math.sqrt(17_226 / p.dimension))
        for p in points
        if p.dimension and not p.full
    )
    shares = [item.share for item in items if isinstance(item, Training)]
    assert shares == sorted(shares)
    assert {m.start for m in result.measured} == {"base", "random"}
    assert set(result.of("base").plain()) >= {"d90", "interval", "d90_gain", "full", "start"}
    assert "reach 90 %" in result.sentence()
    assert "(no interval: that needs 3 seeds)" in result.sentence(), "there are two"
    assert result.of("base").plain()["interval"] is None


def test_that_no_size_is_enough_is_said_so():
    result = list(Measurement(digits(), Settings(seeds=2, steps=40, dimensions=(1, 2))).run())[-1]
    assert result.of("random").by_score.d90.sign == ">"
    only = Result(result.plan, (result.of("random"),))
    words = r"No size up to 2 numbers is enough to reach 90 % of what 17,226 reach, from random"
    assert re.match(words, only.sentence())


def test_a_device_that_is_not_there_is_refused_and_not_replaced():
    absent = changed(digits(), device="mps" if not torch.backends.mps.is_available() else "cuda")
    with pytest.raises(ConfigError):
        list(Measurement(absent, Settings(seeds=2, steps=4, dimensions=(1,))).run())


def test_the_grid_is_refined_where_the_scores_cross():
    points = [
        p
        for p in measure(digits(), Settings(seeds=1, steps=150, starts=("base",)))
        if isinstance(p, Point) and p.dimension and not p.full
    ]
    sizes = sorted({p.dimension for p in points})
    assert sizes[0] == 2
    assert {8, 32, 128, 512, 2048} <= set(sizes)
    assert len(sizes) == 9, "three more between two of the coarse grid"


def test_a_base_that_can_do_the_task_has_nothing_to_measure_by_the_score():
    """All digits from a net that knows all but one: 0.893 is 90 % of what training reaches."""
    settings = Settings(seeds=1, steps=60, starts=("base",), dimensions=(4, 64))
    *_, result = measure(digits(digits=()), settings)
    (measured,) = result.measured
    assert measured.by_score is None
    assert measured.by_gain is not None
    assert "nothing to measure" in measured.notes[0]
    assert measured.plain()["d90"] is None


def test_a_loss_is_counted_from_the_start_alone():
    settings = Settings(seeds=1, steps=60, starts=("base",), dimensions=(4, 64), by_loss=True)
    *_, result = measure(digits(), settings)
    (measured,) = result.measured
    assert (measured.by_score, measured.untrained < measured.full) == (None, True)
    assert "of the gain" in result.sentence()
    assert measured.plain()["start"] > measured.plain()["full"] > 0


def test_few_seeds_and_few_rows_are_said():
    notes = Measurement(digits(), Settings(seeds=2, steps=1)).plan.notes
    assert any("3 seeds at least" in note for note in notes)


@pytest.mark.parametrize(("by_loss", "words"), [
    (False, "9 held-out rows tell scores apart by 10 % at best; 225 are needed for 2 %"),
    (True, "9 held-out rows: the mean loss is known to 33 % of the spread of a row's; 400 are"),
])  # fmt: skip
def test_too_few_held_out_rows_are_said_with_the_number_that_is_needed(by_loss, words):
    runner = runner_for(digits(), 1, by_loss, silent)
    runner.held_out = 9
    plan = planned(runner, Settings(by_loss=by_loss), (8, 64))
    assert any(words in note for note in plan.notes), plan.notes


@pytest.mark.parametrize("d", [0, 17_227])
def test_a_size_that_cannot_be_is_refused(d):
    with pytest.raises(LabError, match="17,226"):
        Measurement(digits(), Settings(steps=1, dimensions=(d,)))


def test_an_unknown_start_is_refused():
    with pytest.raises(ConfigError, match="base, random"):
        Settings(starts=("elsewhere",))


@pytest.mark.parametrize("settings", [{}, {"variant": "subspace", "schedule": "constant"}])
def test_single_runs_and_a_stack_score_alike(settings):
    """The same seeds by the lab's own loop: other products, the same training."""
    task_runner = runner_for(digits(digits=(), batch_size=32, **settings), 120, False, silent)
    assert isinstance(task_runner, StackedRunner)
    single = task_runner.single(silent)
    assert single.weights == task_runner.weights
    from lora_lab.intrinsic.runs import Wanted

    wanted = [Wanted("base", 64, 0, 0.12), Wanted("base", 17_226, 0, 1e-3, full=True)]
    for one, other in zip(task_runner.train(wanted), single.train(wanted), strict=True):
        assert one.training_loss == pytest.approx(other.training_loss, rel=0.02)
        assert one.score == pytest.approx(other.score, abs=0.02)


@pytest.mark.parametrize("settings", [{"projection": "dense"}, {"structure": "did"}])
def test_a_small_net_has_the_same_training_by_every_projection(settings):
    """One run after the other, at the rate of small nets, and not at the low one of a preset."""
    one, stack = (runner_for(digits(**own), 0, False, silent) for own in (settings, {}))
    assert isinstance(one, SingleRunner)
    assert (one.steps, one.full_rate) == (stack.steps, stack.full_rate)


@pytest.mark.parametrize(("variant", "rate"), [
    ("lora", 1e-2), ("full", 1e-3), ("subspace", 8e-3 * math.sqrt(17_226 / 64)),
    ("uni-lora", 8e-3 * math.sqrt(4 * 458 / 64)),
])  # fmt: skip
def test_the_rate_of_full_training_follows_from_that_of_the_variant_which_is_set(variant, rate):
    config = digits(variant=variant, hyper={"rank": 4, "dimension": 64, "learning_rate": rate})
    stack = runner_for(digits(), 1, False, silent)
    assert SingleRunner(config, stack.task, stack.score, 1, silent).full_rate == pytest.approx(1e-3)


def test_of_said_one_lambda_a_tensor_is_among_the_numbers():
    """Six tensors have a λ each, so that 7 numbers are the fewest."""
    asked = Settings(("base",), seeds=1, steps=2, dimensions=(7,))
    *points, _ = measure(digits(structure="said"), asked)
    assert {p.dimension for p in points if isinstance(p, Point)} == {0, 7, 17_226}
    with pytest.raises(ConfigError, match="from 7 to"):
        Measurement(digits(structure="said"), Settings(steps=1, dimensions=(6,)))


def test_a_net_of_random_weights_has_no_base_to_measure_from(tmp_path):
    for part, count in (("train", 80), ("t10k", 20)):
        (tmp_path / NAMES[f"{part}-images"]).write_bytes(idx(images(count)))
        (tmp_path / NAMES[f"{part}-labels"]).write_bytes(idx(np.arange(count) % 10))
    config = changed(get_preset("mnist-750-numbers").config, data=str(tmp_path))
    measurement = Measurement(config, Settings(seeds=1, steps=5, dimensions=(4, 750)))
    assert (measurement.plan.weights, measurement.plan.starts) == (199_210, ("random",))
    *_, result = measurement.run()
    assert [m.start for m in result.measured] == ["random"]
    assert Measurement(config, Settings(seeds=1)).plan.steps == 1000, "those of the preset"
    with pytest.raises(ConfigError, match="not trained"):
        Measurement(config, Settings(starts=("base",)))
