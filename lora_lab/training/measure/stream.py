"""The residual stream of a language model: where it ends, and which layers write into it.

Both are found on the model itself, not by names. The final norm is the module whose output is the
last hidden state. A layer writes into the stream where a push at its output, so large that all
else is small beside it, arrives before the final norm with its direction unchanged: behind a
nonlinearity, another product or a norm it does not.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer
from lora_lab.tasks.lm_head import Head
from lora_lab.training.experiment import Experiment

PUSH = 1e4  # times the size of the stream; what blocks answer to it stays of the stream's size
STRAIGHT = 0.999  # cosine of what arrives and what was pushed
PROBE = 2  # tokens


class Stream:
    """Final norm and head of the open model, and who writes to them."""

    def __init__(self, experiment: Experiment, head: Head, norm: nn.Module) -> None:
        self._model, self._head, self.norm = experiment.model, head, norm
        self._looking = experiment.inference.looking
        self._writes: dict[str, bool] = {}

    @classmethod
    def of(cls, experiment: Experiment) -> Stream | None:
        """None where the model has no head that can be called apart, or no final norm is found."""
        head, model = getattr(experiment.task, "head", None), experiment.model
        if head is None:
            return None
        with experiment.inference.looking():
            norm = _final_norm(model, head)
        return None if norm is None else cls(experiment, head, norm)

    @torch.no_grad()
    def logits(self, directions: torch.Tensor) -> torch.Tensor:
        """head(norm(√d·u)) − head(norm(0)) for u (k × d) of unit length: (k × vocabulary), float32.

        √d·u has entries of size 1, as a norm makes them; what norm and head say of nothing, as the
        biases of a LayerNorm do, is no matter of the direction.
        """
        weight = next(self.norm.parameters(), None)
        if weight is None:
            weight = next(self._model.parameters())
        d = directions.shape[1]
        given = torch.cat([directions * d**0.5, directions.new_zeros(1, d)])
        states = self.norm(given.to(weight.device, weight.dtype))
        found = self._head.logits(self._model, states).float()
        return (found[:-1] - found[-1]).cpu()

    def writes(self, layer: AdapterLayer) -> bool:
        """Whether what this layer puts out is added to the stream; asked once for each role."""
        role = re.sub(r"\d+", "N", layer.name) + str(layer.shape)
        if role not in self._writes:
            with self._looking():
                self._writes[role] = self._arrives(layer)
        return self._writes[role]

    @torch.no_grad()
    def _arrives(self, layer: AdapterLayer) -> bool:
        before = self._before_norm()
        d = before.shape[-1]
        if layer.shape[0] != d:
            return False
        generator = torch.Generator().manual_seed(0)
        push = torch.randn(d, generator=generator).to(before)
        push *= PUSH * before.norm(dim=-1).mean() / push.norm()

        def pushed(_: nn.Module, __: Any, output: torch.Tensor) -> torch.Tensor:
            return output + push.to(output.dtype)

        hook = layer.register_forward_hook(pushed)
        try:
            moved = self._before_norm() - before
        finally:
            hook.remove()
        cosine = torch.nn.functional.cosine_similarity(moved.float(), push.float(), dim=-1)
        large = moved.float().norm(dim=-1) > 0.01 * push.float().norm()
        return bool((cosine.abs() > STRAIGHT).all() and large.all())

    def _before_norm(self) -> torch.Tensor:
        """(tokens, d): what the final norm is given of a few tokens."""
        seen: list[torch.Tensor] = []
        hook = self.norm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            self._head.hidden(self._model, input_ids=_probe(self._model, self._head))
        finally:
            hook.remove()
        return seen[-1].flatten(0, -2).clone()


def _probe(model: nn.Module, head: Head) -> torch.Tensor:
    device = next(model.parameters()).device
    return torch.arange(3, 3 + PROBE, device=device)[None] % head.vocabulary


@torch.no_grad()
def _final_norm(model: nn.Module, head: Head) -> nn.Module | None:
    """The last module without parts of its own whose output is the last hidden state."""
    found: list[tuple[nn.Module, torch.Tensor]] = []

    def seen(module: nn.Module, given: Any, output: Any) -> None:
        same = isinstance(output, torch.Tensor) and given and torch.is_tensor(given[0])
        if same and output.shape == given[0].shape:
            found.append((module, output))

    leaves = [m for m in model.modules() if not any(m.children())]
    hooks = [module.register_forward_hook(seen) for module in leaves]
    try:
        last = head.hidden(model, input_ids=_probe(model, head))
    finally:
        for hook in hooks:
            hook.remove()
    ending = [module for module, output in found if torch.equal(output, last)]
    return ending[-1] if ending and not isinstance(ending[-1], nn.Dropout) else None


def stream_of(experiment: Experiment) -> Stream | None:
    """The stream of the open model, found once."""
    if experiment.stream is None:
        experiment.stream = (Stream.of(experiment),)
    return experiment.stream[0]
