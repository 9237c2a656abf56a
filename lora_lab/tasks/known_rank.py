"""Regression to W₀ + D with D of rank 4: the task whose right answer is known to every digit.

The inputs are exactly whitened (X = √N·Q, so XᵀX = N·I), hence the mean square error of W₀ + ΔW is
‖ΔW − D‖_F²/d_out, and the best that rank r can reach is the Eckart–Young tail
Σ_{i>r} σ_i(D)²/d_out: a plateau for r < 4, zero from 4 on, with σ(ΔW) → the top r of σ(D).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.models.plain import mlp
from lora_lab.opening_records import DataRecord, DataRow
from lora_lab.progress import Report, silent
from lora_lab.tasks.base import Evaluation, LookedAt, Task, never

OUTPUTS, INPUTS, EXAMPLES = 48, 32, 256
SIGMA = (4.0, 2.0, 1.0, 0.5)
SEED = 18  # of the problem, not of the run: it is the same for everybody

Batch = tuple[torch.Tensor, torch.Tensor]


class KnownRankTask(Task):
    """One linear layer without bias; each step sees all examples, whatever the batch size.

    With whitened inputs every sample has the same loss as the whole population, so the held-out
    loss is measured on the same inputs.
    """

    name = "known_rank"
    base = "W₀, generated"
    true_sigma = np.array(SIGMA)
    loss_floor = tuple(sum(s * s for s in SIGMA[r:]) / OUTPUTS for r in range(INPUTS + 1))

    @classmethod
    def open(cls, config: RunConfig, report: Report = silent) -> KnownRankTask:
        """Raises ConfigError for settings that would make it another problem."""
        if config.model or config.data or config.digits:
            raise ConfigError("The known-rank task makes its own base and data; leave them empty.")
        return cls()

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(SEED)

        def normal(rows: int, columns: int) -> torch.Tensor:
            return torch.randn(rows, columns, generator=generator, dtype=torch.float64)

        def orthonormal(rows: int, columns: int) -> torch.Tensor:
            return torch.linalg.qr(normal(rows, columns)).Q

        X = EXAMPLES**0.5 * orthonormal(EXAMPLES, INPUTS)  # (N, in)
        # (out, in), as the base holds it in float32: D is all that is left to learn.
        W0 = (normal(OUTPUTS, INPUTS) / INPUTS**0.5).float().double()
        U, V = orthonormal(OUTPUTS, len(SIGMA)), orthonormal(INPUTS, len(SIGMA))
        D = U @ torch.diag(torch.tensor(SIGMA, dtype=torch.float64)) @ V.T  # (out, in)
        self.change = D
        self._weight = W0
        self._exact: Batch = X, X @ (W0 + D).T
        self.batch: Batch = tuple(t.float() for t in self._exact)
        self.shown = _shown(X, self._exact[1], W0, D)

    def base_model(self) -> nn.Module:
        """W₀ alone, in a layer called `layer`."""
        net = mlp((INPUTS, OUTPUTS), names=("layer",), bias=False)
        net.load_state_dict({"layer.weight": self._weight})
        return net

    def to(self, device: torch.device, dtype: torch.dtype) -> None:
        self.batch = tuple(t.to(dtype).to(device) for t in self._exact)

    def batches(self, batch_size: int, seed: int, skip: int = 0) -> Iterator[Batch]:
        """All examples, (256, 32) and (256, 48), again and again."""
        return itertools.repeat(self.batch)

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        X, Y = batch
        return F.mse_loss(model(X), Y)

    def looked_at(self, count: int) -> Iterator[LookedAt]:
        for row in range(min(count, EXAMPLES)):
            numbers = self.batch[0][row : row + 1]
            yield LookedAt(row + 1, lambda model, numbers=numbers: model(numbers))

    def evaluate(self, model: nn.Module, should_stop: Callable[[], bool] = never) -> Evaluation:
        return Evaluation(loss=self.loss(model, self.batch).item())


def _shown(X: torch.Tensor, Y: torch.Tensor, W0: torch.Tensor, D: torch.Tensor) -> DataRecord:
    """The problem as pictures of its matrices, each from its lowest entry to its highest."""
    matrices = {"W₀": W0, f"D, rank {len(SIGMA)}": D, "inputs X": X, "targets Y": Y}
    values = ", ".join(f"{s:g}" for s in SIGMA)
    return DataRecord(
        path="",
        form=f"{EXAMPLES} inputs of {INPUTS} numbers, {OUTPUTS} targets each",
        train_rows=EXAMPLES,
        validation_rows=EXAMPLES,
        rows=tuple(
            DataRow(number, label=f"{name} ({M.shape[0]} × {M.shape[1]})", image=_picture(M))
            for number, (name, M) in enumerate(matrices.items(), 1)
        ),
        notes=(
            f"Y = X·(W₀ + D)ᵀ, and the adapter is to find D, whose σ are {values}",
            "XᵀX = 256·I, so a sample of it has the loss of all: validation is on the same rows",
        ),
    )


def _picture(M: torch.Tensor) -> np.ndarray:
    """(rows, columns) of float → uint8, from its lowest entry to its highest."""
    low, high = float(M.min()), float(M.max())
    picture = ((M - low) / (high - low) * 255).round().to(torch.uint8).numpy()
    picture.flags.writeable = False
    return picture
