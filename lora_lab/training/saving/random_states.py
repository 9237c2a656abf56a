"""States of random generators in a checkpoint: tried, and looked into, before one is put back."""

from __future__ import annotations

import struct

import torch

HEAD = struct.Struct("<QiiQ")  # seed, left, seeded, next: ATen, CPUGeneratorImpl.cpp
WORDS = 624  # of the Mersenne Twister
ON_DEVICE = "random|device"  # the name of an accelerator's own


def is_of(device: torch.device, name: str) -> bool:
    """Whether a generator of the device named `name` has states like one of `device`."""
    return device.type == name.partition(":")[0] != "cpu"


def is_random_state(state: torch.Tensor, device: torch.device) -> bool:
    """Whether a generator of the device can go on from `state` (bytes); it is tried on another one.

    A state of the CPU says how many of its words are left and which is the next one. torch compares
    neither with the other, and reads past the words where they do not go together.
    """
    if state.dtype != torch.uint8 or state.dim() != 1:
        return False
    try:
        torch.Generator(device).set_state(state)
    except (RuntimeError, TypeError, ValueError):
        return False
    if device.type != "cpu":
        return True
    _, left, _, following = HEAD.unpack(state[: HEAD.size].numpy().tobytes())
    return left + following == WORDS + 1 or (left, following) == (1, 0)
