"""Optuna as a search uses it: a study in a journal of the lab's own, its samplers and pruners."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError

STARTUP = 4  # runs, or validations of each, before any run is ended


class QueuesLock:
    """The journal is of whoever has the queue; Optuna's own lock would outlive a kill for 30 s."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def opened(path: Path, pruner: Any) -> Any:
    """The study in the journal `path`, begun where there is none.

    Raises LabError where it is damaged, and OSError where the disk refuses it.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        _cut_torn_line(path)
        backend = JournalFileBackend(str(path), lock_obj=QueuesLock())  # type: ignore[arg-type]
        return optuna.create_study(
            storage=JournalStorage(backend), study_name="search", pruner=pruner,
            load_if_exists=True,
        )  # fmt: skip
    except OSError:
        raise
    except Exception as error:  # whatever Optuna says of it
        raise LabError(f"The search's journal {path} cannot be read: {error}.") from error


def _cut_torn_line(path: Path) -> None:
    """Take away what was written in part: Optuna passes over it, and writes the next line into it.

    Raises OSError.
    """
    if path.is_file() and not (data := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)


def sampler(name: str, seed: int, trials: int) -> Any:
    """What suggests the settings of the next of so many trials."""
    import optuna

    if name == "tpe":
        startup = max(3, min(10, trials // 4))
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
    return optuna.samplers.RandomSampler(seed=seed)


def pruner(name: str, every: int) -> Any:
    """What ends runs, which are measured at `every` so many steps."""
    import optuna

    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=STARTUP * every)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=max(1, STARTUP * every), reduction_factor=3
        )
    return optuna.pruners.NopPruner()


def ended(name: str) -> Any:
    """The state of a trial that Optuna calls so."""
    import optuna

    return optuna.trial.TrialState[name]
