"""What a random subspace is of: all adapted weights, or LoRA's factors where they are many."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from torch import nn

from lora_lab.adapters.space import weights_moved
from lora_lab.adapters.targets import find_targets
from lora_lab.config import RunConfig
from lora_lab.projections import LARGE
from lora_lab.training.reach import Reach
from lora_lab.variants import VARIANTS


def by_size(
    config: RunConfig, model: nn.Module, new_layers: Collection[str], reach: Reach
) -> tuple[RunConfig, Reach]:
    """`config` with the variant that stands for its own on so many weights, and what says so.

    `model` has no adapters. Layers that are fully trained do not count.
    """
    large = VARIANTS[config.variant].large
    if not large or config.space != "auto":
        return config, reach
    whole = {*new_layers, *config.whole}
    layers = find_targets(model, config.targets)
    weights = weights_moved({n: layer for n, layer in layers.items() if n not in whole})
    if weights <= LARGE:
        return config, reach
    note = (
        f"the adapted layers have {weights:,} weights, so the numbers move LoRA's factors of rank "
        f"{config.hyper.rank:,} in their place ({VARIANTS[large]}); --space weights moves them all"
    )
    return config.model_copy(update={"variant": large}), replace(reach, notes=(*reach.notes, note))


def with_variant_of(config: RunConfig, run: RunConfig) -> RunConfig:
    """`config`, which goes on from `run`, with the variant that its own has become there."""
    if config.space == "auto" and VARIANTS[config.variant].large == run.variant:
        return config.model_copy(update={"variant": run.variant})
    return config
