"""Random subspaces from when a weight that two layers share was counted once for each of them."""

from __future__ import annotations

from lora_lab.adapters.projection import HashProjection, digest
from lora_lab.adapters.space import Subspace


def as_counted_twice(space: Subspace, dimension: int) -> str:
    """The fingerprint that such a lab gave this subspace; "" where no two layers share a weight."""
    sizes = [shape.numel() for layer in space.layers for shape in layer.moved().values()]
    if len(sizes) == len(space.shapes):
        return ""
    return digest(HashProjection(sizes, dimension, space.seed).codes())


REASON = (
    "was made by an earlier lab, which moved a weight that two of its layers share at each of them "
    "by numbers of its own; now both move as the one that they are. The seed draws another "
    "subspace for that, in which these numbers mean nothing: train again from the base"
)
