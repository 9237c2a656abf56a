"""Written kohya and diffusers files as their programs compute with them, apart from the writers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.container import Container, read_container
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.names import shown

# What ComfyUI's key map (comfy/lora.py, October 2025) and sd-scripts put before a path.
PREFIXES = (
    ("model.diffusion_model.", "lora_unet_"), ("diffusion_model.", "lora_unet_"),
    ("unet.", "lora_unet_"), ("transformer.", "lora_transformer_"), ("prior.", "lora_prior_unet_"),
    ("text_encoder.", "lora_te_"), ("cond_stage_model.transformer.", "lora_te_"),
    ("text_encoder_2.", "lora_te2_"), ("text_encoder_3.", "lora_te3_"),
    ("conditioner.embedders.0.transformer.", "lora_te1_"),
    ("conditioner.embedders.1.transformer.", "lora_te2_"),
    ("text_encoders.clip_l.transformer.", "lora_te1_"),
    ("text_encoders.clip_g.transformer.", "lora_te2_"),
)  # fmt: skip
# The parts of a pipeline that diffusers loads adapters into (_lora_loadable_modules, 0.42).
LOADABLE = {
    "unet", "transformer", "transformer_2", "text_encoder", "text_encoder_2", "text_encoder_3",
    "prior", "connectors", "text_conditioner", "controlnet",
}  # fmt: skip


def reread_kohya(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """ComfyUI's rule: a key is what it makes of the model's own path, and s = alpha/r, else 1."""
    yield from _flat(read_container(folder / "adapter.safetensors"), weights)


def _flat(container: Container, weights: AdapterWeights) -> Iterator[RereadLayer]:
    names = {_key(layer.name, weights): layer.name for layer in weights.layers}
    left = set(container.entries)
    for stem in sorted({key.split(".")[0] for key in left}):
        if stem not in names:
            raise AdapterError(
                f"{container.path}: {shown(stem)} is no layer that a program asks for"
            )
        own = {key for key in left if key.split(".")[0] == stem}
        parts = {key[len(stem) + 1 :]: container.array(key) for key in own}
        down, up = parts["lora_down.weight"], parts["lora_up.weight"]
        alpha = float(parts["alpha"]) if "alpha" in parts else 0.0
        magnitude = parts.get("dora_scale")
        if magnitude is not None and magnitude.shape[0] != up.shape[0]:
            raise AdapterError(
                f"{container.path}: dora_scale of {shown(stem)} is not of the outputs"
            )
        yield RereadLayer(
            names[stem],
            (alpha / down.shape[0] if alpha else 1.0) * up.reshape(up.shape[0], -1),
            down.reshape(down.shape[0], -1),
            None if magnitude is None else magnitude.ravel(),
        )
        left -= own
    if left:
        raise AdapterError(f"{container.path}: {shown(min(left))} belongs to no layer")


def _key(path: str, weights: AdapterWeights) -> str:
    """What a program that knows the model asks for; a flat name is one already."""
    if "." not in path:
        return path
    for words, prefix in PREFIXES:
        if path.startswith(words):
            two = any(layer.name.startswith("text_encoder_2.") for layer in weights.layers)
            prefix = "lora_te1_" if words == "text_encoder." and two else prefix
            steps = path[len(words) :].split(".")
            if words.startswith("text_encoder") and steps[:2] == ["encoder", "layers"]:
                steps = ["text_model", *steps]  # CLIP, as those programs know it
            return prefix + "_".join(steps)
    raise AdapterError(f"{shown(path)}: no program that reads such files asks for it")


def reread_diffusers(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """The rule of loaders that read no metadata, s = 1, which the metadata must agree with.

    Each name begins with a part that diffusers loads into, or is spelled as its converters know.
    """
    container = read_container(folder / "pytorch_lora_weights.safetensors")
    if any(".lora_down." in key for key in container.entries):
        yield from _flat(container, weights)
        return
    names = {layer.name.removeprefix("model."): layer.name for layer in weights.layers}
    settings = json.loads(container.metadata.get("lora_adapter_metadata", "{}"))
    for key, alpha in settings.items():
        if key.endswith(".lora_alpha") and alpha != settings[key[: -len("lora_alpha")] + "r"]:
            raise AdapterError(f"{container.path}: {shown(key)} is not the rank")
        pattern = settings.get(key[: -len("alpha_pattern")] + "rank_pattern")
        if key.endswith(".alpha_pattern") and alpha != pattern:
            raise AdapterError(f"{container.path}: {shown(key)} is not the pattern of ranks")
    for key in sorted(container.entries):
        stem, _, part = key.rpartition(".lora_")
        component = stem.split(".")[0]
        if component not in LOADABLE and component != "diffusion_model":
            raise AdapterError(f"{container.path}: diffusers would leave out {shown(key)}")
        if part != "A.weight":
            continue
        magnitude = None
        if f"{stem}.lora_magnitude_vector" in container.entries:
            magnitude = container.array(f"{stem}.lora_magnitude_vector").ravel()
        up, down = container.array(f"{stem}.lora_B.weight"), container.array(key)
        yield RereadLayer(names.get(stem, stem), _matrix(up), _matrix(down), magnitude)


def _matrix(array: np.ndarray) -> np.ndarray:
    return array.reshape(array.shape[0], -1)
