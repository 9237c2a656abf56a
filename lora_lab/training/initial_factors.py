"""What the factors of a run begin with where its settings ask for more than the init gives."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from lora_lab.adapters import AdapterLayer, LoRALayer
from lora_lab.adapters.eva import start_from_inputs
from lora_lab.config import RunConfig
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.tasks.base import Task

EVA_BATCHES = 4  # that init eva looks at; each layer sums up batch × positions inputs of each


def start_own_ranks(
    layers: dict[str, AdapterLayer], hyper: Hyperparameters, generator: torch.Generator
) -> None:
    """Draw the factors of layers with a rank of their own anew, by the init's own law."""
    own = dict(hyper.layer_ranks)
    for layer in layers.values():
        if isinstance(layer, LoRALayer) and own.get(layer.name, layer.rank) != layer.rank:
            A, B = layer.new_factors(own[layer.name], generator)  # (rank, in), (out, rank)
            layer.lora_A, layer.lora_B = nn.Parameter(A), nn.Parameter(B)


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
