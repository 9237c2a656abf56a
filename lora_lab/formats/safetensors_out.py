"""Safetensors as they are written: the same adapter is the same file, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping

import safetensors.torch
import torch

from lora_lab.errors import ExportError
from lora_lab.names import is_text


def packed(
    tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]
) -> tuple[bytes, memoryview]:
    """A file in two parts, the metadata in the order of its names.

    The library writes it in another order each time, and a file would be known by no checksum.
    """
    if strange := [key for key, value in metadata.items() if not is_text(value)]:
        raise ExportError(f"{strange[0]} is to be written into the file, and is no text in UTF-8. "
                          "Rename what it names.")  # fmt: skip
    raw = safetensors.torch.save(dict(tensors), dict(metadata))
    end = 8 + int.from_bytes(raw[:8], "little")
    header = {**json.loads(raw[8:end]), "__metadata__": dict(sorted(metadata.items()))}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, memoryview(raw)[end:]
