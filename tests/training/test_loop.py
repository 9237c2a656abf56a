"""The loop on the real tasks: the flagship lesson, live edits, commands, and bad numbers."""

import math
import time

import numpy as np
import pytest
import torch

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    NonFiniteRecord,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.rules import scaling_of
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training.commands import Evaluate, SuggestRank
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.nonfinite import REMEDIES


def preset(name: str, steps: int, **hyper):
    config = get_preset(name).config
    return changed(config, max_steps=steps, hyper={**config.hyper.model_dump(), **hyper})


def finish(config, edits=None):
    """Train to the end, applying `edits` {step: hyper fields}; returns experiment and records."""
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    records = []
    for record in train(experiment, controls):
        records.append(record)
        if isinstance(record, StepRecord) and record.step in (edits or {}):
            controls.set_hyper(changed(controls.hyper, **edits[record.step]))
    return experiment, records


def of(records, kind):
    return [record for record in records if isinstance(record, kind)]


@pytest.fixture(scope="module")
def plateau():
    """The loss that the known-rank task must stand on at rank 2."""
    return Experiment.build(get_preset("known-rank").config).task.loss_floor[2]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_below_the_true_rank_the_loss_stands_on_the_eckart_young_tail(rank):
    experiment, records = finish(preset("known-rank", 3000, rank=rank, alpha=2.0 * rank))
    floor = experiment.task.loss_floor[rank]
    assert of(records, StepRecord)[-1].loss == pytest.approx(floor, rel=1e-3)
    (layer,) = of(records, SpectrumRecord)[-1].layers
    np.testing.assert_allclose(layer.sigma, experiment.task.true_sigma[:rank], rtol=1e-3)


@pytest.mark.parametrize("rank", [4, 8, 16, 32])
def test_from_the_true_rank_on_the_loss_falls_to_zero(rank, plateau):
    experiment, records = finish(preset("known-rank", 3000, rank=rank))
    assert of(records, StepRecord)[-1].loss <= 1e-6 * plateau
    (layer,) = of(records, SpectrumRecord)[-1].layers
    np.testing.assert_allclose(layer.sigma[:4], experiment.task.true_sigma[:4], rtol=1e-3)
    assert np.all(layer.sigma[4:] <= 1e-3 * layer.sigma[0])


def test_raising_the_rank_in_mid_run_opens_the_way_down(plateau):
    """Rank 2 → 4 → 8: no jump at the edits, and in 3,000 steps the loss is at zero."""
    edits = {1000: {"rank": 4}, 2000: {"rank": 8}}
    _, records = finish(preset("known-rank", 3000, rank=2, alpha=4.0), edits)
    losses = {r.step: r.loss for r in of(records, StepRecord)}
    assert losses[1000] == pytest.approx(plateau, rel=1e-2)
    assert losses[1001] == pytest.approx(losses[1000], rel=1e-2), "growing keeps the function"
    assert losses[3000] <= 1e-6 * plateau
    (layer,) = of(records, SpectrumRecord)[-1].layers
    assert (layer.rank, layer.numerical_rank >= 4) == (8, True)
    assert np.all(layer.sigma[4:] <= 1e-3 * layer.sigma[0]), "surplus bars stay at zero"
    applied = of(records, AppliedRecord)
    assert [record.changes for record in applied] == [(("rank", 2, 4),), (("rank", 4, 8),)]


def test_lowering_the_rank_says_what_it_discards(plateau):
    _, records = finish(preset("known-rank", 1200, rank=4, alpha=8.0), {1000: {"rank": 2}})
    (applied,) = of(records, AppliedRecord)
    assert applied.discarded_energy == pytest.approx((1 + 0.25) / (16 + 4 + 1 + 0.25), rel=0.02)
    losses = {r.step: r.loss for r in of(records, StepRecord)}
    assert losses[1001] == pytest.approx(plateau, rel=0.02)


def test_alpha_in_its_two_meanings():
    for mode, factor in (("scale_effect", 2.0), ("keep_function", 1.0)):
        config = preset("digits", 40)
        edit = {"alpha": 2 * config.hyper.alpha, "alpha_mode": mode}
        experiment, controls = Experiment.build(config), Controls(config.hyper)
        seen = 0
        for record in train(experiment, controls):
            if isinstance(record, StepRecord) and record.step == 30:
                before = [layer.delta_weight().detach() for layer in experiment.layers.values()]
                controls.set_hyper(changed(controls.hyper, **edit))
            if isinstance(record, AppliedRecord):
                seen += 1
                for old, layer in zip(before, experiment.layers.values(), strict=True):
                    torch.testing.assert_close(layer.delta_weight().detach(), factor * old)
                    assert layer.scaling == pytest.approx(
                        2 * scaling_of(config.hyper, config.variant)
                    )
        assert seen == 1


def test_counts_follow_the_rank_and_a_cap_is_said():
    _, records = finish(preset("digits", 20), {10: {"rank": 32}})
    counts = of(records, CountsRecord)
    (applied,) = of(records, AppliedRecord)
    assert counts[0].adapter < counts[-1].adapter
    assert any("limited" in note for note in applied.notes)
    assert sum(number for _, number in counts[-1].per_layer) == counts[-1].adapter


def test_the_switch_moves_evaluations_and_not_the_training():
    config = changed(preset("digits", 60), eval_steps=2)
    _, plain = finish(config)
    _, records = finish(config, {20: {"enabled": False}, 40: {"enabled": True}})
    losses = [r.loss for r in of(plain, StepRecord)]
    assert losses == [r.loss for r in of(records, StepRecord)], "bit for bit"
    off = [r for r in of(records, EvalRecord) if not r.enabled]
    assert {r.loss for r in off} == {off[0].loss}, "the base never moves"
    assert any(20 <= r.step <= 22 for r in off[1:])
    assert of(records, EvalRecord)[-1].enabled


def test_same_seed_same_losses_other_seed_others():
    config = preset("digits", 30, dropout=0.2)
    first, again = (of(finish(config)[1], StepRecord) for _ in range(2))
    other = of(finish(changed(config, seed=1))[1], StepRecord)
    assert [r.loss for r in first] == [r.loss for r in again]
    assert [r.loss for r in first] != [r.loss for r in other]


def test_full_training_is_a_mode_of_the_same_loop():
    config = changed(preset("digits", 200, learning_rate=1e-3), variant="full", digits=())
    experiment, records = finish(config)
    assert of(records, CountsRecord)[0].adapter == experiment.base_parameters
    on = of(records, EvalRecord)[-1]
    off = next(r for r in of(records, EvalRecord) if not r.enabled)
    assert on.accuracy > off.accuracy
    assert {field for field, _ in experiment.loaded().locked} == {
        "rank", "alpha", "dropout", "dimension"
    }  # fmt: skip


def test_edits_that_a_variant_cannot_make_are_refused_with_the_reason():
    config = changed(preset("digits", 20), variant="full", schedule="constant")
    _, records = finish(config, {10: {"rank": 2, "learning_rate": 1e-4}})
    (applied,) = of(records, AppliedRecord)
    assert any(note.startswith("rank stays") for note in applied.notes)
    assert of(records, StepRecord)[-1].learning_rate == pytest.approx(1e-4)


def test_finished_lingers_serves_and_trains_on():
    config = preset("known-rank", 20)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    states, evaluations = [], 0
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, EvalRecord) and record.enabled:
            evaluations += 1
        if isinstance(record, StateRecord):
            states.append((record.state, record.step))
            if states[-1] == (State.FINISHED, 20):
                controls.request(Evaluate())
                controls.set_hyper(Hyperparameters(**{**config.hyper.model_dump(), "rank": 3}))
                controls.resume()
            if states[-1] == (State.FINISHED, 40):
                controls.stop()
    assert states == [(State.RUNNING, 0), (State.FINISHED, 20), (State.RUNNING, 20),
                      (State.FINISHED, 40)]  # fmt: skip
    (layer,) = experiment.layers.values()
    assert layer.rank == 3


class Poisoned:
    """A task whose loss, or whose gradient, is not finite at one step."""

    def __init__(self, task, at, gradient):
        self.task, self.at, self.gradient, self.calls = task, at, gradient, 0

    def __getattr__(self, name):
        return getattr(self.task, name)

    def loss(self, model, batch):
        self.calls += 1
        loss = self.task.loss(model, batch)
        if self.calls != self.at:
            return loss
        if not self.gradient:
            return loss * math.nan
        first = next(p for p in model.parameters() if p.requires_grad)
        first.register_hook(lambda g: g * math.inf) if self.calls == self.at else None
        return loss


@pytest.mark.parametrize("gradient", [False, True], ids=["loss", "gradient"])
def test_a_bad_number_pauses_and_the_step_is_not_applied(gradient):
    config = preset("digits", 100)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    experiment.task = Poisoned(experiment.task, 51, gradient)
    for record in train(experiment, controls):
        if isinstance(record, NonFiniteRecord):
            found = record
        if isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.stop()
    assert found.step == 51
    assert found.message.startswith("Step 51 was not applied: ")
    assert "float32" in found.message
    assert found.what == ("gradient" if gradient else "loss")
    assert (found.layer in experiment.layers) == gradient
    assert found.restored <= 50
    assert found.causes
    assert set(found.remedies) <= set(REMEDIES)
    assert "lower_rate" in found.remedies
    assert math.isfinite(found.norm)
    assert experiment.step == 50
    assert all(bool(torch.isfinite(p).all()) for p in experiment.parameters())


def test_exploding_factors_are_named_and_rolled_back():
    config = preset("digits", 400)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    errors = []
    for record in train(experiment, controls):
        if isinstance(record, StepRecord) and record.step == 20:
            with torch.no_grad():
                list(experiment.layers.values())[1].lora_B.fill_(math.inf)
        if isinstance(record, NonFiniteRecord):
            errors.append(record)
            controls.stop()
    (found,) = errors
    assert "lora_B of layer" in found.message
    assert found.what == "factor"
    assert found.layer == list(experiment.layers)[1]
    assert all(bool(torch.isfinite(p).all()) for p in experiment.parameters())


def test_spectra_keep_to_their_share_of_the_time():
    """Cost per step must not grow with the measurements: at most a few per second."""
    _, records = finish(preset("digits", 1500))
    seconds = of(records, StepRecord)[-1].seconds
    assert len(of(records, SpectrumRecord)) <= 3 + seconds * 12
    assert len(of(records, EvalRecord)) <= 4 + seconds * 5


def test_weight_decay_and_dropout_reach_the_step():
    """Each alone changes the course from the edit on, and not before it."""
    plain = [r.loss for r in of(finish(preset("digits", 30, learning_rate=1e-3))[1], StepRecord)]
    for edit in ({"weight_decay": 0.5}, {"dropout": 0.5}):
        _, records = finish(preset("digits", 30, learning_rate=1e-3), {10: edit})
        losses = [r.loss for r in of(records, StepRecord)]
        assert losses[:10] == plain[:10]
        assert losses[12:] != plain[12:]


def test_each_leg_has_a_course_of_its_own():
    config = changed(preset("digits", 10), schedule="cosine")
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    rates = []
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, StepRecord):
            rates.append(record.learning_rate)
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.stop() if record.step == 20 else controls.resume()
    assert rates[10:] == rates[:10]
    assert rates[0] == config.hyper.learning_rate
    assert rates[9] < 0.1 * rates[0]


def test_a_second_growth_leaves_the_ramp_of_the_first():
    config = preset("digits", 12, rank=2, learning_rate=1e-3)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    for record in train(experiment, controls):
        if isinstance(record, StepRecord) and record.step in (5, 8):
            controls.set_hyper(changed(controls.hyper, rank=record.step))
    spans = {(ramp.fresh.start, ramp.fresh.stop, ramp.taken) for ramp in experiment.ramps}
    assert spans == {(2, 5, 7), (5, 8, 4)}
    controls = Controls(changed(experiment.hyper, rank=3))
    for record in train(experiment, controls):
        if isinstance(record, AppliedRecord):
            assert not [ramp for ramp in experiment.ramps if ramp.fresh.start >= 3]
            break


def test_a_command_asked_for_with_the_stop_is_served():
    config = preset("digits", 1000)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    evaluations = 0
    for record in train(experiment, controls):
        if isinstance(record, StepRecord) and record.step == 5:
            controls.stop()
            controls.request(Evaluate())
            before = evaluations
        evaluations += isinstance(record, EvalRecord)
    assert evaluations == before + 1


def test_an_edit_that_fails_leaves_everything_as_it_was(monkeypatch):
    from lora_lab.adapters import resize as module
    from lora_lab.training import edits

    config = preset("digits", 20)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    calls = []

    def breaks(layer, *rest):
        calls.append(layer)
        if len(calls) == 2:
            raise ValueError("planted")
        return module.resize(layer, *rest)

    monkeypatch.setattr(edits, "resize", breaks)
    errors = []
    for record in train(experiment, controls):
        if isinstance(record, StepRecord) and record.step == 10:
            controls.set_hyper(changed(controls.hyper, rank=2))
        errors += [record] if isinstance(record, ErrorRecord) else []
    (error,) = errors
    assert "planted" in error.message
    assert experiment.step == 20, "the training goes on"
    assert {layer.rank for layer in experiment.layers.values()} == {4}
    assert controls.hyper.rank == experiment.hyper.rank == 4


def test_the_last_good_adapter_is_one_that_gave_a_finite_loss():
    """Steps so slow that a copy is due at each: what comes back must still be a good one."""
    config = preset("digits", 400)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    resumed = False
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 20 and not resumed:
            layer = next(iter(experiment.layers.values()))
            with torch.no_grad():
                layer.lora_A.fill_(1e38)
                layer.lora_B.fill_(1e38)
        if isinstance(record, StateRecord) and record.state is State.PAUSED:
            assert not resumed, "it fails again after going back"
            resumed = True
            controls.resume()
        if isinstance(record, StepRecord) and resumed:
            controls.stop()
    assert resumed


def test_dragging_leaves_most_of_the_time_to_the_training():
    """An edit at every step: evaluations stay rationed, however often α moves."""
    config = preset("digits", 600)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    real, spent = experiment.task.evaluate, 0.0

    def evaluate(model, should_stop=None):
        """A costly one: the same thing again and again, for 20 ms."""
        nonlocal spent
        began = time.perf_counter()
        while (took := time.perf_counter() - began) < 0.02:
            result = real(model)
        spent += took
        return result

    experiment.task.evaluate = evaluate
    evaluations = 0
    for record in train(experiment, controls):
        evaluations += isinstance(record, EvalRecord)
        if isinstance(record, StepRecord):
            last = record
            controls.set_hyper(changed(controls.hyper, alpha=1.0 + record.step % 7))
    assert evaluations <= 5 + (last.seconds + spent) / 0.06


def test_whoever_ends_a_run_waits_for_no_measurement(monkeypatch):
    measure = DigitsTask.evaluate

    def stoppable(self, model, should_stop):
        return None if should_stop() else measure(self, model)

    monkeypatch.setattr(DigitsTask, "evaluate", stoppable)
    config = preset("digits", 50)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    controls.stop()
    records = list(train(experiment, controls, serve_after_training=True))
    assert of(records, EvalRecord) == of(records, StepRecord) == []
    controls = Controls(config.hyper)
    controls.pause()
    seen = train(experiment, controls, serve_after_training=True)
    first = next(seen)
    assert isinstance(first, CountsRecord)
    controls.stop()
    assert of(list(seen), EvalRecord) == []


@pytest.mark.parametrize("command", [Evaluate(), SuggestRank()])
def test_no_command_that_measures_holds_up_the_end(monkeypatch, command):
    """A large model takes a minute for each."""
    measure, config, asked = DigitsTask.evaluate, preset("digits", 50), []
    controls = Controls(config.hyper)

    def stoppable(self, model, should_stop):
        if asked:
            controls.stop()
        return None if should_stop() else measure(self, model)

    monkeypatch.setattr(DigitsTask, "evaluate", stoppable)
    experiment, rest = Experiment.build(changed(config, eval_steps=50)), []
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, StepRecord) and record.step == 3:
            asked.append(command)
            controls.request(command)
            controls.pause()
        elif asked:
            rest.append(record)
    assert asked
    assert not [r for r in rest if isinstance(r, EvalRecord | ErrorRecord | StepRecord)]
