"""What the window keeps from start to start: small texts by their keys, in a file of its own."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from lora_lab import paths
from lora_lab.atomic import make_folder, write_file
from lora_lab.errors import system_reason
from lora_lab.runs.own_files import read_own
from lora_lab.ui.style.settings_text import Value, parsed, written

log = logging.getLogger("lora_lab.ui")

LARGEST = 2**18  # bytes; a window of years has some thousands
refusals: list[str] = []  # what was said of files that could not be read

_parsed = lru_cache(2)(parsed)  # asked with every step, and it seldom changes


def kept(key: str, default: str = "") -> str:
    """A text that was kept; `default` where none was."""
    value = _read().get(key)
    return value if isinstance(value, str) else default


def kept_bytes(key: str) -> bytes:
    """Bytes that were kept; none where there were none."""
    value = _read().get(key)
    return value if isinstance(value, bytes) else b""


def kept_number(key: str, default: int, least: int, most: int) -> int:
    """A whole number that was kept; `default` where there is none between `least` and `most`."""
    with suppress(ValueError):
        number = int(kept(key)[:20])
        return number if least <= number <= most else default
    return default


def keep(key: str, value: Value) -> None:
    """Keep a value in place of the one before."""
    keep_all({key: value})


def keep_all(values: Mapping[str, Value]) -> None:
    """Keep several; where the file cannot be written, the window does without.

    What another window has kept since stays: the file is read first.
    """
    path = paths.settings_file()
    before = _read()
    if (after := {**before, **values}) == before:
        return
    try:
        make_folder(path.parent)
        if path.is_symlink():
            path.unlink()  # it is read through, but another folder's file is not written
        write_file(path, written(after))
    except OSError as error:
        log.warning("%s was not written: %s", path, system_reason(error))


def kept_scheme(scheme: str | None = None) -> str:
    """The scheme that was asked for, or chosen last time."""
    return scheme or kept("scheme", "system")


def _read() -> Mapping[str, Value]:
    """What the file says; one that cannot be read is put aside, so that it is not written over."""
    path = paths.settings_file()
    try:
        return _parsed(read_own(Path(os.path.realpath(path)), LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        reason = system_reason(error)
    place = path.with_name(f"{path.name}.damaged-{secrets.token_hex(3)}")
    words = f"The settings of the window cannot be used ({reason}), and it opens without them."
    try:
        path.rename(place)
        words += f" Their file is kept as {place}."
    except OSError as error:
        words += f" {path} cannot be moved aside: {system_reason(error)}."
    if words not in refusals:
        log.warning("%s", words)
        refusals.append(words)
    return {}
