"""PretrainedTask: what tasks on a pretrained model share, from required settings to opening it."""

from __future__ import annotations

import torch
from torch import nn

from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.models.architecture import Purpose
from lora_lab.models.hf_folder import open_model
from lora_lab.progress import Report
from lora_lab.tasks.base import Task


class PretrainedTask(Task):
    """A task whose base model comes from a Hugging Face folder."""

    config: RunConfig

    def __init__(self, config: RunConfig, report: Report) -> None:
        self.config = config
        self.base = str(config.model)
        self._report = report

    @property
    def outputs(self) -> tuple[str, ...]:
        """What a head is made for: the classes."""
        return self.classes

    def open_pretrained(self, purpose: Purpose) -> nn.Module:
        """The model of `config.model` for this task's classes, in the config's dtype.

        Sets `base`, `new_layers` and `notes`. Raises CheckpointError, and ConfigError where
        activations are to be computed twice and the model cannot.
        """
        config = self.config
        opened = open_model(
            config.model,
            purpose,
            classes=self.outputs,
            dtype=getattr(torch, config.dtype),
            bits=config.bits,
            seed=config.seed,
            report=self._report,
        )
        self.base, self.new_layers, self.notes = opened.name, opened.new_layers, opened.notes
        if config.checkpointing:
            enable_checkpointing(opened.module)
        return opened.module


def needs(config: RunConfig) -> tuple[str, str]:
    """Model and data of a run that requires both; raises ConfigError for what is missing."""
    if not config.model:
        raise ConfigError("Choose a model: a Hugging Face folder.")
    if not config.data:
        raise ConfigError("Choose data to train on.")
    if config.digits:
        raise ConfigError("Classes are chosen by digits in the presets of images only.")
    return config.model, config.data


def enable_checkpointing(model: nn.Module) -> None:
    """Keep a layer's inputs only and compute the rest again; raises ConfigError where it cannot."""
    if not getattr(model, "supports_gradient_checkpointing", False):
        raise ConfigError(
            "This model cannot compute its activations twice. Leave checkpointing off."
        )
    how = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):  # its name in newer transformers
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
