"""The one base of a race: every lane's model has modules of its own around the same parameters."""

from __future__ import annotations

import copy
from functools import partial

from torch import nn

from lora_lab.adapters.inject import remove
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.progress import Report
from lora_lab.race.batches import CommonBatches, LaneBatches
from lora_lab.rules import with_steps
from lora_lab.tasks.draws import random_states
from lora_lab.training.experiment import Experiment
from lora_lab.training.pretrain import on_trained_base
from lora_lab.training.reach import Reach
from lora_lab.variants import VARIANTS

OWN = {"variant", "init", "projection", "structure", "space", "targets", "hyper", "optimizer",
       "b_rate_ratio", "betas", "eps", "momentum", "max_grad_norm", "schedule",
       "warmup_steps"}  # fmt: skip


def check(config: RunConfig, first: RunConfig) -> None:
    """Raise ConfigError for a lane that cannot run beside `first` over one base."""
    variant = VARIANTS[config.variant]
    if variant.whole:
        raise ConfigError(
            f"{variant.subject} cannot race: it trains W itself, so that each lane would hold a "
            "whole model of its own, and there is no base to share. Train it by itself and compare "
            "the two, or choose a variant that leaves W as it is."
        )
    if config.adapter:
        raise ConfigError(
            "A race begins with new adapters: one that is continued has its rank already. Leave "
            "the adapter out, or merge it into the base first."
        )
    for name in type(config).model_fields:
        if name not in OWN and getattr(config, name) != getattr(first, name):
            raise ConfigError(
                f"Lanes share base, data and batches, so {name} must be the same in all: it is "
                f"{getattr(first, name)!r} in the first and {getattr(config, name)!r} in another."
            )


class SharedBase:
    """A base that is opened once, and as many runs over it as are asked for."""

    def __init__(self, config: RunConfig, report: Report) -> None:
        """Raises LabError for a config that cannot be opened, Cancelled where `report` does."""
        check(config, config)
        asked, config = config, on_trained_base(config, report)
        self._asked = asked
        self.config = config
        first = Experiment.build(config, report=report)
        self.task, self.device = first.task, first.device
        self.random = random_states(first.device)  # as a run that is alone begins with them
        self._fingerprint, self._name = first.base_fingerprint, first.base
        trained = {id(p) for p in first.parameters()}
        self.parameters = [p for p in first.model.parameters() if id(p) not in trained]
        self._bare = self._copy(first.model)
        remove(self._bare)
        self._batches = CommonBatches(partial(self.task.batches, config.batch_size, config.seed))

    @property
    def nbytes(self) -> int:
        """Memory of the parameters that all lanes share."""
        return sum(p.nbytes for p in self.parameters)

    def bare(self) -> nn.Module:
        """The base without adapters, in modules of its own around the same parameters."""
        return self._copy(self._bare)

    def experiment(self, config: RunConfig) -> Experiment:
        """A run over this base, as `Experiment.build` makes it, to the bit."""
        check(config, self._asked)
        config = config.model_copy(
            update={"model": self.config.model, "pretraining": self.config.pretraining}
        )
        model = self.bare()
        config = with_steps(config, self.task.rows, self.task.epoch_steps)
        reach, config = Reach.of(model).targeted(config, named=False)
        experiment = Experiment.over(
            model, config, self.task, self.device, reach, self._fingerprint, base=self._name
        )
        experiment.batches = LaneBatches(self._batches)
        return experiment

    def _copy(self, model: nn.Module) -> nn.Module:
        """Modules and buffers anew around the same parameters."""
        shared = {id(p): p for p in self.parameters}
        try:
            return copy.deepcopy(model, shared)
        except Exception as error:
            raise ConfigError(
                f"This model cannot be copied around its weights ({error}), so that several "
                "adapters cannot share them. Train them one after another, by a sweep."
            ) from error
