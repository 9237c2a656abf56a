"""Which part of a diffusion pipeline a layer belongs to, and the name that a format gives it there.

| spelling | as in | whose |
|---|---|---|
| of a pipeline | unet.down_blocks.0…, transformer.…, text_encoder_2.… | diffusers |
| the model's own | diffusion_model.blocks.0… | ComfyUI, single-file checkpoints |
| flat | lora_unet_down_blocks_0…, lora_te1_text_model… | sd-scripts: which _ was a . is lost |

An adapter of one model has no component, and then a pipeline's format has to be told which it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.factors import UNKNOWN
from lora_lab.names import shown

# diffusers' own components, and what sd-scripts, OneTrainer and ComfyUI call them in a flat name.
PIPELINE = {
    "unet": "lora_unet", "transformer": "lora_transformer", "text_encoder": "lora_te",
    "text_encoder_2": "lora_te2", "text_encoder_3": "lora_te3", "prior": "lora_prior_unet",
    "transformer_2": "", "connectors": "", "text_conditioner": "", "controlnet": "",
}  # fmt: skip
# Prefixes of the models' own names, as ComfyUI and single-file checkpoints have them.
ORIGINAL = {
    "model.diffusion_model": "lora_unet", "diffusion_model": "lora_unet",
    "cond_stage_model.transformer": "lora_te", "conditioner.embedders.0.transformer": "lora_te1",
    "conditioner.embedders.1.transformer": "lora_te2",
    "text_encoders.clip_l.transformer": "lora_te1",
    "text_encoders.clip_g.transformer": "lora_te2",
}  # fmt: skip
# The components that a flat prefix may stand for; an unknown one, "", fits all of them.
FLAT = {
    "lora_unet_": ("unet", "transformer", "diffusion_model", "model.diffusion_model"),
    "lora_prior_unet_": ("prior", "diffusion_model", "model.diffusion_model"),
    "lora_transformer_": ("transformer",),
    "lora_te_": ("text_encoder", "cond_stage_model.transformer"),
    "lora_te1_": (
        "text_encoder", "conditioner.embedders.0.transformer", "text_encoders.clip_l.transformer",
        "cond_stage_model.transformer",
    ),
    "lora_te2_": (
        "text_encoder_2", "conditioner.embedders.1.transformer",
        "text_encoders.clip_g.transformer",
    ),
    "lora_te3_": ("text_encoder_3",),
    "lycoris_": (*PIPELINE, "diffusion_model"),
}  # fmt: skip
# Modules that only models of one component have at their top: diffusers', then the models' own.
TOP = {
    "down_blocks": "unet", "mid_block": "unet", "up_blocks": "unet",
    "transformer_blocks": "transformer", "single_transformer_blocks": "transformer",
    "double_blocks": "diffusion_model", "single_blocks": "diffusion_model",
    "input_blocks": "model.diffusion_model", "middle_block": "model.diffusion_model",
    "output_blocks": "model.diffusion_model",
}  # fmt: skip
GPT = ("h", "wte", "wpe", "word_embeddings")  # of language models that are called transformer
LLAMA_CPP = re.compile(r"blk\.\d+\..+|token_embd|output|position_embd")
NAMED = ("kohya", "diffusers")  # formats whose layers are named by component


def split(name: str) -> tuple[str, str]:
    """(component, path in it); ("", name) where the name says none."""
    for part in (*ORIGINAL, *PIPELINE):
        if name.startswith(f"{part}.") and len(name) > len(part) + 1:
            return part, name[len(part) + 1 :]
    return "", name


def is_flat(name: str) -> bool:
    """Whether the name is sd-scripts', whose points are lost."""
    return "." not in name and name.startswith(tuple(FLAT))


def flattened(component: str, path: str) -> str:
    """The path with _ for every point, as sd-scripts and ComfyUI ask for it.

    They know CLIP's layers behind text_model, which transformers 5 leaves out.
    """
    clip = component.startswith("text_encoder") and path.startswith("encoder.layers.")
    return ("text_model_" if clip else "") + path.replace(".", "_")


def named(name: str) -> str:
    """The name with the component that its first module belongs to, where only one has such."""
    part = TOP.get(name.split(".")[0], "") if not split(name)[0] else ""
    return f"{part}.{name}" if part else name


def placed(weights: AdapterWeights, component: str = "") -> tuple[AdapterWeights, tuple[str, ...]]:
    """Each layer named by its component, for a format of pipelines; `component` is of the rest.

    Raises AdapterError where a layer's is neither known nor given.
    """
    _check(component)
    _readable(weights, flat=True)
    layers, told = [], 0
    for layer in weights.layers:
        name = named(layer.name)
        if not is_flat(name) and not split_of(weights, name)[0]:
            if not component:
                raise AdapterError(
                    f"{shown(layer.name)}: nothing says which component of a pipeline this layer "
                    "is of. Name it (--component unet, transformer, text_encoder …), or write a "
                    "peft folder, which is for one model"
                )
            name, told = f"{component}.{name}", told + 1
        layers.append(replace(layer, name=name))
    notes = (f"{told} of {len(layers)} layers named {component}.…, as was given",) if told else ()
    extra = {**weights.extra, "format": weights.extra.get("format", "diffusers")}
    if told:
        extra["format"] = "diffusers"  # from here on the first words are components
    return replace(weights, layers=tuple(layers), extra=extra), notes


def alone(weights: AdapterWeights, component: str = "") -> tuple[AdapterWeights, tuple[str, ...]]:
    """The layers of one component by their paths in it, for a format of one model.

    Raises AdapterError where there are several and none is chosen, or the paths are not known.
    """
    _check(component)
    _readable(weights, flat=False)
    of = {layer.name: split_of(weights, layer.name) for layer in weights.layers}
    parts = sorted({part for part, _ in of.values()} - {""})
    if not parts:
        return weights, ()
    if component and component not in parts:
        raise AdapterError(f"no layer is of {component}; there are {', '.join(parts)}")
    if not component and (len(parts) > 1 or "" in {part for part, _ in of.values()}):
        raise AdapterError(
            f"the adapter is for several components ({', '.join(parts)}), and this format is for "
            "one model. Choose one (--component), or write kohya or diffusers"
        )
    part = component or parts[0]
    kept = [x for x in weights.layers if of[x.name][0] == part]
    layers = tuple(replace(layer, name=of[layer.name][1]) for layer in kept)
    notes = [f"names stand without {part}., as the {part} alone has them"]
    if missing := len(weights.layers) - len(kept):
        notes.append(f"{missing} of {len(weights.layers)} layers are of others and left out")
    extra = {**weights.extra, "format": "peft"}
    return replace(weights, layers=layers, extra=extra), tuple(notes)


def split_of(weights: AdapterWeights, name: str) -> tuple[str, str]:
    """As `split`; but GPT-2 and others are called transformer themselves, outside of pipelines."""
    part, path = split(name)
    top = path.split(".")[0]
    known = top in TOP or (weights.extra.get("format") in NAMED and top not in GPT)
    if part == "transformer" and not known:
        return "", name
    return part, path


def unflattened(modules: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Flat module → the one name of the base that it can stand for; what is ambiguous is left."""
    by_flat: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        part, path = split(named(name))
        by_flat.setdefault(path.replace(".", "_"), []).append((part, named(name)))
        if flattened("text_encoder", path) != path.replace(".", "_"):
            by_flat.setdefault(flattened("text_encoder", path), []).append((part, named(name)))
        if part:  # or it is no component: GPT-2's own names begin with transformer
            by_flat.setdefault(name.replace(".", "_"), []).append(("", name))
    known = {}
    for module in modules:
        prefix = next((p for p in FLAT if module.startswith(p)), "")
        fitting = [
            (part, name) for part, name in by_flat.get(module[len(prefix) :], [])
            if not prefix or not part or part in FLAT[prefix]
        ]  # fmt: skip
        fitting = [found for found in fitting if found[0]] or fitting  # aliases have no component
        if len(fitting) == 1:
            part, name = fitting[0]
            sure = FLAT.get(prefix, ())
            own = sure[0] if not part and prefix not in ("lora_unet_", "lycoris_") and sure else ""
            known[module] = f"{own}.{name}" if own else name
    return known


def _check(component: str) -> None:
    if component and component not in (*PIPELINE, *ORIGINAL):
        raise AdapterError(
            f"{shown(component)} is no component of a pipeline; there are {', '.join(PIPELINE)}"
        )


def _readable(weights: AdapterWeights, *, flat: bool) -> None:
    """Raise AdapterError for layers of which another program could make nothing."""
    for layer in weights.layers:
        if layer.kind == UNKNOWN:
            raise AdapterError(
                f"{shown(layer.name)}: the file does not say whether it is a linear layer or a "
                "convolution, which are written in other shapes. Give the base model (--base)"
            )
        if LLAMA_CPP.fullmatch(layer.name):
            raise AdapterError(
                f"{shown(layer.name)} is llama.cpp's name, and rows of q and k may stand in its "
                "order. Give the base model (--base): its config.json puts both back"
            )
        if not flat and is_flat(layer.name):
            raise AdapterError(
                f"{shown(layer.name)}: the file holds no module paths, only this name with _ for "
                "every point. Give the base model (--base), whose names put them back"
            )
