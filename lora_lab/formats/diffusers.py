"""diffusers' pytorch_lora_weights.safetensors, with and without metadata, and its old spellings.

Keys are `<component>.<path>.lora_A.weight` and `.lora_B.weight`. Names that are not diffusers' own
are written as its converters take them (loaders/lora_conversion_utils.py): `diffusion_model.…` like
them, FLUX's own blocks, names of single-file checkpoints and flat ones in sd-scripts' spelling.

The metadata may hold PEFT's settings per component; where it does not, and there is no `.alpha`,
α = r and s = 1 (utils/peft_utils.py, get_peft_kwargs). So s is folded into B here, and α = r.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats import kohya, xlabs
from lora_lab.formats.components import ORIGINAL, PIPELINE, is_flat, named, split
from lora_lab.formats.factor_file import metadata_table, read_factor_file
from lora_lab.formats.factors import cannot_say, layer_of_factors, native_factors, scales
from lora_lab.formats.peft_patterns import Patterns
from lora_lab.formats.portable import fold, padded
from lora_lab.formats.safetensors_out import packed
from lora_lab.names import shown
from lora_lab.variants import of_factors

FILE = "pytorch_lora_weights.safetensors"
SETTINGS = "lora_adapter_metadata"
FLAT = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_", "lora_transformer_")  # it translates
OWN_BLOCKS = (  # FLUX's and Stable Diffusion's, read with lora_down and lora_up alone
    "double_blocks.", "single_blocks.", "input_blocks.", "middle_block.", "output_blocks.",
    "time_embed.", "label_emb.", "out.",
)  # fmt: skip
NAMED = re.compile(r"(.+\.lora_[AB])\.(?!weight$)[^.]+\.weight")  # an adapter's name was left in
DOWN = (
    ".lora_A.weight",
    ".lora.down.weight",
    "_lora.down.weight",
    ".lora_linear_layer.down.weight",
)
UP = (".lora_B.weight", ".lora.up.weight", "_lora.up.weight", ".lora_linear_layer.up.weight")
MAGNITUDE = (".lora_magnitude_vector", ".lora_magnitude_vector.weight")
ALPHA = (".alpha", ".lora.alpha")


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write the file into `folder`, and say what was baked in."""
    layers = [fold(layer) for layer in weights.layers]
    if flat := as_sd_scripts(weights):
        layers = _one_rank(layers)
        tensors, _ = kohya.tensors_of(replace(weights, layers=tuple(layers)))
    else:
        tensors = _tensors(layers)
    settings: dict[str, Any] = {}
    for component in () if flat else dict.fromkeys(split(x.name)[0] for x in layers):
        own = [x for x in layers if split(x.name)[0] == component]
        if (
            component in PIPELINE
        ):  # other names are made diffusers' own before metadata is looked at
            settings |= {f"{component}.{k}": v for k, v in _settings(own).items()}
    metadata = {
        "format": "pt",
        "lora_lab_kinds": json.dumps({x.name: x.kind for x in layers}),
        "lora_lab_base": weights.base,
        "lora_lab_base_fingerprint": weights.base_fingerprint,
    }
    if settings:
        metadata[SETTINGS] = json.dumps(settings, sort_keys=True)
    if flat:
        names = {kohya.key_of(x.name, kohya.two_encoders(weights)): x.name for x in layers}
        metadata[kohya.NAMES] = json.dumps(names)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / FILE, *packed(tensors, metadata))
    notes = []
    if any(x.scaling != 1 for x in weights.layers):
        notes.append(
            "the scaling s is folded into lora_B, and α = r, so that no loader can miss it"
        )
    if flat:
        notes.append("names are sd-scripts', which diffusers' loaders translate for the pipeline")
        if len({x.rank for x in weights.layers}) > 1:
            notes.append(
                "layers are padded with zeros to one rank, since diffusers gives most layers of "
                "such names one α"
            )
    elif not all(split(x.name)[0] in PIPELINE for x in layers):
        notes.append(
            "names are the model's own (diffusion_model.…), which diffusers' loader of that "
            "pipeline translates where it knows them (Wan, Hunyuan, Qwen-Image, LTX, Z-Image …)"
        )
    return tuple(notes)


def _one_rank(layers: list[LayerWeights]) -> list[LayerWeights]:
    """Layers of one component at one rank, and so with one α, as s is in B.

    Of flat names diffusers 0.42 looks an α of its own up by the name of an attention processor,
    finds none, and takes the commonest (utils/peft_utils.py, loaders/lora_conversion_utils.py).
    """
    part = {
        x.name: next((p for p in FLAT if x.name.startswith(p)), split(x.name)[0]) for x in layers
    }
    rank: dict[str, int] = {}
    for layer in layers:
        rank[part[layer.name]] = max(layer.rank, rank.get(part[layer.name], 0))
    return [padded(layer, rank[part[layer.name]]) for layer in layers]


def as_sd_scripts(weights: AdapterWeights) -> bool:
    """Whether diffusers reads these names in sd-scripts' spelling alone."""
    parts = [split(layer.name) for layer in weights.layers]
    return any(
        is_flat(path) or (part in ORIGINAL and not part.endswith("diffusion_model"))
        or (part.endswith("diffusion_model") and path.startswith(OWN_BLOCKS))
        for part, path in parts
    )  # fmt: skip


def _tensors(layers: list[LayerWeights]) -> dict[str, torch.Tensor]:
    """Factors as PEFT has them, by the layers' own names."""
    tensors = {}
    for layer in layers:
        down, up = native_factors(layer)
        key = layer.name.removeprefix("model.")  # diffusers knows diffusion_model.… alone
        tensors[f"{key}.lora_A.weight"], tensors[f"{key}.lora_B.weight"] = down, up
        if layer.magnitude is not None:
            shape = (1, -1, *(1,) * (down.dim() - 2)) if down.dim() > 2 else (-1,)
            tensors[f"{key}.lora_magnitude_vector"] = layer.magnitude.reshape(shape).clone()
    return tensors


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What such a file cannot hold, and what diffusers' loaders would leave out of it."""
    flat = as_sd_scripts(weights)
    dora = [layer for layer in weights.layers if layer.magnitude is not None]
    dropped = [
        f"{layer.name}: diffusers 0.42 drops the DoRA magnitudes of a text encoder"
        for layer in dora
        if layer.name.startswith("text_encoder")
    ]
    dropped += [
        f"{layer.name}: diffusers drops the magnitudes of DoRA where names are not its own, and "
        "would compute a plain LoRA; merge it, or give the diffusers model as the base (--base)"
        for layer in dora
        if flat or split(layer.name)[0] not in PIPELINE
    ]
    unread = [
        f"{layer.name}: of flat names diffusers knows those that begin with {', '.join(FLAT)}. Give"
        " the base model (--base), whose names are put in their place"
        for layer in weights.layers
        if is_flat(layer.name) and not layer.name.startswith(FLAT)
    ]
    return (*cannot_say(weights, "diffusers"), *dropped, *unread[:1])


def load(path: Path) -> AdapterWeights:
    """Read the file, or the folder that holds it. Raises AdapterError naming what is wrong."""
    path = path / FILE if path.is_dir() else path
    file = read_factor_file(path)
    metadata = file.metadata
    parts: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in xlabs.translated(file.tensors).items():
        name, part = _split(path, key)
        if part in parts.setdefault(name, {}):
            raise AdapterError(f"{path}: {shown(name)} has two {part} factors")
        parts[name][part] = tensor
    settings = metadata_table(file, SETTINGS)
    if not isinstance(settings, dict):
        raise AdapterError(f"{path}, {SETTINGS}: not a table of settings")
    by_component: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        component, _, word = key.partition(".")
        by_component.setdefault(component, {})[word] = value
    try:
        said = {name: _Said(own) for name, own in by_component.items() if "lora_alpha" in own}
    except AdapterError as error:
        raise AdapterError(f"{path}, {SETTINGS}: {error}") from None
    kinds = metadata_table(file, "lora_lab_kinds")
    kinds = kinds if isinstance(kinds, dict) else {}
    added = metadata.get("lora_lab_added", "")
    layers = []
    for name, own in parts.items():
        for part in ("down", "up"):
            if part not in own:
                raise AdapterError(f"{path}: the {part} factor of {shown(name)} is missing")
        alpha, scaling = _rule(path, said, name, own)
        ours = name.removeprefix(f"{added}.") if added else named(name)
        try:
            layer = layer_of_factors(
                ours, own["down"], own["up"], alpha, scaling, str(kinds.get(ours, "")),
                own.get("magnitude"),
            )  # fmt: skip
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
        layers.append(layer)
    if not layers:
        raise AdapterError(f"{path}: the file has no tensors")
    rule = "its metadata" if settings else "no metadata and no .alpha, which means α = r and s = 1"
    if not settings and any("alpha" in own for own in parts.values()):
        rule = ".alpha of each layer"
    return AdapterWeights(
        of_factors(magnitude=any(x.magnitude is not None for x in layers)),
        tuple(layers),
        base=metadata.get("lora_lab_base", ""),
        base_fingerprint=metadata.get("lora_lab_base_fingerprint", ""),
        extra={"format": "diffusers", "notes": (f"the scaling is from {rule}",)},
    )


def _settings(layers: list[LayerWeights]) -> dict[str, Any]:
    """One component's settings in PEFT's words; α = r throughout."""
    ranks = [layer.rank for layer in layers]
    common = max(set(ranks), key=ranks.count)
    paths = {x.name: split(x.name)[1] for x in layers}
    own = {"^" + re.escape(paths[x.name]): x.rank for x in layers if x.rank != common}
    return {
        "r": common,
        "lora_alpha": common,
        "rank_pattern": own,
        "alpha_pattern": own,
        "target_modules": sorted(paths.values()),
        "use_rslora": False,
        "use_dora": any(x.magnitude is not None for x in layers),
        "lora_bias": False,
        "bias": "none",
        "peft_type": "LORA",
    }


def _split(path: Path, key: str) -> tuple[str, str]:
    if found := NAMED.fullmatch(key):
        key = f"{found[1]}.weight"
    for part, ends in (("down", DOWN), ("up", UP), ("magnitude", MAGNITUDE), ("alpha", ALPHA)):
        for end in ends:
            if key.endswith(end) and len(key) > len(end):
                name = key[: -len(end)].replace(".processor", "").removesuffix(".lora")
                if end.startswith("_lora") and name.endswith("to_out"):
                    name += ".0"  # to_out is a list: its linear layer, then dropout
                return name, part
    if key.endswith((".lora_B.bias", ".diff_b", ".diff")):
        raise AdapterError(
            f"{path}: {shown(key)} changes a bias or a norm as well (lora_bias), which no adapter "
            "of factors alone holds. Merge it in diffusers (fuse_lora), then extract"
        )
    raise AdapterError(f"{path}: {shown(key)} has no place in a diffusers file")


class _Said:
    """What the metadata says of one component, in PEFT's words."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Raises AdapterError for a pattern that is none."""
        tables = (settings.get(name) for name in ("alpha_pattern", "rank_pattern"))
        alphas, ranks = (table if isinstance(table, dict) else {} for table in tables)
        self.alphas, self.ranks = Patterns[Any](alphas), Patterns[Any](ranks)
        self.alpha, self.rank = settings["lora_alpha"], settings.get("r")
        self.rooted = settings.get("use_rslora") is True


def _rule(
    path: Path, said: dict[str, _Said], name: str, own: dict[str, torch.Tensor]
) -> tuple[float | None, float | None]:
    """(α, s) of a layer: of its own .alpha, of the metadata, else none, which means s = 1."""
    rank = own["down"].shape[0]
    if "alpha" in own:
        if own["alpha"].numel() != 1 or not scales(float(own["alpha"])):
            raise AdapterError(f"{path}: the alpha of {shown(name)} is no number that scales it")
        return float(own["alpha"]), None
    component, _, inside = name.partition(".")
    if component not in said:
        return None, None
    settings = said[component]
    alpha = settings.alphas.get(inside, settings.alpha)
    wanted = settings.ranks.get(inside, rank if settings.rank is None else settings.rank)
    if not scales(alpha):
        raise AdapterError(f"{path}: the metadata gives {shown(name)} the α {shown(alpha)}")
    if wanted != rank:
        raise AdapterError(
            f"{path}: {shown(name)} has rank {rank}, but the metadata says {shown(wanted)}"
        )
    return float(alpha), float(alpha) / (rank**0.5 if settings.rooted else rank)
