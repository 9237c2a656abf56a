"""VeRA as PEFT has it: two vectors a layer and the pair A, B that all layers share.

| key | what |
|---|---|
| `base_model.model.<layer>.vera_lambda_d`, `…vera_lambda_b` | d (r), b (out) |
| `base_model.vera_A`, `base_model.vera_B` | A (r × widest in), B (widest out × r) |

ΔW = diag(b)·B·diag(d)·A of the first rows and columns that the layer needs (peft 0.21.2,
tuners/vera/{layer,model}.py). Such folders are read in `peft_products`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.atomic import write_file
from lora_lab.errors import AdapterError
from lora_lab.formats import peft_products
from lora_lab.formats.container import read_container
from lora_lab.formats.peft import CONFIG, PREFIX, TENSORS
from lora_lab.formats.peft_products import LAMBDAS, SHARED
from lora_lab.formats.peft_settings import config_of
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.formats.safetensors_out import packed
from lora_lab.names import shown, suffixes
from lora_lab.variants import VARIANTS

# Of a LoraConfig, what VeraConfig says as well.
COMMON = ("auto_mapping", "base_model_name_or_path", "bias", "fan_in_fan_out", "inference_mode",
          "layers_pattern", "layers_to_transform", "modules_to_save", "peft_version", "revision",
          "target_modules", "task_type")  # fmt: skip


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """Why there is no VeRA folder of these weights; nothing where there is one."""
    title = VARIANTS["vera"].title
    if weights.shared is None or any(layer.vectors is None for layer in weights.layers):
        return (
            f"Only a run with the variant {title} has the vectors that such a folder holds: export "
            "it while it is open, or a checkpoint of it (--at and its step). Or write a PEFT "
            "folder, whose A and B say the same of each ΔW",
        )
    ranks = {layer.rank for layer in weights.layers}
    if len(ranks) > 1:
        return (
            f"PEFT has one r for all layers of {title}, and here they have "
            f"{', '.join(map(str, sorted(ranks)))}. Write a PEFT folder with A and B",
        )
    return ()


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write both files into `folder`; raises AdapterError, OSError as `peft.save` does."""
    assert weights.shared is not None
    config, notes = config_of(weights)
    rank = weights.layers[0].rank
    A, B = weights.shared
    tensors = dict(zip(SHARED, (A[:rank].contiguous(), B[:, :rank].contiguous()), strict=True))
    for layer in weights.layers:
        assert layer.vectors is not None
        vectors = layer.vectors.split([rank, len(layer.vectors) - rank])
        for label, vector in zip(LAMBDAS, vectors, strict=True):
            tensors[f"{PREFIX}{layer.name}.{label}"] = vector.contiguous()
    for whole in weights.whole:
        tensors |= {PREFIX + key: t.contiguous() for key, t in whole.tensors().items()}
    settings = {key: config[key] for key in COMMON if key in config} | {
        "peft_type": "VERA", "r": rank, "vera_dropout": weights.dropout, "save_projection": True,
        "projection_prng_key": 0, "init_weights": True,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / TENSORS, *packed(tensors, {"format": "pt"}))
    text = json.dumps(settings, indent=2, sort_keys=True, allow_nan=False)
    write_file(folder / CONFIG, text.encode())
    return notes


def load(folder: Path) -> AdapterWeights:
    """Read such a folder without its base, which alone tells how wide a layer is."""
    return peft_products.load(folder, {})


def reread(path: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """Every layer as PEFT multiplies it; of `weights` only the width of the layers is asked."""
    settings = json.loads((path / CONFIG).read_text("utf-8"))
    container = read_container(path / TENSORS)
    A, B = (container.array(key) for key in SHARED)
    left = set(container.entries) - set(SHARED)
    if settings["peft_type"] != "VERA" or not settings["save_projection"]:
        raise AdapterError(f"{path / CONFIG}: PEFT would not take the shared pair from the file")
    if A.shape[0] != settings["r"] or B.shape[1] != settings["r"]:
        raise AdapterError(f"{container.path}: the shared pair does not have rank {settings['r']}")
    for layer in weights.layers:
        keys = [f"base_model.model.{layer.name}.{x}" for x in ("vera_lambda_d", "vera_lambda_b")]
        if missing := [key for key in keys if key not in left]:
            raise AdapterError(f"{container.path}: {shown(missing[0])} is missing")
        left -= set(keys)
        d, b = (container.array(key).astype(np.float64) for key in keys)
        up = b[:, None] * B[: len(b)].astype(np.float64)
        down = d[:, None] * A[:, : layer.shape[1]].astype(np.float64)
        yield RereadLayer(layer.name, up, down)
    saved = frozenset(settings.get("modules_to_save") or ())
    for key in sorted(left):
        module = key.removeprefix("base_model.model.").rpartition(".")[0]
        if not any(part in saved for part in suffixes(module)):
            raise AdapterError(f"{container.path}: PEFT would not read {shown(key)}")
        yield RereadLayer(key.removeprefix("base_model.model."), container.array(key))
