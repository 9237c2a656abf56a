"""Snapshots: what was is what comes back, and what one holds is of one step, whoever reads it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lora_lab.analysis.spectrum import spectra
from lora_lab.formats import FORMATS
from lora_lab.records import SavedRecord, SpectrumRecord
from lora_lab.training import loop
from lora_lab.training.commands import Save
from lora_lab.training.opening import New
from lora_lab.training.session import Session
from lora_lab.training.snapshot import Snapshot
from tests.training.driven_run import DrivenRun, digits
from tests.waiting import wait_until

COURSES = {
    "lora+": {"b_rate_ratio": 16.0},
    "rslora, sgd": {"variant": "rslora", "optimizer": "sgd"},
    "dora, momentum": {"variant": "dora", "optimizer": "sgd", "momentum": 0.9},
    "lora-fa, pissa": {"variant": "lora-fa", "init": "pissa"},
    "vera": {"variant": "vera"},
    "lora-xs": {"variant": "lora-xs"},
    "dora+": {"variant": "dora", "b_rate_ratio": 4.0, "init": "eva"},
    "full": {"variant": "full"},
    "pissa": {"init": "pissa", "optimizer": "sgd", "momentum": 0.9},
}


@pytest.mark.parametrize("name", COURSES)
def test_a_snapshot_brings_back_the_very_course(monkeypatch, name):
    """Steps, edits of every kind, more steps, back: the losses are those of before, bit for bit."""
    # It brings back right behind a step, where a pace that is due would look for the gradients.
    monkeypatch.setattr(loop.TimeBudget, "due", lambda *_, **__: False)
    hyper = {"weight_decay": 0.1, "frozen_layers": ("fc3",)}
    run = DrivenRun(digits(hyper=hyper, **COURSES[name]), one_batch=True)
    run.steps(10)
    run.edit(rank=6)  # ramps are under way
    run.steps(3)
    kept, hyper = Snapshot(run.experiment), run.experiment.hyper
    expected = run.steps(5)
    run.edit(alpha=2.0, alpha_mode="keep_function", weight_decay=0.3)
    run.edit(rank=3, frozen_layers=("fc1",), dropout=0.5)
    if "rank" not in dict(run.experiment.locked):
        run.edit(layer_ranks=(("fc2", 2),))
    run.edit(alpha=5.0, alpha_mode="scale_effect")
    assert run.steps(3) != expected[:3]
    for _ in range(2):  # what was brought back can be brought back again
        assert kept.restore() == 13
        run.controls.set_hyper(run.experiment.hyper)
        assert run.experiment.hyper is hyper
        assert run["fc3"].frozen
        assert run.steps(5) == expected


def with_gradients(taken: list):
    """A Snapshot that also keeps the gradients which its tensors have just given, in `taken`."""

    class WithGradients(Snapshot):
        def __init__(self, experiment):
            super().__init__(experiment)
            if experiment.step:
                self.gradients = {
                    name: (layer.lora_A.grad.clone(), layer.lora_B.grad.clone())
                    for name, layer in experiment.layers.items()
                }
                taken.append(self)

    return WithGradients


class Peek:
    """A command: a snapshot, the run's own checkpoint and its spectrum, all between two steps."""

    def run(self, experiment, folder):
        self.snapshot = Snapshot(experiment)
        yield experiment.spectrum()
        yield from Save().run(experiment, folder)


def wait_for(session, condition, seconds=60):
    """Drain a session until `condition` holds of all records that came; returns them."""
    records = []

    def came():
        records.extend(session.drain())
        return condition(records)

    wait_until(came, seconds)
    return records


def pairs(snapshot):
    """(A, B) of each layer as the snapshot holds them."""
    values = {(kept.layer.name, kept.label): kept.values for kept in snapshot.kept}
    names = [name for name, label in values if label == "lora_A"]
    return {name: (values[name, "lora_A"], values[name, "lora_B"]) for name in names}


@pytest.mark.parametrize("name", ["lora+", "rslora, sgd"])
def test_what_another_thread_reads_of_a_snapshot_is_of_one_step(monkeypatch, name):
    """∂L/∂A = s·Bᵀ·G and ∂L/∂B = s·G·Aᵀ of one G: Bᵀ·∂L/∂B = ∂L/∂A·Aᵀ, and for no other B."""
    taken = []
    monkeypatch.setattr(loop, "Snapshot", with_gradients(taken))
    monkeypatch.setattr(loop.TimeBudget, "due", lambda *_, **__: True)
    session = Session(
        New(digits(1_000_000, {"learning_rate": 1e-4}, **COURSES[name])), paused=False
    )
    session.start()
    try:
        wait_for(session, lambda _: len(taken) > 50)
        first = taken[5:50]
        later = taken[6:51]
        wait_for(session, lambda _: len(taken) > 60)  # it trains on while they are read
        for snapshot, after in zip(first, later, strict=True):
            held, moved = pairs(snapshot), pairs(after)
            for layer, (g_A, g_B) in snapshot.gradients.items():
                A, B = held[layer]
                scale = (g_A @ A.T).norm()
                assert scale > 0
                assert (B.T @ g_B - g_A @ A.T).norm() <= 1e-12 * scale
                other = moved[layer][1]
                assert (other.T @ g_B - g_A @ A.T).norm() > 1e-9 * scale
    finally:
        session.close(save=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigma_of_snapshot_record_and_checkpoint_is_the_same_to_the_last_bit(dtype):
    """While the session trains on, σ is computed here from what was taken at one step."""
    session = Session(New(digits(1_000_000, dtype=dtype)), paused=False)
    session.start()
    try:
        wait_for(session, lambda records: len(records) > 50)
        peek = Peek()
        session.controls.request(peek)
        records = wait_for(
            session, lambda records: any(isinstance(r, SavedRecord) for r in records)
        )
        at = next(i for i, r in enumerate(records) if isinstance(r, SavedRecord))
        spectrum = next(r for r in reversed(records[:at]) if isinstance(r, SpectrumRecord))
        weights = FORMATS["peft"].load(Path(records[at].path))
        assert peek.snapshot.step == spectrum.step == records[at].step > 0
        held = pairs(peek.snapshot)
        taken = []
        for layer in weights.layers:
            A, B = held[layer.name]
            assert torch.equal(layer.lora_A, A)
            assert torch.equal(layer.lora_B, B)
            taken.append(replace(layer, lora_A=A, lora_B=B))
        # All in one batch, as the loop has them: one by one the last bit may be another.
        for row, stored, sigma in zip(
            spectrum.layers, spectra(weights.layers), spectra(taken), strict=True
        ):
            assert sigma[0] > 0
            assert np.array_equal(stored, row.sigma)
            assert np.array_equal(sigma, row.sigma)
    finally:
        session.close(save=False)
