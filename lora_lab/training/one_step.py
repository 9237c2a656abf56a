"""A step is made or it is not: one that ends before a tensor has moved leaves the run before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lora_lab.tasks.draws import random_states, set_random_states
from lora_lab.training.experiment import Experiment


@contextmanager
def one_step(experiment: Experiment, batch: Any) -> Iterator[None]:
    """What is left in the middle of this block, by an error or because nobody listens, gives the
    batch back to the order that it came from and draws anew what was drawn: what is saved then is
    of whole steps. While tensors move, `experiment.moving` says that nothing can be saved."""
    drawn = random_states(experiment.device)
    try:
        yield
    except BaseException:
        if not experiment.moving:
            set_random_states(experiment.device, drawn)
            experiment.batches.give_back(batch)
        raise
