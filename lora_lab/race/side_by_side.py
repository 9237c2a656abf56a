"""A base that answers several copies of a batch at once, each with factors of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lora_lab.adapters import LoRALayer
from lora_lab.blocks.frozen_linear import linear


class Places:
    """Where the factors of each layer stand in one row of numbers per copy.

    Ranks differ; all have the room of the largest. What is beyond a copy's own rank is zero in A
    and in B, and stays so: then both gradients are zero, and Adam and its decay leave it there.
    """

    def __init__(self, lanes: Sequence[Sequence[LoRALayer]]) -> None:
        """`lanes` (K) have the same layers in the same order."""
        self.ranks = [max(layer.rank for layer in row) for row in zip(*lanes, strict=True)]
        self.shapes: list[tuple[int, int]] = []  # A (R, in) and B (out, R), layer by layer
        for layer, R in zip(lanes[0], self.ranks, strict=True):
            out_features, in_features = layer.shape
            self.shapes += [(R, in_features), (out_features, R)]
        self.sizes = [rows * columns for rows, columns in self.shapes]

    def split(self, row: torch.Tensor) -> list[torch.Tensor]:
        """(…, n) → A (…, R, in) and B (…, out, R) of every layer, in turn, as views."""
        parts, before = row.split(self.sizes, -1), row.shape[:-1]
        return [part.view(*before, *shape) for part, shape in zip(parts, self.shapes, strict=True)]


class LowRankBeside(nn.Module):
    """W x + b once for the rows of all K copies, and s_k·B_k·A_k·x beside: (K·B, …, in) → out."""

    def __init__(self, base_layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.A = self.B = self.scaling = torch.empty(0)  # (K, R, in), (K, out, R), (K, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        base, copies = self.base_layer, len(self.A)
        rows = x.reshape(copies, -1, x.shape[-1])  # those of one copy after those of another
        low = torch.bmm(rows, self.A.mT) * self.scaling  # (K, n, R)
        y = torch.baddbmm(linear(rows, base.weight, base.bias), low, self.B.mT)
        return y.view(*x.shape[:-1], -1)


class Copy:
    """Stands for the model in a task's loss: its k-th copy answers, of what is computed once.

    Whatever else the loss asks of it the model itself answers.
    """

    def __init__(self, model: nn.Module, count: int, place: int, answers: dict[str, Any]) -> None:
        """`answers` is common to the copies of one batch, and empty before its first."""
        self._model, self._count, self._place, self._answers = model, count, place, answers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._part("", self._model, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name != "base_model":  # of transformers: the model below its head
            return found
        return lambda *args, **kwargs: self._part(name, found, args, kwargs)

    def _part(self, key: str, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if key not in self._answers:
            given = (*args, *kwargs.values())
            rows = next(len(x) for x in given if isinstance(x, torch.Tensor) and x.dim())

            def tiled(x: Any) -> Any:
                each_row = isinstance(x, torch.Tensor) and x.dim() and len(x) == rows
                return torch.cat([x] * self._count) if each_row else x

            found = model(*map(tiled, args), **{k: tiled(v) for k, v in kwargs.items()})

            def cut(x: Any) -> Any:
                each_row = isinstance(x, torch.Tensor) and x.dim() and len(x) == rows * self._count
                return x.split(rows) if each_row else [x] * self._count

            if isinstance(found, torch.Tensor):
                self._answers[key] = cut(found)
            else:
                parts = {k: cut(v) for k, v in found.items()}
                self._answers[key] = [
                    type(found)(**{k: v[i] for k, v in parts.items()}) for i in range(self._count)
                ]
        return self._answers[key][self._place]
