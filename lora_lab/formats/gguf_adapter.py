"""llama.cpp's adapter files: GGUF with `<base tensor>.lora_a` and `.lora_b`.

llama.cpp scales by alpha/rank of each tensor, or by 1 where alpha is 0 (src/llama-adapter.cpp), and
knows one alpha for all. Rows of Llama's q and k are in its own order of rotary angles, so the
rows of their B do as well (convert_hf_to_gguf.py, LlamaModel.permute); GPT-2's factors stand as
they are, though its weights are transposed. Names and heads come from the base's config.json.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError, CheckpointError
from lora_lab.formats.factors import layer_of_factors
from lora_lab.models.gguf_file import by_copy, check_gguf
from lora_lab.models.hf_config import read_config
from lora_lab.models.skeleton import config_of
from lora_lab.models.strict_json import parse_json
from lora_lab.names import shown
from lora_lab.variants import PLAIN

if TYPE_CHECKING:
    from gguf import TensorNameMap

FILE = "adapter.gguf"
NAMES = "lora_lab.names"  # {tensor: [module path, kind, heads whose rows are permuted or 0]}
# model_type → llama.cpp's name of the architecture, and whether rows of q and k are permuted there.
ARCHITECTURES = {
    "llama": ("llama", True), "mistral": ("llama", True), "qwen2": ("qwen2", False),
    "qwen3": ("qwen3", False), "gemma": ("gemma", False), "gemma2": ("gemma2", False),
    "gpt2": ("gpt2", False),
}  # fmt: skip
TOKENS = "token_embd"


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write `folder`/adapter.gguf for the base that `weights.base` names; notes on the scale.

    Raises AdapterError where the base's config.json is not at hand or a layer has no name there.
    """
    from gguf import GGUFType, GGUFWriter, Keys

    config = base_config(weights)
    architecture, _ = ARCHITECTURES[config["model_type"]]
    alphas = [layer.scaling * layer.rank for layer in weights.layers]
    same = max(alphas) - min(alphas) <= 1e-12 * max(map(abs, alphas)) and alphas[0] != 0
    folder.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(str(folder / FILE), architecture)
    names = {}
    try:
        writer.add_type(GGUFType.ADAPTER)
        writer.add_string(Keys.Adapter.TYPE, "lora")
        writer.add_float32(Keys.Adapter.LORA_ALPHA, alphas[0] if same else 0.0)
        for layer in weights.layers:
            name, heads = tensor_name(layer, config), _heads(layer.name, config)
            names[name] = [layer.name, layer.kind, heads]
            B = layer.lora_B if same else layer.scaling * layer.lora_B.double()
            A = layer.lora_A.t() if name.startswith(TOKENS) else layer.lora_A
            half = layer.lora_A.dtype == torch.float16 and same
            kind = np.float16 if half else np.float32
            writer.add_tensor(f"{name}.lora_a", _array(A, kind))
            writer.add_tensor(f"{name}.lora_b", _array(permuted(B, heads), kind))
        writer.add_string(NAMES, json.dumps(names))
        writer.add_string("lora_lab.base", weights.base)
        writer.add_string("lora_lab.base_fingerprint", weights.base_fingerprint)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    notes = []
    if not same:
        notes.append("the scaling differs by layer, so it is folded into lora_b, with alpha 0")
    elif any(not math.isclose(x.alpha, x.scaling * x.rank) for x in weights.layers):
        notes.append(f"alpha is written as s·r = {alphas[0]:g}, since llama.cpp divides by r only")
    if any(heads for _, _, heads in names.values()):
        notes.append("rows of q and k are put into llama.cpp's order")
    return tuple(notes)


def limits(weights: AdapterWeights) -> tuple[str, ...]:
    """What llama.cpp would not do."""
    reasons = []
    for layer in weights.layers:
        if layer.magnitude is not None:
            reasons.append(f"{layer.name}: llama.cpp has no DoRA; merge it instead")
        elif layer.kind == "conv":
            reasons.append(f"{layer.name}: llama.cpp adapts no convolutions")
    if weights.whole:
        reasons.append(
            f"{weights.whole[0].name}: it is fully trained (modules_to_save), "
            "which llama.cpp cannot load"
        )
    return tuple(reasons)


def base_config(weights: AdapterWeights) -> dict[str, Any]:
    """config.json of the base; raises AdapterError where it is not at hand or not known there."""
    folder = Path(weights.base)
    if not weights.base or not (folder / "config.json").is_file():
        raise AdapterError(
            "llama.cpp's names come from the base's config.json, and the base "
            f"{weights.base or 'of this adapter'} is no folder that has one; name it (--base)"
        )
    try:
        config = read_config(folder)
    except CheckpointError as error:
        raise AdapterError(str(error)) from error
    if config["model_type"] not in ARCHITECTURES:
        raise AdapterError(
            f"adapters of {config['model_type']} models are not written for llama.cpp; known are "
            f"{', '.join(ARCHITECTURES)}"
        )
    return config


def tensor_name(layer: LayerWeights, config: dict[str, Any]) -> str:
    """llama.cpp's name of the tensor that the layer adapts; raises AdapterError without one."""
    name, _ = ARCHITECTURES[config["model_type"]]
    blocks = config.get("num_hidden_layers") or config.get("n_layer") or 0
    gguf_name = _names(name, blocks).get_name(layer.name)
    if gguf_name is None:
        raise AdapterError(f"{layer.name}: llama.cpp has no tensor for it in a {name} model")
    tied = config.get("tie_word_embeddings", config_of(config).tie_word_embeddings)
    if gguf_name == TOKENS and tied:
        raise AdapterError(
            f"{layer.name}: the base ties it to the head, and llama.cpp would apply the adapter "
            "to both; merge it with --untie"
        )
    if gguf_name == "output" and tied:
        raise AdapterError(
            f"{layer.name}: the base ties it to the embedding, and llama.cpp's file of such a base "
            "has no output tensor to adapt; write a merged checkpoint"
        )
    return f"{gguf_name}.weight"


@lru_cache(maxsize=1)  # made anew for every layer, it took nearly all the time of a file
def _names(architecture: str, blocks: int) -> TensorNameMap:
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    kind = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture)
    return get_tensor_name_map(kind, blocks)


def permuted(B: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head (2 halves of d/2) interleaved, as llama.cpp turns pairs of neighbours."""
    if not heads:
        return B
    out, rank = B.shape
    return B.reshape(heads, 2, out // heads // 2, rank).swapaxes(1, 2).reshape(out, rank)


def restored(B: torch.Tensor, heads: int) -> torch.Tensor:
    """What `permuted` was made from."""
    if not heads:
        return B
    out, rank = B.shape
    return B.reshape(heads, out // heads // 2, 2, rank).swapaxes(1, 2).reshape(out, rank)


def load(path: Path) -> AdapterWeights:
    """Read an adapter file; module paths where it is ours, else llama.cpp's own names.

    Raises AdapterError for what is damaged, no adapter, or not a pair of factors.
    """
    from gguf import GGUFReader

    try:
        check_gguf(path)
        with by_copy():
            reader = GGUFReader(str(path))
    except CheckpointError as error:
        raise AdapterError(str(error)) from error
    except (ValueError, OSError, IndexError, KeyError) as error:
        raise AdapterError(f"{path}: cannot be read: {error}") from error
    if _field(reader, "general.type") != "adapter" or _field(reader, "adapter.type") != "lora":
        raise AdapterError(f"{path}: this GGUF file is a model, not a LoRA adapter")
    alpha = float(_field(reader, "adapter.lora.alpha") or 0.0)
    if not abs(alpha) < 1e30:
        raise AdapterError(f"{path}: its alpha is {alpha}, no number that scales anything")
    stored = str(_field(reader, NAMES) or "{}")
    table = parse_json(stored.encode(), f"{path}, {NAMES}", AdapterError)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for tensor in reader.tensors:
        stem, _, part = tensor.name.rpartition(".lora_")
        if part not in ("a", "b") or tensor.tensor_type.name not in ("F32", "F16"):
            raise AdapterError(f"{path}: {shown(tensor.name)} is no float factor of a layer")
        pairs.setdefault(stem, {})[part] = torch.from_numpy(np.array(tensor.data))  # a copy
    layers = []
    for stem, pair in pairs.items():
        if len(pair) < 2:
            raise AdapterError(f"{path}: {shown(stem)} has only one of its factors")
        name, kind, heads = _known(table, stem)
        A = pair["a"].t().contiguous() if stem.startswith(TOKENS) else pair["a"]
        try:
            B = restored(pair["b"], heads)
            layers.append(layer_of_factors(name, A, B, alpha or None, kind=kind))
        except (AdapterError, RuntimeError) as error:
            raise AdapterError(f"{path}: {error}") from None
    rule = f"alpha {alpha:g} over the rank of each layer" if alpha else "1, since alpha is 0"
    notes = [f"the scaling is {rule}"]
    if not table:
        notes.append("names and the order of rows in q and k are llama.cpp's, not the base's")
    return AdapterWeights(
        PLAIN,
        tuple(layers),
        base=str(_field(reader, "lora_lab.base") or ""),
        base_fingerprint=str(_field(reader, "lora_lab.base_fingerprint") or ""),
        extra={"format": "gguf", "notes": tuple(notes)},
    )


def count_tensors(path: Path) -> int:
    return len(check_gguf(path))


def _heads(name: str, config: dict[str, Any]) -> int:
    """Heads whose rows are permuted in this layer; 0: none."""
    if not ARCHITECTURES[config["model_type"]][1]:
        return 0
    heads = int(config["num_attention_heads"])
    if name.endswith("q_proj"):
        return heads
    return int(config.get("num_key_value_heads") or heads) if name.endswith("k_proj") else 0


def _known(table: Any, stem: str) -> tuple[str, str, int]:
    match table.get(stem) if isinstance(table, dict) else None:
        case [str() as name, str() as kind, int() as heads] if name and 0 <= heads < 2**16:
            return name, kind, heads
    return stem.removesuffix(".weight"), "embedding" if stem.startswith(TOKENS) else "linear", 0


def _array(tensor: torch.Tensor, kind: Any) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().double().numpy().astype(kind))


def _field(reader: Any, name: str) -> Any:
    field = reader.get_field(name)
    return None if field is None else field.contents()
