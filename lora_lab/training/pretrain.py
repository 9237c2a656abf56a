"""The base of a run that brings none: all weights trained by the same loop, once, then kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lora_lab import paths
from lora_lab.adapters.merging import merge_and_unload
from lora_lab.atomic import write_file
from lora_lab.config import RunConfig
from lora_lab.device_name import first
from lora_lab.errors import LabError
from lora_lab.folders import folders_in
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.progress import Report
from lora_lab.records import Record, State, StateRecord, StepRecord
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.variants import FULL

STAGE = "pretraining the base"


def pretrain(config: RunConfig, controls: Controls) -> Iterator[Record]:
    """Train the base of `config` unless it stands already; yields the records of that stage.

    The settings of this stage are the preset's own: `controls` pauses and ends it, and keeps its
    settings for the adapter. Raises LabError where the base cannot be kept.
    """
    path = base_path(config)
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # before the minutes are spent
    except OSError as error:
        raise LabError(f"The trained base cannot be kept in {path.parent}: {error}.") from error
    stage = _stage(config)
    experiment = Experiment.build(stage, preliminary=STAGE)
    yield experiment.loaded()
    for record in train(experiment, controls, live=False):
        finished = isinstance(record, StateRecord) and record.state is State.FINISHED
        if not finished:  # the run is not at its end, only the base
            yield record
    if experiment.step < stage.max_steps:
        return  # half a base is no base
    from safetensors.torch import save

    merge_and_unload(experiment.model)
    state = {k: v.detach().cpu().contiguous() for k, v in experiment.model.state_dict().items()}
    try:
        write_file(path, save(state))
    except OSError as error:
        raise LabError(f"The trained base cannot be kept as {path}: {error}.") from error


def on_trained_base(config: RunConfig, report: Report) -> RunConfig:
    """`config` on the base that it is to be pretrained to, trained now where that is not done yet.

    Raises LabError where that cannot be, and Cancelled where `report` does.
    """
    if config.pretraining is None or config.model is not None:
        return config
    for record in pretrain(config, Controls(config.hyper)):
        if isinstance(record, StepRecord):
            report(STAGE, record.step / config.pretraining.max_steps)
    return with_trained_base(config)[0]


def with_trained_base(config: RunConfig) -> tuple[RunConfig, str]:
    """`config` on the base that `pretrain` made, and where that comes from, for people.

    Raises LabError where it was not trained to its end.
    """
    base, pretraining = base_path(config), config.pretraining
    assert pretraining is not None
    if not base.exists():
        raise LabError(
            "The base was not trained to its end, so there is nothing to adapt. "
            "Open the preset again to train it from the start."
        )
    # A copy that keeps the very same `hyper`, which is how the loop knows that it is applied.
    config = config.model_copy(update={"model": str(base), "pretraining": None})
    steps = f"{pretraining.max_steps:,} steps"
    return config, f"trained here in {steps}, kept as {base.parent.name}/{base.name}"


def base_path(config: RunConfig) -> Path:
    """Where the base is kept: named by all that it depends on, the data files among it."""
    # Without later settings, which are plain here: bases that were made before keep their names.
    later = {"rules", "label_smoothing", "class_weights", "dpo_beta", "adapter", "whole",
             "source_prefix", "random_weights", "random_labels", "snapshots"}  # fmt: skip
    later |= {name for name in ("permuted", "hidden") if not getattr(config, name)}
    exclude = dict.fromkeys(("data", *later), True) | {"hyper": {"dimension"}}
    parts = [_stage(config).model_dump_json(exclude=exclude)]
    if config.data:
        folder = Path(config.data).resolve()
        found = (inner / name for inner, names in folders_in(folder) for name in names)
        files = sorted(p for p in found if "-ubyte" in p.name and p.is_file())
        parts += [f"{p}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in files]
    key = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    return paths.bases() / f"{key}.safetensors"


def _stage(config: RunConfig) -> RunConfig:
    """The config of the base's training: nothing of the adapter's settings is in it."""
    wanted = config.pretraining
    assert wanted is not None
    return RunConfig(
        preset=config.preset,
        task=config.task,
        data=config.data,
        permuted=config.permuted,
        hidden=config.hidden,
        variant=FULL,
        device=first(config.device),
        dtype=config.dtype,
        seed=config.seed,
        batch_size=wanted.batch_size,
        max_steps=wanted.max_steps,
        hyper=Hyperparameters(learning_rate=wanted.learning_rate),
    )
