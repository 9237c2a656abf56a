"""Steps of several lanes as one: their rows through the base together, their factors side by side.

For small nets and short batches the calls cost more than the arithmetic. The result is that of
the lanes' own steps but for rounding; whether it is, is tried before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import torch
from torch import nn

from lora_lab.adapters import LoRALayer
from lora_lab.adapters.kinds import Linear
from lora_lab.errors import ConfigError
from lora_lab.race.lane import Lane
from lora_lab.race.side_by_side import Copy, LowRankBeside, Places
from lora_lab.rules import schedule_factor
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from lora_lab.training.measure.trial import trial
from lora_lab.training.optim import FusedAdamW

FACTORS = ["lora_A", "lora_B"]
AGREES = 1e-4  # of the largest entry of a gradient, and of a loss: float32 rounds by 1e-6
TRIED, TRIED_SECONDS = 12, 0.2  # at most, of the steps that its time is measured by


def obstacle(lane: Lane) -> str:
    """Why a lane's steps cannot be made in a stack, by its settings; "" where they can."""
    experiment = lane.experiment
    hyper, config, layers = experiment.hyper, experiment.config, experiment.layers.values()
    plain = all(
        isinstance(layer, LoRALayer)
        and type(layer).forward is LoRALayer.forward
        and type(layer).finish is LoRALayer.finish
        and [label for label, _ in layer.named_parameters(recurse=False)] == FACTORS
        and layer.kind is Linear
        for layer in layers
    )
    if not plain:
        return "only LoRA on linear layers is stacked"
    for found, words in (
        (any(layer.starts_in_W for layer in experiment.lora_layers), "its init takes a part of W"),
        (hyper.dropout, "dropout draws other masks there"),
        (not hyper.enabled, "its adapter is switched off"),
        (hyper.frozen_layers, "some of its layers are frozen"),
        (not isinstance(experiment.optimizer, FusedAdamW), "it is not trained by AdamW"),
        (config.b_rate_ratio != 1, "B has a learning rate of its own (LoRA+)"),
        (experiment.accumulation != 1, "its steps are made in parts"),
        (
            any(layer.base_layer.weight.dtype != layer.factor_dtype for layer in layers),
            "its base is in half precision",
        ),
    ):
        if found:
            return words
    return ""


class Stack:
    """Lanes of plain LoRA over one base, at the same place in the order of batches."""

    def __init__(self, model: nn.Module, lanes: Sequence[Lane]) -> None:
        """`model`: the bare base, in modules that stacks alone have.

        Raises ConfigError, with the reason, where a stack does not compute what the lanes do.
        """
        for lane in lanes:
            if words := obstacle(lane):
                raise ConfigError(f"{lane.name} cannot be stacked: {words}.")
        names = [tuple(lane.experiment.layers) for lane in lanes]
        if len(set(names)) > 1:
            raise ConfigError("Lanes that adapt different layers cannot be stacked.")
        if len({(x.experiment.config.betas, x.experiment.config.eps) for x in lanes}) > 1:
            raise ConfigError("Lanes with other settings of Adam cannot be stacked.")
        self.lanes, self._model = tuple(lanes), model
        self._layers: list[LowRankBeside] = []
        for name in names[0]:
            parent, _, child = name.rpartition(".")
            found = model.get_submodule(name)
            beside = found if isinstance(found, LowRankBeside) else LowRankBeside(found)
            setattr(model.get_submodule(parent), child, beside)
            self._layers.append(beside)
        model.train(lanes[0].experiment.model.training)
        self._check()

    def advance(self, most: int) -> int:
        """Make up to `most` steps of every lane; fewer where one is not finite, which is not made.

        The numbers are taken from the lanes and put back, so that in between each is as its own.
        """
        state = self._numbers()
        began = time.perf_counter()
        made = 0
        for factors in zip(*(_factors(x.experiment, most) for x in self.lanes), strict=True):
            taken = [lane.experiment.batches.taken for lane in self.lanes]
            batch, *_ = [next(lane.experiment.batches) for lane in self.lanes]
            losses, g = self._gradients(state, batch)
            norms = g.norm(dim=1).tolist()
            if not all(map(math.isfinite, (*losses, *norms))):
                for lane, place in zip(self.lanes, taken, strict=True):
                    lane.experiment.batches.stand_behind(place)
                break
            state.descend(g, factors, norms)
            made += 1
            tokens = self.lanes[0].experiment.task.tokens(batch)  # one task, one batch
            now = time.perf_counter()
            for lane, loss, factor in zip(self.lanes, losses, factors, strict=True):
                experiment = lane.experiment
                experiment.step += 1
                experiment.tokens += tokens
                experiment.training_seconds += (now - began) / len(self.lanes)
                lane.note_step(loss, experiment.hyper.learning_rate * factor)
            began = now
        state.put_back(made)
        return made

    def seconds(self) -> float:
        """Of one step of all lanes, tried on copies of their numbers."""
        state, experiment = self._numbers(), self.lanes[0].experiment
        times: list[float] = []
        with trial(experiment) as batches:
            while len(times) < 2 or (len(times) < TRIED and sum(times) < TRIED_SECONDS):
                began = time.perf_counter()
                _, g = self._gradients(state, next(batches))
                state.descend(g, [0.0] * len(self.lanes), g.norm(dim=1).tolist())
                times.append(time.perf_counter() - began)
        return median(times[1:])  # the first warms up

    def _numbers(self) -> Numbers:
        """Of the lanes as they are now; the layers compute by them from here on."""
        state = Numbers(self.lanes)
        for layer, A, B, s in zip(
            self._layers, state.factors[::2], state.factors[1::2], state.scaling, strict=True
        ):
            layer.A, layer.B, layer.scaling = A, B, s
        return state

    def _gradients(self, state: Numbers, batch: Any) -> tuple[list[float], torch.Tensor]:
        """Losses (K) and the gradient (K, n) of each by its own numbers."""
        task, count = self.lanes[0].experiment.task, len(self.lanes)  # lanes have one task
        together = task.losses(self._model, batch, count)
        if together is None:
            answers: dict[str, Any] = {}
            copies = [Copy(self._model, count, place, answers) for place in range(count)]
            together = torch.stack([task.loss(copy, batch) for copy in copies])
        g = torch.autograd.grad(together.sum(), state.factors)
        return together.tolist(), torch.cat([part.flatten(1) for part in g], 1)

    def _check(self) -> None:
        """Hold losses and gradients against those of each lane's own step, on one batch."""
        first = self.lanes[0].experiment
        state = self._numbers()
        batch = next(first.task.batches(first.config.batch_size, first.config.seed))
        try:
            losses, g = self._gradients(state, batch)
        except (RuntimeError, TypeError, AttributeError, ValueError, StopIteration) as error:
            raise ConfigError(
                f"This model does not take several copies of a batch at once ({error})."
            ) from error
        for place, lane in enumerate(self.lanes):
            with trial(lane.experiment):
                own = gradients(lane.experiment, batch)
                expected = [p.grad for p in lane.experiment.parameters()]
                found = _own_part(state.places.split(g[place]), lane)
                same = math.isclose(own.loss, losses[place], rel_tol=AGREES) and all(
                    bool((a - b).abs().max() <= AGREES * b.abs().max().clamp_min(1e-12))
                    for a, b in zip(found, expected, strict=True)
                )
            if not same:
                raise ConfigError(
                    "A stack of these lanes does not compute what they compute alone: the model "
                    "draws random numbers (dropout of its own), or mixes the rows of a batch."
                )


class Numbers:
    """A, B and Adam's two averages of all lanes, a row per lane, and how they are stepped."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        layers = [lane.experiment.lora_layers for lane in lanes]
        self.places = Places(layers)
        p = layers[0][0].lora_A
        size = sum(self.places.sizes)
        self.theta, self._mean, self._square = (
            torch.zeros(len(lanes), size, dtype=p.dtype, device=p.device) for _ in range(3)
        )
        self.scaling = [
            torch.tensor([[[layer.scaling]] for layer in row], dtype=p.dtype, device=p.device)
            for row in zip(*layers, strict=True)
        ]
        self._steps = torch.zeros(len(lanes), device=p.device)
        for whole, own in self._pairs():
            whole.copy_(own)
        for i, lane in enumerate(lanes):
            states = lane.experiment.optimizer.state.values()
            self._steps[i] = max((float(state["step"]) for state in states), default=0.0)
        hypers = [lane.experiment.hyper for lane in lanes]
        self._rates = [hyper.learning_rate for hyper in hypers]
        self._decays = [hyper.weight_decay for hyper in hypers]
        self._limits = [lane.experiment.max_grad_norm for lane in lanes]
        config = lanes[0].experiment.config
        self._betas, self._eps = config.betas, config.eps
        self.factors = [part.requires_grad_() for part in self.places.split(self.theta)]
        self._rows = [list(whole) for whole in (self.theta, self._mean, self._square, self._steps)]

    @torch.no_grad()
    def descend(self, g: torch.Tensor, factors: Sequence[float], norms: Sequence[float]) -> None:
        """One step of AdamW, gradients (n) cut to their limits, and the rates by factors."""
        cut = [
            limit / norm if limit and norm > limit else 1.0
            for limit, norm in zip(self._limits, norms, strict=True)
        ]
        if any(c != 1 for c in cut):
            g = g * g.new_tensor(cut).unsqueeze(1)
        self._steps += 1
        alike: dict[tuple[float, float], list[int]] = {}  # lanes by rate and decay: a call for each
        settings = zip(self._rates, factors, self._decays, strict=True)
        for lane, (rate, share, decay) in enumerate(settings):
            alike.setdefault((rate * share, decay), []).append(lane)
        slopes = g.unbind()
        for (rate, decay), lanes in alike.items():
            theta, mean, square, steps = ([rows[i] for i in lanes] for rows in self._rows)
            torch._fused_adamw_(
                theta, [slopes[i] for i in lanes], mean, square, [], steps, lr=rate,
                beta1=self._betas[0], beta2=self._betas[1], weight_decay=decay, eps=self._eps,
                amsgrad=False, maximize=False,
            )  # fmt: skip

    @torch.no_grad()
    def put_back(self, made: int) -> None:
        """Into the lanes, which have made so many steps more."""
        for whole, own in self._pairs():
            own.copy_(whole)
        for lane in self._lanes:
            for state in lane.experiment.optimizer.state.values():
                state["step"] += made

    @torch.no_grad()
    def _pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Each of its tensors' own part, and the lane's."""
        pairs = []
        for i, lane in enumerate(self._lanes):
            states = lane.experiment.optimizer.state
            for key, rows in (("", self.theta), ("exp_avg", self._mean),
                              ("exp_avg_sq", self._square)):  # fmt: skip
                parts = _own_part(self.places.split(rows[i]), lane)
                for part, p in zip(parts, lane.experiment.parameters(), strict=True):
                    if not key:
                        pairs.append((part, p.detach()))
                    elif p in states:
                        pairs.append((part, states[p][key]))
        return pairs


def _own_part(factors: Sequence[torch.Tensor], lane: Lane) -> list[torch.Tensor]:
    """What of A (R, in) and B (out, R), in turn, is of the lane's own ranks."""
    found = []
    for layer, A, B in zip(
        lane.experiment.lora_layers, factors[::2], factors[1::2], strict=True
    ):  # fmt: skip
        found += [A[: layer.rank], B[:, : layer.rank]]
    return found


def _factors(experiment: Experiment, count: int) -> list[float]:
    """Of the learning rate in the next steps."""
    begin, end = experiment.stage
    at = range(experiment.step - begin, experiment.step - begin + count)
    return [schedule_factor(experiment.config, step, end - begin) for step in at]
