"""Draw a model's weights anew, as it is before any training: what pre-training brought is gone."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.errors import ConfigError


@torch.no_grad()
def draw_anew(model: nn.Module, seed: int) -> None:
    """Every weight by the law of its own library, from `seed`; ties stay tied.

    A transformers model draws by its `_init_weights`, other modules by `reset_parameters`. Raises
    ConfigError for a parameter that neither reaches.
    """
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        own = getattr(model, "_init_weights", None)
        for module in model.modules():
            if own is not None:
                for p in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                    p.__dict__.pop("_is_hf_initialized", None)
                own(module)
            elif callable(reset := getattr(module, "reset_parameters", None)):
                reset()
    for name, p in model.named_parameters():
        same = p.numel() > 1 and torch.equal(p, before[name])
        if same and p.dim() > 1:
            raise ConfigError(
                f"{name} cannot be drawn anew: its module says no law for it. Leave the start from "
                "random weights out."
            )
