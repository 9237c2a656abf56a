"""The longest row through the model before a run begins: what it cannot read is one sentence."""

from __future__ import annotations

import math

import torch
from torch import nn

from lora_lab.door import is_out_of_memory
from lora_lab.errors import CheckpointError, LabError
from lora_lab.models.architecture import first_line
from lora_lab.tasks.base import Task
from lora_lab.tasks.draws import drawing_apart


@torch.no_grad()
def try_first_row(task: Task, model: nn.Module, name: str) -> None:
    """Raise CheckpointError, calling the model `name`, where a step of one row would fail.

    It is computed as in training, without a gradient; what it draws at random is drawn again. Where
    memory is short nothing is said: a step has ways to do with less.
    """
    kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
    with drawing_apart(next(model.parameters()).device):
        try:
            loss = float(task.loss(model, task.heaviest(1, 1)))
        except LabError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                return
            raise CheckpointError(
                f"{name}: this {kind} model cannot be trained on the longest of these rows "
                f"({first_line(error)}). Choose a smaller max length or other data, or another "
                "model."
            ) from error
    dtype = next(model.parameters()).dtype
    if not math.isfinite(loss) and dtype in (torch.float16, torch.bfloat16):
        raise CheckpointError(
            f"{name}: in {str(dtype).removeprefix('torch.')} the loss of this {kind} model is "
            f"{loss} from the first row on: its numbers leave that dtype. Choose float32"
            f"{' or bfloat16' if dtype == torch.float16 else ''}."
        )
