"""float64 for what has to be measured exactly, also on devices that have none."""

from __future__ import annotations

import torch


def widened(t: torch.Tensor) -> torch.Tensor:
    """`t` in float64, where it is; on the CPU where its device (mps) has no float64."""
    return (t.cpu() if t.device.type == "mps" else t).double()
