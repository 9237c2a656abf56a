"""The runs of a study that have ended, found in the lab's folder whoever trained them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.records import State
from lora_lab.runs.inputs import with_whole_paths
from lora_lab.runs.listing import GOING, METRICS, summary_of
from lora_lab.runs.metrics import read_sound
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.studies.base import StudyBase

# What says nothing of the steps that were made: names, saving, and what opening settles.
ASIDE = {"preset", "autosave_seconds", "whole", "snapshots", "schema_version", "prompts", "device",
         "rules"}  # fmt: skip
LATE = 0.1  # of the steps, whose loss is the training loss


@dataclass(frozen=True)
class Ended:
    """One run and what came of it."""

    path: Path
    config: RunConfig
    loss: float  # held out, at the end
    accuracy: float  # of the classes in balance, half new and half old; nan where there are none
    training_loss: float  # mean of the last tenth of the steps; inf: it did not stay finite


class Shelf:
    """Every run on the base of a study, by what it was asked; ended ones are read once."""

    def __init__(self, base: StudyBase, folder: Path | None = None) -> None:
        self._base, self._folder = base, folder or paths.runs()
        self._seen: set[Path] = set()
        self._by_key: dict[str, list[Path]] = {}
        self._read: dict[Path, Ended] = {}
        self._snapshots: dict[Path, int] = {}

    def look(self) -> None:
        """Look for runs that have begun since."""
        try:
            folders = sorted(path for path in self._folder.iterdir() if path.is_dir())
        except OSError:
            return
        for path in folders:
            if path in self._seen:
                continue
            try:
                config = SavedConfig.read(path).config
                key = self.key(config)
            except LabError:
                continue  # it may still be written
            self._seen.add(path)
            self._snapshots[path] = config.snapshots
            self._by_key.setdefault(key, []).append(path)

    def key(self, config: RunConfig) -> str:
        """Equal for two configs whose runs make the same steps on this base."""
        opened = self._base.opened
        config = with_whole_paths(config)
        if config.model is None and config.pretraining is not None:
            config = config.model_copy(update={"model": opened.model, "pretraining": None})
        if not config.targets:
            config = config.model_copy(update={"targets": self._base.targets})
        values = config.model_dump(mode="json", exclude=dict.fromkeys(ASIDE, True))
        values["targets"] = sorted(set(values["targets"]))
        return json.dumps(values, sort_keys=True)

    def of(self, config: RunConfig) -> Ended | None:
        """The newest run of that config that has ended; None: there is none.

        It has the snapshots that are asked for, or more.
        """
        for path in reversed(self._by_key.get(self.key(config), [])):
            if self._snapshots[path] < config.snapshots:
                continue
            if path in self._read:
                return self._read[path]
            # What has not ended is looked at again: its end may be on its way to the disk.
            with suppress(LabError):  # a damaged one tells nothing, and hides none of the others
                if (found := self._ended(path, config)) is not None:
                    self._read[path] = found
                    return found
        return None

    def missing(self, configs: Iterable[RunConfig]) -> tuple[RunConfig, ...]:
        """Those that no ended run has."""
        return tuple(config for config in configs if self.of(config) is None)

    def _ended(self, path: Path, config: RunConfig) -> Ended | None:
        """None for a run that is not at its end, or was moved while it trained."""
        state = summary_of(path).state
        if state in GOING:
            return None
        rows = read_sound(path / METRICS)
        kinds = {row["record"] for row in rows}
        if "NonFiniteRecord" in kinds:
            return Ended(path, config, math.inf, 0.0, math.inf)
        moved = any(row["record"] == "AppliedRecord" and row.get("changes") for row in rows)
        if moved or "ClippedRecord" in kinds or state != State.FINISHED.value:
            return None
        return result_of(path, config, rows, self._base.new_classes)


def result_of(
    path: Path, config: RunConfig, rows: list[dict[str, Any]], new: tuple[str, ...]
) -> Ended | None:
    """What the records of a run say of its end; `new` classes are half of the accuracy."""
    losses = [row["loss"] for row in rows if row["record"] == "StepRecord"]
    evaluations = [r for r in rows if r["record"] == "EvalRecord" and r["enabled"]]
    if not losses or not evaluations:
        return None
    late = losses[-max(1, math.ceil(LATE * len(losses))) :]
    classes = next((r.get("classes") or () for r in rows if r["record"] == "LoadedRecord"), ())
    last = evaluations[-1]
    return Ended(
        path, config, float(last["loss"]), _balanced(last, tuple(classes), new), fmean(late)
    )


def _balanced(row: dict[str, Any], classes: tuple[str, ...], new: tuple[str, ...]) -> float:
    """Accuracy, half on the new classes and half on the others; without new ones of each alike."""
    correct, total = row.get("correct") or (), row.get("total") or ()
    if not sum(total) or len(correct) != len(total):
        accuracy = row.get("accuracy")
        return math.nan if accuracy is None else float(accuracy)
    fresh = {i for i, name in enumerate(classes[: len(total)]) if name in set(new)}
    learned, others = sorted(fresh), [i for i in range(len(total)) if i not in fresh]
    groups = [learned, others] if learned and others else [[i] for i in range(len(total))]
    shares = []
    for group in groups:
        if rows := sum(total[i] for i in group):
            shares.append(sum(correct[i] for i in group) / rows)
    return fmean(shares)
