"""Rows from Parquet and Arrow files, with the class names that Hugging Face keeps beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_lab.apart.client import ask
from lora_lab.data.json_text import parsed
from lora_lab.errors import DataError
from lora_lab.names import few
from lora_lab.progress import Report

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row]]

UNPACKER = 2**29  # bytes that the child may take


def arrow_rows(path: Path, form: str, report: Report, name: str) -> Rows:
    """(number, row) of all rows of a file, "Parquet" or "Arrow" as `save_to_disk` writes it.

    It is unpacked in a child process. Raises DataError for a damaged file.
    """
    number, share = 0, -1.0

    def still(what: str = "", _: float = 0.0) -> None:
        report(f"Reading {name}", share)

    answers = ask(
        "lora_lab.data.arrow_file:batches", memory=UNPACKER, report=still,
        path=str(path), form=form,
    )  # fmt: skip
    import pyarrow  # the child loads it meanwhile
    from pyarrow import ipc

    schema, names, total = None, dict[str, list[str]](), 0
    with closing(answers):
        for about, data in answers:
            try:
                if schema is None:
                    schema, total = ipc.read_schema(pyarrow.py_buffer(data)), int(about["total"])
                    names = class_names(schema)
                    continue
                part = ipc.read_record_batch(pyarrow.py_buffer(data), schema)
                part.validate(full=True)
            except (pyarrow.ArrowException, OSError, ValueError) as error:
                raise DataError(f"the {form} file is damaged. Download it again") from error
            for row in _rows(part, names):
                number += 1
                yield number, row
            share = min(1.0, number / total) if total else -1.0
            still()


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """The names of the classes of each column of numbers, where the file tells them.

    Raises DataError for a name that two of them have, as datasets does: they would become one.
    """
    try:
        features = parsed((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {
            column: about["names"]
            for column, about in ((c, features[c]) for c in schema.names if c in features)
            if isinstance(about, dict) and about.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    sound = {
        column: names
        for column, names in found.items()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    }
    for column, names in sound.items():
        if len(set(names)) < len(names):
            name = next(name for name, count in Counter(names).items() if count > 1)
            raise DataError(
                f"column {few([column])!r} has two classes of one name, {few([name])!r}. Give each "
                "its own when you save it"
            )
    return sound


def _rows(part: pyarrow.RecordBatch, names: dict[str, list[str]]) -> Iterator[Row]:
    from pyarrow import types

    nested = [field.name for field in part.schema if types.is_nested(field.type)]
    columns = {
        field.name: _values(column, field)
        for column, field in zip(part.columns, part.schema, strict=True)
    }
    for number in range(part.num_rows):
        row = {name: values[number] for name, values in columns.items()}
        for column in nested:
            row[column] = _without_nulls(row[column])
        for column, classes in names.items():
            value = row.get(column)
            if isinstance(value, int) and 0 <= value < len(classes):
                row[column] = classes[value]
            elif value == -1:  # what Hugging Face writes for no label
                row[column] = None
        yield row


def _values(column: pyarrow.Array, field: pyarrow.Field) -> list[Any]:
    """As Python has them; a time that it has no value for, as one of nanoseconds, is its text."""
    import pyarrow

    unlike = (ValueError, ArithmeticError, pyarrow.ArrowException)
    try:
        return column.to_pylist()
    except unlike as error:
        try:
            return column.cast(pyarrow.string()).to_pylist()
        except unlike:
            reason = str(error).split("\n")[0][:80]
            kind = few([str(field.type)])
            raise DataError(
                f"column {few([field.name])!r} has a value of {kind} that cannot be read "
                f"({reason}). Leave the column out when you save it"
            ) from error


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that are null: a file has one set of keys for all its rows, and so
    fills in the keys of other rows."""
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value
