"""A stop at any moment: what was done is saved, and nothing is said to be saved that is not."""

import io
import itertools
import signal
import threading
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console

from lora_lab.cli import headless
from lora_lab.cli.train import print_result
from lora_lab.config import changed
from lora_lab.errors import Interrupted, LabError
from lora_lab.formats import FORMATS
from lora_lab.opening_records import LoadedRecord
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    CheckpointRecord,
    EvalRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.writer import Writer
from lora_lab.tasks.digits import DigitsTask
from lora_lab.training import in_flight, loop
from lora_lab.training.adam import FusedAdamW
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.pace import Pace
from lora_lab.training.run import run
from lora_lab.training.saving import autosave
from lora_lab.training.saving.autosave import Autosave
from lora_lab.training.saving.journal import Journal
from lora_lab.training.time_budget import TimeBudget
from tests.training.opened import opening

CONFIG = changed(get_preset("known-rank").config, max_steps=30, eval_steps=5)


def trained(opening):
    for _ in run(opening, Controls(opening.config.hyper)):
        continue


def steps(path):
    rows = read_metrics(path / "metrics.jsonl")
    return [(r["step"], r["loss"]) for r in rows if r["record"] == "StepRecord"]


def driven(folder, monkeypatch, kind, step, number=signal.SIGTERM, **more):
    """A run on the command line's own loop to which that signal comes at that record."""
    real, came = headless.run, []

    def interrupted(*arguments, **others):
        for record in real(*arguments, **others):
            yield record
            if type(record) is kind and getattr(record, "step", 0) == step and not came:
                came.append(1)
                signal.raise_signal(number)

    with monkeypatch.context() as patched:
        patched.setattr(headless, "run", interrupted)
        said = Console(file=io.StringIO(), soft_wrap=True)
        return headless.drive(opening(CONFIG, folder, **more), said)


@pytest.fixture
def wanted(tmp_path):
    list(run(New(CONFIG, tmp_path / "wanted"), Controls(CONFIG.hyper)))
    return steps(tmp_path / "wanted")


@pytest.mark.parametrize("kind", [LoadedRecord, EvalRecord])
def test_before_the_first_step_nothing_is_said_to_be_saved(tmp_path, monkeypatch, kind):
    with pytest.raises(Interrupted, match=r"before the first step|nothing was trained") as error:
        driven(tmp_path / "run", monkeypatch, kind, 0)
    assert error.value.number == signal.SIGTERM
    assert steps(tmp_path / "run") == []
    assert not (tmp_path / "run" / "adapter").exists()
    found = summary_of(tmp_path / "run")
    assert (found.state, found.step) == ("stopped", 0)


@pytest.mark.parametrize(("kind", "step"), [
    (StateRecord, 0), (StepRecord, 1), (CheckpointRecord, 1), (StepRecord, 2), (EvalRecord, 5),
    (StepRecord, 30),
])  # fmt: skip
def test_after_it_the_step_in_hand_is_saved_and_goes_on_to_the_bit(
    tmp_path, monkeypatch, kind, step, wanted
):
    folder = tmp_path / "run"
    facts = driven(folder, monkeypatch, kind, step, signal.SIGINT)
    assert facts["interrupted"] == "SIGINT"
    made = facts["steps"]
    in_hand = kind is StateRecord  # a step was about to be made
    assert made == step + in_hand or (kind is CheckpointRecord and made > step)  # told of later
    assert steps(folder) == wanted[:made]
    assert latest(folder).step == made
    assert summary_of(folder).state == ("stopped" if made < 30 else "finished")
    saved = latest(folder).tensors["layer|lora_B"]
    assert (FORMATS["peft"].load(folder / "adapter").layers[0].lora_B == saved).all()
    if made < 30:
        list(run(Resume.at(folder), Controls(CONFIG.hyper)))
    assert steps(folder) == wanted


@pytest.mark.parametrize("end", [12, 30])
def test_a_run_that_goes_on_and_is_stopped_at_once_stays_as_it_is(
    tmp_path, monkeypatch, wanted, end
):
    folder = tmp_path / "run"
    driven(folder, monkeypatch, StepRecord, end)
    before = summary_of(folder).state
    with pytest.raises(Interrupted, match="nothing was trained"):
        driven(None, monkeypatch, LoadedRecord, 0, resume=folder, until=40)
    assert (latest(folder).step, summary_of(folder).step) == (end, end)
    assert summary_of(folder).state == before
    assert not (folder / "log.txt").read_text().count("failed")
    if end < 30:
        list(run(Resume.at(folder), Controls(CONFIG.hyper)))
    assert steps(folder) == wanted


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("step", [0, 1, 7])
def test_an_edit_that_was_just_made_is_saved(tmp_path, step, applied, paused):
    """Whether it was applied already, or was requested in the very moment of the stop."""
    config, folder = changed(CONFIG, autosave_seconds=1000), tmp_path / "run"
    controls, edited = Controls(config.hyper, paused=paused and not step), []
    for record in run(New(config, folder), controls, serve_after_training=True):
        at = isinstance(record, StepRecord) and record.step == step
        if not step or (paused and step):
            at = isinstance(record, StateRecord) and record.step == step
        if isinstance(record, StepRecord) and record.step == step and paused:
            controls.pause()
        if at and not edited:
            edited.append(1)
            controls.set_hyper(changed(controls.hyper, alpha=3.0))
            if not applied:
                controls.stop()
        if isinstance(record, AppliedRecord):
            controls.stop()
    rows = read_metrics(folder / "metrics.jsonl")
    made = [r for r in rows if r["record"] == "AppliedRecord"]
    assert [r["hyper"]["alpha"] for r in made] == [3.0]
    if made[0]["step"]:
        found = latest(folder)
        assert found.step == steps(folder)[-1][0] <= made[0]["step"] + 1
        assert found.facts["hyper"]["alpha"] == 3.0
        assert summary_of(folder).alpha == 3.0


@pytest.mark.parametrize("first", [2, 20, 25])
@pytest.mark.parametrize("what", ["save_adapter", "write_checkpoint"])
def test_what_is_refused_at_the_end_is_not_said_to_be_saved(tmp_path, monkeypatch, what, first):
    """Though the other half of a save stands, and though it was told of before."""
    place = RunFolder if what == "save_adapter" else autosave
    note, real, at = Journal.note, getattr(place, what), [0]

    def noted(self, record):
        at[0] = getattr(record, "step", 0)
        return note(self, record)

    def refusing(*arguments, **more):
        if at[0] >= first:
            raise LabError("No space left on device")
        return real(*arguments, **more)

    monkeypatch.setattr(Journal, "note", noted)
    monkeypatch.setattr(place, what, refusing)
    monkeypatch.setattr(autosave, "ADAPTER_SECONDS", 0.0)
    monkeypatch.setattr(autosave, "TimeBudget", lambda share, interval: TimeBudget(1.0, 0.0))
    with pytest.raises(LabError, match="No space left on device"):
        driven(tmp_path / "run", monkeypatch, StepRecord, 25)


@pytest.mark.parametrize("late", [False, True])
def test_a_refusal_that_is_made_good_is_no_failure(tmp_path, monkeypatch, late):
    """`late`: the disk answers only when the run ends and waits for it."""
    real, refused, ending = autosave.write_checkpoint, [], threading.Event()
    wait = Writer.wait
    monkeypatch.setattr(Writer, "wait", lambda writer: (ending.set(), wait(writer)))

    def refusing(path, step, *arguments):
        if not refused:
            refused.append(not late or ending.wait(60))
            raise OSError(28, "No space left on device")
        return real(path, step, *arguments)

    monkeypatch.setattr(autosave, "write_checkpoint", refusing)
    assert driven(tmp_path / "run", monkeypatch, StepRecord, 25)["steps"] == 25
    assert refused == [True]


@pytest.mark.parametrize("room", [True, False])
def test_how_to_go_on_is_said_where_one_can(tmp_path, monkeypatch, capsys, room):
    """Without memory for a copy of everything the adapter alone is saved."""
    if not room:
        free = SimpleNamespace(available=1)
        monkeypatch.setattr(autosave.psutil, "virtual_memory", lambda: free)
    facts = driven(tmp_path / "run", monkeypatch, StepRecord, 7)
    with pytest.raises(typer.Exit) as end:
        print_result(facts, as_json=True)
    assert end.value.exit_code == 128 + signal.SIGTERM
    said = " ".join(capsys.readouterr().err.split())
    assert (f"and saved; continue it with lora-lab resume {tmp_path / 'run'}" in said) == room
    assert ("with its adapter saved" in said) != room
    assert (tmp_path / "run" / "adapter").exists()


@pytest.mark.parametrize("where", ["forward", "norm", "before", "optimizer"])
def test_what_fails_in_a_step_saves_no_half_of_it(tmp_path, monkeypatch, where):
    """Until a tensor moves the batch and the draws of dropout are given back; in the optimizer some
    have moved, and the checkpoint before it stands."""
    config = changed(get_preset("digits").config, max_steps=12, eval_steps=6)
    config = changed(config, hyper=changed(config.hyper, dropout=0.3))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trained(New(config, whole))

    def broken_into(plain):
        calls = itertools.count(1)

        def broken(*arguments, **more):
            found = plain(*arguments, **more)
            if next(calls) == 7:
                raise ValueError("a fault of the model's own")
            return found

        return broken

    place, name = {
        "forward": (DigitsTask, "loss"), "norm": (loop, "gradient_norm"),
        "before": (Pace, "before"), "optimizer": (FusedAdamW, "step"),
    }[where]  # fmt: skip
    monkeypatch.setattr(place, name, broken_into(getattr(place, name)))
    with pytest.raises(LabError if where == "forward" else ValueError, match="of the model's own"):
        trained(New(config, cut))
    monkeypatch.undo()
    assert (latest(cut).step == 6) == (where != "optimizer")
    trained(Resume.at(cut))
    assert dict(steps(cut)) == dict(steps(whole))


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])  # a second Ctrl-C, Ray's SIGTERM
@pytest.mark.parametrize(
    ("place", "half"),
    [
        (loop, "gradients"), (loop, "descend"),
        (in_flight, "unread_gradients"), (in_flight, "descend_unread"),
    ],
)  # fmt: skip
def test_a_signal_that_breaks_into_a_step_saves_no_half_of_it(
    tmp_path, monkeypatch, place, half, kind
):
    config = changed(get_preset("digits").config, max_steps=12, eval_steps=6)  # batch by batch
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    trained(New(config, whole))
    plain, calls = getattr(place, half), itertools.count(1)

    def broken_into(*arguments):
        found = plain(*arguments)
        if next(calls) == 7:
            raise kind
        return found

    if place is in_flight:  # the 7th of those in flight has others behind it that are unread
        monkeypatch.setattr(in_flight, "WINDOW", {"cpu": 1e9})
        monkeypatch.setattr(loop.TimeBudget, "due", lambda *_, **__: False)
        monkeypatch.setattr(Autosave, "due", lambda saves: True)
    monkeypatch.setattr(place, half, broken_into)
    with pytest.raises(kind):
        trained(New(config, cut))
    monkeypatch.undo()
    trained(Resume.at(cut))
    assert dict(steps(cut)) == dict(steps(whole))


def test_a_signal_that_comes_before_the_end_is_saved_leaves_no_end(tmp_path, monkeypatch):
    def broken_into(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "save", broken_into)
    with pytest.raises(KeyboardInterrupt):
        trained(New(CONFIG, tmp_path / "cut"))
    monkeypatch.undo()
    assert summary_of(tmp_path / "cut").state == "stopped"
    trained(Resume.at(tmp_path / "cut"))
    assert summary_of(tmp_path / "cut").state == "finished"
    assert latest(tmp_path / "cut").facts["step"] == CONFIG.max_steps


def test_an_edit_behind_the_end_that_nobody_keeps_leaves_the_end(tmp_path):
    controls = Controls(CONFIG.hyper)
    keeps = iter([False])
    records = run(
        New(CONFIG, tmp_path / "run"), controls, serve_after_training=True,
        save_at_end=lambda: next(keeps),
    )  # fmt: skip
    for record in records:
        if isinstance(record, StateRecord) and record.state is State.FINISHED:
            controls.set_hyper(changed(controls.hyper, alpha=3.0))
        if isinstance(record, AppliedRecord):
            controls.stop()
    found = summary_of(tmp_path / "run")
    assert (found.state, found.step) == ("finished", 30)
