"""A model of transformers laid out without memory, one at a time."""

from __future__ import annotations

import threading
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.architecture import first_line, quiet

# transformers patches torch and itself while it builds, for all threads: two at once may leave it
# so, and then no tied weights are found until the program is started again.
BUILDING = threading.Lock()


def laid_out(config: Any, kind: Any, name: str) -> nn.Module:
    """The model laid out without memory; raises CheckpointError where it cannot be built."""
    with BUILDING, torch.random.fork_rng(devices=[]), quiet(name), torch.device("meta"):
        try:
            return kind(deepcopy(config))
        except Exception as error:
            reason = first_line(error)
            raise CheckpointError(f"{name}: the model cannot be built ({reason}).") from error
