"""llama.cpp's adapter files: GGUF with `<base tensor>.lora_a` and `.lora_b`.

llama.cpp scales by alpha/rank of each tensor, or by 1 where alpha is 0 (src/llama-adapter.cpp), and
knows one alpha for all. Rows of Llama's q and k are in its own order of rotary angles, so the
rows of their B do as well (convert_hf_to_gguf.py, LlamaModel.permute); GPT-2's factors stand as
they are, though its weights are transposed. Names and heads come from the base's config.json.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.errors import AdapterError, CheckpointError
from lora_lab.formats.factor_file import checked
from lora_lab.formats.factors import layer_of_factors, scales
from lora_lab.formats.gguf_experts import PARTS, hindrance, put_together
from lora_lab.formats.gguf_experts import tensors_of as expert_tensors
from lora_lab.formats.gguf_names import (
    ARCHITECTURES,
    TOKENS,
    base_config,
    heads_of,
    put_back,
    tensor_name,
)
from lora_lab.formats.peft_parameters import is_expert, stacks_of
from lora_lab.models.gguf_file import by_copy, check_gguf
from lora_lab.models.strict_json import parse_json
from lora_lab.names import shown
from lora_lab.variants import PLAIN

FILE = "adapter.gguf"
NAMES = "lora_lab.names"  # {tensor: [module path, kind, heads whose rows are permuted or 0]};
# of experts [path of the parameter, gate_proj, up_proj or down_proj, 0]
UNNAMED = (
    "names and the order of rows in q and k are llama.cpp's; the base's config.json puts both back "
    "(--base)"
)


def save(weights: AdapterWeights, folder: Path) -> tuple[str, ...]:
    """Write `folder`/adapter.gguf for the base that `weights.base` names; notes on the scale.

    Raises AdapterError where the base's config.json is not at hand or a layer has no name there.
    """
    from gguf import GGUFType, GGUFWriter, Keys

    config = base_config(weights)
    architecture, _ = ARCHITECTURES[config["model_type"]]
    plain, stacks = [x for x in weights.layers if not is_expert(x)], stacks_of(weights.layers)
    alphas = [x.scaling * x.rank for x in (*plain, *stacks)]
    same = max(alphas) - min(alphas) <= 1e-12 * max(map(abs, alphas)) and alphas[0] != 0
    folder.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(str(folder / FILE), architecture)
    names = {}
    try:
        writer.add_type(GGUFType.ADAPTER)
        writer.add_string(Keys.Adapter.TYPE, "lora")
        writer.add_float32(Keys.Adapter.LORA_ALPHA, alphas[0] if same else 0.0)
        for stack in stacks:
            for name, part, A, B in expert_tensors(stack, config, folded=not same):
                names[name] = [stack.name, part, 0]
                writer.add_tensor(f"{name}.lora_a", _array(A, np.float32))
                writer.add_tensor(f"{name}.lora_b", _array(B, np.float32))
        for layer in plain:
            name, heads = tensor_name(layer, config), heads_of(layer.name, config)
            names[name] = [layer.name, layer.kind, heads]
            B = layer.lora_B if same else layer.scaling * layer.lora_B.double()
            A = layer.lora_A.t() if name.startswith(TOKENS) else layer.lora_A
            half = same and layer.lora_A.dtype == layer.lora_B.dtype == torch.float16
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
        elif is_expert(layer) and (reason := hindrance(layer)):
            reasons.append(reason)
    if weights.whole:
        reasons.append(
            f"{weights.whole[0].name}: it is fully trained (modules_to_save), "
            "which llama.cpp cannot load"
        )
    return tuple(reasons)


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


def load(path: Path, base: str = "") -> AdapterWeights:
    """Read an adapter file; module paths where it is ours or its `base` is given, whose config.json
    tells the order of rows as well; else llama.cpp's own names.

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
    if _field(reader, "adapter.alora.invocation_tokens") is not None:
        raise AdapterError(
            f"{path}: it is an aLoRA, which is active only after certain tokens "
            "(adapter.alora.invocation_tokens), and no ΔW of the whole model says that; use it in "
            "llama.cpp, or train without invocation tokens"
        )
    alpha = _field(reader, "adapter.lora.alpha") or 0.0
    if not scales(alpha):
        raise AdapterError(f"{path}: its alpha is {alpha}, no number that scales anything")
    stored = str(_field(reader, NAMES) or "{}")
    table = parse_json(stored.encode(), f"{path}, {NAMES}", AdapterError)
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    packed: set[str] = set()
    told = "" if table else UNNAMED
    for tensor in reader.tensors:
        stem, _, part = tensor.name.rpartition(".lora_")
        if part not in ("a", "b") or not stem:
            raise AdapterError(f"{path}: {shown(tensor.name)} is no factor of a layer")
        pairs.setdefault(stem, {})[part] = checked(path, tensor.name, _numbers(path, tensor))
        packed |= {tensor.tensor_type.name} - {"F32", "F16", "BF16"}
    if base and not table:
        architecture = str(_field(reader, "general.architecture"))
        table = {stem: list(row) for stem, row in put_back(pairs, base, architecture).items()}
        told = "names and the order of rows in q and k are restored by the base's config.json"
    layers: list[LayerWeights] = []
    stacks: dict[str, dict[str, dict[str, torch.Tensor]]] = {}
    for stem, pair in pairs.items():
        if len(pair) < 2:
            raise AdapterError(f"{path}: {shown(stem)} has only one of its factors")
        name, kind, heads = _known(table, stem)
        if pair["a"].dim() == 3:
            if name.rpartition(".")[2] not in PARTS:
                raise AdapterError(
                    f"{path}: {shown(stem)} has factors of experts, whose places in the base are "
                    "known in files of this program alone"
                )
            stacks.setdefault(name, {})[kind] = pair
            continue
        A = pair["a"].t().contiguous() if stem.startswith(TOKENS) else pair["a"]
        try:
            B = restored(pair["b"], heads)
            layers.append(layer_of_factors(name, A, B, alpha or None, kind=kind))
        except (AdapterError, RuntimeError, ValueError) as error:
            raise AdapterError(f"{path}: {error}") from None
    for name, parts in stacks.items():
        try:
            layers += put_together(name, parts, alpha, len(layers))
        except AdapterError as error:
            raise AdapterError(f"{path}: {error}") from None
    rule = f"alpha {alpha:g} over the rank of each layer" if alpha else "1, since alpha is 0"
    notes = [f"the scaling is {rule}"]
    notes += [told] if told else []
    if packed:
        notes.append(f"factors are packed ({', '.join(sorted(packed))}) and read as llama.cpp does")
    for key in ("adapter.lora.task_name", "adapter.lora.prompt_prefix"):
        if text := _field(reader, key):
            notes.append(f"{key} is {shown(text)}, which other formats do not carry")
    return AdapterWeights(
        PLAIN,
        tuple(layers),
        base=str(_field(reader, "lora_lab.base") or ""),
        base_fingerprint=str(_field(reader, "lora_lab.base_fingerprint") or ""),
        extra={"format": "gguf", "notes": tuple(notes)},
    )


def count_tensors(path: Path) -> int:
    return len(check_gguf(path))


def _known(table: Any, stem: str) -> tuple[str, str, int]:
    match table.get(stem) if isinstance(table, dict) else None:
        case [str() as name, str() as kind, int() as heads] if name and 0 <= heads < 2**16:
            return name, kind, heads
    return stem.removesuffix(".weight"), "embedding" if stem.startswith(TOKENS) else "linear", 0


def _numbers(path: Path, tensor: Any) -> torch.Tensor:
    """A factor's numbers, those of packed types as llama.cpp unpacks them; a copy."""
    from gguf.quants import dequantize

    if tensor.tensor_type.name in ("F32", "F16"):
        return torch.from_numpy(np.array(tensor.data))
    try:
        numbers = dequantize(tensor.data, tensor.tensor_type)
    except (NotImplementedError, ValueError) as error:
        raise AdapterError(
            f"{path}: {shown(tensor.name)} is packed as {tensor.tensor_type.name}, which is not "
            "read; convert the adapter with --outtype f32 or f16"
        ) from error
    # BF16 is the upper half of a float32: nothing is lost in going back to it.
    exact = torch.from_numpy(np.array(numbers, dtype=np.float32))
    return exact.to(torch.bfloat16) if tensor.tensor_type.name == "BF16" else exact


def _array(tensor: torch.Tensor, kind: Any) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().double().numpy().astype(kind))


def _field(reader: Any, name: str) -> Any:
    field = reader.get_field(name)
    try:
        return None if field is None else field.contents()
    except (ValueError, LookupError, TypeError) as error:  # text that is none, a type that is none
        raise AdapterError(f"the GGUF file's {name} cannot be read: {error}") from error
