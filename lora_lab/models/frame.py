"""A model of transformers laid out without memory, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_module_registration_hook as on_each

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line, quiet
from lora_lab.time_limit import limited

# transformers patches torch and itself while it builds, for all threads: two at once may leave it
# so, and then no tied weights are found until the program is started again.
BUILDING = threading.Lock()
SECONDS = 10.0  # to lay one out; the largest models of today take two
# Modules of a model beyond so many for each tensor of its file: most have one or two for each, and
# some are shared, or without weights. Configs count layers, blocks and experts by a hundred names.
FOR_EACH, BESIDE = 20, 1000


class Endless(CheckpointError):
    """A config of which more is made than any model has."""

    def __init__(self) -> None:
        super().__init__(
            "the model would take far too long to lay out, or would have more modules than its "
            "weights are for. Choose another."
        )


@contextmanager
def bounded(tensors: int) -> Iterator[None]:
    """What is laid out in this block ends within a time, and with as many modules as a model of so
    many tensors may have; raises Endless."""
    most, here, count = FOR_EACH * tensors + BESIDE, threading.get_ident(), 0

    def counted(*_: Any) -> None:
        nonlocal count
        count += threading.get_ident() == here
        if count > most:
            raise Endless

    hook = on_each(counted)
    try:
        with limited(SECONDS, Endless):
            yield
    finally:
        hook.remove()


def laid_out(config: Any, kind: Any, name: str, tensors: int) -> nn.Module:
    """The model of a file of so many tensors laid out without memory; raises CheckpointError where
    it cannot be built."""
    with BUILDING, torch.random.fork_rng(devices=[]), quiet(name), torch.device("meta"):
        try:
            with bounded(tensors):
                return kind(deepcopy(config))
        except Endless:
            raise
        except Exception as error:
            reason = first_line(error)
            raise CheckpointError(f"{name}: the model cannot be built ({reason}).") from error
