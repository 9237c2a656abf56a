"""The fingerprint of a set of weights: equal if and only if names, shapes, types and bytes are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import nn


def fingerprint(weights: nn.Module | Mapping[str, torch.Tensor]) -> str:
    """SHA-256 in hexadecimal, independent of the order of the tensors and of their device.

    Names are separated from what follows by their lengths, so no two states are hashed alike.
    """
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        kind = f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
        for text in (name, kind):
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def loaded_state(model: nn.Module, new_layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
    """What the checkpoint brought: without the layers that were drawn anew."""
    new = tuple(f"{name}." for name in new_layers)
    return {key: t for key, t in model.state_dict().items() if not (new and key.startswith(new))}
