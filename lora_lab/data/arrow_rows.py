"""Rows from Parquet and Arrow files, with the class names that Hugging Face keeps beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lora_lab.errors import DataError
from lora_lab.progress import Report

if TYPE_CHECKING:
    import pyarrow

Row = dict[str, Any]

BATCH = 20_000  # rows at a time
ROWS, COLUMNS = 100_000_000, 10_000


def parquet_rows(raw: bytes, report: Report, name: str) -> list[tuple[int, Row]]:
    """(number, row) of all rows. Raises DataError for a damaged file."""
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(raw))
        _check(file.metadata.num_rows, len(file.schema_arrow.names))
        names = class_names(file.schema_arrow)
        total = max(1, file.metadata.num_rows)
        return _rows(file.iter_batches(batch_size=BATCH), names, total, report, name)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the Parquet file is damaged ({reason}). Download it again") from error


def arrow_rows(raw: bytes, report: Report, name: str) -> list[tuple[int, Row]]:
    """(number, row) of an Arrow file or stream, as `save_to_disk` writes them."""
    import pyarrow
    from pyarrow import ipc

    try:
        source = pyarrow.BufferReader(raw)
        opened = ipc.open_file(source) if raw.startswith(b"ARROW1") else ipc.open_stream(source)
        table = opened.read_all()
        _check(table.num_rows, table.num_columns)
        batches = table.to_batches(max_chunksize=BATCH)
        return _rows(iter(batches), class_names(table.schema), table.num_rows, report, name)
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
    batches: Iterator[Any], names: dict[str, list[str]], total: int, report: Report, name: str
) -> list[tuple[int, Row]]:
    from pyarrow import types

    rows: list[tuple[int, Row]] = []
    for batch in batches:
        nested = [field.name for field in batch.schema if types.is_nested(field.type)]
        for row in batch.to_pylist():
            for column in nested:
                row[column] = _without_nulls(row[column])
            for column, classes in names.items():
                value = row.get(column)
                if isinstance(value, int) and 0 <= value < len(classes):
                    row[column] = classes[value]
                elif value == -1:  # what Hugging Face writes for no label
                    row[column] = None
            rows.append((len(rows) + 1, row))
        report(f"Reading {name}", len(rows) / max(1, total))
    return rows


def _without_nulls(value: Any) -> Any:
    """Objects without the keys that are null: a file has one set of keys for all its rows, and so
    fills in the keys of other rows."""
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    return [_without_nulls(entry) for entry in value] if isinstance(value, list) else value


def _check(rows: int, columns: int) -> None:
    if rows > ROWS or columns > COLUMNS:
        raise DataError("it claims more rows or columns than can be held. Take a part of it")
