"""Optuna as a search uses it: a study in a journal of the lab's own, its samplers and pruners."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_lab.errors import LabError
from lora_lab.runs.own_files import open_own
from lora_lab.runs.study_lines import LARGEST, check_lines

STARTUP = 4  # runs, or validations of each, before any run is ended


class QueuesLock:
    """The journal is of whoever has the queue; Optuna's own lock would outlive a kill for 30 s."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class Asked:
    """Stands in for a trial, and keeps what it is asked to choose from."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}  # distributions of Optuna, by the name of their axis

    def suggest_int(self, name: str, low: int, high: int, log: bool = False) -> int:
        from optuna.distributions import IntDistribution

        self.found[name] = IntDistribution(low, high, log)
        return low

    def suggest_float(self, name: str, low: float, high: float, log: bool = False) -> float:
        from optuna.distributions import FloatDistribution

        self.found[name] = FloatDistribution(low, high, log)
        return low

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        from optuna.distributions import CategoricalDistribution

        self.found[name] = CategoricalDistribution(choices)
        return choices[0]


def opened(path: Path, pruner: Any, wanted: Mapping[str, Any]) -> Any:
    """The study in the journal `path`, begun where there is none; it chooses from `wanted`.

    Raises LabError where it is damaged, and OSError where the disk refuses it.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        check_lines(path, _whole_lines(path), wanted)
        backend = JournalFileBackend(str(path), lock_obj=QueuesLock())  # type: ignore[arg-type]
        return optuna.create_study(
            storage=JournalStorage(backend), study_name="search", pruner=pruner,
            load_if_exists=True,
        )  # fmt: skip
    except (OSError, LabError):
        raise
    except Exception as error:  # whatever Optuna says of it
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> LabError:
    """What to raise where Optuna gives up over a journal."""
    words = f"{type(error).__name__}: {error}"[:500]
    return LabError(f"The search's journal {path} cannot be used: {words}.")


def _whole_lines(path: Path) -> bytes:
    """What is in the journal; what was written in part is taken away.

    Optuna passes over it, and writes the next line into it. Raises OSError.
    """
    try:
        with open(open_own(path, os.O_RDWR), "rb+") as file:
            data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                raise OSError(errno.EFBIG, "it is too long for what it should hold", str(path))
            if not data.endswith(b"\n"):
                data = data[: data.rfind(b"\n") + 1]
                file.truncate(len(data))
            return data
    except FileNotFoundError:
        return b""


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
