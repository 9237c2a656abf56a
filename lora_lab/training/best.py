"""Best: the adapter of the lowest validation loss so far, kept aside while training goes on.

It is part of every checkpoint, so that the best one of then is the best one again wherever a run
goes back to, is resumed, or branches off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights, WholeLayer
from lora_lab.records import EvalRecord


class Best:
    """The lowest loss with the adapter on, where it was, and the adapter that gave it."""

    def __init__(self) -> None:
        self.loss = math.inf
        self.step = 0
        self.weights: AdapterWeights | None = None  # so before the first step, and without factors
        self.due_loss = math.inf  # the lowest of those that were due
        self.unimproved = 0  # steps in a row whose validation was due and gave no better loss
        self.last = -1  # step of the last that was due; there may be several at one step

    def packed(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Its tensors, which are not copied since they never change, and what JSON holds."""
        tensors: dict[str, torch.Tensor] = {}
        facts = {"loss": self.loss if math.isfinite(self.loss) else None, "step": self.step,
                 "due_loss": self.due_loss if math.isfinite(self.due_loss) else None,
                 "unimproved": self.unimproved, "last": self.last, "weights": None}  # fmt: skip
        if (weights := self.weights) is not None:
            parts: dict[str, list[dict[str, Any]]] = {"layers": [], "whole": []}
            for kind, rows in parts.items():
                for layer in getattr(weights, kind):
                    values = {f.name: getattr(layer, f.name) for f in fields(layer)}
                    held = {k: v for k, v in values.items() if isinstance(v, torch.Tensor)}
                    tensors |= {f"best|{layer.name}|{k}": v.contiguous() for k, v in held.items()}
                    plain = {k: list(v) if isinstance(v, tuple) else v
                             for k, v in values.items() if k not in held}  # fmt: skip
                    rows.append({**plain, "tensors": list(held)})
            own = {f.name: getattr(weights, f.name) for f in fields(weights)}
            own.pop("shared")  # the run's own, as long as it lives
            facts["weights"] = {**own, **parts}
        return tensors, facts

    def unpack(self, tensors: dict[str, torch.Tensor], facts: dict[str, Any], step: int) -> None:
        """Be the one that was packed at `step` of a run; an older lab packed no adapter."""
        self.step, self.unimproved = facts["step"], facts["unimproved"]
        self.last = facts.get("last", step)
        self.loss = math.inf if facts["loss"] is None else facts["loss"]
        due = facts.get("due_loss", facts["loss"])  # an older lab had one for both
        self.due_loss = math.inf if due is None else due
        self.weights = None
        if (packed := facts.get("weights")) is not None:

            def layers(label: str, kind: type) -> tuple[Any, ...]:
                return tuple(_layer(kind, dict(row), tensors) for row in packed[label])

            self.weights = AdapterWeights(
                **{**packed, "layers": layers("layers", LayerWeights),
                   "whole": layers("whole", WholeLayer)}
            )  # fmt: skip

    def claim_what_is_there(self, factors: bool) -> None:
        """Of `factors` that lie nowhere nothing is claimed: the next better loss is the best."""
        if factors and self.step and self.weights is None:
            self.loss, self.due_loss, self.step = math.inf, math.inf, 0

    def note(
        self,
        record: EvalRecord,
        weights: Callable[[], AdapterWeights | None],
        due: bool = True,
    ) -> EvalRecord:
        """`record`, marked as best where it is; the untrained adapter sets the mark to beat.

        `weights` copies the adapter of now, which is only done where it is the best. What a person
        asks for, or sees in a pause or on resuming, is not `due`: it moves nobody's patience, so
        that a run ends where it would have ended without it.
        """
        if not record.enabled or not math.isfinite(record.loss):
            return record
        if due:
            again, self.last = record.step == self.last, record.step
            better = record.loss < self.due_loss
            self.unimproved = 0 if better else self.unimproved + (not again)
            self.due_loss = min(self.due_loss, record.loss)
        if record.loss >= self.loss:
            return record
        self.loss, self.step = record.loss, record.step
        if not record.step:
            return record
        if (copied := weights()) is not None:
            self.weights = copied
        return replace(record, best=True)


def _layer(kind: type, row: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Any:
    held = {label: tensors[f"best|{row['name']}|{label}"] for label in row.pop("tensors")}
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return kind(**plain, **held)
