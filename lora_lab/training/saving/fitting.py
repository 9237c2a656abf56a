"""Whether a tensor of a checkpoint is what belongs under its name."""

from __future__ import annotations

import torch

from lora_lab.errors import LabError
from lora_lab.names import shown

Tensors = dict[str, torch.Tensor]
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def wrong(reason: str) -> LabError:
    """The error that says why a checkpoint is not of a run."""
    return LabError(
        f"The checkpoint does not fit this run: {reason}. It is damaged or was made by hand; go "
        "back to an earlier save, or begin the run again."
    )


def tensor_of(tensors: Tensors, name: str) -> torch.Tensor:
    """The one of that name; raises LabError where it is missing."""
    if name not in tensors:
        raise wrong(f"{shown(name)} is missing")
    return tensors[name]


def fits(
    tensors: Tensors, name: str, shape: tuple[int, ...], kinds: tuple[torch.dtype, ...] = FLOATS
) -> str:
    """`name`, once its tensor is known to be of this shape and of one of these types."""
    tensor = tensor_of(tensors, name)
    if tuple(tensor.shape) != shape or tensor.dtype not in kinds:
        kind, of = (str(dtype).removeprefix("torch.") for dtype in (tensor.dtype, kinds[-1]))
        raise wrong(
            f"{shown(name)} is {list(tensor.shape)} of {kind}, where {list(shape)} of {of} belongs"
        )
    return name
