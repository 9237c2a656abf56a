"""A base in blocks: what it is computed in, what it cannot be, and what a person is told of it."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

from torch import nn

from lora_lab.blocks.forms import FORMS
from lora_lab.blocks.frozen import FrozenBlocks
from lora_lab.config import RunConfig
from lora_lab.device_name import first
from lora_lab.errors import ConfigError
from lora_lab.models.room import FORM_OF_BITS
from lora_lab.training.devices import computes_bfloat16, quick_dtype


def stays_packed(config: RunConfig) -> bool:
    """Whether the base of these settings is asked for in blocks."""
    lies_so = config.bits == "auto" and Path(config.model or "").suffix == ".gguf"
    return lies_so or config.bits in FORM_OF_BITS


def with_its_dtype(config: RunConfig) -> RunConfig:
    """`config` with the dtype that a base in blocks is best computed in, where nobody says one."""
    if not stays_packed(config):
        return config
    return config.model_copy(update={"dtype": quick_dtype(first(config.device))})


def check_settings(config: RunConfig) -> None:
    """Raise ConfigError for settings that a base in blocks cannot have, before it is read."""
    if not stays_packed(config):
        return
    if config.dtype == "float16" and first(config.device) == "cpu":
        raise ConfigError(
            "A CPU computes a base in blocks in bfloat16 or float32: float16 takes ten times as "
            "long as float32 there. Choose another dtype."
        )
    if config.random_weights:
        raise ConfigError("Weights that stay in blocks cannot be drawn anew. Open it in floats.")


def check_packed(config: RunConfig, model: nn.Module) -> None:
    """Raise ConfigError where bits were asked for and the base that was made has no blocks."""
    packed = any(isinstance(module, FrozenBlocks) for module in model.modules())
    if config.bits in FORM_OF_BITS and not packed:
        raise ConfigError(
            f"This base cannot be held in {config.bits} bits: only Hugging Face folders can. Leave "
            "the bits of the base out."
        )


def notes_on(model: nn.Module, config: RunConfig) -> tuple[str, ...]:
    """What is in blocks, of which form, how far from the checkpoint's numbers; and what is slow."""
    layers = [m for m in model.modules() if isinstance(m, FrozenBlocks)]
    if not layers:
        return ()
    forms = Counter(FORMS[layer.form].title for layer in layers)
    words = [f"in blocks: {', '.join(f'{n:,} layers in {form}' for form, n in forms.items())}"]
    known = sorted(layer.rounding for layer in layers if not math.isnan(layer.rounding))
    if known:
        words.append(
            f"packing moved the weights by {100 * known[len(known) // 2]:.1f} % of their norm "
            f"(median), {100 * known[-1]:.1f} % at most: ΔW is learned beside these"
        )
    if config.dtype == "bfloat16" and not computes_bfloat16(first(config.device)):
        words.append("this device has no bfloat16 arithmetic: float32 takes less time per step")
    return tuple(words)


def kept_with(config: RunConfig) -> dict[str, str]:
    """What an adapter keeps of its run, in `AdapterWeights.extra`: task, and form of the base."""
    form = FORM_OF_BITS.get(config.bits, "gguf" if stays_packed(config) else "")
    return {"task": config.task, **({"base_form": form} if form else {})}


def rounding_of(layer: nn.Module) -> float | None:
    """‖W_blocks − W‖/‖W‖ of a layer in blocks; None where W is no such, or not known."""
    own = layer.rounding if isinstance(layer, FrozenBlocks) else math.nan
    return None if math.isnan(own) else own
