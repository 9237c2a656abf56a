"""A disk that refuses checkpoints: told once, tried again, the run goes on and nothing is lost."""

import errno
from types import SimpleNamespace

import pytest

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import CheckpointRecord, ErrorRecord, StepRecord
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.metrics import read_metrics
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.training.saving import autosave
from lora_lab.training.time_budget import TimeBudget


@pytest.fixture(autouse=True)
def saves_often(monkeypatch):
    """However long a copy takes on a busy machine."""
    monkeypatch.setattr(autosave, "TimeBudget", lambda share, interval: TimeBudget(1.0, interval))


def test_no_checkpoint_is_ahead_of_the_record(tmp_path, monkeypatch):
    """Killed right after a checkpoint, the run must have every step up to it on record."""
    config = changed(get_preset("digits").config, max_steps=2000, autosave_seconds=0.02)
    real, ahead = autosave.write_checkpoint, []

    def write(path, step, tensors, facts, *keep):
        steps = [r["step"] for r in read_metrics(path / "metrics.jsonl")
                 if r["record"] == "StepRecord"]  # fmt: skip
        ahead.append(step - steps[-1])
        return real(path, step, tensors, facts, *keep)

    monkeypatch.setattr(autosave, "write_checkpoint", write)
    list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    assert len(ahead) > 1
    assert max(ahead) <= 0


def test_training_goes_on_and_saving_is_tried_again(tmp_path, monkeypatch):
    config = changed(get_preset("digits").config, max_steps=3000, autosave_seconds=0.02)
    real, refused = autosave.write_checkpoint, []

    def write(path, step, tensors, facts, *keep):
        if 300 < step < 1500:
            refused.append(step)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, step, tensors, facts, *keep)

    monkeypatch.setattr(autosave, "write_checkpoint", write)
    seen = list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    assert len([r for r in seen if isinstance(r, StepRecord)]) == 3000
    told = [r for r in seen if isinstance(r, ErrorRecord)]
    assert len(refused) > 1, "it was tried again"
    assert len(told) == 1, "and told of once"
    assert "No space left" in told[0].message
    assert "is intact" in told[0].message
    saved = [r.step for r in seen if isinstance(r, CheckpointRecord)]
    assert saved[-1] == 3000
    assert not any(300 < step < 1500 for step in saved), "no false saved"
    assert latest(tmp_path / "run").step == 3000
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def test_what_does_not_fit_beside_the_model_is_not_copied(tmp_path, monkeypatch):
    config = changed(get_preset("digits").config, max_steps=200, autosave_seconds=0.01)
    free = SimpleNamespace(available=10_000)
    monkeypatch.setattr(autosave.psutil, "virtual_memory", lambda: free)
    seen = list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    told = [r for r in seen if isinstance(r, ErrorRecord)]
    assert len(told) == 1
    assert "not saved while it trains" in told[0].message
    assert not [r for r in seen if isinstance(r, CheckpointRecord)]
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def test_no_step_is_held_up_by_checkpoint_and_adapter_both(tmp_path, monkeypatch):
    """The adapter follows at the next step, and is that of its own step."""
    monkeypatch.setattr(autosave, "ADAPTER_SECONDS", 0.0)
    copied = {"order": [], "order_adapter": []}
    for name, steps in copied.items():
        real = getattr(autosave.Autosave, name)

        def noted(self, *arguments, real=real, steps=steps, **more):
            steps.append(self.experiment.step)
            return real(self, *arguments, **more)

        monkeypatch.setattr(autosave.Autosave, name, noted)
    config = changed(get_preset("digits").config, max_steps=600, autosave_seconds=0.02)
    list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    assert len(copied["order_adapter"]) > 2
    both = set(copied["order_adapter"]) & set(copied["order"])
    assert not both - {600}, "behind the last step there is none to be held up"
    assert {step - 1 for step in copied["order_adapter"]} <= set(copied["order"])
