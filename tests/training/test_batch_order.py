"""The course of batches stands wherever it is told to, and what comes is what would have come."""

import itertools
import time

import pytest
import torch

from lora_lab.config import RunConfig
from lora_lab.tasks import TASKS
from lora_lab.training import batch_order
from lora_lab.training.batch_order import BatchOrder, TooFar
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
