"""Records and commands as JSON and back, by the hints of their own dataclasses; never a pickle.

Floats keep every bit, NaN and the infinities included, and arrays their type. A field that a later
lab adds is left alone, one that an earlier lab did not have takes its default.
"""

from __future__ import annotations

import base64
import inspect
import json
import os
import re
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from itertools import groupby
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from lora_lab.errors import LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.json_size import MOST_LISTS, MOST_VALUES, check_size
from lora_lab.names import shown
from lora_lab.records import Record, StepRecord, frozen_array
from lora_lab.runs import row_shape
from lora_lab.training import commands, questions
from lora_lab.workshop.requests import Mix

RECORDS = {name: kind for name, kind in row_shape.KINDS.items() if is_dataclass(kind)}
COMMANDS: dict[str, type] = {
    name: kind
    for module in (commands, questions)
    for name, kind in vars(module).items()
    if is_dataclass(kind) and hasattr(kind, "run") and kind.__module__ == module.__name__
}
NAMED: dict[str, type] = {"Mix": Mix}  # what may stand in a field of any kind
PATHS = ("path", "parent", "base")  # fields of commands that may name a file
NUMBERS = re.compile(r"[<>|=]?[biufc]\d+")  # kinds of arrays


class Strange(LabError):
    """What came is not what it should be; the message says where."""


def dumped(value: Any) -> bytes:
    """One message: a line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def parsed(line: bytes, lists: int = MOST_LISTS, values: int = MOST_VALUES) -> dict[str, Any]:
    """The table of one message; raises Strange for bytes that are none, or for too many parts."""
    try:
        check_size(line, lists, values)
    except ValueError as error:
        raise Strange(f"What came is no message: {error}.") from None
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise Strange("What came is no message: it is not JSON.") from None
    if not isinstance(value, dict):
        raise Strange("What came is no message: it is no table.")
    return value


def pack_records(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records in order; steps that follow each other are rows of numbers."""
    packed: list[dict[str, Any]] = []
    for steps, group in groupby(records, lambda record: type(record) is StepRecord):
        if steps:
            rows = [[r.step, r.loss, r.learning_rate, r.seconds] for r in group]  # type: ignore
            packed.append({"steps": rows})
        else:
            packed += [{"record": type(r).__name__, "of": _out(r)} for r in group]
    return packed


def unpack_records(packed: Any) -> Iterator[Record]:
    """What `pack_records` was given; kinds that this lab does not know are passed over.

    Raises Strange.
    """
    if not isinstance(packed, list):
        raise Strange("What came is no list of records.")
    for part in packed:
        if not isinstance(part, dict):
            raise Strange("What came is no record.")
        if "steps" in part:
            yield from map(_step, _listed(part["steps"], "steps"))
        elif (kind := RECORDS.get(str(part.get("record")))) is not None:
            yield _built(kind, part.get("of"), kind.__name__)


def record_of(row: dict[str, Any]) -> Record | None:
    """The record of a row of metrics.jsonl; None for what is none that this lab has."""
    kind = RECORDS.get(str(row.get("record")))
    if kind is None or row_shape.flaw(row):
        return None
    try:
        return _built(kind, row, kind.__name__)
    except Strange:
        return None


def pack_command(command: Any) -> dict[str, Any]:
    """A command, its paths made whole: another process may stand in another folder."""
    return {"command": type(command).__name__, "of": _out(_whole(command))}


def unpack_command(packed: Any) -> Any:
    """The command; raises Strange for one that this lab does not have, or with other fields."""
    name = packed.get("command") if isinstance(packed, dict) else None
    kind = COMMANDS.get(str(name))
    if kind is None:
        raise Strange(f"This lab has no command {shown(name)}: it is of another version.")
    return _built(kind, packed.get("of"), kind.__name__)


def settings_of(packed: Any) -> Hyperparameters:
    """A snapshot of hyperparameters; raises Strange."""
    try:
        return Hyperparameters.model_validate(packed)
    except ValueError as error:
        raise Strange(f"These are no settings: {str(error).splitlines()[0]}.") from None


def _whole(value: Any) -> Any:
    """The dataclass with the paths in it, however deep, made absolute."""
    if isinstance(value, tuple):
        return tuple(map(_whole, value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    moved = {}
    for field in fields(value):
        now = getattr(value, field.name)
        if isinstance(now, str) and now and field.name in PATHS:
            new: Any = os.path.abspath(now)
        else:
            new = _whole(now)
        if new is not now:
            moved[field.name] = new
    return replace(value, **moved) if moved else value


def _out(value: Any) -> Any:
    if isinstance(value, Hyperparameters):
        return value.model_dump()
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        table = {f.name: _out(getattr(value, f.name)) for f in fields(value)}
        name = type(value).__name__
        return {"is": name, **table} if name in NAMED else table
    if isinstance(value, np.ndarray):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "base64": data}
    if isinstance(value, np.generic):
        return _out(value.item())
    return [_out(item) for item in value] if isinstance(value, tuple | list) else value


def _step(row: Any) -> StepRecord:
    match row:
        case [int(), float() | int(), float() | int(), float() | int()]:
            return StepRecord(*row)
    raise Strange("A step is not four numbers.")


def _built(kind: type, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise Strange(f"{where} is no table.")
    values = {}
    for name, build, needed in _fields(kind):
        if name in table:
            values[name] = build(table[name], f"{where}.{name}")
        elif needed:
            raise Strange(f"{where} has no {name}.")
    return kind(**values)


Build = Callable[[Any, str], Any]


@cache
def _fields(kind: type) -> tuple[tuple[str, Build, bool], ...]:
    hints = get_type_hints(kind, include_extras=False)
    return tuple(
        (f.name, _builder(hints[f.name]), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(kind)
    )


def _builder(hint: Any) -> Build:
    """What makes the value that a hint names of its JSON."""
    if hint is Any:
        return _anything
    if hint is np.ndarray:
        return _array
    if hint is Hyperparameters:
        return lambda value, where: settings_of(value)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is tuple:
        builders = [_builder(part) for part in parts if part is not Ellipsis]
        if Ellipsis in parts:
            return lambda value, where: tuple(
                builders[0](item, where) for item in _listed(value, where)
            )
        return lambda value, where: tuple(
            build(item, where)
            for build, item in zip(builders, _listed(value, where, len(builders)), strict=True)
        )
    if origin in (Union, types.UnionType):
        (inner,) = [_builder(part) for part in parts if part is not type(None)]
        return lambda value, where: None if value is None else inner(value, where)
    if inspect.isclass(hint) and is_dataclass(hint):
        return lambda value, where: _built(hint, value, where)
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return lambda value, where: _member(hint, value, where)
    kinds = (int, float) if hint is float else (hint,)

    def plain(value: Any, where: str) -> Any:
        if type(value) not in kinds:
            raise Strange(f"{where} is {str(value)[:40]!r}, which it cannot be.")
        return value

    return plain


def _member(kind: type[Enum], value: Any, where: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise Strange(f"{where} is {str(value)[:40]!r}, which this lab does not know.") from None


def _listed(value: Any, where: str, length: int | None = None) -> list[Any]:
    if not isinstance(value, list) or (length is not None and len(value) != length):
        raise Strange(f"{where} is no list as it should be.")
    return value


def _anything(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        kind = NAMED.get(str(value.get("is")))
        if kind is None:
            raise Strange(f"{where} is of no kind that this lab knows.")
        return _built(kind, value, where)
    return tuple(_anything(item, where) for item in value) if isinstance(value, list) else value


def _array(value: Any, where: str) -> np.ndarray:
    """Read-only, as every array that crosses the door; a run's file has lists."""
    try:
        if isinstance(value, list):
            return frozen_array(value)
        if not NUMBERS.fullmatch(name := str(value["dtype"])):  # others are read like Python
            raise ValueError
        dtype = np.dtype(name)
        data = base64.b64decode(value["base64"], validate=True)
        array = np.frombuffer(data, dtype).reshape([int(n) for n in value["shape"]])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise Strange(f"{where} is no array.") from None
    return array
