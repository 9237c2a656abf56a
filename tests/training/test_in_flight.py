"""Steps in flight, forced on the CPU: the run is the one whose every step is looked at."""

import math
import os
import traceback

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lora_lab.errors import LabError
from lora_lab.presets import starting_config
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    NewsRecord,
    NonFiniteRecord,
    Record,
    SpectrumRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs import checkpoints
from lora_lab.runs.listing import METRICS
from lora_lab.runs.past import past_records
from lora_lab.training import in_flight
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import TimeBudget
from lora_lab.training.loss_scale import INTERVAL, Standing
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.training.saving.autosave import Autosave
from lora_lab.training.saving.journal import Journal
from lora_lab.training.saving.state import restore, state_of
from lora_lab.training.snapshot import Snapshot
from tests.training.driven_run import DrivenRun, digits
from tests.training.test_half_precision import base

TOGETHER = 6  # five in flight, and one that is looked at
TAKING_PART = {
    "adamw": {},
    "float32": {"dtype": "float32", "max_grad_norm": 0.3},
    "clipped": {"max_grad_norm": 0.05},
    "lora+": {"b_rate_ratio": 4.0, "schedule": "cosine", "warmup_steps": 6},
    "parts": {"accumulation": 3, "batch_size": 33},
    "dropout": {"hyper": {"dropout": 0.3}},
    "dora": {"variant": "dora"},
    "full": {"variant": "full", "dtype": "bfloat16"},
    "subspace": {"variant": "subspace", "hyper": {"dimension": 500}},
    "float16": {"dtype": "float16"},
}
# after the step, which is looked at since it is validated: what is asked for
EDITS = {
    12: {"learning_rate": 3e-4, "max_grad_norm": 0.2},
    18: {"alpha": 3.0},
    24: {"rank": 2},
    30: {"rank": 6},
    84: {"frozen_layers": ("fc2",), "dropout": 0.2},
    90: {"weight_decay": 0.1},
}


@pytest.fixture
def together(monkeypatch):
    """Lets so many steps be read together; nothing else is measured but as the steps say."""
    monkeypatch.setattr(in_flight, "WINDOW", {"cpu": 1e9})
    monkeypatch.setattr(TimeBudget, "due", lambda *_, **__: False)
    return lambda count: monkeypatch.setattr(in_flight, "MOST", count)


def state(experiment):
    tensors, facts = state_of(experiment)
    return tensors, {**facts, "seconds": 0}


def same(one, other):
    (tensors, facts), (others, told) = state(one), state(other)
    assert facts == told
    assert tensors.keys() == others.keys()
    return all(torch.equal(tensors[name], others[name]) for name in tensors)


def course(experiment, edits=(), until=None):
    """Losses and rates by step, after which edits are asked for, and what was in flight."""
    controls, found, edits = Controls(experiment.hyper), [], dict(edits)
    begun, real = [], experiment.task.loss
    experiment.task.loss = lambda *these: begun.append(experiment.step) or real(*these)
    for record in train_with(experiment, controls):
        if isinstance(record, StepRecord):
            found.append((record.step, record.loss, record.learning_rate))
            if record.step == until:
                controls.stop()
        if isinstance(record, EvalRecord) and record.step in edits:
            controls.set_hyper(controls.hyper.model_copy(update=edits.pop(record.step)))
    assert not edits or until
    experiment.task.loss = real
    return found, len(begun) - len(set(begun))


def train_with(experiment, controls):
    from lora_lab.training.loop import train

    return train(experiment, controls)


@pytest.mark.parametrize("name", TAKING_PART)
def test_losses_and_state_are_those_of_steps_that_are_looked_at(together, name):
    config = digits(26, eval_steps=12, **TAKING_PART[name])
    edits = {12: {"learning_rate": 3e-4, "weight_decay": 0.1}}
    made = []
    for count in (1, TOGETHER):
        together(count)
        experiment = Experiment.build(config)
        if name == "float16":  # doubled in what would be the middle of a window
            experiment.loss_scale.restore(Standing(2.0**9, INTERVAL - 16))
        made.append((experiment, course(experiment, edits)))
    (one, (wanted, none)), (many, (found, flown)) = made
    assert found == wanted
    assert none == 0 or name == "parts"
    assert flown >= 12
    assert len(wanted) == 26
    assert same(one, many)
    if name == "float16":
        assert many.loss_scale.standing == (2.0**10, 10)


def test_over_edits_and_a_resume(together):
    config = digits(100, eval_steps=6)
    together(1)
    wanted, _ = course(one := Experiment.build(config), EDITS)
    together(TOGETHER)
    found, flown = course(many := Experiment.build(config), EDITS)
    assert found == wanted
    assert flown > 15
    assert same(one, many)
    begun, _ = course(cut := Experiment.build(config), EDITS, until=34)
    again = Experiment.build(config)
    restore(again, *state_of(cut))
    again.hyper = cut.hyper
    left = {step: values for step, values in EDITS.items() if step > begun[-1][0]}
    assert begun + course(again, left)[0] == wanted
    assert same(one, again)


class Looks(TorchDispatchMode):
    """Notes whatever would wait for an accelerator."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        indexes = args[1] if name in ("index", "index_put_") else ()
        masked = any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in indexes)
        waits = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "item")
        if name in waits or masked:
            places = [frame.filename for frame in traceback.extract_stack()]
            own = [p for p in places if f"{os.sep}torch{os.sep}" not in p and p != __file__]
            self.seen.append((name, own[-1]))
        return function(*args, **(kwargs or {}))


# Where padding is masked transformers looks at the mask, once a step.
LOOKED = {"causal_lm", "preference", "image_classification"}
TASKS = [
    ("causal_lm", "llama", {}), ("causal_lm", "llama", {"batching": "packed"}),
    ("preference", "llama", {}), ("image_classification", "cnn.pt", {}),
    *(pytest.param(*case, {}, marks=pytest.mark.slow) for case in (
        ("causal_lm", "qwen3"), ("text_classification", "distilbert"), ("seq2seq", "t5"),
        ("masked_lm", "bert"), ("regression", "bert"), ("token_classification", "bert"),
        ("image_classification", "vit"))),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("task", "name", "more"), TASKS)
def test_nothing_waits_for_the_device_between_two_looks(tmp_path, together, task, name, more):
    model, data, settings = base(tmp_path, task, name)
    config = starting_config(
        task, model=str(model), data=str(data), max_steps=19, epochs=None, batch_size=4,
        accumulation=1, validation=0.25, eval_steps=1000, max_grad_norm=0.5,
        hyper={"rank": 2, "learning_rate": 1e-3}, **settings, **more,
    )  # fmt: skip
    experiment = Experiment.build(config)
    together(TOGETHER)
    losses, real, looks, steps = [], experiment.task.loss, Looks(), 0

    def loss(model, part):
        own = [file for _, file in looks.seen if task in LOOKED or "transformers" not in file]
        losses.append(len(own))  # looks before this one
        return real(model, part)

    experiment.task.loss = loss
    with looks:
        for record in train_with(experiment, Controls(experiment.hyper)):
            steps += isinstance(record, StepRecord)
    assert steps == len(losses) == 19
    # Steps 2 to 6 are in flight behind the first, and 8 to 12.
    assert len(set(losses[2:6])) == 1, looks.seen
    assert len(set(losses[8:12])) == 1
    assert losses[1] < losses[7]


def ill(experiment, what, at=9):
    """Batch `at` gives a loss, or gradients, that are not finite."""
    real = experiment.task.loss

    def loss(model, part):
        value = real(model, part)
        if experiment.batches.taken != at:
            return value
        if what == "loss":
            return value * math.nan
        p = experiment.parameters()[0]
        return value + (0 * p.sum()).sqrt()  # 0, with a slope of ∞ · 0

    experiment.task.loss = loss


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_a_step_that_is_not_finite_is_not_applied_nor_any_after_it(
    together, monkeypatch, what, dtype
):
    """Batch 9 is the second of five that are read together."""
    monkeypatch.setattr(Snapshot, "restore", lambda kept: kept.step)  # what stands is looked at

    def paused(count):
        together(count)
        experiment = Experiment.build(digits(20, dtype=dtype, eval_steps=1000,
                                             hyper={"dropout": 0.1}))  # fmt: skip
        ill(experiment, what)
        controls, seen, stood = Controls(experiment.hyper), [], None
        for record in train_with(experiment, controls):
            seen.append(record)
            if isinstance(record, NonFiniteRecord):
                assert experiment.step == 8
                stood = state(experiment)
                controls.resume()
        return experiment, seen, stood

    one, wanted, before = paused(1)
    many, found, stood = paused(TOGETHER)
    assert before[1] == stood[1]
    assert all(torch.equal(before[0][name], stood[0][name]) for name in before[0])
    assert before[1]["batches"] == 9
    kinds = StepRecord | NonFiniteRecord | StateRecord | SpectrumRecord
    told = [[plain(r) for r in seen if isinstance(r, kinds)] for seen in (wanted, found)]
    assert told[0] == told[1]
    assert len([r for r in found if isinstance(r, StepRecord)]) == 20
    assert same(one, many)


def plain(record: Record):
    if isinstance(record, StepRecord):
        return record.step, record.loss, record.learning_rate
    return (type(record), record.step, getattr(record, "message", ""))


def test_memory_that_is_short_is_halved_where_it_is_looked_at(together):
    def course_of(count):
        together(count)
        experiment, seen = Experiment.build(digits(20, batch_size=32, eval_steps=1000)), []
        real = experiment.task.loss

        def loss(model, part):
            if experiment.batches.taken >= 9 and len(part[0]) > 16:
                raise MemoryError
            return real(model, part)

        experiment.task.loss = loss
        for record in train_with(experiment, Controls(experiment.hyper)):
            if isinstance(record, StepRecord | NewsRecord | ErrorRecord):
                seen.append(plain(record))
        return experiment, seen

    (one, wanted), (many, found) = course_of(1), course_of(TOGETHER)
    assert found == wanted
    assert many.accumulation == 2
    assert same(one, many)


def test_what_fails_ends_the_run_behind_the_steps_before_it(together, monkeypatch):
    together(TOGETHER)
    experiment, steps = Experiment.build(digits(20, eval_steps=1000)), []
    take = experiment.batches.take

    def taken(unwanted):
        if experiment.batches.taken == 9:
            raise LabError("The file is gone.")
        return take(unwanted)

    monkeypatch.setattr(experiment.batches, "take", taken)
    records = train_with(experiment, Controls(experiment.hyper))
    with pytest.raises(LabError, match="is gone"):
        steps.extend(r.step for r in records if isinstance(r, StepRecord))
    assert steps == list(range(1, 10))
    assert experiment.step == 9


@pytest.mark.parametrize("asked", ["edit", "pause", "stop"])
def test_whoever_asks_for_something_waits_for_the_step_in_hand_alone(together, asked):
    together(TOGETHER)
    experiment = Experiment.build(digits(20, eval_steps=1000))
    controls, real, seen = Controls(experiment.hyper), experiment.task.loss, []

    def loss(model, part):
        if experiment.batches.taken == 9:
            if asked == "edit":
                controls.set_hyper(controls.hyper.model_copy(update={"learning_rate": 1e-5}))
            else:
                getattr(controls, asked)()
        return real(model, part)

    experiment.task.loss = loss
    for record in train_with(experiment, controls):
        seen.append(record)
        if isinstance(record, AppliedRecord):
            assert record.step == experiment.step == 9
        if isinstance(record, StateRecord) and record.state is State.PAUSED:
            assert record.step == experiment.step == 9
            controls.stop()
    steps = [r for r in seen if isinstance(r, StepRecord)]
    if asked == "edit":
        assert [r.learning_rate == 1e-5 for r in steps] == [r.step > 9 for r in steps]
        assert len(steps) == 20
    else:
        assert steps[-1].step == 9


@pytest.mark.parametrize("optimizer", ["sgd", "muon", "adamw8bit", "riemannian"])
def test_other_optimizers_are_looked_at_each_step(together, optimizer):
    together(TOGETHER)
    experiment = Experiment.build(digits(14, optimizer=optimizer, eval_steps=1000))
    real, steps = experiment.task.loss, []

    def loss(model, part):
        steps.append(experiment.step)
        return real(model, part)

    experiment.task.loss = loss
    for _ in train_with(experiment, Controls(experiment.hyper)):
        continue
    assert steps == list(range(14))


def test_snapshots_and_the_first_looks_are_of_their_steps(together, tmp_path):
    """Whatever is kept of a step is kept while the run stands there."""
    together(TOGETHER)
    opening = New(digits(24, eval_steps=9, snapshots=4), tmp_path / "run")
    kept = {}
    controls = Controls(opening.config.hyper)
    for record in run(opening, controls):
        if isinstance(record, EvalRecord):
            kept[record.step] = record.loss
    assert set(kept) == {0, 9, 18, 24}
    names = {p.name for p in (tmp_path / "run" / "snapshots").iterdir()}
    assert names == {f"step-{n:09}.safetensors" for n in (0, 3, 6, 12, 24)}


@pytest.mark.parametrize("leaves_at", [8, 9, 12])
def test_a_save_is_never_ahead_of_the_record(together, monkeypatch, tmp_path, leaves_at):
    """Also where whoever listens leaves in the middle of what was read together."""
    together(TOGETHER)
    real, ordered = Autosave.order, []

    def order(saves, run_folder, *more):
        assert written(run_folder.path)[-1] == saves.experiment.step
        ordered.append(saves.experiment.step)
        real(saves, run_folder, *more)

    monkeypatch.setattr(Autosave, "due", lambda saves: True)
    monkeypatch.setattr(Autosave, "order", order)
    folder = tmp_path / "run"
    opening = New(digits(40, eval_steps=1000), folder)
    records = run(opening, Controls(opening.config.hyper))
    for record in records:
        if isinstance(record, StepRecord) and record.step == leaves_at:
            break
    records.close()
    saved = checkpoints.latest(folder).facts["step"]
    assert ordered[:2] == [1, 6]  # once a window
    assert saved >= leaves_at
    assert written(folder) == list(range(1, saved + 1))


def test_what_was_read_is_told_before_what_fails_behind_it(together, monkeypatch, tmp_path):
    """Steps 2 to 5 are read together, and on record before anybody is told of the first."""
    together(TOGETHER)
    note, told = Journal.note, []

    def refusing(journal, record):
        if isinstance(record, StepRecord) and record.step == 5:
            raise LabError("It cannot be noted.")
        return note(journal, record)

    monkeypatch.setattr(Journal, "note", refusing)
    opening = New(digits(20, eval_steps=1000), tmp_path / "run")
    with pytest.raises(LabError, match="cannot be noted"):
        told.extend(
            record.step
            for record in run(opening, Controls(opening.config.hyper))
            if isinstance(record, StepRecord)
        )
    assert told == written(tmp_path / "run") == [1, 2, 3, 4]


def written(folder):
    return [r.step for r in past_records(folder / METRICS, 1000) if isinstance(r, StepRecord)]


def test_with_others_or_where_nothing_is_forced_each_step_is_looked_at():
    run_ = DrivenRun(digits(30))
    assert in_flight.WINDOW.get("cpu", 0) == 0
    for expected in range(1, 20):
        assert run_.next(StepRecord).step == expected == run_.experiment.step
