"""The runs of a queue without a window: one after another, past failures, through interruptions."""

import io
import signal
from pathlib import Path

import pytest
from rich.console import Console

from lora_lab.cli import headless, queue_runs
from lora_lab.cli.queue_runs import layers_of, run_queue
from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import StepRecord
from lora_lab.runs import checkpoints
from lora_lab.runs.grid import describe
from lora_lab.runs.listing import METRICS, summary_of
from lora_lab.runs.past import past_records
from lora_lab.runs.queue import DONE, FAILED, FILE, RUNNING, WAITING, Queue
from lora_lab.runs.searches import Searches
from lora_lab.tasks.base import Evaluation
from lora_lab.training import run as training_run
from lora_lab.training.experiment import Experiment
from tests.tasks.test_retention import config_of


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def queue(home):
    made = Queue(home / "queue")
    yield made
    made.close()


def known_rank(rank, **more):
    base = get_preset("known-rank").config
    hyper = {**base.hyper.model_dump(), "rank": rank}
    return changed(base, **{"max_steps": 40, "eval_steps": 10, **more}, hyper=hyper)


def run(queue):
    said = io.StringIO()
    console = Console(file=said, width=200)
    return run_queue(queue, Searches(queue), console), said.getvalue()


def states(queue):
    return [item.state for item in queue.items]


def losses_of(item):
    records = past_records(Path(item.run) / METRICS, 40)
    return [record.loss for record in records if isinstance(record, StepRecord)]


def interrupting(monkeypatch, run_number, step):
    """Ctrl-C at that step of that run."""
    real, begun = headless.run, []

    def run(*arguments, **more):
        begun.append(1)
        for record in real(*arguments, **more):
            yield record
            last = isinstance(record, StepRecord) and record.step == step
            if last and len(begun) == run_number:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(headless, "run", run)


def test_one_after_another_past_the_one_that_fails(queue):
    queue.add([known_rank(1), known_rank(99), known_rank(4)])
    interrupted, said = run(queue)
    assert not interrupted
    assert states(queue) == [DONE, FAILED, DONE]
    assert "run 3 of 3: r 4 · α 8 · lr 0.01" in said
    first, failed, last = queue.items
    assert "Rank 99 is above" in failed.message
    assert failed.message in said
    assert failed.run == ""
    for item, parameters in ((first, 80), (last, 320)):
        summary = summary_of(Path(item.run))
        assert (summary.state, summary.step) == ("finished", 40)
        assert (item.step, item.max_steps, item.parameters) == (40, 40, parameters)
        assert item.best == summary.best
        assert summary.label == describe(item.config)  # so it is called in every list of runs
        assert item.seconds == summary.seconds > 0
    assert last.best < first.best


def test_an_interrupted_run_waits_and_goes_on_to_the_bit(queue, monkeypatch):
    queue.add([known_rank(2), known_rank(3)])
    with monkeypatch.context() as patched:
        interrupting(patched, run_number=1, step=15)
        interrupted, _ = run(queue)
    assert interrupted == signal.SIGINT
    assert states(queue) == [WAITING, WAITING]
    assert queue.items[0].resumes
    assert queue.items[0].step == 15
    assert run(queue)[0] == 0
    assert states(queue) == [DONE, DONE]
    queue.add([known_rank(2)])
    run(queue)
    resumed, _, whole = queue.items
    losses = losses_of(resumed)
    assert losses == losses_of(whole)
    assert len(losses) == 40


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


WHERE = {  # where the Ctrl-C comes: what becomes of the first run, and the step that is saved
    "in a run that fails": (FAILED, 15),
    "while it is being saved": (FAILED, 15),
    "between two runs": (DONE, 40),
    "twice in a run": (WAITING, 15),
}


@pytest.mark.parametrize("where", WHERE)
def test_whenever_it_is_interrupted_what_was_done_is_saved_and_none_begins(
    queue, monkeypatch, where
):
    before = signal.getsignal(signal.SIGINT)
    real, real_loop, note = headless.run, training_run.train, queue.note

    def loop(*arguments, **more):
        for record in real_loop(*arguments, **more):
            yield record
            if isinstance(record, StepRecord) and record.step == 15:
                if where == "in a run that fails":
                    ctrl_c()
                if where != "between two runs":
                    raise ZeroDivisionError("no such luck")

    def run_twice(*arguments, **more):
        for record in real(*arguments, **more):
            yield record
            if isinstance(record, StepRecord) and record.step == 15:
                ctrl_c()
                ctrl_c()

    def saved(self):
        ctrl_c()
        yield from real_save(self)

    def noted(id, **facts):
        note(id, **facts)
        if facts["state"] == DONE:
            ctrl_c()

    real_save = training_run.Journal.save
    with monkeypatch.context() as patched:
        if where == "twice in a run":
            patched.setattr(headless, "run", run_twice)
        elif where == "between two runs":
            patched.setattr(queue, "note", noted)
        else:
            patched.setattr(training_run, "train", loop)
        if where == "while it is being saved":
            patched.setattr(training_run.Journal, "save", saved)
        queue.add([known_rank(1), known_rank(2)])
        interrupted, said = run(queue)
    state, step = WHERE[where]
    assert interrupted == signal.SIGINT
    assert states(queue) == [state, WAITING]
    assert "run 2" not in said
    assert checkpoints.latest(Path(queue.items[0].run)).step == step
    assert queue.items[0].step == step
    assert run(queue)[0] == 0
    assert states(queue) == [FAILED if state == FAILED else DONE, DONE]
    assert signal.getsignal(signal.SIGINT) is before


def test_one_that_comes_as_a_run_is_about_to_begin_is_heard(queue, monkeypatch):
    note = queue.note

    def noted(id, **facts):
        note(id, **facts)
        if facts["state"] == RUNNING:
            ctrl_c()

    queue.add([known_rank(1), known_rank(2)])
    with monkeypatch.context() as patched:
        patched.setattr(queue, "note", noted)
        assert run(queue)[0] == signal.SIGINT
    assert states(queue) == [WAITING, WAITING]
    assert queue.items[0].run == ""
    assert run(queue)[0] == 0
    assert states(queue) == [DONE, DONE]


def test_a_crash_between_two_runs_loses_neither(queue, monkeypatch):
    queue.add([known_rank(1), known_rank(2)])
    real = queue_runs.drive

    def dies_at_the_second(*arguments, **more):
        if queue.items[0].state == DONE:
            raise SystemExit("killed")
        return real(*arguments, **more)

    monkeypatch.setattr(queue_runs, "drive", dies_at_the_second)
    with pytest.raises(SystemExit):
        run(queue)
    monkeypatch.setattr(queue_runs, "drive", real)
    stored = (queue.folder / FILE).read_text()
    assert [word in stored for word in (DONE, RUNNING)] == [True, True]
    queue.close()
    revived = Queue(queue.folder)
    assert states(revived) == [DONE, WAITING]
    assert not revived.items[1].resumes  # it had not begun
    run(revived)
    assert states(revived) == [DONE, DONE]
    revived.close()


@pytest.mark.parametrize("end", ["steps", "epochs", "patience"])
def test_a_crash_behind_the_end_of_a_run_makes_no_failure_of_it(queue, monkeypatch, tmp_path, end):
    """However it came to its end, which the queue has not heard of."""
    note = queue.note

    def dies(id, **facts):
        if facts["state"] == DONE:
            raise SystemExit("killed")
        note(id, **facts)

    if end == "epochs":
        config = config_of("text_classification", tmp_path, epochs=1)
    else:
        config = known_rank(1, eval_steps=5, patience=2 * (end == "patience"))
    monkeypatch.setattr(Experiment, "held_out", lambda *_: Evaluation(loss=1.0))
    monkeypatch.setattr(queue, "note", dies)
    queue.add([config])
    with pytest.raises(SystemExit):
        run(queue)
    queue.close()
    revived = Queue(queue.folder)
    made = summary_of(Path(revived.items[0].run)).step
    assert run(revived)[0] == 0
    assert (states(revived), revived.items[0].step) == ([DONE], made)
    revived.close()


def test_a_fault_of_the_program_fails_one_run_only(queue, monkeypatch):
    real = queue_runs.drive

    def breaks_once(*arguments, **more):
        monkeypatch.setattr(queue_runs, "drive", real)
        raise RuntimeError("a kernel was not found")

    monkeypatch.setattr(queue_runs, "drive", breaks_once)
    queue.add([known_rank(1), known_rank(2)])
    _, said = run(queue)
    assert states(queue) == [FAILED, DONE]
    assert queue.items[0].message == "RuntimeError: a kernel was not found"
    assert "Traceback" in said


def test_the_layers_of_a_model_are_found_whatever_its_adapter(home):
    base = get_preset("digits").config
    hyper = {**base.hyper.model_dump(), "rank": 999, "layer_ranks": (("nobody", 3),)}
    layers = layers_of(changed(base, init="pissa", targets=("nobody",), hyper=hyper))
    assert [(layer.name, layer.shape) for layer in layers] == [
        ("fc1", (128, 64)), ("fc2", (64, 128)), ("fc3", (10, 64)),
    ]  # fmt: skip
