"""σ clipped: against numpy's own SVD, measured without a trace, undone to the bit."""

import numpy as np
import pytest
import torch

from lora_lab.config import changed
from lora_lab.measured import ClippedRecord, ClipRecord
from lora_lab.records import ErrorRecord, PastEditRecord, State, StateRecord, StepRecord
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.past import past_records
from lora_lab.training.commands import Clip, GoBack, MeasureClip
from lora_lab.training.controls import Controls
from lora_lab.training.opening import Resume
from lora_lab.training.run import run
from tests.training.driven_run import DrivenRun, digits
from tests.training.opened import opening

INF = float("inf")


def by_numpy(delta, keep, ceiling):
    U, sigma, V = np.linalg.svd(delta.numpy(), full_matrices=False)
    return U[:, :keep] * np.minimum(sigma[:keep], ceiling) @ V[:keep]


@pytest.mark.parametrize("which", ["ceiling", "keep"])
def test_it_is_the_nearest_matrix_with_such_values_and_moves_nothing_else(which):
    driven = DrivenRun(digits())
    driven.steps(30)
    before = driven.deltas()
    sigma = np.linalg.svd(before["fc2"].numpy(), compute_uv=False)
    keep, ceiling = (4, sigma[1]) if which == "ceiling" else (2, INF)
    for command in (MeasureClip, Clip):  # both before the next step
        driven.controls.request(command("fc2", keep, ceiling))
    measured = driven.next((ClipRecord, ErrorRecord))
    assert all(torch.equal(driven.deltas()[n], before[n]) for n in before)
    assert measured.before == driven.experiment.held_out(enabled=True).loss
    clipped = driven.next((ClippedRecord, ErrorRecord))
    assert (clipped.layer, clipped.kept) == ("fc2", False)  # no folder, nothing kept
    after = driven.deltas()
    wanted = by_numpy(before["fc2"], keep, ceiling)
    assert np.abs(after["fc2"].numpy() - wanted).max() <= 1e-12 * sigma[0]
    assert all(torch.equal(after[n], before[n]) for n in before if n != "fc2")
    assert driven["fc2"].rank == 4
    assert driven.experiment.held_out(enabled=True).loss == pytest.approx(measured.loss, rel=1e-12)
    assert measured.loss != measured.before
    driven.steps(3)  # and the optimizer goes on with it


def test_momentum_follows_so_that_the_gradient_of_the_clipped_loss_is_descended():
    """With a ceiling above σ₁ nothing is clipped, and the steps to come are the same."""
    losses = []
    for clips in (False, True):
        driven = DrivenRun(digits(optimizer="sgd", momentum=0.9), one_batch=True)
        driven.steps(10)
        if clips:
            driven.controls.request(Clip("fc2", 4, 1e9))
            driven.next(ClippedRecord)
        losses.append(driven.steps(2)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "layer", "why"),
    [
        ({"variant": "dora"}, "fc2", "no plain factors"),
        ({"init": "pissa"}, "fc2", "a part of W"),
        ({}, "fc9", "not adapted here"),
    ],
)
def test_what_has_no_plain_values_is_refused(settings, layer, why):
    driven = DrivenRun(digits(**settings))
    driven.steps(2)
    for command in (MeasureClip(layer, 4, 0.1), Clip(layer, 4, 0.1)):
        driven.controls.request(command)
        assert why in driven.next(ErrorRecord).message


def test_it_is_recorded_and_undone_to_the_bit(tmp_path):
    config = digits(60, dtype="float32", autosave_seconds=1000)
    controls, records = Controls(config.hyper), []

    def follow(opened):
        for record in run(opened, controls, serve_after_training=True):
            records.append(record)
            yield record

    asked = set()
    for record in follow(opening(config, folder=tmp_path / "run")):
        if isinstance(record, StepRecord) and record.step == 30 and "clip" not in asked:
            asked.add("clip")
            controls.request(Clip("fc2", 4, 1e-3))
        elif isinstance(record, ClippedRecord):
            assert record.kept
        elif isinstance(record, StepRecord) and record.step == 35 and "back" not in asked:
            asked.add("back")
            rows = read_metrics(tmp_path / "run/metrics.jsonl")
            assert [r["step"] for r in rows if r["record"] == "ClippedRecord"] == [30]
            past = list(past_records(tmp_path / "run/metrics.jsonl", 35))
            assert [r.step for r in past if isinstance(r, ClippedRecord)] == [30]
            controls.request(GoBack(35, before_edit=True))
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.resume()
        elif isinstance(record, StepRecord) and record.step == 60:
            controls.stop()
    rows = read_metrics(tmp_path / "run/metrics.jsonl")
    assert not [r for r in rows if r["record"] == "ClippedRecord"]  # it no longer holds
    plain = [r.loss for r in run(opening(config, folder=tmp_path / "plain"), Controls(config.hyper))
             if isinstance(r, StepRecord)]  # fmt: skip
    losses = {}
    for record in records:
        if isinstance(record, StepRecord):
            losses[record.step] = record.loss
    assert list(losses.values()) == plain, "as if it had not been"


def test_a_run_that_is_resumed_knows_its_clip(tmp_path):
    config = changed(digits(40, dtype="float32"), autosave_seconds=1000)
    controls = Controls(config.hyper)
    for record in run(opening(config, folder=tmp_path / "run"), controls):
        if isinstance(record, StepRecord) and record.step == 20:
            controls.request(Clip("fc2", 4, 1e-3))
    seen = list(run(Resume.at(tmp_path / "run", 45), Controls(config.hyper)))
    assert [r.layer for r in seen if isinstance(r, ClippedRecord)] == ["fc2"]
    assert not [r for r in seen if isinstance(r, PastEditRecord)]
