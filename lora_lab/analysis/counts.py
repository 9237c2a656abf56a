"""Parameter counts of adapters, by arithmetic alone, so that they can move with a slider."""

from __future__ import annotations


def layer_rank(shape: tuple[int, int], rank: int) -> int:
    """The rank that a layer of `shape` (out, in) can use: `rank`, capped at min(out, in)."""
    return min(rank, *shape)


def adapter_parameters(shape: tuple[int, int], rank: int) -> int:
    """r·(in + out) for a linear layer of `shape` (out, in); `rank` is capped (LoRA §4.2)."""
    return layer_rank(shape, rank) * sum(shape)
