"""The session's whole life on its own thread, and what crosses the door."""

import dataclasses
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lora_lab import paths
from lora_lab.config import RunConfig, changed
from lora_lab.exported import ExportedRecord
from lora_lab.formats import FORMATS
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LoadedRecord
from lora_lab.plain import plain
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, ErrorRecord, SavedRecord, State, StateRecord, StepRecord
from lora_lab.training import session as session_module
from lora_lab.training.commands import Evaluate, Export
from lora_lab.training.opening import New
from lora_lab.training.session import Session
from tests.training.opened import opening
from tests.waiting import wait_until


@pytest.fixture
def opened():
    """Sessions that are closed whatever the test does."""
    made = []

    def open_session(config, folder=None, resume=None, **settings):
        made.append(Session(opening(config, folder, resume), **settings))
        made[-1].start()
        return made[-1]

    yield open_session
    for one in made:
        one.close()


def until(session, condition, seconds=60):
    """Drain until a record meets `condition`; returns everything drained."""
    records = []

    def came():
        new = session.drain()
        records.extend(new)
        return any(condition(record) for record in new)

    wait_until(came, seconds)
    return records


def in_state(state):
    return lambda record: isinstance(record, StateRecord) and record.state is state


def config(name="digits", **settings) -> RunConfig:
    return changed(get_preset(name).config, **settings)


def test_a_whole_life(opened):
    session = opened(config(max_steps=50))
    records = until(session, in_state(State.PAUSED))
    assert any(isinstance(r, LoadedRecord) for r in records)
    assert not paths.runs().exists(), "opening and looking leaves nothing behind"
    session.controls.resume()
    records += until(session, in_state(State.FINISHED))
    session.close()
    records += session.drain()
    states = [r.state for r in records if isinstance(r, StateRecord)]
    assert states == [State.LOADING, State.PAUSED, State.RUNNING, State.FINISHED,
                      State.CLOSED]  # fmt: skip
    assert [r.step for r in records if isinstance(r, StepRecord)] == list(range(1, 51))
    (saved,) = [r for r in records if isinstance(r, SavedRecord)]
    assert saved.path.startswith(str(paths.runs()))
    assert not session.alive


def test_everything_that_crosses_is_plain_and_frozen(opened):
    session = opened(config("known-rank", max_steps=20), paused=False)
    for record in until(session, in_state(State.FINISHED)):
        json.dumps(plain(record))
        assert dataclasses.is_dataclass(record)
        with pytest.raises(dataclasses.FrozenInstanceError):
            record.step = 3
        for value in vars(record).values():
            assert not isinstance(value, np.ndarray) or not value.flags.writeable


def test_stop_ends_the_run_and_keeps_the_model(opened, tmp_path):
    session = opened(config(max_steps=1_000_000), paused=False)
    until(session, lambda r: isinstance(r, StepRecord) and r.step > 20)
    session.controls.finish()
    records = until(session, lambda r: isinstance(r, SavedRecord))
    stopped = [r for r in records if in_state(State.STOPPED)(r)]
    assert len(stopped) == 1
    session.controls.request(Export(str(tmp_path / "adapter")))
    until(session, lambda r: isinstance(r, ExportedRecord))
    session.controls.resume()
    records = until(session, lambda r: isinstance(r, StepRecord) and r.step > stopped[0].step + 9)
    assert next(r.step for r in records if isinstance(r, StepRecord)) == stopped[0].step + 1


def test_edits_are_applied_while_paused_and_echoed(opened):
    session = opened(config())
    until(session, in_state(State.PAUSED))
    session.controls.set_hyper(changed(session.controls.hyper, rank=2))
    records = until(session, lambda r: isinstance(r, AppliedRecord))
    assert [r.hyper.rank for r in records if isinstance(r, AppliedRecord)] == [2]


def test_a_flood_of_edits_coalesces_and_the_last_one_stands(opened):
    session = opened(config(max_steps=1_000_000), paused=False)
    until(session, lambda r: isinstance(r, StepRecord))
    for i in range(500):
        session.controls.set_hyper(
            changed(session.controls.hyper, rank=1 + i % 16, alpha=1.0 + i % 7)
        )
    last = session.controls.hyper
    until(session, lambda r: isinstance(r, AppliedRecord) and r.hyper is last)


def test_export_between_two_steps(opened, tmp_path):
    session = opened(config(max_steps=1_000_000), paused=False)
    until(session, lambda r: isinstance(r, StepRecord) and r.step > 50)
    session.controls.request(Export(str(tmp_path / "adapter")))
    records = until(session, lambda r: isinstance(r, ExportedRecord | ErrorRecord))
    (exported,) = [r for r in records if isinstance(r, ExportedRecord)]
    assert exported.report.largest_error <= 1e-6
    assert (tmp_path / "adapter" / "adapter_model.safetensors").exists()


def test_an_untrained_adapter_is_refused_and_the_session_lives(opened, tmp_path):
    session = opened(config())
    until(session, in_state(State.PAUSED))
    session.controls.request(Export(str(tmp_path / "adapter")))
    records = until(session, lambda r: isinstance(r, ErrorRecord))
    assert "untrained" in records[-1].message or "ΔW" in records[-1].message
    assert [records[-1].ends(command) for command in (Export, Evaluate)] == [True, False]
    assert not (tmp_path / "adapter").exists()
    assert session.alive


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model": "/nowhere/base.safetensors"}, "base.safetensors"),
        ({"device": "cuda:7"}, "cuda:7"),
        ({"hyper": Hyperparameters(frozen_layers=("fc8",))}, "fc8"),
        ({"targets": ("fc9",)}, "fc9"),
    ],
)
def test_what_cannot_be_opened_fails_with_one_message(opened, settings, words):
    session = opened(config(**settings))
    records = until(session, in_state(State.CLOSED))
    (failed,) = [r for r in records if isinstance(r, StateRecord) and r.state is State.FAILED]
    assert words in failed.message
    assert "Traceback" in failed.details


def test_a_crash_in_training_is_a_record_and_what_was_learned_is_saved(opened, monkeypatch):
    from lora_lab.tasks.digits import DigitsTask

    session = opened(config(max_steps=1_000_000), paused=False)
    until(session, lambda r: isinstance(r, StepRecord) and r.step > 20)

    def broken(self, model, batch):
        raise ValueError("planted")

    monkeypatch.setattr(DigitsTask, "loss", broken)
    records = until(session, in_state(State.CLOSED))
    (failed,) = [r for r in records if isinstance(r, StateRecord) and r.state is State.FAILED]
    assert "planted" in failed.message
    assert any(isinstance(r, SavedRecord) for r in records)


def test_nobody_drains_and_memory_stays_bounded(opened, monkeypatch):
    monkeypatch.setattr(session_module, "WAITING_LIMIT", 200)
    session = opened(config(max_steps=2000), paused=False)
    wait_until(lambda: session.state is State.FINISHED)
    records = session.drain()
    steps = [r.step for r in records if isinstance(r, StepRecord)]
    assert len(steps) <= 201
    assert steps == sorted(steps)
    assert any(in_state(State.FINISHED)(r) for r in records)


def test_an_edit_after_the_end_is_saved_as_well(opened):
    session = opened(config(max_steps=30), paused=False)
    until(session, lambda r: isinstance(r, SavedRecord))
    session.controls.set_hyper(changed(session.controls.hyper, rank=1))
    until(session, lambda r: isinstance(r, AppliedRecord))
    session.close()
    (saved,) = [r for r in session.drain() if isinstance(r, SavedRecord)]
    weights = FORMATS["peft"].load(Path(saved.path))
    assert {layer.rank for layer in weights.layers} == {1}


def test_closing_without_saving_saves_nothing(opened):
    session = opened(config(max_steps=1_000_000), paused=False)
    until(session, lambda r: isinstance(r, StepRecord) and r.step > 5)
    session.close(save=False)
    assert not [r for r in session.drain() if isinstance(r, SavedRecord)]


def test_a_home_that_cannot_be_written_is_told_of_and_the_training_goes_on(
    opened, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path / "file" / "home"))
    session = opened(config(max_steps=200), paused=False)
    records = until(session, in_state(State.FINISHED))
    session.close()
    messages = [r.message for r in records + session.drain() if isinstance(r, ErrorRecord)]
    assert 1 <= len(messages) <= 3
    assert all("not recorded" in message for message in messages)


def test_closing_before_it_is_started_or_twice_is_harmless():
    session = Session(New(config()))
    session.close()
    session.start()
    session.close()
    session.close()
    assert not session.alive
    assert "lora-lab-session" not in {t.name for t in threading.enumerate()}


def test_an_opening_that_says_nothing_ends_when_it_is_cancelled(opened, monkeypatch):
    """A library that is busy with a stranger's file, catches everything and reports nothing."""
    from lora_lab.training import run as run_module

    entered = threading.Event()

    def stuck(*arguments, **settings):
        while True:
            try:
                entered.set()
                while True:
                    pass
            except Exception:  # noqa: BLE001
                if session.controls.stopping:
                    break
        yield from ()

    monkeypatch.setattr(run_module, "run", stuck)
    session = opened(config())
    assert entered.wait(60)
    session.request_close()
    assert session.join(60)
    said = session.drain()
    assert said[-1].state is State.CLOSED
    assert not any(in_state(State.FAILED)(record) for record in said)


def test_a_close_while_it_opens_cuts_off_no_save_of_what_has_begun(opened, monkeypatch):
    """The run begins in the moment of the close; what it saves then may take its time."""
    from lora_lab.training import run as run_module

    entered, closing, saved = threading.Event(), threading.Event(), []

    def begins(*_, **__):
        entered.set()
        wait_until(closing.is_set)
        yield StateRecord(State.RUNNING, 0)
        began = time.monotonic()
        while time.monotonic() - began < session_module.PATIENCE + 0.4:  # the watch looks on
            pass
        saved.append(True)

    monkeypatch.setattr(run_module, "run", begins)
    session = opened(get_preset("digits").config)
    assert entered.wait(60)
    session.request_close()
    closing.set()
    assert session.join(60)
    assert saved
