"""Parquet and Arrow files taken apart in the child process: their decoders are native, and a few
bytes of such a file can name a value a billion times.

What is claimed is compared with the file's size, and what is unpacked goes back in small parts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow
from pyarrow import compute, ipc, parquet, types

from lora_lab.data.json_text import VALUES
from lora_lab.data.row_files import COLUMNS
from lora_lab.errors import DataError
from lora_lab.names import few

ROWS = 1_000_000_000
SCHEMA, CLASSES = 2**21, 2**22  # bytes of the columns' names and types; of the names of classes
BATCH = 250  # rows that are unpacked at a time
FEW = 16  # rows of which each may name the same long value
BYTES, ELEMENTS = 2**24, 2**20  # of one part, nested ones counted
ROW = 2**26  # bytes of one row
BESIDE, RATIO = 10_000, 200  # rows beyond one for each byte; of unpacked to packed bytes
FREE, EACH = 2**22, 20  # values of a whole file, and more for each byte: nulls take none
BUFFER = 2**18  # bytes of a column that are read at a time
NAMES = 64  # characters of the keys of an object that take as much as one value more


def batches(data: Any, path: str, form: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """The schema of a file, with how many rows there are in all, then its rows, a part at a time,
    as messages of Arrow.

    `form` is "Parquet" or "Arrow". Raises DataError for a damaged file, and for one that claims
    what it cannot hold.
    """
    del data
    size = os.stat(path).st_size
    try:
        with open(path, "rb") as file:
            total, schema, found = (_parquet if form == "Parquet" else _arrow)(file)
            _check(total, size)
            sent = _bare(schema)
            yield {"total": total}, sent.serialize()
            rows = held = values = 0
            for part, elements in _joined(_parts(found, sent.types)):
                rows += part.num_rows
                held += part.nbytes
                values += elements
                _check(rows, size)
                if values > FREE + EACH * size:
                    raise DataError(f"it has over {values - 1:,} values in {size:,} bytes")
                if held > BYTES + RATIO * size:
                    raise DataError(f"it unpacks to over {RATIO} times its size")
                yield {}, part.serialize()
    except pyarrow.ArrowMemoryError as error:
        raise MemoryError from error
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:80]
        raise DataError(f"the {form} file is damaged ({reason}). Download it again") from error


def _parquet(file: Any) -> tuple[int, Any, Iterator[Any]]:
    opened = parquet.ParquetFile(pyarrow.PythonFile(file, mode="r"), buffer_size=BUFFER)
    rows = opened.iter_batches(batch_size=BATCH, use_threads=False)
    return opened.metadata.num_rows, opened.schema_arrow, rows


def _arrow(file: Any) -> tuple[int, Any, Iterator[Any]]:
    options = ipc.IpcReadOptions(use_threads=False)
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    source = pyarrow.PythonFile(file, mode="r")
    if is_file:
        whole = ipc.open_file(source, options=options)
        return 0, whole.schema, (whole.get_batch(i) for i in range(whole.num_record_batches))
    stream = ipc.open_stream(source, options=options)
    return 0, stream.schema, stream


def _bare(schema: Any) -> Any:
    """The schema with what is read of it alone: plain columns, and the names of their classes."""
    if len(schema.names) > COLUMNS:
        raise DataError("it claims more columns than can be held. Take a part of it")
    (twice, count), *_ = Counter(schema.names).most_common(1) or [("", 0)]
    if count > 1:
        raise DataError(f"two columns are called {few([twice])!r}. Give each a name of its own")
    bare = pyarrow.schema([(field.name, _plain(field.type)) for field in schema])
    if bare.serialize().size > SCHEMA:
        raise DataError("the names and types of its columns are longer than any data's")
    classes = (schema.metadata or {}).get(b"huggingface", b"")
    return bare.with_metadata({b"huggingface": classes} if len(classes) <= CLASSES else None)


def _check(rows: int, size: int) -> None:
    if rows > ROWS:
        raise DataError("it claims more rows than can be held. Take a part of it")
    if rows > size + BESIDE:
        raise DataError(f"it claims over {rows - 1:,} rows in {size:,} bytes, which no data takes")


def _parts(batches: Iterable[Any], kinds: list[Any]) -> Iterator[tuple[Any, int]]:
    """The rows of all batches, so many at a time that each part is small, written out in full; and
    how many values each has."""
    before = 0
    for batch in batches:
        batch.validate(full=True)
        same = all(one == kind for one, kind in zip(batch.schema.types, kinds, strict=True))
        at, count = 0, BATCH if same else FEW
        while at < batch.num_rows:
            part = batch.slice(at, count)
            if not same:
                columns = [_in_full(c, kind) for c, kind in zip(part.columns, kinds, strict=True)]
                part = pyarrow.record_batch(columns, batch.schema.names)
            elements = sum(map(_elements, part.columns))
            heavy = part.nbytes > BYTES or elements > ELEMENTS
            if heavy and part.num_rows > 1:
                count = part.num_rows // 2
                continue
            if heavy and part.nbytes > ROW:
                raise DataError(f"row {before + at + 1:,} takes over {ROW // 2**20} MB")
            if heavy and elements > VALUES:
                raise DataError(
                    f"row {before + at + 1:,} has over {VALUES:,} values. Leave the column with "
                    "the most out when you save it"
                )
            yield part, elements
            at += part.num_rows
            if 2 * part.nbytes <= BYTES:
                count = min(BATCH, 2 * count)
        before += batch.num_rows


def _joined(parts: Iterator[tuple[Any, int]]) -> Iterator[tuple[Any, int]]:
    """Parts of few rows as one: each that is sent takes its time."""
    held: list[Any] = []
    rows = size = elements = 0
    for part, more in parts:
        held.append(part)
        rows, size, elements = rows + part.num_rows, size + part.nbytes, elements + more
        if 2 * rows > BATCH or 8 * size > BYTES or 8 * elements > ELEMENTS:
            yield _one(held), elements
            rows = size = elements = 0
            held = []
    if held:
        yield _one(held), elements


def _one(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return pyarrow.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _in_full(column: Any, kind: Any) -> Any:
    while isinstance(column, pyarrow.ExtensionArray) and column.type != kind:
        column = column.storage
    runs = types.is_run_end_encoded(column.type)
    return (compute.run_end_decode(column) if runs else column).cast(kind)


def _plain(kind: Any) -> Any:
    """The type in which no value stands for several rows. Raises DataError where there is none."""
    if isinstance(kind, pyarrow.BaseExtensionType):  # a name for what is stored
        plain = _plain(kind.storage_type)
        return kind if plain == kind.storage_type else plain
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
        return pyarrow.struct([(field.name, _plain(field.type)) for field in kind])
    if types.is_union(kind) and (
        kind.mode == "dense" or any(_plain(f.type) != f.type for f in kind)
    ):
        raise DataError(
            "it has a column of several types, of which one value may stand for many. Leave it out "
            "when you save it"
        )
    return kind


def _elements(array: Any) -> int:
    """How many values there are, those within values counted, and the keys of objects."""
    kind = array.type
    if isinstance(array, pyarrow.ExtensionArray):
        return _elements(array.storage)
    if types.is_struct(kind):
        keys = sum(len(field.name) for field in kind) // NAMES
        return len(array) * (1 + keys) + sum(map(_elements, array.flatten()))
    if types.is_map(kind):
        return len(array) + _elements(array.keys) + _elements(array.items)
    if types.is_union(kind):
        return len(array) + sum(_elements(array.field(i)) for i in range(kind.num_fields))
    if types.is_nested(kind):
        return len(array) + _elements(array.flatten())
    return len(array)
