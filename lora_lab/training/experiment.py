"""Experiment: model, adapters, task and optimizer of one run, as the session thread owns them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch

from lora_lab.adapters import VARIANTS, AdapterLayer, LoRALayer
from lora_lab.adapters.inject import inject, switched
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.analysis import rank as measures
from lora_lab.analysis.spectrum import spectra
from lora_lab.config import KNOBS, RunConfig
from lora_lab.errors import ExportError
from lora_lab.models.fingerprint import fingerprint
from lora_lab.records import (
    CountsRecord,
    EvalRecord,
    LayerInfo,
    LayerSpectrum,
    LoadedRecord,
    SpectrumRecord,
    frozen_array,
)
from lora_lab.tasks import TASKS
from lora_lab.training.devices import find_device
from lora_lab.training.optim import Ramp, build_optimizer


class Experiment:
    """What one run consists of. Made by opening a config; changed only by the loop and by edits."""

    def __init__(self, config: RunConfig, stage: str = "", base: str = "") -> None:
        """Open the task, its base model and its adapters on the config's device.

        `stage` names a preliminary stage, `base` where the base comes from, both for people.

        Raises LabError for a device, checkpoint, data file or setting that does not fit.
        """
        started = time.perf_counter()
        self.config = config
        self.stage = stage
        self.device = find_device(config.device, config.dtype)
        dtype = getattr(torch, config.dtype)
        torch.manual_seed(config.seed)  # dropout
        self.task = TASKS[config.task].open(config)
        self.model = self.task.base_model()
        self.base = base or self.task.base
        self.base_fingerprint = fingerprint(self.model)
        self.model.to(self.device, dtype)
        self.task.to(self.device, dtype)
        self.base_parameters = sum(p.numel() for p in self.model.parameters())
        self.hyper = config.hyper  # what is applied now
        self.layers: dict[str, AdapterLayer] = inject(
            self.model,
            variant=config.variant,
            rank=self.hyper.rank,
            alpha=self.hyper.alpha,
            init=config.init,
            targets=config.targets,
            seed=config.seed,
        )
        self.generator = torch.Generator().manual_seed(config.seed + 1)  # rows of grown factors
        self.weight_norms = {
            name: float(torch.linalg.vector_norm(layer.base_layer.weight.float()))
            for name, layer in self.layers.items()
        }
        for layer in self.lora_layers:
            layer.dropout = self.hyper.dropout
        self.optimizer = build_optimizer(self.parameters(), config, self.hyper)
        self.ramps: list[Ramp] = []
        self.batches: Iterator[Any] = self.task.batches(config.batch_size, config.seed)
        self.step = 0
        self.training_seconds = 0.0
        self.open_seconds = time.perf_counter() - started
        self.model.train()

    @property
    def lora_layers(self) -> list[LoRALayer]:
        return [layer for layer in self.layers.values() if isinstance(layer, LoRALayer)]

    @property
    def has_factors(self) -> bool:
        return bool(self.lora_layers)

    def parameters(self) -> list[torch.nn.Parameter]:
        """What the optimizer trains, in the model's order."""
        return [p for layer in self.layers.values() for p in layer.adapter_parameters()]

    def finite(self) -> bool:
        """Whether every trained number is finite."""
        return all(bool(torch.isfinite(p).all()) for p in self.parameters())

    def loaded(self) -> LoadedRecord:
        """What stands ready, for the window."""
        task, config = self.task, self.config
        shapes = [layer.shape for layer in self.layers.values()]
        return LoadedRecord(
            title=config.preset or config.task,
            stage=self.stage,
            task=config.task,
            variant=config.variant,
            base=self.base,
            device=str(self.device),
            dtype=config.dtype,
            layers=tuple(
                LayerInfo(name, layer.shape, self.weight_norms[name])
                for name, layer in self.layers.items()
            ),
            base_parameters=self.base_parameters,
            max_rank=max(min(shape) for shape in shapes),
            max_steps=config.max_steps,
            hyper=self.hyper,
            classes=task.classes,
            trained_classes=task.trained_classes,
            loss_floor=task.loss_floor,
            true_sigma=None if task.true_sigma is None else frozen_array(task.true_sigma),
            locked=self._locked(),
            notes=self._notes(),
            seconds=self.open_seconds,
        )

    def _locked(self) -> tuple[tuple[str, str], ...]:
        if self.stage:
            return tuple((name, "the base is trained as its preset says") for name in KNOBS)
        return VARIANTS[self.config.variant].locked

    def _notes(self) -> tuple[str, ...]:
        capped = [
            f"{layer.name} at {layer.rank}"
            for layer in self.lora_layers
            if layer.rank < self.hyper.rank
        ]
        return ("rank capped by the layer's size: " + ", ".join(capped),) if capped else ()

    def counts(self) -> CountsRecord:
        per_layer = tuple(
            (name, sum(p.numel() for p in layer.adapter_parameters()))
            for name, layer in self.layers.items()
        )
        trained = sum(number for _, number in per_layer)
        frozen = self.base_parameters if self.has_factors else self.base_parameters - trained
        return CountsRecord(self.step, trained, frozen, per_layer)

    def spectrum(self) -> SpectrumRecord:
        """σ(ΔW) of every layer, with its rank measures, at this step boundary."""
        dtype = "float64" if self.config.dtype == "float64" else "float32"
        rows = []
        for (name, layer), sigma in zip(
            self.layers.items(), spectra(self.layers.values()), strict=True
        ):
            factored = isinstance(layer, LoRALayer)
            rows.append(
                LayerSpectrum(
                    name=name,
                    sigma=frozen_array(sigma),
                    numerical_rank=measures.numerical_rank(sigma, layer.shape, dtype),
                    stable_rank=measures.stable_rank(sigma),
                    effective_rank=measures.effective_rank(sigma),
                    delta_norm=float((sigma**2).sum() ** 0.5),
                    rank=layer.rank if factored else min(layer.shape),
                    alpha=layer.alpha if factored else float("nan"),
                    scaling=layer.scaling if factored else 1.0,
                )
            )
        return SpectrumRecord(self.step, tuple(rows))

    @torch.no_grad()
    def evaluate(self, enabled: bool | None = None) -> EvalRecord:
        """Measure the held-out data with the adapter on or off (None: as the switch has it)."""
        enabled = self.hyper.enabled if enabled is None else enabled
        started = time.perf_counter()
        self.model.eval()
        try:
            with switched(self.layers, enabled):
                found = self.task.evaluate(self.model)
        finally:
            self.model.train()
        seconds = time.perf_counter() - started
        return EvalRecord(
            self.step, enabled, found.loss, found.accuracy, found.correct, found.total, seconds
        )

    def weights(self) -> AdapterWeights:
        """A copy of the factors on the CPU; raises ExportError where the variant has none."""
        rows = [layer.layer_weights() for layer in self.layers.values()]
        if any(row is None for row in rows):
            raise ExportError(
                "Full fine-tuning has no low-rank factors to export. Train with variant lora."
            )
        return AdapterWeights(
            variant=self.config.variant,
            layers=tuple(row for row in rows if row is not None),
            base=self.base,
            base_fingerprint=self.base_fingerprint,
            dropout=self.hyper.dropout,
        )
