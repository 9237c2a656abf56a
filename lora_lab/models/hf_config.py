"""The config.json of a Hugging Face folder, which says what the model is, and may not run code.

Some keys of such a file have made transformers import code from the file's author (CVE-2026-4372,
CVE-2026-5241); a folder that has one of them is refused. Sizes are held against the weights before
anything is built of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError
from lora_lab.models.strict_json import read_json

LARGEST = 2**20  # bytes of a config.json
LARGEST_SIZE = 2**24  # of whatever a model counts
MAY_BE_LARGE = ("max_position_embeddings", "model_max_length", "seed")
DEEPEST = 2000  # layers
RUNS_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "custom_generate")
# Sizes of which every model has weights of just this size.
WIDTHS = ("vocab_size", "hidden_size", "n_embd", "d_model", "intermediate_size", "dim", "n_inner")
COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "num_attention_heads", "n_head")


def read_config(folder: str | Path) -> dict[str, Any]:
    """The checked values of `folder`/config.json.

    Raises CheckpointError for a folder without one, for keys that would run code, for kinds of
    models that transformers does not know, and for sizes that cannot be.
    """
    folder = Path(folder)
    if not folder.exists():
        raise CheckpointError(f"{folder}: there is no such folder. Choose a Hugging Face folder.")
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder.name} is a file. For this task choose a Hugging Face folder: config.json, "
            "weights and tokenizer."
        )
    if not (folder / "config.json").exists():
        raise CheckpointError(
            f"{folder.name} has no config.json, so it is no Hugging Face folder. Choose the folder "
            "that holds config.json and model.safetensors."
        )
    config = read_json(folder / "config.json", LARGEST)
    check_config(config, "config.json")
    return config


def check_config(config: dict[str, Any], where: str) -> None:
    """Raise CheckpointError for the first value of `config` that is unsafe or cannot be."""
    for key, value in _walk(config):
        if key in RUNS_CODE and value not in (None, False, {}, []):
            raise CheckpointError(
                f"{where}: {key} asks for code of its author to be run, which is not done. Choose "
                "a model whose architecture is part of transformers."
            )
        if key.endswith("_internal") or ("kernel" in key.lower() and isinstance(value, str)):
            raise CheckpointError(
                f"{where}: {ascii(key)[1:-1]} could load code of its author, which is not done."
            )
        large = isinstance(value, int) and abs(value) > LARGEST_SIZE
        if large and "token" not in key and key not in MAY_BE_LARGE:
            raise CheckpointError(f"{where}: {ascii(key)[1:-1]} is {value:,}, which cannot be.")
    for key in (*WIDTHS, *COUNTS):
        value = config.get(key)
        if value is not None and (type(value) is not int or value < 1):
            raise CheckpointError(
                f"{where}: {key} is {ascii(value)[:40]}, where a whole number above 0 belongs."
            )
        if key in COUNTS and value is not None and value > DEEPEST:
            raise CheckpointError(f"{where}: {key} is {value:,}, which cannot be.")
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{where}: the weights are quantized, and cannot be trained on here. Choose the model "
            "in float32, float16 or bfloat16."
        )
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise CheckpointError(f"{where}: it has no model_type, so the architecture is unknown.")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if kind not in CONFIG_MAPPING_NAMES:
        raise CheckpointError(
            f"{where}: model_type {ascii(kind)[:40]} is none that this transformers knows. Update "
            "transformers, or choose another model."
        )


def check_sizes(
    config: dict[str, Any], shapes: Iterable[tuple[int, ...]], where: str = "config.json"
) -> None:
    """Raise CheckpointError where a width in `config` is none of the weights'."""
    known = {size for shape in shapes for size in shape}
    known |= {size * parts for size in known for parts in (2, 3)}  # fused q, k, v; gate and up
    known |= {size // parts for size in known for parts in (2, 3) if size % parts == 0}
    for key in WIDTHS:
        size = config.get(key)
        if size is not None and size not in known:
            raise CheckpointError(
                f"{where}: {key} is {size:,}, and no weight has that size. Config and weights are "
                "of different models."
            )


def _walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name), inner
            yield from _walk(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield key, inner
            yield from _walk(inner, key)
