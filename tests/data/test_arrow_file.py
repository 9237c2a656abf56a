"""Parquet and Arrow files are unpacked in a child process: every type as pyarrow reads it, and no
file that claims, or unpacks to, what no data has."""

import datetime
import decimal
import json

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from lora_lab.apart.client import end_children, pids
from lora_lab.data.rows import read_table
from lora_lab.errors import DataError
from tests.data.cancelled import assert_can_be_cancelled
from tests.spent import processor_seconds

WORDS = pa.array(["red", "green", None, "blue", "green"])
TYPES = {
    "text": WORDS,
    "large text": WORDS.cast(pa.large_string()),
    "dictionary": WORDS.dictionary_encode(),
    "view": WORDS.cast(pa.string_view()),
    "binary view": WORDS.cast(pa.binary()).cast(pa.binary_view()),
    "run ends": pa.RunEndEncodedArray.from_arrays([2, 5], ["long", "short"]),
    "list of a dictionary": pa.ListArray.from_arrays([0, 2, 2, 3, 4, 5], WORDS.dictionary_encode()),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": 2, "b": None}, {"a": 3, "b": ""}, None]),
    "map": pa.array([[("k", 1)], [], [("a", 2), ("b", 3)], [], []],
                    pa.map_(pa.string(), pa.int8())),
    "large list": pa.array([[1.5], [], [2.5, None], [3.0], []], pa.large_list(pa.float64())),
    "fixed list": pa.array([[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]], pa.list_(pa.int16(), 2)),
    "nothing": pa.nulls(5),
    "time": pa.array([datetime.datetime(2020, 1, n + 1) for n in range(5)], pa.timestamp("us")),
    "decimal": pa.array([decimal.Decimal("1.25")] * 5),
    "flag": pa.array([True, None, False, True, False]),
    "a name for texts": pa.ExtensionArray.from_storage(pa.json_(pa.string()), WORDS),
    "a name for names": pa.ExtensionArray.from_storage(
        pa.opaque(WORDS.dictionary_encode().type, "a", "b"), WORDS.dictionary_encode()),
    "names in lists": pa.ListArray.from_arrays([0, 2, 2, 3, 4, 5], pa.ExtensionArray.from_storage(
        pa.opaque(WORDS.dictionary_encode().type, "a", "b"), WORDS.dictionary_encode())),
    "names in tables": pa.StructArray.from_arrays([pa.ExtensionArray.from_storage(
        pa.opaque(WORDS.dictionary_encode().type, "a", "b"), WORDS.dictionary_encode())], ["a"]),
    "either": pa.UnionArray.from_sparse(pa.array([0, 1, 0, 1, 0], pa.int8()),
                                        [WORDS, pa.array(range(5))]),
    "half": pa.array([0.5, 1.5, 2.5, 3.5, -1.0], pa.float16()),
}  # fmt: skip
IN_PARQUET = TYPES.keys() - {"run ends", "half", "view", "binary view", "either"}
IN_PARQUET -= {"a name for names", "names in lists", "names in tables"}  # it ends pyarrow


def without_nulls(value):
    """As rows are given on: a file has one set of keys, and fills in those of other rows."""
    if isinstance(value, dict):
        return {key: without_nulls(v) for key, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


def expected(table):
    return [{key: without_nulls(v) for key, v in row.items()} for row in table.to_pylist()]


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_every_type_is_read_as_pyarrow_reads_it(tmp_path, kind, form):
    if form == "parquet" and kind not in IN_PARQUET:
        pytest.skip("Parquet has no such type")
    table, path = pa.table({"a": TYPES[kind], "n": range(5)}), tmp_path / f"rows.{form}"
    if form == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
    assert [row for _, row in read_table(path).rows] == expected(table)


FAR = pa.array([0, 10**13, None], pa.timestamp("s"))
WITHOUT = {  # what Python has no value for: what is read in its place, or why nothing is
    "nanoseconds": (pa.array([0, 1, None], pa.timestamp("ns")),
                    ["1970-01-01 00:00:00.000000000", "1970-01-01 00:00:00.000000001", None]),
    "a far year": (FAR, ["1970-01-01 00:00:00", "<value out of range: 10000000000000>", None]),
    "a long time": (pa.array([0, 2**60, None], pa.duration("s")), ["0", str(2**60), None]),
    "a time of day": (pa.array([1, None], pa.time64("ns")), ["00:00:00.000000001", None]),
    "a far day": (pa.array([2**30], pa.date32()), ["<value out of range: 1073741824>"]),
    "no such zone": (pa.array([0], pa.timestamp("us", "Mars/Olympus")), "column 'a'"),
    "within a list": (pa.array([[1], []], pa.list_(pa.timestamp("ns"))), "column 'a'"),
    "within a table": (pa.array([{"t": 10**13}], pa.struct({"t": pa.timestamp("s")})),
                       "column 'a'"),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHOUT)
def test_a_value_that_python_has_none_for_is_its_text_or_is_named(tmp_path, name):
    column, wanted = WITHOUT[name]
    table, path = pa.table({"a": column, "b": range(len(column))}), tmp_path / "rows.arrow"
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    if isinstance(wanted, str):
        with pytest.raises(DataError, match=wanted):
            read_table(path)
    else:
        assert [row["a"] for _, row in read_table(path).rows] == wanted


def write_arrow(path, table, rows=None, **options):
    with pa.ipc.new_stream(str(path), table.schema, **options) as file:
        file.write_table(table, max_chunksize=rows)


def many_classes(table):
    names = {f"c{n}": {"_type": "ClassLabel", "names": []} for n in range(80_000)}
    about = json.dumps({"info": {"features": names}})
    return table.replace_schema_metadata({"huggingface": about})


BESIDE = {  # what is kept beside the rows, of which little is read, and once
    "the table": lambda table: table.replace_schema_metadata({"x": "y" * 14_000_000}),
    "a column": lambda table: table.cast(
        pa.schema([pa.field("text", pa.string(), metadata={"x": "y" * 14_000_000})])),
    "many classes": many_classes,
    "nothing": lambda table: table,
}  # fmt: skip


@pytest.mark.parametrize("name", BESIDE)
def test_rows_that_come_one_by_one_take_no_longer_for_what_stands_beside_them(tmp_path, name):
    table = BESIDE[name](pa.table({"text": [f"a b {n}" for n in range(20_000)]}))
    write_arrow(tmp_path / "rows.arrow", table, 1)
    read_table_of_one_row(tmp_path)
    began = processor_seconds()
    found = read_table(tmp_path / "rows.arrow")
    assert processor_seconds() - began < 2
    assert [row for _, row in found.rows] == table.to_pylist()


@pytest.mark.parametrize("times", [1, 50_000])
def test_two_columns_of_one_name_are_refused(tmp_path, times):
    table = pa.table([pa.array(["one"]), pa.array(["other"])], names=["text" * times] * 2)
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="two columns are called 'text") as refused:
        read_table(tmp_path / "rows.parquet")
    assert len(str(refused.value)) < 200


def test_many_rows_of_names_come_in_their_order(tmp_path):
    names = pa.array([f"name {n % 7}" for n in range(5000)]).dictionary_encode()
    table = pa.table({"name": names, "n": range(5000)})
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=1700)
    assert [row for _, row in read_table(tmp_path / "rows.parquet").rows] == table.to_pylist()


def run_lengths(path):
    """39 kB that say one word three million times."""
    parquet.write_table(pa.table({"text": pa.array(["a word"] * 3_000_000)}), path)


def one_long_text(path):
    """A text of a megabyte for each of 4,000 rows, in the bytes of one."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 4000, pa.int32()), ["a" * 2**20])
    parquet.write_table(pa.table({"text": text}), path, compression="zstd",
                        dictionary_pagesize_limit=2**22)  # fmt: skip


def arrow_of(column):
    def write(path):
        table = pa.table({"text": column()})
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)

    return write


def shared(count):
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["a" * 2**20])


def shared_in_lists(count):
    return pa.ListArray.from_arrays(pa.array(range(count + 1), pa.int32()), shared(count))


def nulls_in_a_list():
    return pa.ListArray.from_arrays(pa.array([0, 10**9], pa.int32()), pa.nulls(10**9))


def named(storage):
    """An array under a name of its own, which hides what it is."""
    return pa.ExtensionArray.from_storage(pa.opaque(storage.type, "a", "b"), storage)


def either(count):
    """One text of eight megabytes that each row says."""
    kinds, places = pa.array([0] * count, pa.int8()), pa.array([0] * count, pa.int32())
    return pa.UnionArray.from_dense(kinds, places, [pa.array(["x" * 8_000_000])])


def either_of_names():
    return pa.UnionArray.from_sparse(pa.array([0] * 250, pa.int8()), [shared(250)])


def long_keys():
    """An object of one key of a megabyte in each of 20,000 rows."""
    key = "k" * 1_000_000
    return pa.StructArray.from_arrays([pa.array([1] * 20_000)], [key])


def of_keys(count):
    kind = pa.struct([(f"k{n}" * 20, pa.int8()) for n in range(count)])
    return pa.array([{}] * 10, kind)


def millions_of_columns(path):
    write_arrow(path, pa.table({f"c{n}": pa.nulls(10_000) for n in range(2000)}))


LYING = {
    "name of a text.arrow": (arrow_of(lambda: named(shared(10**4))), "unpacks to over 200 times"),
    "name of a name.arrow": (arrow_of(lambda: named(named(shared(10**4)))), "is damaged|200 times"),
    "names in lists.arrow": (
        arrow_of(lambda: pa.ListArray.from_arrays(range(10**4 + 1), named(shared(10**4)))),
        "takes over 512 MB|over 200 times"),
    "names in tables.arrow": (
        arrow_of(lambda: pa.StructArray.from_arrays([named(shared(10**4))], ["a"])),
        "over 200 times"),
    "name of nulls.arrow": (arrow_of(lambda: named(nulls_in_a_list())), "row 1 has over"),
    "one of several.arrow": (arrow_of(lambda: either(250)), "a column of several types"),
    "several in lists.arrow": (
        arrow_of(lambda: pa.ListArray.from_arrays(range(251), either(250))), "of several types"),
    "names in one of several.arrow": (arrow_of(either_of_names), "a column of several types"),
    "long keys.arrow": (arrow_of(long_keys), "values in"),
    "keys.arrow": (arrow_of(lambda: of_keys(30_000)), "longer than any data's"),
    "columns of nothing.arrow": (millions_of_columns, "values in"),
    "run lengths.parquet": (run_lengths, "claims over 3,000,000 rows|claims over 2,999,999 rows"),
    "one text.parquet": (one_long_text, "unpacks to over 200 times its size"),
    "nothing.arrow": (arrow_of(lambda: pa.nulls(10**9)), "rows in"),
    "one text.arrow": (arrow_of(lambda: shared(10**4)), "unpacks to over 200 times its size"),
    "texts in lists.arrow": (arrow_of(lambda: shared_in_lists(10**4)), "takes over 512 MB"),
    "runs.arrow": (
        arrow_of(lambda: pa.RunEndEncodedArray.from_arrays([10**8], ["word"])), "rows in"
    ),
    "nulls in a list.arrow": (arrow_of(nulls_in_a_list), "row 1 has over"),
}  # fmt: skip


@pytest.mark.parametrize("name", LYING)
def test_what_a_file_claims_and_unpacks_to_is_held_to_its_size(tmp_path, name):
    write, words = LYING[name]
    write(tmp_path / name)
    read_table_of_one_row(tmp_path)
    here, began = psutil.Process().memory_info().rss, processor_seconds()
    with pytest.raises(DataError, match=rf"^{name}: .*({words})"):
        read_table(tmp_path / name)
    assert processor_seconds() - began < 4
    assert psutil.Process().memory_info().rss - here < 100 * 2**20
    assert all(psutil.Process(pid).memory_info().rss < 300 * 2**20 for pid in pids())


def read_table_of_one_row(folder):
    """So that child and libraries are there."""
    parquet.write_table(pa.table({"text": ["x"]}), folder / "first.parquet")
    read_table(folder / "first.parquet")


def test_reading_can_be_cancelled(tmp_path):
    parquet.write_table(pa.table({"n": range(100_000)}), tmp_path / "rows.parquet")
    end_children()
    assert_can_be_cancelled(tmp_path / "rows.parquet")


def test_a_packed_text_that_is_nothing_but_one_letter_is_refused(tmp_path):
    import gzip

    with gzip.open(tmp_path / "rows.jsonl.gz", "wb") as file:
        for _ in range(100):
            file.write(b'{"text": "' + b"a" * 2**20 + b'"}\n')
    with pytest.raises(DataError, match="more than 200 times its size"):
        read_table(tmp_path / "rows.jsonl.gz")
