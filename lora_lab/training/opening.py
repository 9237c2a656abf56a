"""How a run is opened: new, resumed from its folder, or branched off from another.

Frozen and torch-free, so that the window and the command line say it before torch is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lora_lab.config import Origin, RunConfig, changed
from lora_lab.device_name import split
from lora_lab.runs.inputs import found_again, recorded_classes
from lora_lab.runs.listing import METRICS
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.parallel.place import place_here


@dataclass(frozen=True)
class New:
    """A run that begins at step 0."""

    config: RunConfig
    folder: Path | None = None  # made at once; None: one in user data, made at the first step


@dataclass(frozen=True)
class Branch:
    """A new run that begins where another one stood."""

    origin: Origin
    config: RunConfig  # what it says otherwise holds from there on
    folder: Path | None = None  # as of `New`


@dataclass(frozen=True)
class Resume:
    """A run that continues from its newest checkpoint, with its own settings."""

    path: Path
    saved: SavedConfig
    until: int | None = None  # the step to train to; None: as it was to end

    @classmethod
    def at(
        cls, path: Path, until: int | None = None, places: Mapping[str, str | None] | None = None
    ) -> Resume:
        """The run in the folder `path`, its files at `places` (by field) where they have moved.

        Raises LabError where it is no run, is damaged, or a file is not where it was.
        """
        saved = SavedConfig.read(path)
        config = found_again(saved.config, places or {}, path)
        config = config.model_copy(update={"classes": recorded_classes(path / METRICS)})
        return cls(path, replace(saved, config=config), until)

    @property
    def config(self) -> RunConfig:
        return self.saved.config

    def on(self, device: str) -> Resume:
        """The same on another device, or in another number of processes; raises ConfigError."""
        device = changed(self.config, device=device).device  # a copy would lose the classes
        shards = self.config.shard_base and (split(device)[0] > 1 or place_here() is not None)
        config = self.config.model_copy(update={"device": device, "shard_base": shards})
        return replace(self, saved=replace(self.saved, config=config))

    def anew(self) -> New:
        """A new run with its settings, for one that ended before its first checkpoint."""
        if self.until is None:
            return New(self.config)
        return New(changed(self.config, max_steps=self.until, epochs=None))


Opening = New | Branch | Resume
