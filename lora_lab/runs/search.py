"""A search with a brain: Optuna chooses the runs of a queue, and ends those that promise nothing.

What was tried lies in a journal of its own beside the queue's file, so that a search that was
killed goes on where it was. A trial is one run: it is asked for when the run before it has ended,
told what each validation measured, and told how it has ended.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lora_lab.atomic import make_folder, write_file
from lora_lab.choices import PRUNERS, SAMPLERS
from lora_lab.config import RunConfig, checked
from lora_lab.errors import ConfigError, LabError, system_reason
from lora_lab.opening_records import TargetInfo
from lora_lab.runs.grid import (
    VALIDATIONS,
    Layers,
    expand,
    hindrance,
    kind_of,
    laid_over,
    targets_of,
)
from lora_lab.runs.own_files import PRIVATE, Door, read_table
from lora_lab.runs.own_files import checked as door
from lora_lab.runs.row_shape import shape_flaw
from lora_lab.runs.space import Range, Space, chosen, of_plain, placed, plain
from lora_lab.runs.study import Asked, ended, opened, pruner, sampler, unusable
from lora_lab.runs.study_lines import MEASURED, TRIALS
from lora_lab.variants import VARIANTS

FOLDER = "searches"  # in a queue's
PLAN, JOURNAL = "search.json", "study.log"
MOST = 1000  # trials of one search
TRIES = 200  # suggestions in a row that are no new run, before there is none left
LARGEST = 2**22  # bytes of a plan
AT_ONCE = 16  # ends that are told late, and of each the disk is waited for: a kill leaves one
NEEDED = "A search needs Optuna, which is not installed here: pip install 'lora-lab[search]'."


@dataclass(frozen=True)
class Plan:
    """What is searched, over which settings, and how."""

    base: RunConfig
    space: Space
    sampler: str = "tpe"
    trials: int = 20
    pruner: str = "median"
    adaptable: tuple[TargetInfo, ...] = ()  # layers of the model, where they are known

    @cached_property
    def layers(self) -> Layers:
        """What every suggestion is asked about."""
        return Layers(self.adaptable, targets_of(self.base, self.space))

    def checked(self) -> Plan:
        """Itself, where it can be searched; raises ConfigError."""
        if not installed():
            raise ConfigError(NEEDED)
        if not 1 <= self.trials <= MOST:
            raise ConfigError(f"A search has 1 to {MOST:,} trials, not {self.trials:,}.")
        self.check_choices()
        axes: Any = self.space
        if self.sampler == "grid" and not expand(self.base, axes, self.adaptable).runs:
            raise ConfigError("Nothing is left to train.")
        return self

    def check_choices(self) -> None:
        """Raise ConfigError for what no search is made of."""
        for name, value, known in (
            ("search", self.sampler, SAMPLERS),
            ("prune", self.pruner, PRUNERS),
        ):
            if value not in known:
                raise ConfigError(f"There is no --{name} {value}. There are: {', '.join(known)}.")
        if not self.space:
            raise ConfigError("A search needs something to vary: give values or a range.")
        ranged = [name for name, axis in self.space.items() if isinstance(axis, Range)]
        if self.sampler == "grid" and ranged:
            raise ConfigError(f"A grid has values, and {ranged[0]} is a range: use tpe or random.")


class StoredPlan(Door):
    """A plan as it is written."""

    version: Literal[1] = Field(alias="schema")
    base: dict[str, Any]
    space: dict[str, Any] = Field(max_length=16)
    sampler: Annotated[str, Field(max_length=16)]
    trials: Annotated[int, Field(ge=0, le=MOST)]  # 0: ended before its first
    pruner: Annotated[str, Field(max_length=16)]
    adaptable: list[dict[str, Any]] = Field(max_length=100_000)


def installed() -> bool:
    """Whether Optuna is here; it is not loaded."""
    return find_spec("optuna") is not None


class Search:
    """One search, in a folder of its own within that of its queue."""

    def __init__(self, folder: Path) -> None:
        """Read what was planned in `folder`; raises LabError for what cannot be read."""
        self.folder, self.id = folder, folder.name
        path = folder / PLAN
        try:
            stored = door(StoredPlan, read_table(path, LARGEST), path)
            adaptable = tuple(map(_layer, stored.adaptable))
            base = checked(RunConfig, stored.base)
            self.plan = Plan(base, of_plain(stored.space), stored.sampler, stored.trials,
                             stored.pruner, adaptable)  # fmt: skip
            self.plan.check_choices()
        except FileNotFoundError:
            raise LabError(f"{folder} holds no search.") from None
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            raise LabError(f"{path} is damaged: {str(error).rstrip('.')}.") from error

    @classmethod
    def create(cls, parent: Path, plan: Plan) -> Search:
        """Begin a search in a new folder within `parent`; raises LabError."""
        plan.checked()
        folder = parent / FOLDER / secrets.token_hex(4)
        try:
            make_folder(folder.parent, PRIVATE)
            make_folder(folder, PRIVATE)
        except OSError as error:
            raise _not_kept(folder, error) from error
        _write(folder, plan)
        return cls(folder)

    def check(self) -> None:
        """Raise LabError where its journal is there and cannot be read."""
        if installed() and os.path.lexists(self.folder / JOURNAL):
            with self._kept():
                self._trials()

    def end(self) -> None:
        """Choose no further runs, now or later; raises LabError where that cannot be written."""
        self.plan = replace(self.plan, trials=self.plan.trials - self.left)
        _write(self.folder, self.plan)

    # -- runs --------------------------------------------------------------------------------

    def next(self, known: Collection[int]) -> tuple[int, RunConfig] | None:
        """The trial to run next and its settings; None where all are made, or no other is left.

        `known` are the trials that runs are known of: one that was asked for and has none is given
        again. Raises LabError where Optuna is not here, or its journal cannot be read or written.
        """
        with self._kept():
            return self._next(known)

    def _next(self, known: Collection[int]) -> tuple[int, RunConfig] | None:
        kinds: set[str] = set()
        late = 0
        for trial in self._trials():
            config = self._config(trial)
            if config is None and not trial.state.is_finished():  # asked, and killed in that moment
                if (late := late + 1) > AT_ONCE:
                    continue
                if trial.state.name == "WAITING":  # nor begun: only what runs can be told an end
                    self._study.ask()
                self._study.tell(trial.number, state=ended("FAIL"))
            elif config is not None:
                if not trial.state.is_finished() and trial.number not in known:
                    return trial.number, config
                kinds.add(kind_of(config))
        for _ in range(TRIES):
            if len(kinds) >= self.plan.trials:
                return None
            if len(self._trials()) >= TRIALS:  # of which most came to be no run
                break
            if (asked := self._ask(kinds)) is None:
                break
            trial, config, reason = asked
            if config is not None and not reason and kind_of(config) not in kinds:
                trial.set_user_attr("config", config.model_dump(mode="json"))
                return trial.number, config
            self._study.tell(trial.number, state=ended("FAIL"))
        self.end()  # every combination that is suggested was made
        return None

    def _ask(self, kinds: Collection[str]) -> tuple[Any, RunConfig | None, str] | None:
        """A trial, its settings, and why they cannot be; None where a grid is at its end."""
        plan, study = self.plan, self._study
        # Of another seed at every trial, so that a restart chooses what would have been chosen.
        seed = (plan.base.seed + len(self._trials())) % 2**31
        study.sampler = sampler(plan.sampler, seed, plan.trials)
        if plan.sampler == "grid":
            runs = expand(plan.base, plan.space, plan.adaptable).runs  # type: ignore[arg-type]
            config = next((run for run in runs if kind_of(run) not in kinds), None)
            if config is None:
                return None
            study.enqueue_trial(placed(plan.space, config, _factored(plan, config.variant)))
        trial = study.ask()
        values = chosen(plan.space, trial, lambda variant: _factored(plan, variant))
        if plan.sampler == "grid":
            return trial, config, ""
        try:
            config = laid_over(_with_evaluations(plan.base), values)
        except ConfigError as error:
            return trial, None, str(error)
        return trial, config, hindrance(config, plan.layers)

    def report(self, number: int, step: int, loss: float) -> bool:
        """Tell what a validation measured at a step; whether the run promises nothing any more."""
        if not step or not math.isfinite(loss):
            return False
        import optuna

        with self._kept():
            frozen = self._trial(number)
            if frozen is None or frozen.state.is_finished():
                return False
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            told = frozen.intermediate_values
            if step not in told and len(told) < MEASURED:  # one that was resumed measures anew
                trial.report(loss, step)
            return trial.should_prune()

    def tell(self, number: int, loss: float, pruned: bool = False) -> None:
        """Tell how a run has ended; a second time, or without a finite loss, changes nothing."""
        with self._kept():
            frozen = self._trial(number)
            if frozen is None or frozen.state.is_finished():
                return
            if pruned:
                self._study.tell(number, state=ended("PRUNED"))
            elif math.isfinite(loss):
                self._study.tell(number, loss)
            else:
                self._study.tell(number, state=ended("FAIL"))

    @property
    def going(self) -> set[int]:
        """Trials of which no end was told."""
        with self._kept():
            return {trial.number for trial in self._trials() if not trial.state.is_finished()}

    @property
    def left(self) -> int:
        """Trials that were not asked for yet."""
        with self._kept():
            begun = sum(self._config(trial) is not None for trial in self._trials())
        return max(0, self.plan.trials - begun)

    def importances(self) -> dict[str, float]:
        """What share of the differences in loss each setting accounts for, the largest first.

        By PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) over the runs that came to their end;
        {} while there are too few to tell.
        """
        import optuna

        with self._kept():
            try:
                found = optuna.importance.get_param_importances(
                    self._study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
                )
            except (RuntimeError, ValueError):
                return {}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    # -- Optuna --------------------------------------------------------------------------------

    @cached_property
    def _study(self) -> Any:
        """Raises LabError, and OSError."""
        if not installed():
            raise LabError(NEEDED)
        every = _with_evaluations(self.plan.base).eval_steps
        wanted = Asked()
        chosen(self.plan.space, wanted, lambda variant: True)
        return opened(self.folder / JOURNAL, pruner(self.plan.pruner, every), wanted.found)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Optuna's warnings are let go; raises LabError where its journal cannot be kept or used.

        It is then read anew, since Optuna may hold what the disk does not.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield
            except OSError as error:
                vars(self).pop("_study", None)
                raise _not_kept(self.folder, error) from error
            except LabError:
                raise
            except Exception as error:  # whatever Optuna makes of what is in it
                vars(self).pop("_study", None)
                raise unusable(self.folder / JOURNAL, error) from error

    def _trials(self) -> Sequence[Any]:
        return self._study.get_trials(deepcopy=False)

    def _trial(self, number: int) -> Any:
        trials = self._trials()  # by their numbers, from 0
        return trials[number] if 0 <= number < len(trials) else None

    def _config(self, trial: Any) -> RunConfig | None:
        """The settings of a trial that is a run; raises LabError where they were tampered with."""
        values = trial.user_attrs.get("config")
        return None if values is None else checked(RunConfig, values, str(self.folder / JOURNAL))


def _layer(row: dict[str, Any]) -> TargetInfo:
    """Raises ValueError for what is none, and TypeError for what has more than one."""
    if part := shape_flaw(row, TargetInfo):
        raise ValueError(f"a layer has no {part} as it should be")
    return TargetInfo(**{**row, "shape": tuple(row["shape"])})


def _write(folder: Path, plan: Plan) -> None:
    stored = {
        "schema": 1, "base": plan.base.model_dump(mode="json"), "space": plain(plan.space),
        "sampler": plan.sampler, "trials": plan.trials, "pruner": plan.pruner,
        "adaptable": [vars(row) for row in plan.adaptable],
    }  # fmt: skip
    try:
        write_file(folder / PLAN, json.dumps(stored, indent=1).encode())
    except OSError as error:
        raise _not_kept(folder, error) from error


def _not_kept(folder: Path, error: OSError) -> LabError:
    return LabError(f"The search cannot be kept in {folder}: {system_reason(error)}.")


def _with_evaluations(base: RunConfig) -> RunConfig:
    """Runs are compared at the same steps, as those of a grid are."""
    if base.eval_steps or base.epochs is not None:
        return base
    return base.model_copy(update={"eval_steps": max(1, base.max_steps // VALIDATIONS)})


def _factored(plan: Plan, variant: str | None) -> bool:
    return VARIANTS[variant or plan.base.variant].factored
