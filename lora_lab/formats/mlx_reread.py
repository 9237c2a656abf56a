"""A written MLX folder as mlx-lm computes with it, apart from the writer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.container import read_container
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.names import shown


def reread(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """Every key of the settings as mlx-lm replaces its module: one rank, one scale, no tensor left.

    A key with a name that stands in a block only in part would hold in every block, so each has to
    be the whole name of a layer.
    """
    settings = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    container = read_container(folder / "adapters.safetensors")
    given = settings["lora_parameters"]
    left = set(container.entries)
    with_magnitude = settings["fine_tune_type"] == "dora"
    for key in given["keys"]:
        wanted = [f"{key}.lora_a", f"{key}.lora_b", *([f"{key}.m"] if with_magnitude else [])]
        if missing := [name for name in wanted if name not in left]:
            raise AdapterError(f"{container.path}: {shown(missing[0])} is missing")
        left -= set(wanted)
        a, b, *rest = (container.array(name) for name in wanted)  # (in, r), (r, out), (out)
        if a.shape[1] != given["rank"] or b.shape[0] != given["rank"]:
            raise AdapterError(f"{container.path}: {shown(key)} is not of rank {given['rank']}")
        yield RereadLayer(key, given["scale"] * b.T, a.T, rest[0] if rest else None)
    if left:
        raise AdapterError(f"{container.path}: {shown(min(left))} belongs to no layer")
