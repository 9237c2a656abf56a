"""Draw a model's weights anew, as it is before any training: what pre-training brought is gone."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.errors import ConfigError

SAMPLE = 256  # numbers of a tensor that are looked at


@torch.no_grad()
def draw_anew(model: nn.Module, seed: int) -> None:
    """Every weight by the law of its own library, from `seed`; ties stay tied.

    A transformers model draws by its `_init_weights`, other modules by `reset_parameters`. Raises
    ConfigError for a parameter that neither reaches.
    """
    before = {name: _some(p) for name, p in model.named_parameters()}
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
        same = p.numel() > 1 and torch.equal(_some(p), before[name])
        if same and p.dim() > 1:
            raise ConfigError(
                f"{name} cannot be drawn anew: its module says no law for it. Leave the start from "
                "random weights out."
            )


def _some(p: torch.Tensor) -> torch.Tensor:
    """A copy of some of its numbers, from all over: a second model need not fit into memory."""
    flat = p.detach().flatten()
    return flat[:: max(1, len(flat) // SAMPLE)].clone()
