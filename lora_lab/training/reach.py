"""Reach: what of a base model adapters can be put on, and what is taken where nobody says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from torch import nn

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.targets import (
    ALL_LINEAR,
    ALL_LINEAR_CONV,
    ALL_LINEAR_EXPERTS,
    adaptable_layers,
    all_conv,
    all_linear,
    default_targets,
    held_by_experts,
    left_out,
    meant_then,
    numbered_modules,
    of_a_kind,
    of_other_senses,
    unreached,
)
from lora_lab.config import RunConfig
from lora_lab.errors import AdapterError, ConfigError
from lora_lab.formats.peft_limits import TASK_HEADS, saves
from lora_lab.opening_records import TargetInfo
from lora_lab.rules import meant_by
from lora_lab.task_info import TASKS
from lora_lab.training.per_layer import listed
from lora_lab.variants import VARIANTS

MOST = 0.2  # from which on it may be why nothing can be adapted
LEAST = 0.01  # of a model's numbers, from which it is said that nothing reaches them


@dataclass(frozen=True)
class Reach:
    """The layers of one base model before adapters are put on."""

    adaptable: dict[str, tuple[str, tuple[int, int]]]  # kind and shape (out, in) by path
    linear: frozenset[str]  # what "all-linear" means
    conv: frozenset[str]  # what "all-linear+conv" means besides
    modules: dict[str, tuple[str, tuple[int, ...], int]]  # class, shape, numbers by path
    default: tuple[str, ...]  # the targets where none are named
    beyond: dict[str, tuple[int, int, float]]  # class: modules, numbers, share; no layers of it
    experts: tuple[int, int, float] = (0, 0, 0.0)  # their matrices, numbers, share
    left_out: Mapping[str, str] = field(default_factory=dict)  # path: why LoRA in PEFT has it not
    besides: int = 0  # layers of images or sounds, in a model of text that reads them as well
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: nn.Module) -> Reach:
        """Of a model without adapters."""
        return cls(
            adaptable_layers(model), frozenset(all_linear(model)), frozenset(all_conv(model)),
            numbered_modules(model), default_targets(model), unreached(model),
            held_by_experts(model), left_out(model), len(of_other_senses(model)),
        )  # fmt: skip

    def targeted(self, config: RunConfig, named: bool) -> tuple[Reach, RunConfig]:
        """`config` with targets, where they need be said, and this with what is to be told of it.

        `named`: targets are what they are, as in a run that continues.
        """
        if config.rules < 4:
            then = filter(self._linear, self.left_out)
            config = config.model_copy(update={"targets": meant_then(config.targets, then)})
        notes = [f"{words}; they stay as they are" for words in self._beyond(LEAST)]
        notes += self._of_experts(config) if config.targets or not named else ()
        if self.besides:
            notes.append(
                f"this model reads more than text: its {self.besides:,} layers of images or sounds "
                "are left alone"
            )
        heads = tuple(n for n in self.adaptable if n in self.linear and self._is_head(config, n))
        if heads and not config.targets and not named:
            config = config.model_copy(update={"whole": (*config.whole, *heads)})
            notes.append(f"{', '.join(heads)}: fully trained, as PEFT does with heads")
        if self.default and not config.targets and not named:
            config = config.model_copy(update={"targets": self.default})
            notes.append(
                "convolutions hold most of the weights, so that they are targeted as well "
                f"({', '.join(self.default)})"
            )
        left = [n for n, (kind, _) in self.adaptable.items() if kind == "conv"]
        left = [name for name in left if name not in self.conv]
        if left and ALL_LINEAR_CONV in config.targets:
            notes.append(
                f"{len(left):,} convolutions in groups, dilated or padded otherwise than with "
                f"zeros are no part of {ALL_LINEAR_CONV}: {left[0]}{' …' if len(left) > 1 else ''}"
            )
        return replace(self, notes=tuple(notes)), config

    def unheld(self, config: RunConfig, layers: Mapping[str, AdapterLayer]) -> list[str]:
        """What LoRA in PEFT cannot hold: adapted it is for a merged checkpoint alone, and all of a
        kind leave it out."""
        notes = []
        some = {n: why for n, why in self.left_out.items() if n in layers or self._linear(n)}
        for why in dict.fromkeys(some.values()):
            names = [name for name, reason in some.items() if reason == why]
            if here := [name for name in names if name in layers]:
                notes.append(
                    f"{listed(here)}: {why}, so that LoRA in PEFT cannot hold it. Export a merged "
                    "checkpoint, or leave it out of the targets"
                )
            if of_a_kind(config.targets) and (
                out := [name for name in names if name not in layers]
            ):
                notes.append(
                    f"{listed(out)}: no part of {ALL_LINEAR}, since {why}. Name it to adapt it all "
                    "the same: a merged checkpoint holds it then, and no PEFT folder"
                )
        idle = [n for n, x in layers.items() if n not in some and not x.use()["called"]]
        if idle:
            notes.append(
                f"{listed(idle)}: the network reads a weight without calling the layer, or holds "
                "the layer under two names, which LoRA in PEFT does not reach. Export a merged "
                "checkpoint, or leave it out of the targets"
            )
        return notes

    def _linear(self, name: str) -> bool:
        """Whether all-linear would mean the layer, if nothing else were against it."""
        return self.adaptable[name][0] in ("linear", "conv1d_linear")

    def _of_experts(self, config: RunConfig) -> list[str]:
        """How much experts hold that no target means; of experts that are, what does not act."""
        matrices, _, share = self.experts
        if not matrices:
            return []
        of_experts = [layer for layer in self.targets(()) if layer.of_experts]
        if any(meant_by(of_experts, config.targets).values()):
            idle = "dropout does not act on experts: no adapter sees their inputs"
            return [idle] if config.hyper.dropout else []
        return [
            f"{matrices:,} matrices of experts hold {100 * share:.0f} % of the base's parameters "
            f"and stay as they are; the target {ALL_LINEAR_EXPERTS} adapts each of them as well"
        ]

    def _beyond(self, least: float) -> list[str]:
        """What holds at least that share of the model in layers that no adapter is put on."""
        return [
            f"{modules:,} {kind} hold {100 * share:.0f} % of the base's parameters in a form that "
            "no adapter is put on"
            for kind, (modules, _, share) in self.beyond.items()
            if share >= least
        ]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say of a refusal what it comes of, where most of the model is out of reach."""
        try:
            yield
        except AdapterError as error:
            if most := self._beyond(MOST):
                raise AdapterError(f"{error} {'; '.join(most)}. Choose another model.") from None
            raise

    @staticmethod
    def _is_head(config: RunConfig, name: str) -> bool:
        """Whether PEFT keeps this layer whole for the task, so that it has no place for factors."""
        return saves(name, TASK_HEADS.get(TASKS[config.task].peft or "", ()))

    def check(self, config: RunConfig, layers: dict[str, AdapterLayer]) -> None:
        """Raise ConfigError where only layers train that belong to no adapter.

        They could be trained, and could not be exported: there would be no factors to write.
        """
        if not VARIANTS[config.variant].factored or any(
            isinstance(layer, LoRALayer) for layer in layers.values()
        ):
            return
        others = f"{ALL_LINEAR_CONV}, or layers by name" if self.conv else "layers by name"
        raise ConfigError(
            f"No layer would get an adapter: {', '.join(layers)} is fully trained, and "
            f"{', '.join(config.targets) or 'all-linear'} means no other. "
            + ("".join(f"{words}. " for words in self._beyond(MOST)) or f"Target {others}.").strip()
        )

    def targets(self, always: tuple[str, ...]) -> tuple[TargetInfo, ...]:
        """What may be targeted, for the window; the layers `always` are trained in any case."""
        return tuple(
            TargetInfo(
                name,
                kind,
                shape,
                name in self.linear,
                name in always,
                name in self.conv,
                self.left_out.get(name, ""),
            )
            for name, (kind, shape) in self.adaptable.items()
        )
