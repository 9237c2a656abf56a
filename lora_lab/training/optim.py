"""The optimizer and its groups, the schedule of its learning rate, the start of new directions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import torch

from lora_lab.adapters import AdapterLayer, FullLayer, LoRALayer
from lora_lab.adapters.space import rate_factor, space_of
from lora_lab.choices import EIGHT_BITS, OPTIMIZERS
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.adam import FusedAdamW
from lora_lab.training.adam8bit import SMALLEST, Adam8bit
from lora_lab.training.muon import Muon
from lora_lab.training.riemannian import Riemannian
from lora_lab.variants import VARIANTS

RAMP_STEPS = 50


def build_optimizer(
    layers: Iterable[AdapterLayer], config: RunConfig, hyper: Hyperparameters
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused where the device has it, or another, by the config.

    All decay apart from the gradient, so that moments are of gradients alone and can be mapped
    when a rank changes.
    """
    layers = tuple(layers)
    groups = parameter_groups(layers, config)
    row = OPTIMIZERS[config.optimizer]
    if not row.adam:
        optimizer: torch.optim.Optimizer = SGDW(
            groups, lr=hyper.learning_rate, momentum=config.momentum, foreach=True
        )
    else:
        device = groups[0]["params"][0].device.type
        fused = FusedAdamW if device in ("cpu", "cuda", "mps") else torch.optim.AdamW
        kind = Muon if row.orthogonal else Adam8bit if row.eight_bits else fused
        if row.preconditioned:
            kind = partial(Riemannian, layers)
        optimizer = kind(groups, lr=hyper.learning_rate, betas=config.betas, eps=config.eps)
    set_rates(optimizer, hyper.learning_rate)
    set_weight_decay(optimizer, hyper.weight_decay)
    return optimizer


def parameter_groups(layers: Iterable[AdapterLayer], config: RunConfig) -> list[dict[str, Any]]:
    """What is trained alike together, frozen layers included: B apart in LoRA+, DoRA's m apart.

    `rate` multiplies the learning rate (λ for B in LoRA+, Hayou et al. 2024, arXiv 2402.12354).
    `decays` is False for tensors of one dimension: biases, as transformers has it, and DoRA's
    magnitudes, where m → 0 would be W → 0 and not ΔW → 0. Beside a random subspace, whose rate is
    8·√(D/d) times that of full training, a layer that is fully trained has the latter.
    `orthogonal` is what Muon moves: matrices, but neither embeddings nor heads that are trained
    beside the adapters (Jordan 2024).
    """
    layers = tuple(layers)
    space = space_of(layers)
    row, whole_run = OPTIMIZERS[config.optimizer], VARIANTS[config.variant].whole
    groups: dict[tuple[float, bool, bool], list[torch.nn.Parameter]] = {}
    for layer in layers:
        for label, p in layer.named_parameters(recurse=False):
            rate = config.b_rate_ratio if label == "lora_B" else 1.0
            if space is not None and isinstance(layer, FullLayer):
                rate = 1 / rate_factor(space.total, space.dimension)
            whole = p.dim() > 1 or label in layer.vectors
            decays = whole if config.rules > 1 else label != "magnitude"
            hidden = not isinstance(layer, FullLayer) or (
                whole_run and layer.name not in config.whole and layer.kind.name != "embedding"
            )
            orthogonal = hidden and row.is_orthogonal(label, p.dim())
            groups.setdefault((rate, decays, orthogonal), []).append(p)
    return [
        {"params": params, "rate": rate, "decays": decays, "orthogonal": orthogonal}
        for (rate, decays, orthogonal), params in groups.items()
    ]


def state_names(
    optimizer: torch.optim.Optimizer, p: torch.nn.Parameter, shape: tuple[int, ...]
) -> tuple[str, ...]:
    """What the optimizer keeps of a tensor that it holds, once it has this shape and was moved."""
    if isinstance(optimizer, Adam8bit):
        return optimizer.state_names(math.prod(shape))
    group = next(g for g in optimizer.param_groups if any(p is held for held in g["params"]))
    if isinstance(optimizer, torch.optim.AdamW) and not group["orthogonal"]:
        return ("exp_avg", "exp_avg_sq", "step")
    return ("momentum_buffer",)


def states_kept(optimizer: torch.optim.Optimizer) -> float:
    """Numbers that the optimizer will keep for each one that moves, on average; not the steps."""
    numbers = kept = 0
    for group in optimizer.param_groups:
        moving = sum(p.numel() for p in group["params"] if p.requires_grad)
        numbers += moving
        if isinstance(optimizer, Adam8bit):
            kept += sum(
                p.numel() * (2 if p.numel() < SMALLEST else EIGHT_BITS)
                for p in group["params"]
                if p.requires_grad
            )
        elif isinstance(optimizer, torch.optim.AdamW):
            kept += moving * (1 if group["orthogonal"] else 2)
        else:
            kept += moving * int(group["momentum"] > 0)
    return kept / max(1, numbers)


def optimizer_notes(optimizer: torch.optim.Optimizer, config: RunConfig) -> list[str]:
    """What of the config means nothing to its optimizer."""
    row, notes = OPTIMIZERS[config.optimizer], []
    if config.momentum and row.momentum:
        notes.append(f"{row.momentum[0].lower()}{row.momentum[1:].rstrip('.')}")
    if row.orthogonal and not any(group["orthogonal"] for group in optimizer.param_groups):
        notes.append(f"{row.title} finds no matrix to move here, so AdamW moves all")
    if isinstance(optimizer, Riemannian) and not optimizer.layers:
        notes.append(f"{row.title} finds no factors to precondition here, so it is AdamW")
    return notes


def regroup(
    optimizer: torch.optim.Optimizer,
    layers: Iterable[AdapterLayer],
    config: RunConfig,
    weight_decay: float,
) -> None:
    """Let the optimizer hold the parameters that the layers have now, with this decay."""
    groups = parameter_groups(layers, config)
    for group, new in zip(optimizer.param_groups, groups, strict=True):
        group["params"], group["rate"] = new["params"], new["rate"]
    set_weight_decay(optimizer, weight_decay)


def set_rates(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give each group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["rate"]


def set_weight_decay(optimizer: torch.optim.Optimizer, weight_decay: float) -> None:
    """Set the decay of the groups that decay."""
    for group in optimizer.param_groups:
        group["weight_decay"] = weight_decay if group["decays"] else 0.0


class SGDW(torch.optim.SGD):
    """SGD with decoupled decay (Loshchilov & Hutter 2019, algorithm 1): p ← p − η·λ·p − η·m."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        decays = [group["weight_decay"] for group in self.param_groups]
        try:
            for group, decay in zip(self.param_groups, decays, strict=True):
                moving = [p for p in group["params"] if p.grad is not None]
                if decay and moving:
                    torch._foreach_mul_(moving, 1 - group["lr"] * decay)
                group["weight_decay"] = 0.0  # torch's own would go into the momentum
            super().step()
        finally:
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay


class Stage(NamedTuple):
    """Steps that one schedule of the learning rate runs over; training on begins another."""

    begin: int  # the step after which it begins
    end: int  # its last step, which is the goal of the run


class Ramp:
    """Lets the fresh directions of a grown layer move at a share of the rate that rises to 1.

    Adam's first steps have full size whatever the gradient's, which would kick a converged model;
    scaling the gradient would not help, so the update itself is scaled. While the layer is frozen
    the ramp stands still.
    """

    def __init__(self, layer: LoRALayer, start: int, stop: int, steps: int = RAMP_STEPS) -> None:
        """Directions `start` … `stop`−1 of `layer`; growing further leaves them where they are."""
        self.layer, self.steps = layer, steps
        self.fresh = slice(start, stop)
        self.taken = 0

    def before_step(self) -> None:
        self._A = self.layer.lora_A.detach()[self.fresh].clone()
        self._B = self.layer.lora_B.detach()[:, self.fresh].clone()

    def after_step(self) -> bool:
        """Scale the step just made; False once the ramp is at its end."""
        if self.layer.frozen:
            return True
        self.taken += 1
        share = self.taken / self.steps
        with torch.no_grad():
            self.layer.lora_A[self.fresh].lerp_(self._A, 1 - share)
            self.layer.lora_B[:, self.fresh].lerp_(self._B, 1 - share)
        return self.taken < self.steps
