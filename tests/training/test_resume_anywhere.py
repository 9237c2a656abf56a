"""A run that is closed after any step, with any edits before it, goes on as if nothing had been.

Everything is drawn from a seed, which is the name of the test: the run's settings, the edits and
where they fall, where it is closed, and how many of that step's edits had been made by then. It
goes over the disk, and what is compared is every loss and the whole state at the end.
"""

import random

import pytest
import torch

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    ErrorRecord,
    EvalRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import latest
from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from tests.training.opened import opening

STEPS = 26
LAYERS = ("fc1", "fc2", "fc3")
KINDS = (
    {},
    {"variant": "rslora"},
    {"variant": "dora"},
    {"variant": "vera"},
    {"variant": "lora-xs"},
    {"variant": "lora-fa"},
    {"variant": "full"},
    {"init": "pissa"},
    {"init": "olora"},
)
OPTIMIZERS = (
    {"optimizer": "adamw"},
    {"optimizer": "adamw", "b_rate_ratio": 4.0},
    {"optimizer": "sgd", "momentum": 0.9},
    {"optimizer": "sgd", "momentum": 0.0},
    {"optimizer": "riemannian"},
    {"optimizer": "adamw8bit"},
    {"optimizer": "muon"},
    {"optimizer": "muon_b", "b_rate_ratio": 4.0},
)
COURSES = (
    {"schedule": "constant"},
    {"schedule": "linear", "warmup_steps": 5},
    {"schedule": "cosine", "warmup_steps": 9},
)
EDITS = (
    lambda draw: {"rank": draw.randint(1, 10)},
    lambda draw: {"alpha": draw.uniform(1, 16), "alpha_mode": "scale_effect"},
    lambda draw: {"alpha": draw.uniform(1, 16), "alpha_mode": "keep_function"},
    lambda draw: {"rank": draw.randint(1, 10), "alpha": draw.uniform(1, 16)},
    lambda draw: {"learning_rate": 10 ** draw.uniform(-5, -3)},
    lambda draw: {"weight_decay": draw.choice([0.0, 0.01, 0.3])},
    lambda draw: {"dropout": draw.choice([0.0, 0.1, 0.4])},
    lambda draw: {"layer_ranks": [(name, draw.randint(1, 8)) for name in some(draw)]},
    lambda draw: {"frozen_layers": some(draw)},
    lambda draw: {"enabled": draw.random() < 0.5},
    lambda draw: {"max_grad_norm": draw.choice([None, 0.1, 1.0])},
)


def some(draw):
    return draw.sample(LAYERS, draw.randint(0, 2))


def drawn(seed):
    """The settings of a run, its edits by step in their order, and (step, edits made) to close."""
    draw = random.Random(seed)
    preset = get_preset("digits").config
    hyper = {
        **preset.hyper.model_dump(), "rank": draw.randint(1, 8), "alpha": draw.uniform(1, 16),
        "learning_rate": 1e-3, "dropout": draw.choice([0.0, 0.1]),
    }  # fmt: skip
    course = {**draw.choice(KINDS), **draw.choice(OPTIMIZERS), **draw.choice(COURSES)}
    parts = draw.choice([{}, {"accumulation": 2, "batch_size": 33}])
    settings = {
        "max_steps": STEPS, "batch_size": 32, "eval_steps": draw.choice([1, 4, 5]),
        "autosave_seconds": 1000, "seed": seed, **course, **parts,
    }  # fmt: skip
    edits = {
        step: [draw.choice(EDITS)(draw) for _ in range(draw.randint(1, 3))]
        for step in draw.sample(range(1, STEPS), draw.randint(0, 8))
    }
    stop = draw.choice([draw.randint(1, STEPS - 1), *edits])  # often where there is an edit
    return changed(preset, **settings, hyper=hyper), edits, (stop, draw.randint(0, 3))


def trained(config, edits, folder, resume=False, close=(0, 0)):
    """Losses and validations by step. Edits are made in a pause, one after the other.

    `edits` is emptied as they are made. It is closed after step `close[0]` and `close[1]` of its
    edits.
    """
    controls = Controls(config.hyper, paused=resume)
    how = {"resume": folder} if resume else {"folder": folder}
    found, at, made, past = {}, 0, 0, resume

    def go_on():
        waiting = edits.get(at, [])
        if at == close[0] and at and (not waiting or made == close[1]):
            controls.stop()
        elif waiting:
            controls.pause()
            controls.set_hyper(changed(controls.hyper, **waiting.pop(0)))
        else:
            controls.resume()

    for record in run(opening(config, **how), controls, serve_after_training=True):
        refused = isinstance(record, ErrorRecord)
        assert not refused or "edit was not applied" in record.message, record
        if isinstance(record, ResumedRecord):
            past, at, found = False, record.step, {}
        elif past:
            continue
        elif isinstance(record, StepRecord):
            at, made = record.step, 0
            found[at] = [record.loss]
            go_on()
        elif isinstance(record, AppliedRecord) or refused:
            made += 1
            go_on()
        elif isinstance(record, EvalRecord) and record.step in found and not controls.paused:
            found[record.step].append((record.loss, record.best))
        elif isinstance(record, StateRecord):
            if record.state is State.FINISHED:
                controls.stop()
            elif resume and record.state is State.PAUSED and not found:
                go_on()
    return found


def check(seed, tmp_path):
    config, edits, close = drawn(seed)
    wanted = trained(config, {k: list(v) for k, v in edits.items()}, tmp_path / "whole")
    first = trained(config, edits, tmp_path / "run", close=close)
    assert list(first) == list(range(1, close[0] + 1))
    torch.manual_seed(99)  # another process begins elsewhere
    rest = trained(config, edits, tmp_path / "run", resume=True)
    got = {**first, **rest}
    assert {s: v[0] for s, v in got.items()} == {s: v[0] for s, v in wanted.items()}
    a, b = latest(tmp_path / "whole"), latest(tmp_path / "run")
    apart = {"seconds": 0.0}
    if a.facts["best"] != b.facts["best"]:
        # Closing and resuming measure once more, between two edits maybe, and that one was better,
        # or as good and of another α.
        assert b.facts["best"]["step"] == close[0]
        assert b.facts["best"]["loss"] <= a.facts["best"]["loss"]
        apart["best"] = None
    kept = [{k: t for k, t in save.tensors.items() if "best" not in apart or k[:5] != "best|"}
            for save in (a, b)]  # fmt: skip
    assert kept[0].keys() == kept[1].keys()
    assert not [name for name in kept[0] if not torch.equal(kept[0][name], kept[1][name])]
    assert {**a.facts, **apart} == {**b.facts, **apart}


@pytest.mark.parametrize("seed", range(12))
def test_closing_and_resuming_changes_nothing(seed, tmp_path):
    check(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 300))
def test_closing_and_resuming_changes_nothing_at_length(seed, tmp_path):
    check(seed, tmp_path)
