"""Runs on a device through the real loop: optimizers, live edits, resume, memory, and a stack."""

import copy

import pytest
import torch

from lora_lab.adapters import VARIANTS
from lora_lab.choices import OPTIMIZERS
from lora_lab.projections import PROJECTIONS
from lora_lab.race.race import Race
from lora_lab.records import AppliedRecord, NewsRecord, PaceRecord
from lora_lab.training import in_flight
from lora_lab.training.saving.state import restore, state_of
from tests.gpu.devices import STAND_IN, here_too, on_each
from tests.training.driven_run import DrivenRun, digits

APART = 2e-3  # of a loss, relative, after some steps of Adam


@pytest.fixture(autouse=True)
def each_step_is_looked_at(monkeypatch):
    """Else an edit is met by as many steps as were in flight, which is a matter of time."""
    monkeypatch.setattr(in_flight, "WINDOW", {})


def driven(device, steps=1000, hyper=None, **settings):
    return DrivenRun(digits(steps, hyper, device=device, **{"dtype": "float32", **settings}))


def course(device, edits=(), steps=3, **settings):
    """The losses between edits, what a spectrum says at the end, and the run."""
    run = driven(device, **settings)
    losses = run.steps(steps)
    for edit in edits:
        assert isinstance(run.edit(**edit), AppliedRecord), run.seen[-1]
        losses += run.steps(steps)
    spectrum = run.experiment.spectrum()
    held = run.experiment.held_out(enabled=True)
    sigma = [values for layer in spectrum.layers for values in layer.sigma[:3]]
    return losses, [*sigma, held.loss], run


def compared(device, **settings):
    losses, measured, run = course(device, **settings)
    assert all(p.device.type == device for p in run.experiment.parameters())
    wanted, wanted_measured, _ = course("cpu", **settings)
    assert losses == pytest.approx(wanted, rel=APART)
    assert measured == pytest.approx(wanted_measured, rel=20 * APART, abs=1e-6)


EDITS = (
    {"rank": 6}, {"alpha": 4.0}, {"enabled": False}, {"enabled": True, "dropout": 0.0},
    {"rank": 2}, {"frozen_layers": ("fc2",)}, {"frozen_layers": (), "layer_ranks": (("fc1", 5),)},
    {"max_grad_norm": 0.5}, {"learning_rate": 2e-3, "weight_decay": 0.1},
)  # fmt: skip


@on_each
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_edits_in_mid_run(optimizer, device):
    compared(device, optimizer=optimizer, edits=EDITS, steps=2)


@on_each
def test_steps_in_flight_are_those_that_are_looked_at(device, monkeypatch):
    wanted = driven(device, hyper={"dropout": 0.2}).steps(12)
    monkeypatch.setattr(in_flight, "WINDOW", {device: 60.0})
    assert driven(device, hyper={"dropout": 0.2}).steps(12) == wanted


@on_each
def test_steps_in_flight_are_waited_for_together(device, monkeypatch):
    if STAND_IN != "cuda":
        pytest.skip("a stand-in for CUDA counts how often it is waited for")
    from tests.gpu.stand_in import waits

    monkeypatch.setattr(in_flight, "WINDOW", {device: 60.0})
    run = driven(device)
    run.steps(15)  # whether it learns is looked at among these
    before = waits.total()
    run.steps(30)
    assert waits.total() - before < 30  # looked at one by one each waits for its loss and its norm


@here_too
def test_classes_that_are_weighted(device):
    compared(device, class_weights="balanced", accumulation=2)


@here_too
def test_a_run_with_edits(device):
    compared(device, edits=EDITS[:2], steps=1)


@on_each
@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "subspace"])
def test_every_variant_runs_and_takes_another_rank(variant, device):
    locked = dict(VARIANTS[variant].locked)
    compared(device, variant=variant, edits=() if "rank" in locked else ({"rank": 6}, {"rank": 3}))


@on_each
@pytest.mark.parametrize("projection", PROJECTIONS)
def test_a_subspace_runs_and_takes_another_dimension(projection, device):
    edits = () if PROJECTIONS[projection].fixed else ({"dimension": 96}, {"dimension": 24})
    compared(
        device, variant="subspace", projection=projection, edits=edits, hyper={"dimension": 48}
    )


@on_each
@pytest.mark.parametrize(
    "settings",
    [{"hyper": {"dropout": 0.3}}, {"optimizer": "muon"}, {"variant": "dora"},
     {"optimizer": "adamw8bit"}],
    ids=str,
)  # fmt: skip
def test_resumed_on_the_same_device_to_the_bit(settings, device):
    run = driven(device, **settings)
    run.steps(2)
    run.edit(rank=5)
    run.resumed(3)


@on_each
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_saved_there_and_resumed_on_the_cpu_and_back(optimizer, device):
    run = driven(device, optimizer=optimizer)
    run.steps(2)
    run.edit(rank=5)
    run.steps(1)
    state = state_of(run.experiment)
    assert all(t.device.type == "cpu" for t in state[0].values())
    wanted = run.steps(3)
    for place in ("cpu", device):
        again = driven(place, optimizer=optimizer)
        notes = restore(again.experiment, *copy.deepcopy(state))  # it takes tensors as they are
        assert (f"device was {device}" in "".join(notes)) == (place == "cpu"), notes
        again.controls.settle(again.controls.hyper, again.experiment.hyper)
        found = again.steps(3)
        assert found == (wanted if place == device else pytest.approx(wanted, rel=APART))
        assert all(
            t.device.type == place
            for p, kept in again.experiment.optimizer.state.items()
            for key, t in kept.items()
            if isinstance(t, torch.Tensor) and key != "step"
        )


@here_too
def test_memory_that_is_short_makes_smaller_parts(device, monkeypatch):
    wanted = driven(device).steps(3)
    run = driven(device)
    loss, rows = run.experiment.task.loss, run.config.batch_size // 2

    def short(model, part):
        if len(part[0]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return loss(model, part)

    monkeypatch.setattr(run.experiment.task, "loss", short)
    assert run.steps(3) == pytest.approx(wanted, rel=APART)
    assert run.experiment.accumulation == 2
    assert any("2 parts" in r.message for r in run.seen if isinstance(r, NewsRecord))


@on_each
def test_what_a_step_did_is_measured(device):
    run = driven(device)
    run.steps(1)
    pace = run.next(PaceRecord)
    assert 0 < pace.update_ratio < 1
    assert pace.memory > 0


@on_each
def test_lanes_of_a_stack(device):
    def raced(where, stacked):
        race = Race(
            {f"r {rank}": digits(8, {"rank": rank}, device=where, dtype="float32")
             for rank in (2, 4)}, stacked=stacked,
        )  # fmt: skip
        while race.running:
            race.step()
        assert not stacked or not race.stacking.obstacle
        return [loss for lane in race.lanes.values() for loss in lane.losses]

    wanted = raced("cpu", False)
    for stacked in (False, True):
        assert raced(device, stacked) == pytest.approx(wanted, rel=APART)


@on_each
@pytest.mark.skipif(bool(STAND_IN), reason="what stands in has no memory of its own")
def test_the_estimate_is_what_the_device_takes(device):
    if device != "cuda":
        pytest.skip("only CUDA tells its peak")
    from lora_lab.training.measure.memory_preview import memory_preview

    run = driven(device, batch_size=512)
    run.steps(2)
    record = memory_preview(run.experiment)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    run.steps(2)
    assert torch.cuda.max_memory_allocated() == pytest.approx(record.peak, rel=0.15)
