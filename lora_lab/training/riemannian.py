"""AdamW on gradients that each factor preconditions for the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.widened import widened
from lora_lab.training.adam import FusedAdamW

DAMPING = 1e-2  # δ, as PEFT has it


class Riemannian(FusedAdamW):
    """g_A ← (Bᵀ·B + δ·I)⁻¹·g_A and g_B ← g_B·(A·Aᵀ + δ·I)⁻¹, and then AdamW.

    So that a step of ΔW does not depend on how it is divided between A and B (Zhang & Pilanci 2024,
    arXiv 2402.02347; create_riemannian_optimizer of PEFT). The factors of embeddings and of
    convolutions are preconditioned alike, those of convolutions in groups are not; nor is what has
    no factors.
    """

    by_factors = True  # its averages change with the factors themselves, not with their gradients

    def __init__(self, layers: Iterable[AdapterLayer], params: Any, **settings: Any) -> None:
        super().__init__(params, **settings)
        # Layers and not their factors, which are others once a rank has changed.
        self.layers = [
            layer
            for layer in layers
            if isinstance(layer, LoRALayer) and layer.kind.groups(layer.base_layer) == 1
        ]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for layer in self.layers:
            A, B = layer.lora_A, layer.lora_B
            if A.grad is not None:
                A.grad = _damped(B.T @ B, A.grad)
            if B.grad is not None:
                B.grad = _damped(A @ A.T, B.grad.T).T.contiguous()
        super().step()

    step.hooked = True  # without torch's profiler mark and hooks around each step


def _damped(gram: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """(gram + δ·I)⁻¹·gradient for gram (r × r) and a gradient (r × n)."""
    gram = widened(gram)
    gram.diagonal().add_(DAMPING)
    return torch.linalg.inv(gram).to(gradient.device, gradient.dtype) @ gradient
