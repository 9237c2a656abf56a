"""Torch's own generators, of the CPU and of a device: where they stand, and a block apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

RandomStates = tuple[torch.Tensor, torch.Tensor | None]  # of the CPU; of the device, if it is none


def random_states(device: torch.device) -> RandomStates:
    """What torch's own generators stand at, on the CPU and on `device`."""
    on_device = None
    if device.type == "cuda":
        on_device = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        on_device = torch.mps.get_rng_state()
    return torch.get_rng_state(), on_device


def set_random_states(device: torch.device, states: RandomStates) -> None:
    """Let torch's own generators go on from there; the device's stays where there is no state."""
    everywhere, on_device = states
    if on_device is not None and device.type == "cuda":
        torch.cuda.set_rng_state(on_device, device)
    elif on_device is not None and device.type == "mps":
        torch.mps.set_rng_state(on_device)
    torch.set_rng_state(everywhere)


@contextmanager
def drawing_apart(device: torch.device) -> Iterator[None]:
    """Whatever is drawn within is drawn as if it had not been, once the block is left.

    torch.random.fork_rng knows the generators of one kind of device, by default CUDA's.
    """
    states = random_states(device)
    try:
        yield
    finally:
        set_random_states(device, states)
