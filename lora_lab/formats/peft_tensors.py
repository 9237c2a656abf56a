"""The tensors of one layer as PEFT has them: their keys, and their shapes by the layer's type.

| layer | keys | shapes |
|---|---|---|
| nn.Linear, transformers' Conv1D | lora_A.weight, lora_B.weight | (r, in), (out, r) |
| nn.Conv1d, nn.Conv2d | lora_A.weight, lora_B.weight | (r, c, *kernel), (out, r/groups, 1, …) |
| nn.Embedding | lora_embedding_A, lora_embedding_B | (r, tokens), (dim, r) |
| DoRA, of any | lora_magnitude_vector | (out), of a convolution (1, out, 1, …) |

PEFT's lora_A of a grouped convolution is not grouped: each of its rows reads every channel. A
change of the grouped weight is a special case, in which each row is zero outside the channels of
its own group; it is written like this, and nothing else is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError
from lora_lab.formats.laid_out import Laid
from lora_lab.names import shown

PREFIX = "base_model.model."
A_KEY = ".lora_A.weight"
B_KEY = ".lora_B.weight"
EMBEDDING_A = ".lora_embedding_A"
EMBEDDING_B = ".lora_embedding_B"
MAGNITUDE = ".lora_magnitude_vector"
PARTS = (A_KEY, B_KEY, EMBEDDING_A, EMBEDDING_B, MAGNITUDE)

SHARD = (
    ": DeepSpeed ZeRO-3 or FSDP wrote only its own share of it; gather the parameters before "
    "save_pretrained (deepspeed.zero.GatheredParameters, FSDP's summon_full_params)"
)

TRANSPOSED = "conv1d_linear"
LINEAR = ("linear", TRANSPOSED)  # two types of layer whose tensors look alike
CONVOLUTION = "conv"
EMBEDDING = "embedding"

# What embeddings and heads are called, whose weights PEFT adds where a vocabulary was resized.
VOCABULARY = (
    "embed_tokens", "lm_head", "wte", "word_embeddings", "tok_embeddings", "embed_in", "embed_out",
    "shared", "output", "decoder", "embeddings",
)  # fmt: skip

Tensors = dict[str, torch.Tensor]


def split_key(key: str) -> tuple[str, str] | None:
    """(layer, part) of a key; None where it is none of PEFT's for a LoRA layer."""
    part = next((part for part in PARTS if key.endswith(part)), "")
    name = key[len(PREFIX) : len(key) - len(part)]
    return (name, part) if part and name and key.startswith(PREFIX) else None


def tensors_of(layer: LayerWeights) -> Tensors:
    """The layer's tensors by key, as copies: files cannot hold views or shared storage.

    Raises `AdapterError` for what has no such form.
    """
    if layer.lora_B.shape[1] != layer.rank or layer.rank < 1:
        raise AdapterError(f"{layer.name}: lora_A and lora_B differ in rank")
    beside = ()  # of an output's number, the dimensions of a position
    if layer.kind == CONVOLUTION:
        parts, beside = _convolution(layer)
    elif layer.kind == EMBEDDING:
        parts = {EMBEDDING_A: layer.lora_A, EMBEDDING_B: layer.lora_B}
    elif layer.kind in LINEAR:
        parts = {A_KEY: layer.lora_A, B_KEY: layer.lora_B}
    else:
        raise AdapterError(f"{layer.name}: layers of type {layer.kind} cannot be written")
    if layer.magnitude is not None:
        if layer.magnitude.shape != layer.shape[:1]:
            raise AdapterError(f"{layer.name}: there is not one magnitude for each output")
        shape = (1, -1, *beside) if beside else (-1,)
        parts[MAGNITUDE] = layer.magnitude.reshape(shape)
    return {
        PREFIX + layer.name + part: tensor.detach().contiguous().clone()
        for part, tensor in parts.items()
    }


def sizes_of(tensors: Tensors, names: Iterable[str]) -> Iterator[Laid]:
    """What convolutions take here: those in groups have zeros between the blocks of lora_B."""
    for name in names:
        A, B = tensors[PREFIX + name + A_KEY], tensors[PREFIX + name + B_KEY]
        yield Laid(name, len(B), len(A), A[0].numel(), A.numel() + B.numel())


def layer_of(
    name: str, parts: Tensors, kind: str, rank: int, alpha: float, scaling: float
) -> LayerWeights:
    """The layer `name` whose tensors are `parts`; raises `AdapterError` where they do not fit."""
    for part, tensor in parts.items():
        if bad := int((~torch.isfinite(tensor)).sum()):
            raise _wrong(name, part, f"has {bad} values that are NaN or infinite")
    groups = 1
    if kind == CONVOLUTION:
        lora_A, lora_B, weight_shape, groups = _matrices(name, parts, rank)
    else:
        a, b = (EMBEDDING_A, EMBEDDING_B) if kind == EMBEDDING else (A_KEY, B_KEY)
        lora_A, lora_B = parts[a], parts[b]  # (r, in), (out, r)
        for part in (a, b):
            if parts[part].dim() != 2:
                shape = f"has the shape {list(parts[part].shape)}, not two sizes"
                raise _wrong(name, part, shape + (SHARD if parts[part].dim() == 1 else ""))
        for part, own_rank in ((a, lora_A.shape[0]), (b, lora_B.shape[1])):
            _check_rank(name, part, own_rank, rank)
        weight_shape = (lora_B.shape[0], lora_A.shape[1])
        if kind != "linear":  # W is held as (in, out)
            weight_shape = weight_shape[::-1]
    magnitude = parts.get(MAGNITUDE)
    if magnitude is not None:
        out = lora_B.shape[0]
        shape = (1, out, *(1,) * (len(weight_shape) - 2)) if kind == CONVOLUTION else (out,)
        if magnitude.shape != shape:
            own_rank = list(magnitude.shape)
            raise _wrong(name, MAGNITUDE, f"has the shape {own_rank}, not {list(shape)}")
        magnitude = magnitude.reshape(-1)
    return LayerWeights(
        name, lora_A, lora_B, alpha, scaling, kind, tuple(weight_shape), groups, magnitude
    )


def _convolution(layer: LayerWeights) -> tuple[Tensors, tuple[int, ...]]:
    """PEFT's factors, and the dimensions of a position, each 1."""
    (out, columns), groups, shape = layer.shape, layer.groups, layer.weight_shape
    native = torch.Size(shape)
    if len(shape) < 3 or shape[0] != out or native[1:].numel() != columns:
        raise AdapterError(f"{layer.name}: {shape} is no shape of a {out} × {columns} convolution")
    if layer.rank % groups or out % groups:
        raise AdapterError(f"{layer.name}: rank {layer.rank} does not divide into {groups} groups")
    rows, outputs, channels = layer.rank // groups, out // groups, shape[1]
    if not torch.equal(torch.block_diag(*_blocks(layer.lora_B, rows, outputs)), layer.lora_B):
        raise AdapterError(f"{layer.name}: lora_B is not block-diagonal in its {groups} groups")
    kernel, ones = shape[2:], (1,) * (len(shape) - 2)
    grouped = layer.lora_A.reshape(groups, rows, channels, *kernel)
    lora_A = layer.lora_A.new_zeros(groups, rows, groups, channels, *kernel)
    for i in range(groups):
        lora_A[i, :, i] = grouped[i]
    lora_B = torch.cat(_blocks(layer.lora_B, rows, outputs))  # (out, r/groups)
    parts = {
        A_KEY: lora_A.reshape(layer.rank, groups * channels, *kernel),
        B_KEY: lora_B.reshape(*lora_B.shape, *ones),
    }
    return parts, ones


def _matrices(
    name: str, parts: Tensors, rank: int
) -> tuple[torch.Tensor, torch.Tensor, tuple[int, ...], int]:
    """lora_A (r × in), the block-diagonal lora_B (out × r), W's shape, and the groups."""
    a, b = parts[A_KEY], parts[B_KEY]  # (r, c, *kernel), (out, r/groups, 1, …)
    if a.dim() > 4:
        raise _wrong(name, A_KEY, f"has {a.dim() - 2} dimensions of a kernel, 1 or 2 are known")
    _check_rank(name, A_KEY, a.shape[0], rank)
    if b.dim() != a.dim() or any(n != 1 for n in b.shape[2:]):
        raise _wrong(name, B_KEY, f"has the shape {list(b.shape)}, not [out, rank, 1, …]")
    if rank % b.shape[1]:
        _check_rank(name, B_KEY, b.shape[1], rank)
    groups, out = rank // b.shape[1], b.shape[0]
    if a.shape[1] % groups or out % groups:
        raise _wrong(name, B_KEY, f"has {b.shape[1]} of {rank} columns, as if in {groups} groups")
    channels = a.shape[1] // groups
    grouped = a.reshape(groups, rank // groups, groups, channels, *a.shape[2:])
    own = torch.stack([grouped[i, :, i] for i in range(groups)])
    if int(a.count_nonzero()) != int(own.count_nonzero()):
        raise _wrong(
            name,
            A_KEY,
            f"reads channels of other groups than its own: together with the {groups} groups of "
            "lora_B that is no change of the convolution's weight, which cannot mix groups",
        )
    lora_B = torch.block_diag(*b.flatten(1).chunk(groups))
    return own.reshape(rank, -1), lora_B, (out, channels, *a.shape[2:]), groups


def _blocks(lora_B: torch.Tensor, rows: int, outputs: int) -> list[torch.Tensor]:
    """The blocks (out/groups × r/groups) on the diagonal of lora_B (out × r)."""
    return [stripe[:, i * rows : (i + 1) * rows] for i, stripe in enumerate(lora_B.split(outputs))]


def _check_rank(name: str, part: str, own_rank: int, rank: int) -> None:
    if own_rank != rank:
        raise _wrong(name, part, f"has rank {own_rank}, but adapter_config.json says {rank}")


def _wrong(name: str, part: str, reason: str) -> AdapterError:
    return AdapterError(f"{shown(PREFIX + name + part)} {reason}")
