"""Factors of experts as llama.cpp has them: a tensor for all experts, and gate and up apart.

| transformers | llama.cpp | lora_a, lora_b |
|---|---|---|
| `….experts.gate_up_proj` (E, 2·i, h) | ffn_gate_exps and ffn_up_exps | (E, r, h), (E, i, r) each |
| `….experts.down_proj` (E, h, i) | ffn_down_exps | (E, r, i), (E, h, r) |

(conversion/qwen.py and llama.py of llama.cpp; `build_lora_mm_id` multiplies with the two.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from lora_lab.adapters.weights import ExpertName, LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.gguf_names import name_there
from lora_lab.formats.peft_parameters import KINDS, Stack, check_experts
from lora_lab.names import shown

PARTS = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}

Pair = dict[str, torch.Tensor]  # "a" and "b"


def hindrance(layer: LayerWeights) -> str:
    """Why a matrix of an expert has no place in llama.cpp's files; "" where it has one."""
    name = ExpertName.of(layer.name)
    if layer.kind == KINDS[0] and name is not None and name.parameter in PARTS:
        return ""
    return (
        f"{layer.name}: only gate_up_proj and down_proj of experts, stored as (out, in), are "
        "written for llama.cpp; write a merged checkpoint and convert it there"
    )


def tensors_of(
    stack: Stack, config: dict[str, Any], folded: bool
) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor]]:
    """(tensor of llama.cpp, part of the parameter, A (E, r, in), B (E, out, r)) of a parameter.

    Experts without an adapter are zeros; `folded`: the whole scaling is in B. Raises AdapterError
    where llama.cpp has no such tensor.
    """
    owner, _, parameter = stack.name.rpartition(".")
    some = next(iter(stack.experts.values()))
    E, (out, width) = some.weight_shape[0], some.shape
    A = torch.zeros(E, stack.rank, width, dtype=torch.float64)
    B = torch.zeros(E, out, stack.rank, dtype=torch.float64)
    for number, layer in stack.experts.items():
        A[number, : layer.rank] = layer.lora_A
        scale = layer.scaling if folded else layer.scaling / stack.scaling
        B[number, :, : layer.rank] = scale * layer.lora_B.double()
    parts = PARTS[parameter]
    for part, rows in zip(parts, B.chunk(len(parts), dim=1), strict=True):
        name = name_there(f"{owner}.{part}", config)
        if name is None:
            raise AdapterError(f"{stack.name}: llama.cpp has no tensor for it in this model")
        yield f"{name}.weight", part, A, rows


def put_together(
    name: str, parts: dict[str, Pair], alpha: float, others: int = 0
) -> list[LayerWeights]:
    """The experts' layers of parameter `name`, from the factors of its parts.

    Gate and up of one file of ours have one A; others are put together side by side. `others` are
    the file's layers beside. Raises AdapterError where they do not fit, or are too many.
    """
    owner, _, parameter = name.rpartition(".")
    words = PARTS.get(parameter, ())
    if set(parts) != set(words) or any(set(pair) != {"a", "b"} for pair in parts.values()):
        raise AdapterError(f"{shown(name)} has the factors of {shown(sorted(parts))} alone")
    pairs = [(parts[word]["a"], parts[word]["b"]) for word in words]
    if any(a.dim() != 3 or b.dim() != 3 or len(a) != len(b) for a, b in pairs) or any(
        a.shape[1] != b.shape[2] for a, b in pairs
    ):
        raise AdapterError(f"the factors of {shown(name)} do not multiply")
    E = len(pairs[0][0])
    check_experts(shown(name), E, others)
    scales = [alpha / a.shape[1] if alpha else 1.0 for a, _ in pairs]
    layers = []
    for number in range(E):
        downs, ups = zip(*((a[number], b[number]) for a, b in pairs), strict=True)
        if all(torch.equal(down, downs[0]) for down in downs):
            down, up, scaling = downs[0], torch.cat(ups), scales[0]
        else:
            down = torch.cat(downs)
            up = torch.block_diag(*(s * u for s, u in zip(scales, ups, strict=True)))
            scaling = 1.0
        used = down.any(1) | up.any(0)  # ranks are padded with zeros in the file
        if not bool(used.any()):
            continue
        kept = int(used.nonzero().max()) + 1
        down, up = down[:kept].contiguous(), up[:, :kept].contiguous()
        shape = (E, up.shape[0], down.shape[1])
        layers.append(
            LayerWeights(
                str(ExpertName(owner, parameter, number)), down, up, scaling * kept, scaling,
                KINDS[0], shape,
            )
        )  # fmt: skip
    return layers
