"""What an engine is to open, as plain values: new, resumed or branched off, with its settings."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_lab import paths
from lora_lab.config import Origin, RunConfig, checked
from lora_lab.engine.wire import Strange
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.inputs import with_whole_paths
from lora_lab.runs.listing import new_name
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.opening import Branch, New, Opening, Resume


def folder_of(opening: Opening) -> Path:
    """The run's folder, known beforehand; raises Strange for one that has none yet."""
    folder = opening.path if isinstance(opening, Resume) else opening.folder
    if folder is None:
        raise Strange("A run of its own process needs its folder beforehand.")
    return Path(os.path.abspath(folder))


def with_folder(opening: Opening) -> Opening:
    """`opening` with a new, empty folder among the runs where it has none; raises LabError."""
    if isinstance(opening, Resume) or opening.folder is not None:
        return opening
    folder = RunFolder.create(paths.runs(), new_name(opening.config), unique=True)
    return replace(opening, folder=folder.path)


def pack_opening(opening: Opening) -> dict[str, Any]:
    """Its settings with whole paths, and whether a person agreed to run the factory in them."""
    config = with_whole_paths(opening.config)
    agreed = False
    if config.factory:
        from lora_lab.models.factory import is_agreed  # torch comes with it

        agreed = is_agreed(config.factory)
    table = {
        "folder": str(folder_of(opening)), "config": config.model_dump(mode="json"),
        "agreed": agreed,
    }  # fmt: skip
    match opening:
        case New():
            return {"kind": "new", **table}
        case Branch(origin=origin):
            at = [os.path.abspath(origin.run), origin.step]
            return {"kind": "branch", "origin": at, **table}
        case Resume(until=until):
            return {"kind": "resume", "until": until, **table}


def unpack_opening(table: Any) -> Opening:
    """What `pack_opening` was given; raises LabError."""
    match table:
        case {"kind": kind, "folder": str(folder), "config": dict(settings)}:
            config = checked(RunConfig, settings)
        case _:
            raise Strange("This does not say what to open.")
    if config.factory and table.get("agreed") is True:
        from lora_lab.models.factory import agree

        agree(config.factory)
    path = Path(folder)
    match kind, table:
        case "new", _:
            return New(config, path)
        case "branch", {"origin": [str(run), int(step)]}:
            return Branch(Origin(run, step), config, path)
        case "resume", {"until": int() | None as until}:
            return Resume(path, replace(SavedConfig.read(path), config=config), until)
    raise Strange(f"This engine cannot open {str(kind)[:40]!r}: it is of another version.")
