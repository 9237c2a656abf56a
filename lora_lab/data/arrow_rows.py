"""Rows from Parquet and Arrow files, with the class names that Hugging Face keeps beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

from lora_lab.errors import DataError
from lora_lab.progress import Report

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]
Rows = Iterator[tuple[int, Row]]

BATCH = 2_000  # rows at a time
ROWS, COLUMNS = 1_000_000_000, 10_000


def parquet_rows(file: IO[bytes], report: Report, name: str) -> Rows:
    """(number, row) of all rows of a file that can be sought in, a batch at a time.

    Raises DataError for a damaged file.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(pyarrow.PythonFile(file, mode="r"))
        total = opened.metadata.num_rows
        _check(total, len(opened.schema_arrow.names))
        names = class_names(opened.schema_arrow)
        yield from _rows(opened.iter_batches(batch_size=BATCH), names, total, report, name)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the Parquet file is damaged ({reason}). Download it again") from error


def arrow_rows(file: IO[bytes], report: Report, name: str) -> Rows:
    """(number, row) of an Arrow file or stream, as `save_to_disk` writes them; as `parquet_rows`"""
    import pyarrow
    from pyarrow import ipc

    try:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        source = pyarrow.PythonFile(file, mode="r")
        if is_file:
            whole = ipc.open_file(source)
            schema = whole.schema
            batches = (whole.get_batch(i) for i in range(whole.num_record_batches))
        else:
            batches = ipc.open_stream(source)
            schema = batches.schema
        _check(0, len(schema.names))
        parts = (
            batch.slice(start, BATCH)
            for batch in batches
            for start in range(0, batch.num_rows, BATCH)
        )
        yield from _rows(parts, class_names(schema), 0, report, name)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the Arrow file is damaged ({reason}). Download it again") from error


def class_names(schema: pyarrow.Schema) -> dict[str, list[str]]:
    """The names of the classes of each column of numbers, where the file tells them."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        found = {
            column: about["names"]
            for column, about in features.items()
            if isinstance(about, dict) and about.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {
        column: names
        for column, names in found.items()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    }


def _rows(
    batches: Iterable[Any], names: dict[str, list[str]], total: int, report: Report, name: str
) -> Rows:
    """`total` is how many rows there are, 0 where that is not known."""
    from pyarrow import types

    number = 0
    for batch in batches:
        _check(number, 0)
        nested = [field.name for field in batch.schema if types.is_nested(field.type)]
        for row in batch.to_pylist():
            number += 1
            for column in nested:
                row[column] = _without_nulls(row[column])
            for column, classes in names.items():
                value = row.get(column)
                if isinstance(value, int) and 0 <= value < len(classes):
                    row[column] = classes[value]
                elif value == -1:  # what Hugging Face writes for no label
                    row[column] = None
            yield number, row
        report(f"Reading {name}", number / total if total else -1)


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that are null: a file has one set of keys for all its rows, and so
    fills in the keys of other rows."""
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


def _check(rows: int, columns: int) -> None:
    if rows > ROWS or columns > COLUMNS:
        raise DataError("it claims more rows or columns than can be held. Take a part of it")
