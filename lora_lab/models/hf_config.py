"""The config.json of a Hugging Face folder, which says what the model is, and may not run code.

Some keys of such a file have made transformers import code from the file's author (CVE-2026-4372,
CVE-2026-5241); a folder that has one of them is refused. Sizes are held against the weights before
anything is built of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_lab.errors import CheckpointError
from lora_lab.models.named_classes import check_classes
from lora_lab.models.other_files import other_folder
from lora_lab.models.shards import inside
from lora_lab.models.strict_json import read_json
from lora_lab.names import shown

if TYPE_CHECKING:
    from torch import nn

LARGEST = 2**20  # bytes of a config.json
LARGEST_SIZE = 2**24  # of whatever a model counts
LARGEST_VOCABULARY = 2**28  # n-grams are counted in tens of millions
# Parts of keys whose numbers are no sizes of anything that is built.
MAY_BE_LARGE = ("max_position", "max_length", "seed", "theta", "base", "freq", "token")
MAY_BE_INFINITE = ("limit", "max", "clamp", "cap", "min")
NAME = re.compile(r"[\w.-]*", re.ASCII)  # of a kernel of transformers; a stranger's has a slash
DEEPEST = 2000  # layers
MOST_LABELS = 2**17  # each of them is given a name
RUNS_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "custom_generate")
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers",
          "decoder_layers", "num_encoder_layers", "num_decoder_layers", "inner_group_num",
          "num_hidden_groups", "num_hidden_layers_per_group", "depth", "depths", "block_sizes",
          "num_blocks", "num_encoder_blocks", "num_block_repeats", "num_feedforward_networks",
          "num_self_attends_per_block")  # fmt: skip
DRAWN = 2**24  # numbers of a model that its checkpoint may lack
# Bytes of masks and angles, which no checkpoint holds, beyond those of the weights: CodeGen's take
# half of that. What computes them takes some times as much.
TABLES = 2**28
SQUARED = 2048  # of what FNet lets a library in C make a square of; usual are 512 and 1024
# How attention may be computed. Other names are of kernels that transformers fetches and runs, and
# so are those of flash attention where it is not installed; that choice is not the file's.
COMPUTED_BY = ("eager", "sdpa", "batched_mm", "grouped_mm")
QUANTIZED = (
    "the weights are quantized{}, and how to undo it is not known here. Choose the model in "
    "float32, float16 or bfloat16, which --base-bits 4 packs while it is opened, or a .gguf of it."
)
# quant_method of a config whose weights a formula may undo; the tensors say whether it does.
UNDONE = ("fp8", "bitsandbytes", "compressed-tensors", "modelopt", "fbgemm_fp8")
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
        if (folder / "adapter_config.json").exists():
            raise CheckpointError(
                f"{folder.name} is an adapter, not a model: it stands beside its base"
                f"{_base_of(folder)}. Open that, and continue training this with --adapter."
            )
        if known := other_folder(folder):
            raise CheckpointError(f"{folder.name} has no config.json: {known}")
        raise CheckpointError(
            f"{folder.name} has no config.json, so it is no Hugging Face folder. Choose the folder "
            "that holds config.json and model.safetensors."
        )
    if (folder / "quantize_config.json").exists():
        raise CheckpointError(f"{folder.name}: {QUANTIZED.format(' (GPTQ)')}")
    config = _numbers(read_json(inside(folder, "config.json"), LARGEST, infinite=True))
    check_config(config, "config.json")
    return config


def _base_of(folder: Path) -> str:
    """The base that an adapter names, for a sentence."""
    try:
        name = read_json(folder / "adapter_config.json", LARGEST).get("base_model_name_or_path")
    except CheckpointError:
        return ""
    return f", {shown(name)}" if name else ""


def check_config(config: dict[str, Any], where: str) -> None:
    """Raise CheckpointError for the first value of `config` that is unsafe or cannot be."""
    for key, value in (("", config), *_walk(config)):
        if isinstance(value, dict) and value.get("use_tpu_fourier_optimizations"):
            sizes = [value.get("hidden_size"), value.get("tpu_short_seq_length")]
            if any(isinstance(size, int | float) and size > SQUARED for size in sizes):
                raise CheckpointError(
                    f"{where}: use_tpu_fourier_optimizations is for sizes up to {SQUARED:,}. Set "
                    "it to false: the model stays the same."
                )
        if key in RUNS_CODE and value not in (None, False, {}, []):
            raise CheckpointError(
                f"{where}: {key} asks for code of its author to be run, which is not done. Choose "
                "a model whose architecture is part of transformers."
            )
        named = isinstance(value, str) and not NAME.fullmatch(value)
        kernel = "kernel" in key.lower() and (named or (isinstance(value, dict) and value))
        if key.endswith("_internal") or kernel:
            raise CheckpointError(
                f"{where}: {ascii(key)[1:-1]} could load code of its author, which is not done."
            )
        if "implementation" in key.lower() and not _is_known(value):
            raise CheckpointError(
                f"{where}: {ascii(key)[1:-1]} is {ascii(value)[:60]}, which could be fetched and "
                f"run. Known are {', '.join(COMPUTED_BY)}; take the line out of the file."
            )
        largest = LARGEST_VOCABULARY if "vocab" in key else LARGEST_SIZE
        largest = MOST_LABELS if key == "num_labels" else largest
        large = isinstance(value, int) and abs(value) > largest
        if large and not any(word in key for word in MAY_BE_LARGE):
            raise CheckpointError(f"{where}: {ascii(key)[1:-1]} is {value:,}, which cannot be.")
        endless = isinstance(value, float) and not math.isfinite(value)
        if endless and (value != value or not any(word in key for word in MAY_BE_INFINITE)):
            raise CheckpointError(f"{where}: {ascii(key)[1:-1]} is {value}, which cannot be.")
    for key in (*WIDTHS, *COUNTS):
        value = config.get(key)
        if value is None:
            continue
        given = value if isinstance(value, list) and value else [value]  # one for each stage
        if not all(type(n) is int and n >= 1 for n in given):
            raise CheckpointError(
                f"{where}: {key} is {ascii(value)[:40]}, where a whole number above 0 belongs."
            )
        if key in COUNTS and (len(given) > DEEPEST or max(given) > DEEPEST):
            raise CheckpointError(f"{where}: {key} is {max(given):,}, which cannot be.")
    if settings := config.get("quantization_config"):
        method = settings.get("quant_method") if isinstance(settings, dict) else None
        if method not in UNDONE:
            named = f" ({shown(method)})" if isinstance(method, str) else ""
            raise CheckpointError(f"{where}: {QUANTIZED.format(named)}")
    check_classes(config, where)
    classes = config.get("architectures") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise CheckpointError(
            f"{where}: architectures is {shown(classes)}, where a list of names belongs."
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
    config: dict[str, Any],
    shapes: Iterable[tuple[int, ...]],
    where: str = "config.json",
    is_used: Callable[[int], bool] = lambda size: True,
) -> None:
    """Raise CheckpointError where a width in `config` is none of the weights'.

    A width that a model of this config makes nothing of may be whatever it is: `is_used` says so of
    those that are not out of all proportion.
    """
    known = {size for shape in shapes for size in shape}
    known |= {size * parts for size in known for parts in (2, 3)}  # fused q, k, v; gate and up
    known |= {size // parts for size in known for parts in (2, 3) if size % parts == 0}
    most = max(64 * max(known, default=0), 2**16)
    for key in WIDTHS:
        size = config.get(key)
        if size is None or isinstance(size, list) or size in known:
            continue
        if size > most or is_used(size):
            raise CheckpointError(
                f"{where}: {key} is {size:,}, and no weight has that size. Config and weights are "
                "of different models."
            )


def check_counts(values: dict[str, Any], tensors: int, where: str) -> None:
    """Raise CheckpointError where a config counts more layers than there are tensors.

    Each has one of its own, or a share of one; a million would take minutes to lay out.
    """
    for key, value in _walk(values):
        if key in LAYERS and type(value) is int and value > max(tensors, 1):
            raise CheckpointError(
                f"{where}: {key} is {value:,}, and there are {tensors:,} tensors. Config and "
                "weights are of different models."
            )


def check_frame(frame: nn.Module, numbers: int, where: str) -> None:
    """Raise CheckpointError where a model, laid out without memory, has far more than its file.

    What a checkpoint lacks is refused later, and a head or a pooler that is drawn anew is small.
    """
    wanted = sum(p.numel() for p in frame.parameters())
    tables = sum(b.numel() * b.element_size() for b in frame.buffers())
    if tables > TABLES + 4 * numbers:
        raise CheckpointError(
            f"{where}: the model would have {tables:,} bytes of tables, far more than its weights "
            "are. Config and weights are of different models."
        )
    if wanted > 2 * numbers + DRAWN:
        raise CheckpointError(
            f"{where}: the model would have {wanted:,} parameters, and its weights are "
            f"{numbers:,} numbers. Config and weights are of different models."
        )


def _is_known(value: Any) -> bool:
    """Whether a way to compute is one of the lab's, also for each part of a model."""
    if isinstance(value, dict):
        return all(map(_is_known, value.values()))
    if value is None or isinstance(value, bool):
        return True
    return isinstance(value, str) and value in COMPUTED_BY


def _numbers(value: Any) -> Any:
    """`value` with the numbers that transformers writes as {"__float__": "Infinity"}."""
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"__float__"} and value["__float__"] in ("Infinity", "-Infinity", "NaN"):
        return float(value["__float__"])
    return {key: _numbers(inner) for key, inner in value.items()}


def _walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name), inner
            yield from _walk(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield key, inner
            yield from _walk(inner, key)
