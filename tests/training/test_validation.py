"""Validation while training: the best adapter is kept, patience ends a run, edits come first."""

import itertools
import math

import pytest
import torch

from lora_lab.config import changed
from lora_lab.records import AppliedRecord, EvalRecord, State, StateRecord, StepRecord
from lora_lab.rules import with_steps
from lora_lab.runs.folder import RunFolder
from lora_lab.tasks.base import Evaluation
from lora_lab.training.commands import Save
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from tests.training.driven_run import DrivenRun, digits


def says(experiment, losses):
    """Let the validation loss take these values, one an evaluation."""
    values = iter(losses)
    experiment.task.evaluate = lambda model, should_stop: Evaluation(loss=next(values))


def run(config, losses):
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    says(experiment, losses)
    return experiment, list(train(experiment, controls))


@pytest.mark.parametrize("count", [1, 3, 7, 32, 100])
def test_parts_of_a_batch_make_the_same_step(count):
    whole, parts = DrivenRun(digits()), DrivenRun(digits(accumulation=count))
    assert parts.steps(6) == pytest.approx(whole.steps(6), rel=1e-12)
    for name, delta in whole.deltas().items():
        torch.testing.assert_close(parts.deltas()[name], delta, rtol=1e-9, atol=1e-15)


def test_evaluations_come_every_so_many_steps():
    _, records = run(digits(20, eval_steps=6), itertools.count(5.0, -0.1))
    assert [r.step for r in records if isinstance(r, EvalRecord)] == [0, 0, 6, 12, 18, 20]


def test_the_best_is_marked_and_kept(tmp_path):
    losses = [5.0, 4.0, 2.0, 3.0, 2.5]  # untrained, then at 5, 10, 15, 20
    config = digits(20, eval_steps=5)
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    says(experiment, losses)
    kept = {}
    for record in train(experiment, controls):
        if isinstance(record, EvalRecord) and record.step:
            kept[record.step] = experiment.weights(), record.best
    assert {step: best for step, (_, best) in kept.items()} == {
        5: True, 10: True, 15: False, 20: False,
    }  # fmt: skip
    assert (experiment.best.step, experiment.best.loss) == (10, 2.0)
    folder = RunFolder.create(tmp_path, "run")
    list(Save().run(experiment, folder))
    from lora_lab.formats import FORMATS

    best, last = (FORMATS["peft"].load(folder.path / n) for n in ("adapter-best", "adapter"))
    for step, found in ((10, best), (20, last)):
        for layer in found.layers:
            wanted = next(x for x in kept[step][0].layers if x.name == layer.name)
            assert torch.equal(layer.lora_B, wanted.lora_B)


def test_patience_ends_the_run():
    losses = [5.0, 4.0, 4.5, 3.9, 4.0, 3.95, 4.1, 0.0]
    _, records = run(digits(1000, eval_steps=5, patience=3), losses)
    last = records[-1]
    assert isinstance(last, StateRecord)
    assert last.state is State.STOPPED
    assert last.step == 30
    assert "step 15" in last.message
    assert sum(isinstance(r, StepRecord) for r in records) == 30


def test_no_held_out_rows_are_neither_best_nor_patience():
    experiment, records = run(digits(20, eval_steps=5, patience=1), itertools.repeat(math.nan))
    assert records[-1].state is State.FINISHED
    assert experiment.best.weights is None


def test_asking_again_at_one_step_does_not_cost_patience():
    experiment = Experiment.build(digits())
    says(experiment, [5.0, 6.0, 6.0, 6.0])
    experiment.evaluate()
    for _ in range(3):
        experiment.step = 7
        experiment.evaluate()
    assert experiment.best.unimproved == 1


def test_a_slow_evaluation_gives_way_to_an_edit_and_is_made_up_for():
    config = digits()
    experiment, controls = Experiment.build(config), Controls(config.hyper, paused=True)
    calls = []

    def evaluate(model, should_stop):
        if len(calls) == 1:  # the first after the start: an edit comes in the middle of it
            controls.set_hyper(changed(controls.hyper, alpha=3.0))
        calls.append(should_stop())
        return None if calls[-1] else Evaluation(loss=1.0)

    experiment.task.evaluate = evaluate
    records = train(experiment, controls, serve_after_training=True)
    for record in records:
        if isinstance(record, StateRecord) and record.state is State.PAUSED:
            break
    controls.set_hyper(changed(controls.hyper, alpha=2.0))
    seen = []
    for record in records:
        seen.append(record)
        if isinstance(record, EvalRecord):
            break
    assert calls == [False, True, False]
    assert [r.hyper.alpha for r in seen if isinstance(r, AppliedRecord)] == [2.0, 3.0]
    controls.stop()
    list(records)


@pytest.mark.parametrize(
    ("epochs", "rows", "batch", "steps"),
    [(1.0, 100, 32, 4), (2.5, 100, 10, 25), (0.001, 100, 10, 1), (None, 100, 10, 77)],
)
def test_epochs_make_steps(epochs, rows, batch, steps):
    config = digits(77, epochs=epochs, batch_size=batch)
    made = with_steps(config, rows)
    assert made.max_steps == steps
    assert made.hyper is config.hyper
    assert with_steps(config, 0) is config  # a task without end


def test_gradients_are_cut_to_a_norm():
    """As torch.nn.utils.clip_grad_norm_ does, seen through plain SGD."""
    plain = {"optimizer": "sgd", "hyper": {"learning_rate": 0.5}}
    free, cut = (
        DrivenRun(digits(max_grad_norm=norm, **plain), one_batch=True) for norm in (0, 1e-3)
    )
    before = {name: p.detach().clone() for name, p in cut.experiment.model.named_parameters()}
    for course in (free, cut):
        course.steps(1)
    moved = {}
    for key, course in (("free", free), ("cut", cut)):
        named = dict(course.experiment.model.named_parameters())
        moved[key] = torch.cat([(named[n] - before[n]).flatten() for n in before])
    assert moved["cut"].norm().item() == pytest.approx(0.5 * 1e-3, rel=1e-6)
    torch.testing.assert_close(
        moved["cut"] / moved["cut"].norm(), moved["free"] / moved["free"].norm()
    )
