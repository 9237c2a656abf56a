"""A base of which each process of a run holds a part of every block: torch's FSDP2.

Blocks, what the lists of modules of a network hold, are gathered one by one as a pass comes to
them, and let go of behind it. Adapters are whole everywhere, and so is what lies in no block:
embeddings, the last norm, the head. In a step all processes make the same passes. Whatever the
first computes alone, a validation, a text, a trial, it announces block by block, and the others
give their parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.inits import INITS
from lora_lab.training.devices import processes_here

Gathering = Callable[[int], AbstractContextManager[None]]

ALONE = (
    'A sharded base takes a run in several processes: --device "2 × cuda", or torchrun. Leave '
    "--shard-base out for one, or resume it there with --device."
)


def check_settings(config: RunConfig) -> None:
    """Raise ConfigError for what no sharded base can have, before anything is read."""
    if not config.shard_base:
        return
    if processes_here() == 1:
        raise ConfigError(ALONE)
    if INITS[config.init].needs_data:
        raise ConfigError(
            f"Init {config.init} looks at data with the whole base, and here it is sharded. Choose "
            "another init."
        )


def check_model(config: RunConfig, model: nn.Module, layers: Mapping[str, AdapterLayer]) -> None:
    """Raise ConfigError for a model or a variant that cannot do with parts of W."""
    if not config.shard_base:
        return
    blocks = list(blocks_of(model))
    if not blocks:
        raise ConfigError(
            "This network has no list of blocks that could be gathered one by one. Leave "
            "--shard-base out."
        )
    if any(isinstance(module, FrozenBlocks) for module in model.modules()):
        raise ConfigError(
            "A base in 4 or 8 bits, or of a .gguf, is not sharded: its blocks are no tensors that "
            "FSDP2 knows. Open it with --base-bits float, or leave --shard-base out."
        )
    inside = {id(module) for block in blocks for module in block.modules()}
    for name, layer in layers.items():
        if layer.reads_base and id(layer) in inside:
            raise ConfigError(
                f"{name} is adapted by what looks at all of W ({config.variant}), of which each "
                "process would hold a part. Choose one of factors alone, or leave --shard-base out."
            )


def blocks_of(model: nn.Module) -> Iterator[nn.Module]:
    """What the outermost lists of modules hold."""
    for child in model.children():
        if isinstance(child, nn.ModuleList):
            yield from child
        else:
            yield from blocks_of(child)


def shard(
    model: nn.Module, layers: Mapping[str, AdapterLayer], device: torch.device, by: Any,
    gathering: Gathering,
) -> list[Any]:  # fmt: skip
    """Keep this process's part of every block on its device; the blocks, as FSDP2 has them.

    The base lies in the machine's memory until now. `by`: the processes that gather, which they
    do within `gathering` of the block's number.
    """
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.fsdp import fully_shard

    for layer in layers.values():
        layer.weight_norm  # noqa: B018 - of all of W, while it is there
    mesh = DeviceMesh.from_group(by, device.type)
    whole = {p for layer in layers.values() for p in layer.adapter_parameters()}
    blocks = list(blocks_of(model))
    for number, block in enumerate(blocks):
        fully_shard(block, mesh=mesh, reshard_after_forward=True, ignored_params=whole)
        block.set_custom_all_gather(_Gather(gathering, number))
    model.to(device)
    return blocks


class _Gather:
    """How the parts of one block come together; the face of FSDP2's own `AllGather`."""

    def __init__(self, gathering: Gathering, number: int) -> None:
        self._gathering, self._number = gathering, number

    def allocate(
        self, size: torch.Size, *, dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        return torch.empty(*size, dtype=dtype, device=device)

    def __call__(
        self, output_tensor: torch.Tensor, input_tensor: torch.Tensor, group: Any,
        async_op: bool = False,
    ) -> Any:  # fmt: skip
        gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
        with self._gathering(self._number):
            return gather(output_tensor, input_tensor, group, async_op)
