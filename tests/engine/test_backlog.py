"""Who comes later gets every step once: of the file, of what is kept, and then the live ones."""

import random

import pytest

from lora_lab.config import changed
from lora_lab.engine.backlog import SECONDS, Standing
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    EvalRecord,
    FolderRecord,
    PastEditRecord,
    ResumedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.listing import METRICS
from lora_lab.runs.metrics import MetricsFile
from tests.engine.hosted import loaded_record

CONFIG = changed(get_preset("known-rank").config, max_steps=1000)


def said(tmp_path, until, gone_back=(), edits=()):
    """(time, record) of a run with a file, each a second after the other."""
    file, now, step = MetricsFile(tmp_path / METRICS), 0.0, 0
    yield now, loaded_record(CONFIG)
    yield now, FolderRecord(0, str(tmp_path))
    yield now, StateRecord(State.RUNNING, 0, goal=1000)
    backs = dict(gone_back)
    hyper = CONFIG.hyper
    while step < until:
        step, now = step + 1, now + 1.0
        records = [StepRecord(step, float(step), 1e-3, now)]
        if step % 3 == 0:
            records.append(EvalRecord(step, True, float(step)))
        if step in edits:
            hyper = changed(hyper, rank=hyper.rank % 7 + 1)
            records.append(AppliedRecord(step, hyper, (("rank", 1, hyper.rank),)))
        if step in backs:
            step = backs.pop(step)
            records.append(ResumedRecord(step, (0, 1000)))
        for record in records:
            file.append([record])
            yield now, record
    file.close()


CASES = [
    pytest.param(until, backs, id=f"{until} steps, back {backs}")
    for until, backs in [
        (1, []), (4, []), (40, []), (41, [(20, 5)]), (40, [(39, 38)]), (30, [(6, 2)]),
        (40, [(20, 5), (30, 29), (31, 3)]), (12, [(12, 9)]),
    ]
]  # fmt: skip


@pytest.mark.parametrize(("until", "backs"), CASES)
def test_no_step_is_missing_and_none_comes_twice(tmp_path, until, backs):
    standing, edits = Standing(), (7, 11, 33)
    now = {"steps": [], "evals": [], "edits": []}
    for moment, record in said(tmp_path, until, backs, edits):
        standing.take(record, moment)
        if isinstance(record, ResumedRecord):
            now = {k: [s for s in v if s <= record.step] for k, v in now.items()}
        for kind, name in ((StepRecord, "steps"), (EvalRecord, "evals"), (AppliedRecord, "edits")):
            if isinstance(record, kind):
                now[name].append(record.step)
    recalled = standing.backlog().records()
    for kind, name in ((StepRecord, "steps"), (EvalRecord, "evals"), (PastEditRecord, "edits")):
        assert [r.step for r in recalled if isinstance(r, kind)] == now[name], name
    if until > SECONDS + 2 and not backs:
        assert standing.backlog().until > 0, "the old part is read from the file"
    assert recalled[0].goal == 1000
    assert isinstance(recalled[-1], StateRecord)
    assert recalled[-1].step == now["steps"][-1]


def test_what_was_edited_stands_in_what_is_loaded(tmp_path):
    standing = Standing()
    hyper = changed(CONFIG.hyper, rank=3)
    for record in (loaded_record(CONFIG), AppliedRecord(0, hyper, (("rank", 1, 3),))):
        standing.take(record, 0.0)
    assert standing.backlog().records()[0].hyper == hyper


def test_before_a_model_stands_there_is_no_past():
    assert [r.state for r in Standing().backlog().records()] == [State.LOADING]


def test_a_run_without_a_folder_keeps_all(tmp_path):
    standing = Standing()
    standing.take(loaded_record(CONFIG), 0.0)
    for step in range(1, 50):
        standing.take(StepRecord(step, 1.0, 1.0, 1.0), float(step))
    backlog = standing.backlog()
    assert backlog.until == -1
    assert [r.step for r in backlog.recent] == list(range(1, 50))


def test_any_moment_of_any_run(tmp_path):
    draw = random.Random(3)
    for trial in range(20):
        folder = tmp_path / str(trial)
        folder.mkdir()
        backs = {draw.randint(2, 40): 0 for _ in range(draw.randint(0, 3))}
        backs = [(at, draw.randint(1, at - 1)) for at in backs]
        test_no_step_is_missing_and_none_comes_twice(folder, draw.randint(1, 45), backs)
