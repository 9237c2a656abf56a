"""What an independent reader got of one layer from a written file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RereadLayer:
    """left (out × r) @ right (r × in) is s·B·A under the target's own rules, in float64.

    With DoRA there is its `magnitude` (out) as well. A tensor that is fully trained comes under its
    own name as `left`, in its own shape, with no `right`.
    """

    name: str
    left: np.ndarray
    right: np.ndarray | None = None
    magnitude: np.ndarray | None = None
