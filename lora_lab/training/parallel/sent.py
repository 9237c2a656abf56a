"""The state of a run as bytes from one process to another: plain values and numbers, no pickle."""

from __future__ import annotations

import json
from typing import Any

import torch

Tensors = dict[str, torch.Tensor]


def pack(tensors: Tensors, facts: dict[str, Any]) -> bytes:
    """Both as bytes, the tensors with shapes and types as safetensors has them."""
    from safetensors.torch import save

    return save(tensors, {"facts": json.dumps(facts)})


def unpack(data: bytes) -> tuple[Tensors, dict[str, Any]]:
    """What `pack` was given."""
    from safetensors.torch import load

    size = int.from_bytes(data[:8], "little")
    facts = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["facts"])
    return load(data), facts
