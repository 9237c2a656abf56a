"""What is measured before the first step: once, with a fraction, and not where it is skipped."""

import pytest

from lora_lab.config import changed
from lora_lab.errors import Cancelled
from lora_lab.measured import ClippedRecord
from lora_lab.records import EvalRecord, ResumedRecord, State, StateRecord, StepRecord
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training.commands import Clip, Evaluate
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.training.driven_run import digits

PARTS = 5
CONFIG = changed(digits(40, eval_steps=6), autosave_seconds=1000)


@pytest.fixture
def passes(monkeypatch):
    """Every pass over the validation data, by step, in five parts."""
    made, measure = [], DigitsTask.evaluate

    def evaluate(self, model, should_stop=lambda: False):
        for _ in range(PARTS):
            if should_stop():
                return None
        made.append(1)
        return measure(self, model)

    monkeypatch.setattr(DigitsTask, "evaluate", evaluate)
    monkeypatch.setattr(DigitsTask, "evaluation_parts", PARTS, raising=False)
    return made


def stopped_at(folder, step, config=CONFIG):
    """A run that was closed at `step`."""
    controls = Controls(config.hyper)
    for record in run(New(config, folder), controls):
        if isinstance(record, StepRecord) and record.step == step:
            controls.stop()


def opened_again(folder, report=lambda what, share: None):
    """What is said until the run rests, in the window, and the passes over the data are made."""
    opening = Resume.at(folder)
    controls = Controls(opening.config.hyper, paused=True)
    seen = []
    for record in run(opening, controls, serve_after_training=True, report=report):
        seen.append(record)
        if isinstance(record, StateRecord) and record.state is not State.LOADING:
            controls.stop()
    return seen


def test_it_says_how_far_it_is(passes):
    experiment, said = Experiment.build(CONFIG), []
    controls = Controls(CONFIG.hyper)
    records = train(experiment, controls, report=lambda *words: said.append(words))
    next(record for record in records if isinstance(record, EvalRecord))
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1 - 1 / PARTS)
    assert len(set(shares)) == PARTS
    assert {what for what, _ in said} == {"Measuring the model without the adapter"}


@pytest.mark.parametrize("parts", [0, 2, PARTS - 2])
def test_it_can_be_skipped_and_measured_later(passes, parts):
    experiment, controls = Experiment.build(CONFIG), Controls(CONFIG.hyper, paused=True)

    def report(what, share):
        if share >= parts / PARTS:
            controls.skipping = True

    seen, records = [], train(experiment, controls, serve_after_training=True, report=report)
    for record in records:
        seen.append(record)
        if isinstance(record, StateRecord):
            break
    assert seen[-1].state is State.PAUSED
    assert not [record for record in seen if isinstance(record, EvalRecord)]
    assert passes == []
    controls.request(Evaluate())
    measured = [next(r for r in records if isinstance(r, EvalRecord)) for _ in "12"]
    assert [record.enabled for record in measured] == [False, True]
    controls.request(Evaluate())
    assert next(r for r in records if isinstance(r, EvalRecord)).enabled, "off is known by now"
    controls.stop()
    assert not [r for r in records if isinstance(r, EvalRecord)]


def test_a_close_during_it_is_no_failure(passes, tmp_path):
    """The report of an opening raises as soon as a close is asked for."""
    controls = Controls(CONFIG.hyper, paused=True)

    def report(what, share):
        if share > 0.5:
            controls.stop()
            raise Cancelled("Opening was cancelled.")

    seen = list(run(New(CONFIG, tmp_path / "run"), controls, serve_after_training=True,
                    report=report))  # fmt: skip
    assert not [r for r in seen if isinstance(r, StateRecord) and r.state is State.FAILED]
    assert passes == []


def test_what_is_on_record_is_not_measured_again(passes, tmp_path):
    stopped_at(tmp_path / "run", 20)
    opened_again(tmp_path / "run")  # the adapter of step 20, which no validation has seen
    del passes[:]
    seen = opened_again(tmp_path / "run")
    evaluations = [record for record in seen if isinstance(record, EvalRecord)]
    assert [r.step for r in evaluations if not r.enabled] == [0]
    assert [r.step for r in evaluations if r.enabled][-1] == 20
    assert len(passes) <= 1, "never both of them"


def test_a_loss_from_before_a_clip_is_not_that_of_the_clipped_adapter(tmp_path):
    """Left right behind the clip, before the pause could measure what came of it."""
    controls, losses = Controls(CONFIG.hyper), []
    records = run(New(CONFIG, tmp_path / "run"), controls, serve_after_training=True)
    for record in records:
        if isinstance(record, EvalRecord):
            losses.append(record.loss)
        if isinstance(record, EvalRecord) and record.step == 6:
            controls.pause()
            controls.request(Clip("fc2", 1, 1e-3))
        if isinstance(record, ClippedRecord):
            break
    records.close()
    again = opened_again(tmp_path / "run")
    at = next(n for n, record in enumerate(again) if isinstance(record, ResumedRecord))
    (measured,) = (r for r in again[at:] if isinstance(r, EvalRecord))
    assert measured.step == 6
    assert measured.loss > losses[-1] + 1e-6


def test_a_better_loss_on_resuming_is_the_best(tmp_path):
    """The step lies between two that are due for validation: what was measured counts."""
    stopped_at(tmp_path / "run", 4)
    seen = [r for r in opened_again(tmp_path / "run") if isinstance(r, EvalRecord) and r.enabled]
    assert [(r.step, r.best) for r in seen] == [(0, False), (4, True)]
    assert seen[1].loss < seen[0].loss
