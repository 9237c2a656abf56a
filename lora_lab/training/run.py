"""One whole run: the base made first where the config asks for it, then the adapter, journalled."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lora_lab import paths
from lora_lab.adapters.inject import merge
from lora_lab.atomic import write_file
from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.records import ErrorRecord, Record, State, StateRecord, StepRecord
from lora_lab.runs.folder import RunFolder
from lora_lab.training.commands import Save
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train


def run(
    config: RunConfig,
    controls: Controls,
    *,
    folder: Path | None = None,
    linger: bool = False,
    save_at_end: Callable[[], bool] = lambda: True,
) -> Iterator[Record]:
    """Open `config`, train, and keep a journal in a run folder; yield every record.

    The folder is made at the first step (in user data where `folder` is None), so that opening
    and looking leaves nothing behind. The adapter is saved there when training ends, is stopped,
    or fails. Raises LabError where something cannot be opened or written.
    """
    if config.pretraining is not None and config.model is None:
        yield from _pretrain(config, controls)
        if controls.stopping:
            return
        config = changed(config, model=str(_base_path(config)), pretraining=None)
        controls.set_hyper(config.hyper)
    experiment = Experiment(config)
    journal = Journal(experiment, folder)
    try:
        yield experiment.loaded()
        for record in train(experiment, controls, linger=linger, folder=lambda: journal.folder):
            yield from journal.note(record)
            yield record
            if isinstance(record, StateRecord) and record.state in (State.FINISHED, State.STOPPED):
                yield from journal.save()
        if save_at_end():
            yield from journal.save()
    except Exception:
        yield from journal.save()  # what was learned is kept, whatever went wrong
        raise
    finally:
        journal.close()


class Journal:
    """The run's folder, from its first step on."""

    def __init__(self, experiment: Experiment, where: Path | None) -> None:
        self.experiment = experiment
        self.folder: RunFolder | None = None
        self._where = where
        self._early: list[Record] = []
        self._saved_at = 0
        self._broken = False

    def note(self, record: Record) -> Iterator[ErrorRecord]:
        """Write a record down. A disk that fails is told of once; the training goes on."""
        if self._broken:
            return
        try:
            if self.folder is not None:
                self.folder.append([record])
                return
            self._early.append(record)
            if isinstance(record, StepRecord):
                self._open()
        except LabError as error:
            self._broken = True
            yield ErrorRecord(self.experiment.step, f"The run is no longer recorded. {error}")

    def save(self) -> Iterator[Record]:
        """Write the adapter to the run's folder unless it stands there as it is."""
        if self.folder is None or self._saved_at == self.experiment.step:
            return
        try:
            for record in Save().run(self.experiment, self.folder):
                yield record
                yield from self.note(record)
            self._saved_at = self.experiment.step
        except LabError as error:
            yield ErrorRecord(self.experiment.step, f"The adapter was not saved. {error}")

    def close(self) -> None:
        if self.folder is not None:
            self.folder.close()

    def _open(self) -> None:
        experiment = self.experiment
        if self._where is None:
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{experiment.config.preset or 'run'}"
            self.folder = RunFolder.create(paths.runs(), name, unique=True)
        else:
            self.folder = RunFolder.create(self._where.parent, self._where.name)
        self.folder.write_config(experiment.config, experiment.base_fingerprint)
        self.folder.append([experiment.loaded(), *self._early])
        self._early = []


def _pretrain(config: RunConfig, controls: Controls) -> Iterator[Record]:
    """Train all weights of the base by the same loop, once; the result is kept in user data."""
    path = _base_path(config)
    if path.exists():
        return
    wanted = config.pretraining
    assert wanted is not None
    stage = changed(
        config,
        variant="full",
        digits=(),
        pretraining=None,
        batch_size=wanted.batch_size,
        max_steps=wanted.max_steps,
        schedule="constant",
        hyper={**config.hyper.model_dump(), "learning_rate": wanted.learning_rate},
    )
    experiment = Experiment(stage, stage="full training of the base")
    controls.set_hyper(experiment.hyper)
    yield experiment.loaded()
    for record in train(experiment, controls):
        finished = isinstance(record, StateRecord) and record.state is State.FINISHED
        if not finished:  # the run is not at its end, only the base
            yield record
    if experiment.step < stage.max_steps:
        return  # stopped: half a base is no base
    from safetensors.torch import save

    merge(experiment.model)
    state = {k: v.detach().cpu().contiguous() for k, v in experiment.model.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save(state))


def _base_path(config: RunConfig) -> Path:
    """Where the base of this pretraining is kept: named by all that it depends on."""
    parts = [config.task, str(config.data), str(config.seed), config.device, config.dtype]
    parts.append(config.pretraining.model_dump_json() if config.pretraining else "")
    if config.data and Path(config.data).is_dir():
        files = sorted(p for p in Path(config.data).iterdir() if p.is_file())
        parts += [f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns}" for p in files]
    return (
        paths.bases() / f"{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}.safetensors"
    )
