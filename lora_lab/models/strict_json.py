"""JSON files beside weights, read so that nothing in them surprises: small, unique keys, finite."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError, system_reason

LARGEST = 32 * 2**20


def read_json(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The object in a JSON file. Raises CheckpointError naming the file and what is wrong."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{path.name}: this is not a regular file. Download it again.")
        if found.st_size > largest:
            raise CheckpointError(f"{path.name}: {found.st_size:,} bytes are too many for it.")
        value = json.loads(
            path.read_bytes().decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse
        )
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent.name} has no {path.name}.") from None
    except OSError as error:
        reason = system_reason(error)
        raise CheckpointError(f"{path.name}: cannot be read ({reason}).") from error
    except UnicodeDecodeError:
        raise CheckpointError(f"{path.name}: this is not UTF-8. Download it again.") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise CheckpointError(
            f"{path.name}: not sound JSON ({ascii(reason)[1:-1][:100]}). Download it again."
        ) from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name}: this is not a JSON object. Download it again.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands there twice")
        found[name] = value
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
