"""What is measured of a step beside its loss, against the factors before and after it."""

import json
import math

import pytest

from lora_lab.presets import starting_config
from lora_lab.records import PaceRecord, StepRecord
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.past import past_records
from lora_lab.training import pace
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Resume
from lora_lab.training.run import run
from tests.models import tiny
from tests.training.driven_run import DrivenRun, digits
from tests.training.opened import opening


@pytest.fixture
def always(monkeypatch):
    monkeypatch.setattr(pace.TimeBudget, "due", lambda self, now, urgent=False: True)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_the_update_is_that_of_the_factors_and_the_norm_that_of_the_gradients(always, optimizer):
    driven = DrivenRun(digits(optimizer=optimizer))
    before = [p.detach().clone() for p in driven.experiment.parameters()]
    for _ in range(5):
        step = driven.next(StepRecord)
        after = [p.detach().clone() for p in driven.experiment.parameters()]
        record = driven.next(PaceRecord)
        assert (record.step, record.seconds) == (step.step, step.seconds)
        moved = math.sqrt(
            sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True))
        )
        size = math.sqrt(sum(float(b.square().sum()) for b in before))
        assert record.update_ratio == pytest.approx(moved / size, rel=1e-9)
        if optimizer == "sgd":  # without momentum a step is the rate times the gradient
            assert moved == pytest.approx(step.learning_rate * record.gradient_norm, rel=1e-9)
        assert record.memory > 0
        assert record.tokens == 0
        before = after


def test_it_costs_half_a_per_cent_and_changes_no_step(monkeypatch):
    losses = []
    for due in (True, False):
        with monkeypatch.context() as patch:
            patch.setattr(pace.TimeBudget, "due", lambda self, now, urgent=False, on=due: on)
            losses.append(DrivenRun(digits()).steps(20))
    assert losses[0] == losses[1]
    assert pace.SHARE <= 0.005


@pytest.mark.parametrize("task", ["causal_lm"])
def test_tokens_are_those_of_the_rows_and_go_on_after_a_resume(always, tmp_path, task):
    tiny.save(tmp_path / "base", "llama")
    rows = [{"prompt": "the film is", "completion": " good" * n} for n in range(1, 9)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        task, model=str(tmp_path / "base"), data=str(tmp_path / "rows.jsonl"), batch_size=2,
        max_steps=8, validation=0.0, validation_data=str(tmp_path / "rows.jsonl"),
        targets=["q_proj"], autosave_seconds=1000,
    )  # fmt: skip
    records = list(run(opening(config, folder=tmp_path / "run"), Controls(config.hyper)))
    tokenizer = tiny.tokenizer()
    lengths = [len(tokenizer(r["prompt"] + r["completion"])["input_ids"]) + 1 for r in rows]
    counts = {r.step: r.tokens for r in records if isinstance(r, PaceRecord)}
    assert counts[4] == sum(lengths)  # an epoch: every row once, with the token that ends it
    assert counts[8] == 2 * sum(lengths)
    more = list(run(Resume.at(tmp_path / "run", 12), Controls(config.hyper)))
    assert [r.tokens for r in more if isinstance(r, PaceRecord) and r.step == 12] == [
        3 * sum(lengths)
    ]
    past = list(past_records(tmp_path / "run/metrics.jsonl", 12))
    assert [r.step for r in past if isinstance(r, PaceRecord)] == list(range(1, 13))
    held = read_metrics(tmp_path / "run/metrics.jsonl")
    assert len([r for r in held if r["record"] == "PaceRecord"]) == 12


def test_a_run_of_an_older_lab_has_no_such_lines_and_is_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        '{"record":"StepRecord","step":1,"loss":1.5,"learning_rate":0.1,"seconds":0.1}\n'
    )
    assert [type(r) for r in past_records(path, 5)] == [StepRecord]
