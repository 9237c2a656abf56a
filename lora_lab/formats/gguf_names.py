"""llama.cpp's names of a base's layers, and whose rows stand in its own order: both ways."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError, CheckpointError
from lora_lab.models.base import Base
from lora_lab.models.gguf_file import gguf_config
from lora_lab.models.hf_config import read_config
from lora_lab.models.skeleton import config_of
from lora_lab.names import shown

if TYPE_CHECKING:
    from gguf import TensorNameMap

# model_type → llama.cpp's name of the architecture, and whether rows of q and k are permuted there
# (conversion/*.py of llama.cpp: the classes that its `undo_permute` or a copy of it is in).
ARCHITECTURES = {
    "llama": ("llama", True), "mistral": ("llama", True), "mixtral": ("llama", True),
    "qwen2": ("qwen2", False), "qwen2_moe": ("qwen2moe", False), "qwen3": ("qwen3", False),
    "qwen3_moe": ("qwen3moe", False), "gemma": ("gemma", False), "gemma2": ("gemma2", False),
    "gemma3": ("gemma3", False), "gemma3_text": ("gemma3", False), "gpt2": ("gpt2", False),
    "phi3": ("phi3", False), "starcoder2": ("starcoder2", False), "granite": ("granite", True),
    "olmo": ("olmo", True), "olmo2": ("olmo2", False), "olmo3": ("olmo2", False),
    "olmoe": ("olmoe", False), "cohere": ("command-r", False), "cohere2": ("cohere2", False),
    "smollm3": ("smollm3", True), "seed_oss": ("seed_oss", False), "arcee": ("arcee", True),
    "stablelm": ("stablelm", False), "nemotron": ("nemotron", False), "phi": ("phi2", False),
    "ernie4_5": ("ernie4_5", False), "glm4": ("glm4", False), "exaone4": ("exaone4", False),
    "hunyuan_v1_dense": ("hunyuan-dense", False),
}  # fmt: skip
TOKENS = "token_embd"
OF_TEXT = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads")


def base_config(weights: AdapterWeights) -> dict[str, Any]:
    """config.json of the base, or what a .gguf says of itself; raises AdapterError where neither
    is at hand or it is not known there."""
    folder = Path(weights.base)
    packed = folder.suffix == ".gguf" and folder.is_file()
    if not packed and (not weights.base or not (folder / "config.json").is_file()):
        raise AdapterError(
            "llama.cpp's names come from the base's config.json, or from a .gguf of it, and "
            f"{weights.base or 'the base of this adapter'} is no folder that has one; name it "
            "(--base)"
        )
    try:
        config = gguf_config(folder) if packed else read_config(folder)
    except CheckpointError as error:
        raise AdapterError(str(error)) from error
    if config["model_type"] not in ARCHITECTURES:
        raise AdapterError(
            f"adapters of {config['model_type']} models are not written for llama.cpp; known are "
            f"{', '.join(ARCHITECTURES)}"
        )
    made = config_of(config)
    # Of a model that reads images besides, the part that llama.cpp has.
    text = made.get_text_config()
    told = {name: getattr(text, name, None) for name in OF_TEXT}
    tied = config.get("tie_word_embeddings", made.tie_word_embeddings)
    return {**config, **told, "tie_word_embeddings": tied}


def tensor_name(layer: LayerWeights, config: dict[str, Any]) -> str:
    """llama.cpp's name of the tensor that the layer adapts; raises AdapterError without one."""
    name, _ = ARCHITECTURES[config["model_type"]]
    gguf_name = name_there(layer.name, config)
    if gguf_name is None:
        raise AdapterError(f"{layer.name}: llama.cpp has no tensor for it in a {name} model")
    tied = config["tie_word_embeddings"]
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


def name_there(module: str, config: dict[str, Any]) -> str | None:
    """llama.cpp's name of a module of the base, without `.weight`; None where it has none."""
    name, _ = ARCHITECTURES[config["model_type"]]
    names = _names(name, config["num_hidden_layers"] or 0)
    return names.get_name(module) or names.get_name(module.replace("language_model.", "", 1))


@lru_cache(maxsize=1)  # made anew for every layer, it took nearly all the time of a file
def _names(architecture: str, blocks: int) -> TensorNameMap:
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    kind = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture)
    return get_tensor_name_map(kind, blocks)


def heads_of(name: str, config: dict[str, Any]) -> int:
    """Heads whose rows are permuted in this layer; 0: none."""
    if not ARCHITECTURES[config["model_type"]][1]:
        return 0
    heads = int(config["num_attention_heads"])
    if name.endswith("q_proj"):
        return heads
    return int(config.get("num_key_value_heads") or heads) if name.endswith("k_proj") else 0


def put_back(stems: Iterable[str], base: str, architecture: str) -> dict[str, tuple[str, str, int]]:
    """Tensor of llama.cpp → (module path, kind, heads whose rows are permuted or 0).

    Raises AdapterError where the base is of another architecture, or lacks one of the layers.
    """
    config = base_config(AdapterWeights("", (), base=base))
    name, _ = ARCHITECTURES[config["model_type"]]
    if name != architecture:
        raise AdapterError(
            f"the adapter is for a {shown(architecture)} model, and {base} is a "
            f"{config['model_type']} model ({name} in llama.cpp): it is for another base"
        )
    try:
        modules = Base(Path(base)).names()
    except CheckpointError as error:
        raise AdapterError(str(error)) from error
    known: dict[str, str] = {}
    for module in modules:  # the model's own names come first
        theirs = name_there(module, config)
        if theirs is not None:
            known.setdefault(f"{theirs}.weight", module)
    found = {}
    for stem in stems:
        if stem not in known:
            raise AdapterError(f"{base} has no layer that llama.cpp calls {shown(stem)}")
        module = known[stem]
        found[stem] = module, _kind(stem, name), heads_of(module, config)
    return found


def _kind(stem: str, architecture: str) -> str:
    if stem.startswith((TOKENS, "position_embd")):
        return "embedding"
    return "conv1d_linear" if architecture == "gpt2" and stem.startswith("blk.") else "linear"
