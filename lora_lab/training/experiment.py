"""Experiment: model, adapters, task and optimizer of one run, as the session thread owns them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.space import Subspace, space_of
from lora_lab.adapters.targets import as_then
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.blocks.frozen import numbers_of
from lora_lab.blocks.frozen_linear import quicken
from lora_lab.config import RunConfig
from lora_lab.device_name import first
from lora_lab.errors import Cancelled, ConfigError
from lora_lab.hyperparameters import KNOBS, Hyperparameters
from lora_lab.models.fingerprint import fingerprint, loaded_state
from lora_lab.opening_records import LayerInfo, LoadedRecord
from lora_lab.progress import Report, silent
from lora_lab.records import CountsRecord, EvalRecord, SpectrumRecord, frozen_array
from lora_lab.rules import with_steps
from lora_lab.task_info import TASKS as TASK_ROWS
from lora_lab.tasks import TASKS
from lora_lab.tasks.base import Evaluation, Task, never
from lora_lab.training import packed_base
from lora_lab.training.batch_order import BatchOrder
from lora_lab.training.best import Best
from lora_lab.training.by_size import by_size
from lora_lab.training.devices import computes_bfloat16, find_device
from lora_lab.training.draw_anew import draw_anew
from lora_lab.training.factors_of import weights_of
from lora_lab.training.first_row import try_first_row
from lora_lab.training.from_adapter import (
    Continued,
    fitted,
    origin_notes,
    settled,
    with_its_classes,
)
from lora_lab.training.inference import Inference
from lora_lab.training.initial_factors import adapted
from lora_lab.training.layer_spectra import LayerSpectra
from lora_lab.training.loss_scale import LossScale
from lora_lab.training.optim import Ramp, Stage, build_optimizer, optimizer_notes
from lora_lab.training.parallel import sharding
from lora_lab.training.per_layer import rank_notes
from lora_lab.training.reach import Reach
from lora_lab.training.shelf import Shelf
from lora_lab.training.theta_file import FromTheta
from lora_lab.training.trunk_cache import TrunkCache
from lora_lab.variants import VARIANTS

NO_DIMENSION = "only a random subspace has a dimension"


@dataclass(eq=False)
class Experiment:
    """What one run consists of. Made by `build`; changed only by the loop and by edits."""

    config: RunConfig  # with the steps that its epochs make
    preliminary: str  # name of a stage before the run's own; "" for that
    task: Task
    device: torch.device
    model: nn.Module
    base: str  # where its weights come from, for people
    base_fingerprint: str
    base_parameters: int
    reach: Reach  # what could be adapted
    layers: dict[str, AdapterLayer]
    optimizer: torch.optim.Optimizer
    generator: torch.Generator  # draws the rows of grown factors
    batches: BatchOrder
    inference: Inference
    spectra: LayerSpectra
    hyper: Hyperparameters  # what is applied now
    stage: Stage
    accumulation: int  # parts of a step; more where memory was short
    trunk: TrunkCache  # what of the layers below the adapters is kept
    halvings: int = 0  # times that it was
    step: int = 0
    tokens: int = 0  # trained on so far, padding left out
    edits: int = 0  # that were applied so far
    continued: tuple[str, ...] = ()  # on the adapter that it starts from; none: it starts as W
    ramps: list[Ramp] = field(default_factory=list)
    best: Best = field(default_factory=Best)
    shelf: Shelf = field(default_factory=Shelf)  # adapters from files that are held beside it
    stream: tuple[Any] | None = None  # its residual stream, once asked for; see measure.stream
    should_stop: Callable[[], bool] = never  # whether what is measured on request is to end
    base_measured: bool = False  # the validation loss with the adapter off is on record
    moving: bool = False  # in the middle of a step: some tensors have moved, and others not
    training_seconds: float = 0.0
    open_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.loss_scale = LossScale(self.config.dtype == "float16")

    @classmethod
    def build(
        cls,
        config: RunConfig,
        preliminary: str = "",
        base: str = "",
        report: Report = silent,
        restored: bool = False,
        layers: tuple[str, ...] = (),
    ) -> Experiment:
        """Open the task, its base model and its adapters on the config's device.

        `preliminary` names a stage before the run's own, `base` where the base comes from, both for
        people; `report` receives how far it is. `restored`: a checkpoint will be put back, so that
        an adapter that the run began with is not looked for. Raises LabError for a device,
        checkpoint, data file, adapter or setting that does not fit, and Cancelled where `report`
        does.
        """
        started = time.perf_counter()
        packed_base.check_settings(config)
        sharding.check_settings(config)
        device = find_device(config.device, config.dtype)
        dtype = getattr(torch, config.dtype)
        torch.manual_seed(config.seed)  # dropout
        starts = bool(config.adapter) and not restored
        if starts:
            config = with_its_classes(config)
        task = TASKS[config.task].open(config, report)
        if config.keep_data and not task.has_retention:
            raise ConfigError(
                "A retention set is for models and data of your own. This task measures "
                "forgetting class by class, or has nothing to forget."
            )
        config = with_steps(config, task.rows, task.epoch_steps)
        model = task.base_model()
        packed_base.check_packed(config, model)
        if config.random_weights:
            draw_anew(model, config.seed)
        report("Preparing the adapters", -1)
        base_fingerprint = fingerprint(loaded_state(model, task.new_layers))
        if any(p.is_floating_point() and p.dtype != dtype for p in model.parameters()):
            # Only then: it would round buffers as well, such as the angles of rotary positions,
            # which transformers keeps in float32 whatever the weights are. Before it is moved: a
            # device may lack the dtype of a file, and would hold the whole in it.
            model.to(dtype)
        if not config.shard_base:  # it may be too large for one
            model.to(device)
        task.to(device, dtype)
        reach, config = Reach.of(model).targeted(config, named=starts or restored)
        then = as_then(model, config.targets, layers, {*config.whole, *task.new_layers})
        config = config.model_copy(update={"targets": then})
        given = fitted(config, model, task.new_layers) if starts else None
        config = settled(config, given, model) if given else config
        experiment = cls.over(
            model, config, task, device, reach, base_fingerprint,
            preliminary=preliminary, base=base, given=given, restored=restored,
        )  # fmt: skip
        sharding.check_model(config, model, experiment.layers)
        if TASK_ROWS[config.task].own and not restored and not config.shard_base:
            report("Trying the longest row", -1)
            try_first_row(task, model, experiment.base)
        experiment.open_seconds = time.perf_counter() - started
        return experiment

    @classmethod
    def over(
        cls, model: nn.Module, config: RunConfig, task: Task, device: torch.device, reach: Reach,
        base_fingerprint: str, *, preliminary: str = "", base: str = "",
        given: Continued | FromTheta | None = None, restored: bool = False,
    ) -> Experiment:  # fmt: skip
        """A run over a base that is open: `model` without adapters, where its task's data is.

        The arguments are as `build` has them, `config` with its steps and targets. Nothing is drawn
        from torch's own generator. Raises LabError for adapters that cannot be.
        """
        parameters = numbers_of(model)
        if given is None and not restored:
            config, reach = by_size(config, model, task.new_layers, reach)
        hyper = given.hyper if given else config.hyper
        generator = torch.Generator().manual_seed(config.seed + 1)
        with reach.explained():
            layers = adapted(config, hyper, task, model, generator, given)
        if given is None and not restored:
            reach.check(config, layers)
        quicken(model)
        # Of plain values: nothing that an experiment holds leads back to it.
        batches = BatchOrder(partial(task.batches, config.batch_size, config.seed))
        experiment = cls(
            config, preliminary, task, device, model, base or task.base, base_fingerprint,
            parameters, reach, layers,
            build_optimizer(layers.values(), config, hyper), generator, batches,
            Inference(task, model, layers),
            LayerSpectra(layers, "float64" if config.dtype == "float64" else "float32"),
            hyper, Stage(0, config.max_steps), config.accumulation,
            TrunkCache(task, model, tuple(layers), config, base_fingerprint),
        )  # fmt: skip
        if given:
            notes = origin_notes(given, config.model, base_fingerprint)
            experiment.continued = (*given.notes, *notes)
        experiment.inference.resume_training()
        return experiment

    def report_stop(self, what: str, share: float) -> None:
        """A `Report` for work within a command: raises Cancelled where that is to end."""
        del what, share
        if self.should_stop():
            raise Cancelled("The measurement was cancelled.")

    @property
    def max_grad_norm(self) -> float:
        """What gradients are cut to now; 0: they are not."""
        limit = self.hyper.max_grad_norm
        return self.config.max_grad_norm if limit is None else limit

    @property
    def lora_layers(self) -> list[LoRALayer]:
        return [layer for layer in self.layers.values() if isinstance(layer, LoRALayer)]

    @property
    def has_factors(self) -> bool:
        return bool(self.lora_layers)

    def parameters(self) -> list[nn.Parameter]:
        """What the optimizer holds, in the model's order; those of frozen layers among it."""
        return [p for layer in self.layers.values() for p in layer.adapter_parameters()]

    def finite(self) -> bool:
        """Whether every trained number is finite."""
        return all(bool(torch.isfinite(p).all()) for p in self.parameters())

    def loaded(self) -> LoadedRecord:
        """What stands ready, for the window."""
        task, config = self.task, self.config
        return LoadedRecord(
            title=config.preset or Path(config.model or "").stem or config.task,
            stage=self.preliminary,
            task=config.task,
            variant=config.variant,
            base=self.base,
            device=config.device if config.processes > 1 else str(self.device),
            dtype=config.dtype,
            layers=tuple(
                LayerInfo(
                    name,
                    layer.shape,
                    layer.weight_norm,
                    kind=layer.kind.name,
                    max_rank=layer.max_rank if isinstance(layer, LoRALayer) else 0,
                    rank_locked=dict(layer.locked).get("rank", ""),
                    rounding=packed_base.rounding_of(layer.base_layer),
                )
                for name, layer in self.layers.items()
            ),
            base_parameters=self.base_parameters,
            max_rank=max(
                layer.max_rank if isinstance(layer, LoRALayer) else min(layer.shape)
                for layer in self.layers.values()
            ),
            max_steps=config.max_steps,
            hyper=self.hyper,
            classes=task.classes,
            trained_classes=task.trained_classes,
            loss_floor=task.loss_floor,
            true_sigma=None if task.true_sigma is None else frozen_array(task.true_sigma),
            adaptable=self.reach.targets((*task.new_layers, *config.whole)),
            modules=tuple((name, *row) for name, row in self.reach.modules.items()),
            locked=self.locked,
            notes=self._notes(),
            seconds=self.open_seconds,
            generates=task.generates,
            scores_tokens=task.scores_tokens,
            prompts=task.prompts(),
            chats=task.chats,
            goal=self.stage.end,
            most_numbers=self.space.total if self.space is not None else 0,
        )

    @property
    def locked(self) -> tuple[tuple[str, str], ...]:
        """The hyperparameters that no layer can follow, each with the reason."""
        if self.preliminary:
            return tuple(
                (name, "for the adapter, in stage 2; the base is pretrained as the preset defines")
                for name in KNOBS
            )
        locks = [set(layer.locked) for layer in self.layers.values()]
        own = VARIANTS[self.config.variant]
        others = self.space.locked if self.space else (("dimension", NO_DIMENSION),)
        return tuple(sorted({*set.intersection(*locks), *own.locked, *others}))

    @property
    def space(self) -> Subspace | None:
        """What the layers of a random subspace share; None for other variants."""
        return space_of(self.layers.values())

    def _notes(self) -> tuple[str, ...]:
        """What is not as one might think it was asked for."""
        config = self.config
        own = dict(self.hyper.layer_ranks)
        common = {name: layer for name, layer in self.layers.items() if name not in own}
        notes = [
            *self.continued,
            *self.task.notes,
            *packed_base.notes_on(self.model, config),
            *self.reach.notes,
            *self.trunk.notes,
            *rank_notes(common, self.hyper),
            *self.reach.unheld(config, self.layers),
        ]
        if left := [name for name in self.task.new_layers if name not in self.layers]:
            notes.append(f"{', '.join(left)}: not in the checkpoint, and keeps its initial values")
        if config.b_rate_ratio != 1 and not VARIANTS[config.variant].trains_factors:
            notes.append("no layer has a B, so the ratio of its learning rate does nothing")
        if config.dtype == "bfloat16" and not computes_bfloat16(first(config.device)):
            notes.append(
                "this device only imitates bfloat16: it takes half of the memory and more time "
                "than float32"
            )
        if config.dtype == "float16" and self.device.type == "cpu":
            notes.append("float16 takes about ten times as long as float32 on a CPU")
        length = self.stage.end - self.stage.begin
        if (warmup := config.warmup(length)) < config.warmup_steps:
            notes.append(
                f"warm-up of {warmup:,} in place of {config.warmup_steps:,} steps: half of the "
                f"{length:,} steps at most"
            )
        notes += optimizer_notes(self.optimizer, config)
        return tuple(notes)

    def counts(self) -> CountsRecord:
        """What is trained; a frozen layer counts among the frozen numbers."""
        per_layer = tuple(
            (name, sum(p.numel() for p in layer.adapter_parameters() if p.requires_grad))
            for name, layer in self.layers.items()
        )
        trained = sum(number for _, number in per_layer)
        if self.space is not None:  # θ is no layer's own
            owner = self.space.owner.name
            per_layer = tuple((name, 0 if name == owner else n) for name, n in per_layer)
        total = self.base_parameters
        if self.has_factors or self.space:  # beside W; full fine-tuning trains W itself
            total += sum(p.numel() for p in self.parameters())
        return CountsRecord(self.step, trained, total - trained, per_layer)

    def spectrum(self, seconds: float = math.inf) -> SpectrumRecord:
        """σ(ΔW) of every layer at this step boundary; `seconds` for those that have no factors."""
        kept = tuple(self.space.kept()) if self.space is not None else ()
        return SpectrumRecord(self.step, self.spectra.measured(seconds), kept)

    def evaluate(
        self,
        enabled: bool | None = None,
        should_stop: Callable[[], bool] = never,
        due: bool = True,
    ) -> EvalRecord | None:
        """Measure the validation data with the adapter on or off (None: as the switch has it).

        None where `should_stop` says that something else has become more urgent. It counts for the
        best step, and where it was `due` for patience.
        """
        enabled = self.hyper.enabled if enabled is None else enabled
        started = time.perf_counter()
        result = self.held_out(enabled, should_stop)
        if result is None:
            return None
        old = None
        if self.task.has_retention:
            old = self.inference.retention(enabled, should_stop)
            if old is None:
                return None
        record = EvalRecord(
            self.step, enabled, result.loss, result.accuracy, result.correct, result.total,
            time.perf_counter() - started, result.confusion,
            keep_loss=old.loss if old else None, keep_accuracy=old.accuracy if old else None,
            figures=result.figures,
        )  # fmt: skip
        self.base_measured = self.base_measured or not enabled
        return self.note_evaluation(record, due)

    def held_out(self, enabled: bool, should_stop: Callable[[], bool] = never) -> Evaluation | None:
        """A pass over the validation data; None where `should_stop` ended it. Nothing is noted."""
        return self.inference.held_out(enabled, should_stop)

    def note_evaluation(self, record: EvalRecord, due: bool = True) -> EvalRecord:
        """`record`, marked as the best one where it is."""
        return self.best.note(record, lambda: self.weights() if self.has_factors else None, due)

    def weights(self) -> AdapterWeights:
        """A copy of the factors on the CPU; raises ExportError where the variant has none."""
        layers, dropout = self.layers.values(), self.hyper.dropout
        return weights_of(self.config, layers, self.base, self.base_fingerprint, dropout)
