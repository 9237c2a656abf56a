"""A written GGUF adapter as llama.cpp computes with it, apart from the writer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.reread_layer import RereadLayer
from lora_lab.names import shown

# Families of which llama.cpp turns neighbours in q and k, where transformers turns two halves.
PAIRED = {"llama", "mistral", "mixtral", "granite", "olmo", "smollm3", "arcee"}


def reread(folder: Path, weights: AdapterWeights) -> Iterator[RereadLayer]:
    """Every layer with llama.cpp's scale, rows of Llama's q and k put back by their numbers."""
    from gguf import GGUFReader

    path = folder / "adapter.gguf"
    reader = GGUFReader(str(path))
    base = _told(Path(weights.base))
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    named = {layer.name.rpartition(".")[2] for layer in weights.layers}
    table = json.loads(reader.fields["lora_lab.names"].contents())
    experts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for stem, (name, part, _) in sorted(table.items(), key=lambda row: row[1][1]):  # gate, then up
        if part.endswith("_proj"):
            pair = [tensors.pop(f"{stem}.lora_{which}").data for which in "ab"]
            a, b = (np.array(one, dtype=np.float64) for one in pair)
            experts.setdefault(name, []).append((a, (alpha / b.shape[2] if alpha else 1.0) * b))
            continue
        a = np.array(tensors.pop(f"{stem}.lora_a").data, dtype=np.float64)
        b = np.array(tensors.pop(f"{stem}.lora_b").data, dtype=np.float64)
        if stem == "token_embd.weight":
            a = a.T
        if a.shape[0] != b.shape[1]:
            raise AdapterError(f"{path}: {shown(stem)} does not multiply")
        if stem.endswith(("attn_q.weight", "attn_k.weight")) and base["model_type"] in PAIRED:
            heads = base["num_attention_heads"]
            if stem.endswith("attn_k.weight"):
                heads = base.get("num_key_value_heads") or heads
            b = b[_places(b.shape[0], heads)]
        scale = alpha / b.shape[1] if alpha else 1.0
        if name.rpartition(".")[2] not in named:
            raise AdapterError(f"{path}: {shown(name)} is none of the adapter's layers")
        yield RereadLayer(name, scale * b, a)
    for name, parts in experts.items():
        yield from _experts(path, name, parts)
    if tensors:
        raise AdapterError(f"{path}: {shown(min(tensors))} belongs to no layer")


def _told(base: Path) -> dict[str, Any]:
    """The family and the heads of a base, by its config.json or by the keys of a .gguf."""
    from gguf import GGUFReader

    if base.suffix != ".gguf":
        return json.loads((base / "config.json").read_text("utf-8"))
    fields = GGUFReader(str(base)).fields
    family = str(fields["general.architecture"].contents())
    heads = {"num_attention_heads": "head_count", "num_key_value_heads": "head_count_kv"}
    told: dict[str, Any] = {"model_type": family}
    for name, key in heads.items():
        if (field := fields.get(f"{family}.attention.{key}")) is not None:
            told[name] = int(field.contents())
    return told


def _experts(
    path: Path, name: str, parts: list[tuple[np.ndarray, np.ndarray]]
) -> Iterator[RereadLayer]:
    """What llama.cpp adds to each expert, gate above up as transformers holds them."""
    owner, _, parameter = name.rpartition(".")
    a = parts[0][0]
    if any(a.ndim != 3 or not np.array_equal(a, one) for one, _ in parts):
        raise AdapterError(f"{path}: gate and up of {shown(name)} differ in lora_a")
    for number in range(len(a)):
        left = np.vstack([b[number] for _, b in parts])
        if left.any() or a[number].any():
            yield RereadLayer(f"{owner}.{number}.{parameter}", left, a[number])


def _places(rows: int, heads: int) -> np.ndarray:
    """Where row h·d + half·d/2 + j of the model went: to h·d + 2j + half."""
    size = rows // heads
    row = np.arange(rows)
    head, inside = row // size, row % size
    half, j = inside // (size // 2), inside % (size // 2)
    return head * size + 2 * j + half
