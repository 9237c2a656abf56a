"""The files that a run stands on: by whole paths, with fingerprints, found where they are now.

A run may be resumed from another folder, on a moved disk, or beside files that have changed since.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.runs.data_fingerprint import data_fingerprint, is_in_splits
from lora_lab.runs.lines import lines_of, open_lines, parsed
from lora_lab.task_info import TASKS

# Field → what a person calls it, and the flag that names another place for it.
PLACES = {
    "model": ("model", "--model"),
    "data": ("data", "--data"),
    "validation_data": ("validation data", "--validation-data"),
    "keep_data": ("retention set", "--keep-data"),
}
# A run records what it loaded before its first step, so within this many lines of its log.
HEAD_LINES = 1000
HEAD_BYTES = 2**27  # where a base was trained before it: of a million steps
SHORTEST = 64  # bytes that a line counts at least; that of a step has more
MOST_FILES = 200  # of the folder of an adapter
# What shapes the inputs of a model beside its weights → files of its folder.
BESIDE = {
    "tokenizer": ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.txt",
                  "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json"),
    "chat template": ("chat_template.jinja", "chat_template.json"),
    "image rules": ("preprocessor_config.json",),
}  # fmt: skip


def with_whole_paths(config: RunConfig) -> RunConfig:
    """`config` with the paths that exist made absolute; the same `hyper` object."""
    whole = {
        field: os.path.abspath(value)
        for field in (*PLACES, "adapter")
        if (value := getattr(config, field)) and not os.path.isabs(value) and _names_files(value)
    }
    return config.model_copy(update=whole) if whole else config


def found_again(config: RunConfig, places: Mapping[str, str | None], run: Path) -> RunConfig:
    """The settings of the run in the folder `run` with its files where they are now.

    `places` names new ones by field. Raises LabError for a file that is at neither place.
    """
    named = {field: value for field, value in places.items() if value}
    for field in named:
        if field not in PLACES:
            raise LabError(f"{field} is no place of files of a run.")
    config = with_whole_paths(config.model_copy(update=named))
    for field, (what, flag) in PLACES.items():
        value = getattr(config, field)
        if value and os.path.isabs(value) and not _names_files(value):
            raise LabError(
                f"The {what} of {run.name} is not at {value}. Put it back, or name its new place: "
                f"lora-lab resume {run} {flag} PATH."
            )
    return config


def fingerprints(config: RunConfig) -> dict[str, str]:
    """Of all that shaped the run beside base and data; "" where there is none of it.

    The adapter that it began with is among it, and is not needed again: its factors are in every
    checkpoint.
    """
    return {"adapter": _of_adapter(config.adapter), **_read_again(config)}


def _read_again(config: RunConfig) -> dict[str, str]:
    """The same of what a run that is resumed reads once more."""
    rows = TASKS[config.task].data == "rows"
    found = {
        "validation data": data_fingerprint(config.validation_data, rows),
        "retention set": data_fingerprint(config.keep_data, rows),
    }
    model = Path(config.model) if config.model else None
    for what, names in BESIDE.items():
        files = [model / name for name in names] if model is not None and model.is_dir() else []
        found[what] = "".join(data_fingerprint(str(file)) for file in files if file.is_file())
    return found


def training_fingerprint(config: RunConfig) -> str:
    """Of what is read of the training data."""
    return data_fingerprint(config.data, TASKS[config.task].data == "rows")


def _of_adapter(path: str | None) -> str:
    """Of the bytes of every file of an adapter; "" of a folder that has too many to be one."""
    if not path or not os.path.isdir(path):
        return data_fingerprint(path)
    with os.scandir(path) as entries:
        many = len(list(islice(entries, MOST_FILES + 1))) > MOST_FILES
    return "" if many else data_fingerprint(os.path.join(glob.escape(path), "*"))


def changes(config: RunConfig, about: Mapping[str, Any]) -> tuple[str, ...]:
    """What is no more as config.json (`about`) says it was, a sentence each."""
    notes = []
    known = about.get("data_fingerprint")
    if known and known != training_fingerprint(config):
        notes.append(
            SPLITS
            if is_in_splits(config.data) and known == data_fingerprint(config.data)
            else "the data has changed since: the rows that follow will differ"
        )
    stored = about.get("inputs")
    for what, now in _read_again(config).items():
        before = stored.get(what) if isinstance(stored, dict) else None
        if before is not None and before != now:
            notes.append(f"the {what} changed since the run began{CHANGED[what]}")
    return tuple(notes)


SPLITS = (
    "the data is a folder of splits, of which the files of training alone are read now: where the "
    "run began with all of them, the rows that follow differ"
)
CHANGED = {
    "validation data": ": its losses before and after are of other rows",
    "retention set": ": its losses before and after are of other rows",
    "tokenizer": ": the tokens that follow will differ",
    "chat template": ": the chats that follow are written otherwise",
    "image rules": ": the images that follow are prepared otherwise",
}


def recorded_classes(metrics: Path) -> tuple[str, ...]:
    """The classes of the run in their order, as it recorded them; () where it has none."""
    classes = _loaded(metrics).get("classes")
    return tuple(c for c in classes if isinstance(c, str)) if isinstance(classes, list) else ()


def recorded_layers(metrics: Path) -> tuple[str, ...]:
    """The layers of the run in their order, as it recorded them; () where it has not."""
    layers = _loaded(metrics).get("layers")
    rows = [row for row in layers if isinstance(row, dict)] if isinstance(layers, list) else []
    return tuple(row["name"] for row in rows if isinstance(row.get("name"), str))


def _loaded(metrics: Path) -> dict[str, Any]:
    """What the run wrote of itself when it was opened; {} where nobody can read that."""
    try:
        with open_lines(metrics) as file:
            staged, size = 0, 0
            for index, line in enumerate(lines_of(file)):
                size += max(len(line), SHORTEST)
                if (index >= HEAD_LINES and not 0 < staged < HEAD_LINES) or size > HEAD_BYTES:
                    break  # a log without its head: not read through to its end
                if b'"LoadedRecord"' not in line[:100]:
                    continue
                if (row := parsed(line)) is not None and not row.get("stage"):
                    return row
                staged += 1  # it is of the base, which was trained first
    except OSError:
        pass  # a log that is lost stops no run
    return {}


def _names_files(value: str) -> bool:
    path = Path(value)
    try:
        return path.exists() or ("*" in path.name and path.parent.is_dir())
    except (OSError, ValueError):
        return False
