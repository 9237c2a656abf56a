"""Adapters that are no change of a layer's weight: what they are, told from their names.

Soft prompts, bottleneck layers and image adapters compute beside the layers of their base; there is
no ΔW that could be inspected, converted or merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lora_lab.models.other_files import other_folder
from lora_lab.variants import SUBSPACE, THETA, VARIANTS

USE_THERE = "It has no ΔW of layers; use it with the program that it is for"
# What one of the tensors is called, and what the file is then.
TENSORS = (
    (r"(.*\.)?prompt_embeddings", "a soft prompt (prompt, P- or prefix tuning)"),
    (r"(.*\.)?adapter_query(\.weight)?|.*\.adaption_(prompt|gate)", "a LLaMA-Adapter"),
    (r".*\.(gating_factor|adapter_wte\.weight)", "an adapter of LitGPT (LLaMA-Adapter)"),
    (r"ip_adapter\..*|image_proj\..*", "an IP-Adapter, which reads a picture"),
    (r"adapter\.(body|conv_in)\..*", "a T2I-Adapter, which reads a picture"),
    (r".*\.adapters\.[^.]+\.adapter_(down|up)\..*", "bottleneck layers of AdapterHub"),
    (r"(control_model|controlnet_cond_embedding)\..*", "a ControlNet, which reads a picture"),
    (r"<[^<>]+>|\*|emb_params|string_to_param.*", "an embedding of textual inversion"),
)  # fmt: skip
HUB = ("model_class", "config_id")  # of adapter_config.json as AdapterHub's library writes it


def no_lora(keys: Iterable[str]) -> str:
    """What a file with these tensors is, in a sentence; "" where nothing is known."""
    for key in keys:
        for pattern, what in TENSORS:
            if re.fullmatch(pattern, key):
                return f"it is {what}. {USE_THERE}"
    return ""


def of_adapter_hub(settings: Mapping[str, Any]) -> str:
    """That adapter_config.json is of AdapterHub's library, and the way out; "" where it is not."""
    if "peft_type" in settings or not any(name in settings for name in HUB):
        return ""
    config = settings.get("config")
    kind = config.get("architecture") if isinstance(config, dict) else None
    if kind == "lora":
        return (
            "it is a LoRA of AdapterHub's library adapters. Merge it there "
            "(model.merge_adapter(NAME), model.save_pretrained(…)), then `lora-lab extract`"
        )
    return f"it is an adapter of AdapterHub's library adapters (bottleneck layers). {USE_THERE}"


def no_adapter_folder(folder: Path) -> str:
    """What a folder without an adapter is, where that is known, with the way out."""
    if said := other_folder(folder):
        return said
    if (folder / THETA).is_file():
        return VARIANTS[SUBSPACE].no_factors
    if (folder / "metrics.jsonl").is_file():
        return "it is a run that was not trained or not saved, or that trained all of W"
    if (folder / "config.json").is_file():
        return (
            "its config.json names no model_type of transformers, so it is no model folder that "
            "is read here. Choose the file of its weights"
        )
    if any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer_config.json")):
        return "it has a tokenizer and no model. Choose the folder with the weights"
    return ""
