"""Experiment: model, adapters, task and optimizer of one run, as the session thread owns them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer, FullLayer, LoRALayer
from lora_lab.adapters.eva import start_from_inputs
from lora_lab.adapters.inject import inject, switched
from lora_lab.adapters.targets import adaptable_layers, all_linear, numbered_modules
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis import rank as measures
from lora_lab.analysis.randomized import Spectrum
from lora_lab.analysis.spectrum import stated_spectra
from lora_lab.config import KNOBS, RunConfig
from lora_lab.errors import ConfigError, ExportError, LabError
from lora_lab.inits import INITS
from lora_lab.models.fingerprint import fingerprint
from lora_lab.progress import Report, silent
from lora_lab.records import (
    CountsRecord,
    EvalRecord,
    GeneratedRecord,
    LayerInfo,
    LayerSpectrum,
    LoadedRecord,
    SpectrumRecord,
    TargetInfo,
    frozen_array,
)
from lora_lab.tasks import TASKS
from lora_lab.tasks.base import Evaluation, never
from lora_lab.training.best import Best
from lora_lab.training.course import Course
from lora_lab.training.devices import find_device
from lora_lab.training.optim import Ramp, Stage, build_optimizer
from lora_lab.training.per_layer import check, freeze, rank_notes
from lora_lab.variants import PLAIN, VARIANTS

EVA_BATCHES = 4  # that init eva looks at; each layer sums up batch × positions inputs of each


class Experiment:
    """What one run consists of. Made by opening a config; changed only by the loop and by edits."""

    def __init__(
        self, config: RunConfig, preliminary: str = "", base: str = "", report: Report = silent
    ) -> None:
        """Open the task, its base model and its adapters on the config's device.

        `preliminary` names a stage before the run's own, `base` where the base comes from, both for
        people; `report` hears how far it is. Raises LabError for a device, checkpoint, data file or
        setting that does not fit, and Cancelled where `report` does.
        """
        started = time.perf_counter()
        self.preliminary = preliminary
        self.device = find_device(config.device, config.dtype)
        dtype = getattr(torch, config.dtype)
        self._factor_dtype = "float64" if dtype == torch.float64 else "float32"
        torch.manual_seed(config.seed)  # dropout
        self.task = TASKS[config.task].open(config, report)
        if config.keep_data and not self.task.has_retention:
            raise ConfigError(
                "Rows of an old task are for models and data of your own. This task measures what "
                "is forgotten class by class, or has nothing to forget."
            )
        self.config = config = with_steps(config, self.task.rows)
        self.model = self.task.base_model()
        self.base = base or self.task.base
        report("Preparing the adapters", -1)
        self.base_fingerprint = fingerprint(self._loaded_state())
        self.model.to(self.device)
        if any(p.is_floating_point() and p.dtype != dtype for p in self.model.parameters()):
            # Only then: it would round buffers as well, such as the angles of rotary positions,
            # which transformers keeps in float32 whatever the weights are.
            self.model.to(dtype)
        self.task.to(self.device, dtype)
        self.base_parameters = sum(p.numel() for p in self.model.parameters())
        self.hyper = config.hyper  # what is applied now
        self.adaptable = adaptable_layers(self.model)
        self.all_linear = frozenset(all_linear(self.model))
        self.modules = numbered_modules(self.model)
        self.layers: dict[str, AdapterLayer] = inject(
            self.model,
            variant=config.variant,
            rank=self.hyper.rank,
            alpha=self.hyper.alpha,
            init=config.init,
            targets=config.targets,
            whole=[name for name in self.task.new_layers if name in self.adaptable],
            seed=config.seed,
        )
        check(self.layers, self.hyper)
        self.generator = torch.Generator().manual_seed(config.seed + 1)  # rows of grown factors
        self._start_own_ranks()
        if INITS[config.init].needs_data and self.has_factors:
            self._look_at_data()
        self.weight_norms = {
            name: float(torch.linalg.vector_norm(layer.base_layer.weight.float()))
            for name, layer in self.layers.items()
        }
        for layer in self.lora_layers:
            layer.dropout = self.hyper.dropout
        freeze(self.layers, self.hyper)
        self.optimizer = build_optimizer(self.layers.values(), config, self.hyper)
        self.ramps: list[Ramp] = []
        self._spectra: dict[str, Spectrum] = {}  # the last ones, those of longest ago first
        self.edits = 0  # that were applied so far
        size, seed, task = config.batch_size, config.seed, self.task  # no way back to all of this
        self.batches = Course(lambda skip: task.batches(size, seed, skip))
        self.best = Best()
        self.step = 0
        self.accumulation = config.accumulation  # parts of a step; more where memory was short
        self.halvings = 0  # times that it was
        self.stage = Stage(0, config.max_steps)
        self.training_seconds = 0.0
        self.open_seconds = time.perf_counter() - started
        self._let_learn()

    @property
    def max_grad_norm(self) -> float:
        """What gradients are cut to now; 0: they are not."""
        wished = self.hyper.max_grad_norm
        return self.config.max_grad_norm if wished is None else wished

    def _loaded_state(self) -> dict[str, torch.Tensor]:
        """What the checkpoint brought: without the layers that were drawn anew."""
        fresh = tuple(f"{name}." for name in self.task.new_layers)
        state = self.model.state_dict()
        return {key: t for key, t in state.items() if not (fresh and key.startswith(fresh))}

    def _start_own_ranks(self) -> None:
        """Draw the factors of layers with a rank of their own anew, by the init's own law."""
        own = dict(self.hyper.layer_ranks)
        for layer in self.lora_layers:
            if layer.name in own and layer.rank != own[layer.name]:
                A, B = layer.new_factors(own[layer.name], self.generator)
                layer.lora_A, layer.lora_B = nn.Parameter(A), nn.Parameter(B)

    def _look_at_data(self) -> None:
        """Let the adapters start from what they see of the first batches, read apart."""
        config = self.config
        batches = self.task.batches(config.batch_size, config.seed)

        def run() -> None:
            for batch in itertools.islice(batches, EVA_BATCHES):
                for part, _ in self.task.parts(batch, config.accumulation):
                    self.task.loss(self.model, part)

        self.model.eval()
        start_from_inputs(self.layers, run)

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
            title=config.preset or config.task,
            stage=self.preliminary,
            task=config.task,
            variant=config.variant,
            base=self.base,
            device=str(self.device),
            dtype=config.dtype,
            layers=tuple(
                LayerInfo(
                    name,
                    layer.shape,
                    self.weight_norms[name],
                    kind=layer.kind.name,
                    max_rank=layer.max_rank if isinstance(layer, LoRALayer) else 0,
                    rank_locked=dict(layer.locked).get("rank", ""),
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
            adaptable=tuple(
                TargetInfo(name, kind, shape, name in self.all_linear)
                for name, (kind, shape) in self.adaptable.items()
            ),
            modules=tuple((name, *found) for name, found in self.modules.items()),
            locked=self.locked,
            notes=self._notes(),
            seconds=self.open_seconds,
            generates=task.generates,
            prompts=task.prompts(),
            goal=self.stage.end,
        )

    @property
    def locked(self) -> tuple[tuple[str, str], ...]:
        """The hyperparameters that no layer can follow, each with the reason."""
        if self.preliminary:
            return tuple((name, "the base is trained as its preset says") for name in KNOBS)
        locks = [set(layer.locked) for layer in self.layers.values()]
        return tuple(sorted(set.intersection(*locks)))

    def _notes(self) -> tuple[str, ...]:
        """What is not as one might think it was asked for."""
        config = self.config
        own = dict(self.hyper.layer_ranks)
        common = {name: layer for name, layer in self.layers.items() if name not in own}
        notes = [*self.task.notes, *rank_notes(common, self.hyper)]
        if left := [name for name in self.task.new_layers if name not in self.layers]:
            notes.append(f"{', '.join(left)}: not in the checkpoint, and stays as it was drawn")
        if config.b_rate_ratio != 1 and not self.has_factors:
            notes.append("no layer has a B, so the ratio of its learning rate does nothing")
        if config.momentum and config.optimizer != "sgd":
            notes.append("momentum is SGD's; AdamW goes by its betas")
        return tuple(notes)

    def counts(self) -> CountsRecord:
        """What is trained; a frozen layer counts among the frozen numbers."""
        per_layer = tuple(
            (name, sum(p.numel() for p in layer.adapter_parameters() if p.requires_grad))
            for name, layer in self.layers.items()
        )
        trained = sum(number for _, number in per_layer)
        total = self.base_parameters
        if self.has_factors:  # they stand beside W; what full fine-tuning trains is W itself
            total += sum(p.numel() for p in self.parameters())
        return CountsRecord(self.step, trained, total - trained, per_layer)

    def spectrum(self, seconds: float = math.inf) -> SpectrumRecord:
        """σ(ΔW) of every layer, with its rank measures, at this step boundary.

        A ΔW without factors takes long. Of those, one at least is looked at anew; what `seconds`
        do not suffice for keeps the values it had, and is the first in turn the next time.
        """
        began = time.perf_counter()
        found = self._spectra
        quick = {n: layer for n, layer in self.layers.items() if layer.factors() is not None}
        slow = self.layers.keys() - quick.keys()
        waiting = [*(slow - found.keys()), *(name for name in found if name in slow)]
        found.update(zip(quick, stated_spectra(quick.values()), strict=True))
        for turn, name in enumerate(waiting):
            if turn and name in found and time.perf_counter() - began > seconds:
                break
            found.pop(name, None)  # to the end of the order
            found[name] = stated_spectra([self.layers[name]])[0]
        rows = [self._layer_spectrum(layer, found[name]) for name, layer in self.layers.items()]
        return SpectrumRecord(self.step, tuple(rows))

    def _layer_spectrum(self, layer: AdapterLayer, found: Spectrum) -> LayerSpectrum:
        sigma = found.sigma
        factored = isinstance(layer, LoRALayer)
        return LayerSpectrum(
            name=layer.name,
            sigma=frozen_array(sigma),
            numerical_rank=measures.numerical_rank(sigma, layer.shape, self._factor_dtype),
            stable_rank=(found.norm / sigma[0]) ** 2 if sigma[0] > 0 else math.nan,
            effective_rank=measures.effective_rank(sigma) if found.exact else math.nan,
            delta_norm=found.norm,
            rank=layer.rank if factored else min(layer.shape),
            alpha=layer.alpha if factored else math.nan,
            scaling=layer.scaling if factored else 1.0,
            error=float(found.error.max()),
            frozen=layer.frozen,
        )

    @torch.no_grad()
    def evaluate(
        self,
        enabled: bool | None = None,
        given_up: Callable[[], bool] = never,
        noted: bool = True,
        due: bool = True,
    ) -> EvalRecord | None:
        """Measure the held-out data with the adapter on or off (None: as the switch has it).

        None where `given_up` says that something else has become more urgent. Where it is `noted`
        it counts for the best step, and where it was `due` for patience.
        """
        enabled = self.hyper.enabled if enabled is None else enabled
        started = time.perf_counter()
        found = self.held_out(enabled, given_up)
        keeps = self.task.has_retention
        old = self._kept(enabled, given_up) if found is not None and keeps else None
        if found is None or (old is None and keeps):
            return None
        record = EvalRecord(
            self.step, enabled, found.loss, found.accuracy, found.correct, found.total,
            time.perf_counter() - started, found.confusion,
            keep_loss=old.loss if old else None, keep_accuracy=old.accuracy if old else None,
        )  # fmt: skip
        return self.best.note(record, self, due) if noted else record

    @torch.no_grad()
    def held_out(self, enabled: bool, given_up: Callable[[], bool] = never) -> Evaluation | None:
        """A pass over the held-out data; None where it was given up. Nothing is noted."""
        with self._measuring(enabled):
            return self.task.evaluate(self.model, given_up)

    def _kept(self, enabled: bool, given_up: Callable[[], bool]) -> Evaluation | None:
        """A pass over the rows of the old task."""
        with self._measuring(enabled):
            return self.task.evaluate_retention(self.model, given_up)

    def _let_learn(self) -> None:
        """Dropout draws again. What norms of the base have measured stays: no adapter holds it."""
        self.model.train()
        for module in self.model.modules():
            if getattr(module, "track_running_stats", False):
                module.eval()

    @contextmanager
    def _measuring(self, enabled: bool) -> Iterator[None]:
        """The model as it answers, with the adapter on or off; it trains on afterwards."""
        self.model.eval()
        try:
            with switched(self.layers, enabled):
                yield
        finally:
            self._let_learn()

    def generate(self, prompts: Sequence[str], max_new_tokens: int) -> Iterator[GeneratedRecord]:
        """What the model says to each prompt, first with the adapter off and then with it on.

        Raises LabError for a model that does not go on with texts.
        """
        if not self.task.generates:
            raise LabError("This model does not go on with a text. Open a language model.")
        for prompt in prompts:
            started = time.perf_counter()
            self.model.eval()
            try:
                said = {}
                for enabled in (False, True):
                    with switched(self.layers, enabled):
                        (said[enabled],) = self.task.generate(self.model, [prompt], max_new_tokens)
            finally:
                self._let_learn()
            seconds = time.perf_counter() - started
            yield GeneratedRecord(self.step, prompt, said[False], said[True], seconds)

    def _base_path(self) -> str:
        """The base's folder, which other programs look names up in; "" where it is none."""
        model = self.config.model or ""
        return model if model and (Path(model) / "config.json").is_file() else ""

    def weights(self) -> AdapterWeights:
        """A copy of the factors on the CPU; raises ExportError where the variant has none."""
        whole = [x.whole_layer() for x in self.layers.values() if isinstance(x, FullLayer)]
        rows = [x.layer_weights() for x in self.layers.values() if not isinstance(x, FullLayer)]
        if not rows or any(row is None for row in rows):
            raise ExportError(
                f"{VARIANTS[self.config.variant].subject} has no low-rank factors to export. Train "
                f"with variant {PLAIN}."
            )
        return AdapterWeights(
            variant=self.config.variant,
            layers=tuple(row for row in rows if row is not None),
            whole=tuple(whole),
            base=self._base_path() or self.base,
            base_fingerprint=self.base_fingerprint,
            dropout=self.hyper.dropout,
            extra={"task": self.config.task},
        )


def with_steps(config: RunConfig, rows: int) -> RunConfig:
    """`config` with the number of steps that its epochs make; the same `hyper` object."""
    if config.epochs is None or not rows:
        return config
    steps = max(1, math.ceil(config.epochs * math.ceil(rows / config.batch_size)))
    return config.model_copy(update={"max_steps": steps})
