"""Parquet and Arrow files taken apart in the child process: their decoders are native, and a few
bytes of such a file can name a value a billion times.

What is claimed is compared with the file's size, and what is unpacked goes back in small parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow
from pyarrow import compute, ipc, parquet, types

from lora_lab.errors import DataError

ROWS, COLUMNS = 1_000_000_000, 10_000
BATCH = 250  # rows that are unpacked at a time
FEW = 16  # rows of which each may name the same long value
BYTES, ELEMENTS = 2**24, 2**20  # of one part, nested ones counted
ROW = 2**26  # bytes of one row
BESIDE, RATIO = 10_000, 200  # rows beyond one for each byte; of unpacked to packed bytes
BUFFER = 2**18  # bytes of a column that are read at a time


def batches(data: Any, path: str, form: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """The rows of a file as Arrow streams of one batch each, with how many rows there are in all.

    `form` is "Parquet" or "Arrow". Raises DataError for a damaged file, and for one that claims
    what it cannot hold.
    """
    del data
    size = os.stat(path).st_size
    try:
        with open(path, "rb") as file:
            total, found = (_parquet if form == "Parquet" else _arrow)(file)
            _check(total, size)
            rows = held = 0
            for batch in found:
                batch.validate(full=True)
                for part in _parts(batch, rows):
                    rows += part.num_rows
                    held += part.nbytes
                    _check(rows, size)
                    if held > BYTES + RATIO * size:
                        raise DataError(f"it unpacks to over {RATIO} times its size")
                    yield {"total": total}, _written(part)
    except pyarrow.ArrowMemoryError as error:
        raise MemoryError from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the {form} file is damaged ({reason}). Download it again") from error


def _parquet(file: Any) -> tuple[int, Iterator[Any]]:
    opened = parquet.ParquetFile(pyarrow.PythonFile(file, mode="r"), buffer_size=BUFFER)
    _check_columns(opened.schema_arrow)
    return opened.metadata.num_rows, opened.iter_batches(batch_size=BATCH, use_threads=False)


def _arrow(file: Any) -> tuple[int, Iterator[Any]]:
    options = ipc.IpcReadOptions(use_threads=False)
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    source = pyarrow.PythonFile(file, mode="r")
    if is_file:
        whole = ipc.open_file(source, options=options)
        _check_columns(whole.schema)
        return 0, (whole.get_batch(i) for i in range(whole.num_record_batches))
    stream = ipc.open_stream(source, options=options)
    _check_columns(stream.schema)
    return 0, stream


def _check_columns(schema: Any) -> None:
    if len(schema.names) > COLUMNS:
        raise DataError("it claims more columns than can be held. Take a part of it")
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise DataError(f"two columns are called {twice!r}. Give each a name of its own")


def _check(rows: int, size: int) -> None:
    if rows > ROWS:
        raise DataError("it claims more rows than can be held. Take a part of it")
    if rows > size + BESIDE:
        raise DataError(f"it claims over {rows - 1:,} rows in {size:,} bytes, which no data takes")


def _parts(batch: Any, before: int) -> Iterator[Any]:
    """The rows of a batch, so many at a time that each part is small, written out in full."""
    plain = [_plain(field.type) for field in batch.schema]
    same = all(one == field.type for one, field in zip(plain, batch.schema, strict=True))
    at, count = 0, BATCH if same else FEW
    while at < batch.num_rows:
        part = batch.slice(at, count)
        if not same:
            columns = [_in_full(c, kind) for c, kind in zip(part.columns, plain, strict=True)]
            part = pyarrow.record_batch(columns, batch.schema.names, batch.schema.metadata)
        heavy = part.nbytes > BYTES or sum(map(_elements, part.columns)) > ELEMENTS
        if heavy and part.num_rows > 1:
            count = part.num_rows // 2
            continue
        if heavy and part.nbytes > ROW:
            raise DataError(f"row {before + at + 1:,} takes over {ROW // 2**20} MB")
        if heavy and sum(map(_elements, part.columns)) > ROW:
            raise DataError(f"row {before + at + 1:,} has over {ROW:,} values")
        yield part
        at += part.num_rows
        count = min(BATCH, 2 * count)


def _in_full(column: Any, kind: Any) -> Any:
    runs = types.is_run_end_encoded(column.type)
    return (compute.run_end_decode(column) if runs else column).cast(kind)


def _plain(kind: Any) -> Any:
    """The type in which no value stands for several rows."""
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if types.is_string_view(kind):
        return pyarrow.large_string()
    if types.is_binary_view(kind):
        return pyarrow.large_binary()
    if types.is_map(kind):
        return pyarrow.map_(_plain(kind.key_type), _plain(kind.item_type))
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(_plain(kind.value_type), kind.list_size)
    if types.is_list(kind):
        return pyarrow.list_(_plain(kind.value_type))
    if types.is_nested(kind) and hasattr(kind, "value_type"):  # large lists, and views of lists
        return pyarrow.large_list(_plain(kind.value_type))
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_plain(field.type)) for field in kind])
    return kind


def _elements(array: Any) -> int:
    """How many values there are, those within values counted."""
    kind = array.type
    if types.is_struct(kind):
        return len(array) + sum(map(_elements, array.flatten()))
    if types.is_map(kind):
        return len(array) + _elements(array.keys) + _elements(array.items)
    if types.is_union(kind):
        return len(array) + sum(_elements(array.field(i)) for i in range(kind.num_fields))
    if types.is_nested(kind):
        return len(array) + _elements(array.flatten())
    return len(array)


def _written(batch: Any) -> Any:
    sink = pyarrow.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()
