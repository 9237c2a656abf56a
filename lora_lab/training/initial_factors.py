"""The adapters of a run as they begin: from the init, from the data, or from an adapter's file."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.eva import start_from_inputs
from lora_lab.adapters.inject import inject
from lora_lab.adapters.targets import adaptable_layers
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.inits import INITS
from lora_lab.tasks.base import Task
from lora_lab.training.from_adapter import Continued
from lora_lab.training.per_layer import check, freeze
from lora_lab.training.theta_file import FromTheta
from lora_lab.variants import VARIANTS

EVA_BATCHES = 4  # that init eva looks at; each layer sums up batch × positions inputs of each


def adapted(
    config: RunConfig,
    hyper: Hyperparameters,
    task: Task,
    model: nn.Module,
    generator: torch.Generator,
    given: Continued | FromTheta | None = None,
) -> dict[str, AdapterLayer]:
    """Put the adapters into `model` and return them by module path, as `hyper` has them.

    `given` is what they continue from. Raises LabError where they cannot be what is asked for.
    """
    adaptable = adaptable_layers(model)
    layers = inject(
        model, variant=config.variant, rank=hyper.rank, alpha=hyper.alpha, init=config.init,
        targets=config.targets, seed=config.seed, dimension=hyper.dimension,
        projection=config.projection, structure=config.structure,
        whole={name for name in (*task.new_layers, *config.whole) if name in adaptable},
    )  # fmt: skip
    check(layers, hyper)
    factored = [layer for layer in layers.values() if isinstance(layer, LoRALayer)]
    if given is not None:
        given.fill(layers)
    else:
        start_own_ranks(layers, hyper, generator)
        drawn = factored and VARIANTS[config.variant].trains_factors
        if INITS[config.init].needs_data and drawn:
            start_from_data(config, task, model, layers)
    for layer in factored:
        layer.dropout = hyper.dropout
    freeze(layers, hyper)
    return layers


def start_own_ranks(
    layers: dict[str, AdapterLayer], hyper: Hyperparameters, generator: torch.Generator
) -> None:
    """Draw the factors of layers with a rank of their own anew, by the init's own law."""
    own = dict(hyper.layer_ranks)
    for layer in layers.values():
        if isinstance(layer, LoRALayer) and own.get(layer.name, layer.rank) != layer.rank:
            layer.begin(own[layer.name], generator)


def start_from_data(
    config: RunConfig, task: Task, model: nn.Module, layers: dict[str, AdapterLayer]
) -> None:
    """Let the adapters start from what they see of the first batches, read apart."""
    batches = task.batches(config.batch_size, config.seed)

    def run() -> None:
        for batch in itertools.islice(batches, EVA_BATCHES):
            for part, _ in task.parts(batch, config.accumulation):
                task.loss(model, part)

    model.eval()
    start_from_inputs(layers, run)
