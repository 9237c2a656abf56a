"""The base of a study: its task and model opened once, without touching what else is trained."""

from __future__ import annotations

import copy
import time
from functools import cached_property

import numpy as np
import torch

from lora_lab.adapters.weights import LayerWeights
from lora_lab.analysis.amplification import leading
from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.inits import INITS
from lora_lab.inits import PLAIN as PLAIN_INIT
from lora_lab.opening_records import TargetInfo
from lora_lab.progress import Report, silent
from lora_lab.records import StepRecord
from lora_lab.task_info import TASKS as TASK_ROWS
from lora_lab.tasks import TASKS
from lora_lab.training.controls import Controls
from lora_lab.training.devices import find_device
from lora_lab.training.draw_anew import draw_anew
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.pretrain import base_path
from lora_lab.training.reach import Reach
from lora_lab.variants import PLAIN, VARIANTS

STEPS = 1000  # of a run, where the settings have more
SNAPSHOTS = 8
TRIED = 20  # steps that a price is made of, behind one that warms up
TRIED_SECONDS = 1.0  # that they may take
SAVING = 0.3  # seconds of a run that go into its folder


class StudyBase:
    """The settings that all runs of a study share, and what they are measured on."""

    def __init__(self, config: RunConfig, steps: int = 0, report: Report = silent) -> None:
        """`steps`: of each run; 0: as the config has them, a thousand at most.

        Raises LabError for a model or data that cannot be opened, Cancelled where `report` does.
        """
        self.config, self.notes = _plain(config, steps)
        self.new_classes = tuple(map(str, config.digits))
        self.own = TASK_ROWS[config.task].own
        opened = self.config
        if opened.pretraining is not None and opened.model is None:
            path = base_path(opened)
            if not path.exists():
                raise LabError(
                    "The base of this preset is not trained yet. Open the preset and train once: "
                    "its base is made first, and kept."
                )
            opened = opened.model_copy(update={"model": str(path), "pretraining": None})
        self.opened, self._report = opened, report
        probe = changed(opened.hyper, rank=min(opened.hyper.rank, 4), dropout=0.0)
        self.experiment = self._experiment(changed(opened, hyper=probe.model_dump()))
        self.targets = self.experiment.config.targets
        self.adaptable: tuple[TargetInfo, ...] = self.experiment.loaded().adaptable
        self._sigma: dict[tuple[str, int], np.ndarray] = {}

    def of_steps(self, steps: int) -> StudyBase:
        """The same base for runs of another number of steps; nothing is opened again."""
        other = copy.copy(self)
        other.config, other.opened = (
            changed(config, max_steps=steps, eval_steps=steps)
            for config in (self.config, self.opened)
        )
        return other

    def _experiment(self, config: RunConfig) -> Experiment:
        """Adapters as a run begins with them; nothing is drawn from torch's own generator."""
        device = find_device(config.device, config.dtype)
        dtype = getattr(torch, config.dtype)
        task = TASKS[config.task].open(config, self._report)
        model = task.base_model()
        if config.random_weights:
            draw_anew(model, config.seed)
        if any(p.is_floating_point() and p.dtype != dtype for p in model.parameters()):
            model.to(dtype)
        model.to(device)
        task.to(device, dtype)
        reach, config = Reach.of(model).targeted(config, named=False)
        return Experiment.over(model, config, task, device, reach, "")

    @property
    def max_rank(self) -> int:
        """The largest rank that a layer among the targets can use."""
        return max((layer.max_rank for layer in self.experiment.lora_layers), default=1)

    @property
    def most_numbers(self) -> int:
        """Those of the factors of all layers at the largest rank that each can use."""
        return sum(min(each.shape) * sum(each.shape) for each in self.adaptable)

    @property
    def run_seconds(self) -> float:
        """What one run takes here."""
        return self.seconds_of(self.config.max_steps)

    def seconds_of(self, steps: int) -> float:
        """What a run of so many takes here: opening it, its steps, its folder."""
        fixed, each = self._pace
        return fixed + steps * each

    @cached_property
    def _pace(self) -> tuple[float, float]:
        """Seconds of a run beside its steps, and of a step, by a few of the loop's."""
        began = time.perf_counter()
        experiment = self._experiment(self.experiment.config)
        opened = time.perf_counter() - began
        controls, at = Controls(experiment.hyper), []
        records = train(experiment, controls)
        for record in records:
            if isinstance(record, StepRecord):
                at.append(time.perf_counter())
                if len(at) > TRIED or at[-1] - at[0] > TRIED_SECONDS:
                    break
        each = (at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else 0.0
        began = time.perf_counter()
        experiment.held_out(True)
        validated = 2 * (time.perf_counter() - began)
        controls.stop()  # only now: it would end a validation as well
        records.close()
        return opened + validated + SAVING, each

    @property
    def layers(self) -> tuple[str, ...]:
        """Those that a run of this base has an adapter on."""
        return tuple(layer.name for layer in self.experiment.lora_layers)

    def weight(self, name: str) -> torch.Tensor:
        """W (out × in) of a layer in float64 on the CPU."""
        return self.experiment.layers[name].matrix.detach().cpu().double()

    def sigma(self, name: str, count: int) -> np.ndarray:
        """The leading σ of W."""
        if (name, count) not in self._sigma:
            self._sigma[name, count] = leading(self.weight(name), count)
        return self._sigma[name, count]

    def start_of(self, config: RunConfig) -> dict[str, LayerWeights]:
        """The adapters that a run of this config began with, drawn again from its seed."""
        values = {"seed": config.seed, "data_seed": config.data_seed, "init": config.init,
                  "variant": config.variant, "targets": config.targets or self.targets}  # fmt: skip
        begun = self._experiment(changed(self.opened, **values, hyper=config.hyper.model_dump()))
        return {layer.name: layer.layer_weights() for layer in begun.lora_layers}


def trains_both(variant: str) -> bool:
    """Whether A and B are both trained, as in LoRA and what PEFT has as a flag of it."""
    row = VARIANTS[variant]
    return row.factored and (variant == PLAIN or bool(row.peft))


def _plain(config: RunConfig, steps: int) -> tuple[RunConfig, tuple[str, ...]]:
    """What the runs of a study have in common, and what was changed for that."""
    notes = []
    values = {
        "epochs": None, "max_steps": steps or min(config.max_steps, STEPS), "patience": 0,
        "adapter": None, "data_seed": config.split_seed, "snapshots": SNAPSHOTS,
    }  # fmt: skip
    if config.digits:  # with replay: or the old classes would be forgotten
        values["digits"] = ()
        new = ", ".join(map(str, config.digits))
        notes.append(f"trained on all classes, so that {new} is learned beside the others")
    row = VARIANTS[config.variant]
    if not (trains_both(config.variant) and row.exact_sigma):
        values["variant"] = PLAIN
        notes.append(
            f"{VARIANTS[PLAIN].subject} in place of {row}: ΔW is to be s·B·A with both trained"
        )
    if INITS[config.init].one_rank:
        values["init"] = PLAIN_INIT
        notes.append(f"init {PLAIN_INIT} in place of {config.init}, whose A is a part of W")
    values["eval_steps"] = values["max_steps"]
    hyper = changed(config.hyper, layer_ranks=(), frozen_layers=())
    return changed(config, **values, hyper=hyper.model_dump()), tuple(notes)
