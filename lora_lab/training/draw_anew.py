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
    before = _looked_at(model)
    _draw(model, seed)
    if _as_in(before, model):
        # Not reached, or it was drawn from this very seed before: another one tells.
        _draw(model, seed + 1)
        if unreached := _as_in(before, model):
            raise ConfigError(
                f"{unreached[0]} cannot be drawn anew: its module says no law for it. Leave the "
                "start from random weights out."
            )
        _draw(model, seed)


def _draw(model: nn.Module, seed: int) -> None:
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


def _as_in(before: dict[str, torch.Tensor], model: nn.Module) -> list[str]:
    """The matrices that are as they were."""
    return [
        name for name, p in model.named_parameters()
        if p.dim() > 1 and p.numel() > 1 and torch.equal(_some(p), before[name])
    ]  # fmt: skip


def _looked_at(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: _some(p) for name, p in model.named_parameters()}


def _some(p: torch.Tensor) -> torch.Tensor:
    """A copy of some of its numbers, from all over: a second model need not fit into memory."""
    flat = p.detach().flatten()
    return flat[:: max(1, len(flat) // SAMPLE)].clone()
