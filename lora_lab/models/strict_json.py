"""The strict reader of JSON from elsewhere: regular files, unique names, finite numbers, text."""

from __future__ import annotations

import json
import math
import re
import stat
from pathlib import Path
from typing import Any

from lora_lab.errors import CheckpointError, LabError, system_reason
from lora_lab.json_size import parts_in
from lora_lab.names import shown

LARGEST = 32 * 2**20  # bytes
AGAIN = " Download it again."
DEEPEST = 100  # levels; what follows goes down by recursion
DIGITS = 40  # of a whole number: tokenizers say 10³⁰ for "no limit"
MOST_PARTS = 2**22  # a header of a hundred thousand tensors has a million
HALF = re.compile("[\ud800-\udfff]")  # of a pair that stands for one character


def read_json(path: Path, largest: int = LARGEST, infinite: bool = False) -> dict[str, Any]:
    """The object in a JSON file, with Infinity in it where it may be `infinite`.

    Raises CheckpointError naming the file and what is wrong.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would block, a device would never end
            raise CheckpointError(f"{path.name}: this is not a regular file.{AGAIN}")
        if status.st_size > largest:
            raise CheckpointError(f"{path.name}: {status.st_size:,} bytes are too many for it.")
        value = parse_json(path.read_bytes(), path.name, CheckpointError, AGAIN, infinite)
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent.name} has no {path.name}.") from None
    except OSError as error:
        reason = system_reason(error)
        raise CheckpointError(f"{path.name}: cannot be read ({reason}).") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name}: this is not a JSON object.{AGAIN}")
    return value


def parse_json(
    data: bytes, where: str, error: type[LabError], advice: str = "", infinite: bool = False
) -> Any:
    """What `data` says; raises `error` naming `where`.

    Without doubled names, NaN or Infinity, numbers that no float holds, halves of characters, and
    more levels than can be gone down. `infinite`: Infinity is let through, which json writes of
    float("inf").
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if (twice := given_twice(pairs, table)) is not None:
            raise error(f"{where}: {shown(twice)} is given twice.{advice}")
        return table

    def constant(name: str) -> Any:
        if infinite and name.endswith("Infinity"):
            return float(name)
        raise error(f"{where}: {name} is not a number that can be used.{advice}")

    def whole(digits: str) -> int:
        if len(digits) > DIGITS:
            raise error(f"{where}: a number of {len(digits):,} digits cannot be used.{advice}")
        return int(digits)

    def real(digits: str) -> float:
        if math.isinf(value := float(digits)) and not infinite:
            raise error(f"{where}: {shown(digits)} is not a number that can be used.{advice}")
        return value

    check_parts(data, MOST_PARTS, where, error, advice)
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant,
                           parse_int=whole, parse_float=real)  # fmt: skip
    except UnicodeDecodeError:
        raise error(f"{where}: not UTF-8 text.{advice}") from None
    except RecursionError:
        raise error(f"{where}: not valid JSON: nested too deeply.{advice}") from None
    except ValueError as wrong:
        reason = ascii(str(wrong))[1:-1][:100]
        raise error(f"{where}: not valid JSON: {reason}.{advice}") from None
    _check_levels(value, where, error, advice)
    if "\\ud" in text.lower() and HALF.search(json.dumps(value, ensure_ascii=False)):
        raise error(f"{where}: half a character, as \\ud83d, is in one of its texts.{advice}")
    return value


def given_twice(pairs: list[tuple[str, Any]], table: dict[str, Any]) -> str | None:
    """The first name that comes again in `pairs`, of which `table` was made; None where none does.

    One pass: the table has its names in the order in which they come first.
    """
    if len(table) == len(pairs):
        return None
    left = iter(table)
    return next(name for name, _ in pairs if name != next(left, None))


def check_parts(
    data: bytes, most: int, where: str, error: type[LabError], advice: str = AGAIN
) -> None:
    """Raise `error` for more values in `data` than `most`: an empty list takes thirty times the
    bytes that it is written in, and all of them are made in one call that holds Python."""
    if len(data) > most and (parts := parts_in(data)) > most:
        raise error(f"{where}: {parts:,} values are too many for it.{advice}")


def _check_levels(value: Any, where: str, error: type[LabError], advice: str) -> None:
    """Level by level, so that the depth of it is nobody's recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise error(f"{where}: not valid JSON: nested too deeply.{advice}")
