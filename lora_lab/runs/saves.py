"""Which checkpoints a run has, by their names and manifests; none of them is opened for that.

A name alone is no save: a folder may be called as one that came with somebody's run.
"""

from __future__ import annotations

import os
import re
import stat
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lora_lab.errors import LabError
from lora_lab.runs.listing import CHECKPOINTS, Steps
from lora_lab.runs.own_files import Door, checked, read_table

STATE, MANIFEST = "state.safetensors", "manifest.json"
NAME = re.compile(r"(?:step|kept)-([0-9]{9,12})")  # the latter stay for going back
SMALL = 2**11  # bytes of a manifest; those of the lab have 150, and once had 200
MOST = 100  # that are looked at, the newest ones: a run keeps 14
ENTRIES = 2000  # of their folder: of one with more none is looked at, so that this takes a moment


class Part(Door):
    """Of one file its size and its checksum."""

    bytes: Annotated[int, Field(ge=8, lt=2**50)]
    crc32: str = ""
    sha256: str = ""


class Manifest(Door):
    """manifest.json of a checkpoint."""

    step: Steps
    edits: Steps = 0
    files: dict[str, Part]


def manifest_of(path: Path) -> Manifest | None:
    """None where there is none; raises `LabError` for one that is damaged."""
    try:
        return checked(Manifest, read_table(path / MANIFEST, SMALL), path / MANIFEST)
    except FileNotFoundError:
        return None


def is_save(path: Path, step: int) -> bool:
    """Whether a folder has a manifest of this step, and a state as long as that says."""
    try:
        manifest = manifest_of(path)
        part = manifest.files.get(STATE) if manifest and manifest.step == step else None
        about = os.lstat(path / STATE)
    except (OSError, LabError):
        return False
    return part is not None and stat.S_ISREG(about.st_mode) and about.st_size == part.bytes


def listed(run: Path) -> list[tuple[int, Path]]:
    """(step, folder) of every checkpoint, the oldest first."""
    return [(step, path) for step, path in named(run)[-MOST:] if is_save(path, step)]


def resumable(run: Path) -> int | None:
    """The step that a run can be resumed from; None where it has no checkpoint."""
    newest = reversed(named(run)[-MOST:])
    return next((step for step, path in newest if is_save(path, step)), None)


def named(run: Path) -> list[tuple[int, Path]]:
    """(step, folder) of all that is called as a checkpoint, damaged or none at all."""
    folder = run / CHECKPOINTS
    try:
        linked = folder.is_symlink()  # another's is not to be tidied here
    except OSError:  # of a name that is too long
        return []
    return [] if linked else named_in(folder)


def named_in(folder: Path) -> list[tuple[int, Path]]:
    """Those of `named` in the folder that they lie in."""
    try:
        with os.scandir(folder) as listing:
            entries = list(islice(listing, ENTRIES + 1))
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (OSError, ValueError):  # the latter of a NUL in its name
        return []
    if len(entries) > ENTRIES:
        return []
    found = [(NAME.fullmatch(entry.name), Path(entry.path)) for entry in folders]
    return sorted((int(match[1]), path) for match, path in found if match)
