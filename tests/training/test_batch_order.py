"""The course of batches stands wherever it is told to, and what comes is what would have come."""

import itertools
import time

import pytest
import torch

from lora_lab.config import RunConfig
from lora_lab.errors import Cancelled
from lora_lab.presets import get_preset
from lora_lab.records import State, StateRecord
from lora_lab.tasks import TASKS
from lora_lab.training import batch_order
from lora_lab.training.batch_order import BatchOrder, TooFar
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from tests.tasks.test_retention import CASES, config_of


def opened(name, folder):
    plain = {"digits": {"batch_size": 33}, "known_rank": {}}
    if name in plain:
        return TASKS[name].open(RunConfig(task=name, **plain[name])), 33
    return TASKS[name].open(config_of(name, folder)), 2


def alike(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


@pytest.mark.parametrize("name", ["digits", "known_rank", *CASES])
def test_behind_any_batch_the_same_ones_come(tmp_path, name):
    task, size = opened(name, tmp_path)
    whole = list(itertools.islice(task.batches(size, 5), 150))
    course = BatchOrder(lambda skip: task.batches(size, 5, skip))
    for place in (3, 0, 44, 43, 130, 7, 7):
        course.stand_behind(place)
        for wanted in whole[place : place + 6]:
            assert alike(next(course), wanted), place
        assert course.taken == place + 6


def test_a_batch_lies_in_memory_as_it_would_have():
    """Or a kernel might round otherwise: its address within its block is the same."""
    task, size = opened("digits", None)
    for skip in (1, 31, 45, 50):
        wanted = next(itertools.islice(task.batches(size, 5), skip, None))[0]
        found = next(task.batches(size, 5, skip))[0]
        assert found.storage_offset() == wanted.storage_offset()


def test_going_on_behind_a_million_batches_takes_a_moment():
    task, size = opened("digits", None)
    course = BatchOrder(lambda skip: task.batches(size, 5, skip))
    began = time.process_time()
    course.stand_behind(1_000_000)
    next(course)
    assert time.process_time() - began < 5


def test_a_place_that_is_never_reached_is_refused(monkeypatch):
    """A checkpoint made by hand may say any: the first step would never come, nor a stop."""
    monkeypatch.setattr(batch_order, "SECONDS", 0.3)
    task, size = opened("digits", None)
    course = BatchOrder(lambda skip: task.batches(size, 5, skip))
    course.stand_behind(900_000_000)
    began = time.process_time()
    with pytest.raises(TooFar, match="made by hand"):
        next(course)
    assert time.process_time() - began < 5
    course.stand_behind(3)
    assert alike(next(course), next(itertools.islice(task.batches(size, 5), 3, None)))


def test_a_stop_is_heard_while_a_place_is_counted_up_to():
    task, size = opened("digits", None)
    course = BatchOrder(lambda skip: task.batches(size, 5, skip))
    course.stand_behind(900_000_000)
    began = time.process_time()
    for _ in range(2):  # and it stands where it stood
        with pytest.raises(Cancelled):
            course.take(lambda: True)
    assert time.process_time() - began < 0.5 * batch_order.SECONDS
    assert course.taken == 900_000_000


@pytest.mark.parametrize("ask", [Controls.stop, Controls.pause])
def test_a_run_that_counts_ends_or_pauses_when_it_is_asked_to(ask):
    experiment = Experiment.build(get_preset("digits").config)
    experiment.batches.stand_behind(900_000_000)
    controls = Controls(experiment.hyper)
    for record in train(experiment, controls):
        if isinstance(record, StateRecord) and record.state is State.RUNNING:
            ask(controls)
        elif isinstance(record, StateRecord) and record.state is State.PAUSED:
            controls.stop()
    assert experiment.step == 0
