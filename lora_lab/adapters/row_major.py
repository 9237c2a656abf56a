"""What a layer keeps lies row by row, as it is read from a checkpoint, so that products agree."""

from __future__ import annotations

import torch


def row_major(t: torch.Tensor) -> torch.Tensor:
    """`t` with the strides of a tensor that was just made; itself where it has them.

    A column of a matrix has strides of its own that `contiguous()` leaves alone, and by which a
    product chooses the order of its sums. A file does not keep them: a run of rank 1 would go on
    otherwise, in the last bits, once it is resumed.
    """
    return t.contiguous().view(-1).view(t.shape)
