"""Written kohya and diffusers files as their programs compute with them, apart from the writers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.container import read_container
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.names import shown


def reread_kohya(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """ComfyUI's rule: keys are looked up by the model's own paths, s = alpha/r, or 1 without."""
    container = read_container(folder / "adapter.safetensors")
    left = set(container.entries)
    stems = {key.split(".")[0] for key in left}
    for layer in weights.layers:
        stem = next((name for name in _lookups(layer.name) if name in stems), None)
        if stem is None:
            raise AdapterError(f"{container.path}: nothing of {shown(layer.name)} is in the file")
        parts = {
            key[len(stem) + 1 :]: container.array(key) for key in left if key.split(".")[0] == stem
        }
        down, up = parts["lora_down.weight"], parts["lora_up.weight"]
        alpha = float(parts["alpha"]) if "alpha" in parts else 0.0
        scale = alpha / down.shape[0] if alpha else 1.0
        magnitude = parts.get("dora_scale")
        if magnitude is not None and magnitude.shape[0] != up.shape[0]:
            raise AdapterError(
                f"{container.path}: dora_scale of {shown(stem)} is not of the outputs"
            )
        yield RereadLayer(
            layer.name,
            scale * up.reshape(up.shape[0], -1),
            down.reshape(down.shape[0], -1),
            None if magnitude is None else magnitude.ravel(),
        )
        stems.discard(stem)
        left -= {key for key in left if key.split(".")[0] == stem}
    if left:
        raise AdapterError(f"{container.path}: {shown(min(left))} belongs to no layer")


def _lookups(path: str) -> Iterator[str]:
    """Where a program looks for a layer: by its component's prefix, else among those of a unet."""
    component, _, inside = path.partition(".")
    prefixes = {
        "unet": ("lora_unet",),
        "transformer": ("lora_transformer",),
        "text_encoder": ("lora_te1", "lora_te"),
        "text_encoder_2": ("lora_te2",),
    }
    for prefix in prefixes.get(component, ()):
        yield f"{prefix}_{inside.replace('.', '_')}"
    yield path.replace(".", "_")
    yield f"lora_unet_{path.replace('.', '_')}"


def reread_diffusers(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """The rule of loaders that read no metadata, s = 1, which the metadata must agree with."""
    container = read_container(folder / "pytorch_lora_weights.safetensors")
    settings = json.loads(container.metadata["lora_adapter_metadata"])
    for key, alpha in settings.items():
        if key.endswith(".lora_alpha") and alpha != settings[key[: -len("lora_alpha")] + "r"]:
            raise AdapterError(f"{container.path}: {shown(key)} is not the rank")
        pattern = settings.get(key[: -len("alpha_pattern")] + "rank_pattern")
        if key.endswith(".alpha_pattern") and alpha != pattern:
            raise AdapterError(f"{container.path}: {shown(key)} is not the pattern of ranks")
    names = {layer.name for layer in weights.layers}
    for key in sorted(container.entries):
        stem, _, part = key.partition(".lora_")
        if part != "A.weight":
            continue
        name = stem if stem in names else stem.partition(".")[2]
        magnitude = None
        if f"{stem}.lora_magnitude_vector" in container.entries:
            magnitude = container.array(f"{stem}.lora_magnitude_vector").ravel()
        up, down = container.array(f"{stem}.lora_B.weight"), container.array(key)
        yield RereadLayer(name, _matrix(up), _matrix(down), magnitude)


def _matrix(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0], -1)
