"""Presets: complete settings under a name, one JSON file each in resources/presets; torch-free."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lora_lab import paths
from lora_lab.config import RunConfig, checked
from lora_lab.errors import ConfigError
from lora_lab.task_info import TASKS


def starting_config(task: str, **settings: Any) -> RunConfig:
    """What one begins with on a task, `settings` over it.

    A number of steps takes the place of the epochs, and `hyper`, a dict, of single values only.
    Raises ConfigError for what does not fit.
    """
    start = dict(TASKS[task].start) if task in TASKS else {}
    if settings.get("max_steps") is not None and settings.get("epochs") is None:
        start.pop("epochs", None)
    hyper = {**start.pop("hyper", {}), **settings.pop("hyper", {})}
    return checked(RunConfig, {"task": task, **start, **settings, "hyper": hyper})


@dataclass(frozen=True)
class Preset:
    """What a person chooses from: settings, with words about them."""

    name: str  # the file's name, as on the command line
    title: str
    summary: str
    needs_data: str  # what the user must bring, or nothing
    config: RunConfig


def list_presets() -> tuple[Preset, ...]:
    """All presets, in the order in which a newcomer meets them."""
    return _read_folder(paths.presets())


def get_preset(name: str) -> Preset:
    """The preset called `name`. Raises ConfigError that offers the nearest one."""
    found = {preset.name: preset for preset in list_presets()}
    if name in found:
        return found[name]
    plain = name.lower().replace("_", "-").replace(" ", "-")
    near = difflib.get_close_matches(plain, found, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigError(f"There is no preset {name!r}.{hint} There are: {', '.join(found)}.")


@cache
def _read_folder(folder: Path) -> tuple[Preset, ...]:
    read = [_read(path) for path in folder.glob("*.json")]
    return tuple(preset for _, preset in sorted(read, key=lambda pair: (pair[0], pair[1].name)))


def _read(path: Path) -> tuple[int, Preset]:
    """Place in the list, and the preset of one file."""
    try:
        values: dict[str, Any] = json.loads(path.read_text("utf-8"))
        settings = {**values["config"], "preset": path.stem}
        config = checked(RunConfig, settings, f"preset {path.name}")
        preset = Preset(
            path.stem, values["title"], values["summary"], values.get("needs_data", ""), config
        )
        return int(values["order"]), preset
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"Preset {path.name} cannot be read ({error!r}). Install LoRA Lab again."
        ) from error
