"""Tables are read from what people have; a row that cannot be read is named with its number."""

import bz2
import gzip
import json
import lzma
import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from lora_lab.data import json_rows, row_files, text_rows
from lora_lab.data.row_files import files_of
from lora_lab.data.rows import read_table
from lora_lab.errors import DataError
from lora_lab.runs.data_fingerprint import data_fingerprint
from tests.data.cancelled import assert_can_be_cancelled
from tests.spent import processor_seconds

ROWS = [{"text": "a film", "label": "good"}, {"text": "ü, or\nnot", "label": "bad"}]


def rows_of(table):
    return [row for _, row in table.rows]


def numbers_of(table):
    return [number for number, _ in table.rows]


def jsonl(path):
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n")


def lines():
    return "\n".join(map(json.dumps, ROWS)).encode()


def arrow(path, opened):
    table = pa.Table.from_pylist(ROWS)
    with opened(str(path), table.schema) as file:
        file.write_table(table)


def csv(path, mark=","):
    path.write_text(f'text{mark}label\na film{mark}good\n"ü, or\nnot"{mark}bad\n', "utf-8")


FORMATS = {
    "rows.jsonl": jsonl,
    "rows.json": lambda p: p.write_text(json.dumps(ROWS, indent=1)),
    "rows.csv": csv,
    "semicolons.csv": lambda p: csv(p, ";"),
    "rows.tsv": lambda p: csv(p, "\t"),
    "rows.parquet": lambda p: parquet.write_table(pa.Table.from_pylist(ROWS), p),
    "marked.jsonl": lambda p: p.write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(map(json.dumps, ROWS)).encode()
    ),
    "wide.csv": lambda p: p.write_bytes(
        'text,label\na film,good\n"ü, or\nnot",bad\n'.encode("utf-16")
    ),
    "no-ending": jsonl,
    "rows.jsonl.gz": lambda p: p.write_bytes(gzip.compress(lines())),
    "rows.jsonl.bz2": lambda p: p.write_bytes(bz2.compress(lines())),
    "rows.jsonl.xz": lambda p: p.write_bytes(lzma.compress(lines())),
    "rows.jsonl.zst": lambda p: p.write_bytes(pa.compress(lines(), "zstd", asbytes=True)),
    "rows.csv.gz": lambda p: (csv(p), p.write_bytes(gzip.compress(p.read_bytes()))),
    "data.json": lambda p: p.write_text(json.dumps({"version": "1", "data": ROWS})),
    "pretty.json": lambda p: p.write_text(json.dumps({"examples": ROWS, "x": [1]}, indent=2)),
    "pandas.csv": lambda p: p.write_text(
        ',text,label\n0,a film,good\n1,"ü, or\nnot",bad\n', "utf-8"
    ),
    "rows.arrow": lambda p: arrow(p, pa.ipc.new_stream),
    "file.arrow": lambda p: arrow(p, pa.ipc.new_file),
    "wide.json": lambda p: p.write_bytes(json.dumps(ROWS).encode("utf-16")),
    "wide.jsonl": lambda p: p.write_bytes(lines().decode().encode("utf-16")),
    "rows.parquet.gz": lambda p: (
        parquet.write_table(pa.Table.from_pylist(ROWS), p),
        p.write_bytes(gzip.compress(p.read_bytes())),
    ),
    "rows.json.zst": lambda p: p.write_bytes(
        pa.compress(json.dumps(ROWS).encode(), "zstd", asbytes=True)
    ),
    "mac.jsonl": lambda p: p.write_bytes(lines().replace(b"\n", b"\r")),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path, name):
    FORMATS[name](tmp_path / name)
    table = read_table(tmp_path / name)
    assert table.columns == ("text", "label")
    assert rows_of(table) == ROWS
    assert table.notes == ()


def test_plain_text_is_read_in_paragraphs(tmp_path):
    (tmp_path / "book.txt").write_text("One line\nand another.\n\n\nThe second.\n")
    table = read_table(tmp_path / "book.txt")
    assert [row["text"] for row in rows_of(table)] == ["One line\nand another.", "The second."]
    assert numbers_of(table) == [1, 5]


def test_one_column_is_a_table(tmp_path):
    (tmp_path / "one.csv").write_text("text\nfirst\nsecond\n")
    assert rows_of(read_table(tmp_path / "one.csv")) == [{"text": "first"}, {"text": "second"}]


GOOD = b'{"text": "x"}\n'
LINES = {
    "not JSON": (GOOD * 6999 + b'{"text": \n' + GOOD, "line 7,000"),
    "a list": (GOOD + b"[1, 2]\n", "line 2: not a JSON object"),
    "not UTF-8": (GOOD * 3 + b'{"text": "\xe4"}\n', "line 4.*0xe4"),
    "deep": (
        GOOD + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"\n",
        "line 2: .*nested too deeply",
    ),
    "fields": (b"a,b\n1,2\n1,2,3\n", "line 3: 3 fields"),
    "a quote": (b'a,b\n1,"2\n', "line 2"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_row_is_named_and_may_be_left_out(tmp_path, name):
    raw, reason = LINES[name]
    path = tmp_path / ("rows.csv" if raw[:1] == b"a" else "rows.jsonl")
    path.write_bytes(raw)
    with pytest.raises(DataError, match=reason) as caught:
        read_table(path)
    assert len(str(caught.value)) < 300
    good = raw.count(GOOD) or (1 if b"1,2\n" in raw else 0)
    if not good:
        return
    table = read_table(path, skip_bad=True)
    assert len(table.rows) == good
    assert "1 row was left out" in table.notes[0]


def _pipe(path):
    os.mkfifo(path)


def _parquet_cut(path):
    parquet.write_table(pa.Table.from_pylist(ROWS), path)
    path.write_bytes(path.read_bytes()[:-20])


FILES = {
    "empty": (lambda p: p.write_bytes(b""), "empty"),
    "folder": (lambda p: p.mkdir(), "folder with no file of rows"),
    "missing": (lambda p: None, "no such file"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(50)), r"\.gz file is damaged"),
    "zip": (lambda p: p.write_bytes(b"PK\3\4" + bytes(50)), "zip"),
    "pointer": (lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "LFS"),
    "page": (lambda p: p.write_bytes(b"<!DOCTYPE html><html>"), "web page"),
    "image": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50)), "image"),
    "binary": (lambda p: p.write_bytes(b"ab\0\0\1\2" * 50), "not text"),
    "UTF-32": (lambda p: p.write_bytes("text\nx\n".encode("utf-32")), "UTF-32. Save it as UTF-8"),
    "cut parquet": (_parquet_cut, "Parquet"),
    "doubled columns": (lambda p: p.write_text("a,a\n1,2\n"), "name every column"),
    "only a head": (lambda p: p.write_text("a,b\n"), "no row"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_table_is_said_in_words(tmp_path, name):
    make, reason = FILES[name]
    path = tmp_path / ("rows.parquet" if "parquet" in name else "rows.csv")
    make(path)
    with pytest.raises(DataError, match=reason) as caught:
        read_table(path)
    assert str(caught.value).startswith(path.name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
@pytest.mark.timeout(10)
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "rows.csv")
    with pytest.raises(DataError, match="regular"):
        read_table(tmp_path / "rows.csv")


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path):
    path = tmp_path / "rows.jsonl"
    jsonl(path)
    table = read_table(path)
    reading = iter(table.rows)
    next(reading)
    path.write_bytes(path.read_bytes() + GOOD)
    with pytest.raises(DataError, match=r"rows\.jsonl: it changed while it was read"):
        list(reading)
    with pytest.raises(DataError, match="changed while it was read"):
        list(table.rows)


def test_one_giant_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_rows, "LONGEST_LINE", 1000)
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "' + b"x" * 2000 + b'"}\n')
    with pytest.raises(DataError, match="no table of rows"):
        read_table(tmp_path / "rows.jsonl")


def test_a_folder_and_a_pattern_are_all_of_their_files(tmp_path):
    for name, word in (("b", "second"), ("a", "first")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": word}) + "\n" + GOOD.decode())
    (tmp_path / "readme.md").write_text("no rows")
    for given in (tmp_path, tmp_path / "*.jsonl"):
        table = read_table(given)
        assert [row["text"] for row in rows_of(table)] == ["first", "x", "second", "x"]
        assert numbers_of(table) == [1, 2, 3, 4]
        assert [table.where(n) for n in numbers_of(table)] == [
            "a.jsonl: row 1", "a.jsonl: row 2", "b.jsonl: row 1", "b.jsonl: row 2",
        ]  # fmt: skip
        assert table.notes == ("2 files, a.jsonl to b.jsonl",)
    with pytest.raises(DataError, match="no file fits"):
        read_table(tmp_path / "*.csv")


def test_a_bad_row_of_several_files_is_named_with_its_file(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(GOOD * 3)
    (tmp_path / "b.jsonl").write_bytes(GOOD + b"{\n" + GOOD)
    with pytest.raises(DataError, match=r"b\.jsonl: line 2"):
        read_table(tmp_path)
    table = read_table(tmp_path, skip_bad=True)
    assert len(table.rows) == 5
    assert "1 row of b.jsonl was left out (line 2" in table.notes[0]


def test_a_data_set_saved_with_splits_is_its_training_split(tmp_path):
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        arrow(tmp_path / split / "data-00000-of-00001.arrow", pa.ipc.new_stream)
        (tmp_path / split / "state.json").write_text("{}")
        (tmp_path / split / "dataset_info.json").write_text("{}")
    table = read_table(tmp_path)
    assert rows_of(table) == ROWS
    assert table.notes == ("the split train is read, not test",)


def sparse(path):
    with path.open("wb") as file:
        file.truncate(2**32)


LISTS_OF_SPLITS = {
    "nested deep": (lambda p: p.write_text("[" * 50_000), "cannot be read"),
    "nested deep within": (lambda p: p.write_text('{"splits": [' + "[" * 50_000), "cannot be read"),
    "four gigabytes": (sparse, "too long for a list of splits"),
    "a million": (lambda p: p.write_text(json.dumps({"splits": ["x"] * 10**6})), "too long"),
    "one many times": (lambda p: p.write_text(json.dumps({"splits": ["x"] * 9_000})),
                       r"none of its splits \(x\) is called train"),
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS_OF_SPLITS)
def test_a_list_of_splits_that_is_none_is_refused_in_a_line(tmp_path, name):
    write, words = LISTS_OF_SPLITS[name]
    write(tmp_path / "dataset_dict.json")
    (tmp_path / "x").mkdir()
    began = processor_seconds()
    with pytest.raises(DataError, match=words) as refused:
        read_table(tmp_path)
    assert len(str(refused.value)) < 200
    assert processor_seconds() - began < 1


@pytest.mark.parametrize("about", [b"[" * 200_000, b"{}", b"null", b"\xff"])
def test_what_is_kept_beside_an_arrow_file_may_be_anything(tmp_path, about):
    table = pa.table({"text": ["a"]}).replace_schema_metadata({b"huggingface": about})
    with pa.ipc.new_file(str(tmp_path / "x.arrow"), table.schema) as file:
        file.write_table(table)
    assert rows_of(read_table(tmp_path / "x.arrow")) == [{"text": "a"}]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "list.json"])
def test_a_row_of_more_values_than_a_row_has_is_named(tmp_path, name):
    row = '{"text": "b", "x": [[' + "[]," * 4_000_000 + "0]]}"
    lists = name == "list.json"
    whole = '[{"text": "a"}, ' + row + "]" if lists else '{"text": "a"}\n' + row + "\n"
    (tmp_path / name).write_text(whole)
    with pytest.raises(DataError, match=r"(row|line) 2: over 2,097,152 values"):
        read_table(tmp_path / name)
    if not lists:
        assert rows_of(read_table(tmp_path / name, skip_bad=True)) == [{"text": "a"}]


def test_many_rows_of_a_list_are_not_one(tmp_path):
    row = {"text": "a", "x": [[0.5, 1]] * 100_000}
    (tmp_path / "x.json").write_text(json.dumps([row] * 6))
    assert len(read_table(tmp_path / "x.json").rows) == 6


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_classes_have_the_names_that_are_kept_beside_them(tmp_path, kind):
    feature = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": feature}}).encode()}
    table = pa.table({"text": ["a", "b", "c"], "label": [1, 0, -1]}).replace_schema_metadata(about)
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        parquet.write_table(table, path)
    else:
        with pa.ipc.new_stream(str(path), table.schema) as file:
            file.write_table(table)
    assert [row["label"] for row in rows_of(read_table(path))] == ["pos", "neg", None]


def test_a_quote_that_is_never_closed_spoils_its_own_row_alone(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('text,label\na,x\n"open,y\n' + "good,z\n" * 2000 + '"quoted, too",w\n')
    with pytest.raises(DataError, match="line 3"):
        read_table(path)
    table = read_table(path, skip_bad=True)
    assert len(table.rows) == 2002
    assert rows_of(table)[-1] == {"text": "quoted, too", "label": "w"}
    assert "1 row was left out (line 3" in table.notes[0]


QUOTES = {  # lines behind "a,b", and how many of them are rows
    "each line opens what the next closes": ('x","y\n' * 60_000, 0),
    "and the last one, too": ('x","y\n' * 60_000 + 'x"\n', 0),
    "with what is closed in vain": ('x,"y\n' * 30_000 + '"\n', 1),
    "short lines first": (
        "\n" * 50_000 + "1,2\n" * 50_000 + ('x","' + "y" * 3000 + "\n") * 500,
        None,
    ),
    "a quote in each hundredth row": (('"x,y\n' + "1,2\n" * 99) * 300, 29_700),
    "no other quote": ('"x,y\n' + "1,2\n" * 300_000, 300_000),
}


@pytest.mark.parametrize("name", QUOTES)
def test_quotes_that_go_on_from_row_to_row_are_not_followed_again_and_again(tmp_path, name):
    text, rows = QUOTES[name]
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n" + text)
    began = processor_seconds()
    table = read_table(tmp_path / "rows.csv", skip_bad=True)
    assert processor_seconds() - began < 4
    assert rows is None or len(table.rows) == rows + 1
    assert "left out" in table.notes[0]


def test_a_cell_of_many_lines_is_one_cell(tmp_path):
    book = "a line of a book\n" * 130_000
    (tmp_path / "rows.csv").write_text(f'a,b\n"{book}",2\n' + '"x\n",3\n')
    assert rows_of(read_table(tmp_path / "rows.csv"))[0] == {"a": book, "b": "2"}


@pytest.mark.parametrize(
    "text", ["a,b\n" + '"' + "x" * (2**24 + 1) + '",2\n', 'a,b\n"' + "x\n" * 2**19]
)
def test_a_cell_that_never_ends_is_a_bad_row(tmp_path, text):
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(DataError, match=r"line 2: (field larger|a quote is not closed within)"):
        read_table(tmp_path / "rows.csv")


def test_a_text_without_a_blank_line_is_a_bad_row(tmp_path):
    (tmp_path / "rows.txt").write_text("x\n" * 2**20 + "\ngood\n")
    with pytest.raises(DataError, match="line 1: it is too long for one text: put blank lines"):
        read_table(tmp_path / "rows.txt")
    assert rows_of(read_table(tmp_path / "rows.txt", skip_bad=True)) == [{"text": "good"}]
    with gzip.open(tmp_path / "rows.txt.gz", "wb", compresslevel=9) as file:
        file.write(b"a\n" * 38_000_000)
    began = processor_seconds()
    with pytest.raises(DataError, match="put blank lines"):
        read_table(tmp_path / "rows.txt.gz")
    assert processor_seconds() - began < 1


ENDS = {
    "old macs": lambda text: text.replace("\n", "\r").encode(),
    "wide": lambda text: text.encode("utf-16"),
}


@pytest.mark.parametrize("name", ENDS)
def test_lines_of_any_length_are_told_apart_in_one_go(tmp_path, monkeypatch, name):
    write = ENDS[name]
    rows = [{"text": "a" * length} for length in (5, 300_000, 2, 700_000, 1)] * 3
    (tmp_path / "rows.jsonl").write_bytes(write("".join(json.dumps(row) + "\n" for row in rows)))
    assert rows_of(read_table(tmp_path / "rows.jsonl")) == rows
    (tmp_path / "rows.jsonl").write_bytes(write('{"text": "x"}\n' + "a" * 30_000_000))
    began = processor_seconds()
    with pytest.raises(DataError, match="line 2: not JSON"):
        read_table(tmp_path / "rows.jsonl")
    assert processor_seconds() - began < 2
    monkeypatch.setattr(text_rows, "LONGEST_LINE", 1_000_000)
    with pytest.raises(DataError, match="line 2 has over 1,000,000 bytes"):
        read_table(tmp_path / "rows.jsonl")


WIDE = {
    "new keys in each row": "".join(f'{{"text": "a", "k{n}": 1}}\n' for n in range(20_000)),
    "a row of many": json.dumps({f"k{n}": 1 for n in range(50_000)}),
    "long names": json.dumps({"text": "a", "k" * 2_000_000: 1}),
}


@pytest.mark.parametrize("name", WIDE)
def test_a_table_has_an_end_to_the_right(tmp_path, name):
    (tmp_path / "rows.jsonl").write_text(WIDE[name])
    began = processor_seconds()
    with pytest.raises(DataError, match="over 10,000 columns, or the longest names") as refused:
        read_table(tmp_path / "rows.jsonl")
    assert processor_seconds() - began < 2
    assert len(str(refused.value)) < 200


def test_a_table_may_be_wide(tmp_path):
    names = [f"a measure number {n}" for n in range(10_000)]
    (tmp_path / "x.csv").write_text(",".join(names) + "\n" + ",".join(["0.5"] * 10_000) + "\n")
    assert len(read_table(tmp_path / "x.csv").columns) == 10_000


def test_of_long_rows_few_are_looked_at(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"text": "x" * 2**20}) + "\n")
    with (tmp_path / "x.jsonl").open("a") as file:
        for _ in range(50):
            file.write(json.dumps({"text": "x" * 2**20, "more": [{"a": ["b"]}]}) + "\n")
    table = read_table(tmp_path / "x.jsonl")
    assert (len(table.rows), len(table.sample)) == (51, 16)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_of_blank_lines_can_be_left(tmp_path, packed):
    blank = b'{"text": "a"}' + b"\n" * 2**24
    (tmp_path / "x.jsonl").write_bytes(gzip.compress(blank[: 2**23]) if packed else blank)
    assert_can_be_cancelled(tmp_path / "x.jsonl")


def test_text_that_begins_with_a_brace_is_text(tmp_path):
    (tmp_path / "book.txt").write_text("{sic} he said.\n\nAnd more.\n")
    assert [row["text"] for row in rows_of(read_table(tmp_path / "book.txt"))][1] == "And more."


def test_a_column_that_begins_late_is_a_column(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(GOOD * 1500 + b'{"text": "y", "input": "late"}\n')
    assert read_table(path).columns == ("text", "input")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a": [{"x": 1}],\n "b": [{"x": 1}]}', "several lists of rows"),
        ('{"a": \n 1}', "no list of"),
    ],
)
def test_one_object_that_does_not_say_where_its_rows_are(tmp_path, text, reason):
    (tmp_path / "rows.json").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_table(tmp_path / "rows.json")


def test_a_packed_file_may_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "LARGEST", 10_000)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(GOOD * 10_000))
    with pytest.raises(DataError, match="unpacked it has over"):
        read_table(tmp_path / "rows.jsonl.gz")


SPELLED = {
    "lines of an old Mac": "text,label\ra film,good\rno,bad\r",
    "Excel's line of the separator": "sep=;\ntext;label\na film;good\nno;bad\n",
    "empty lines first": "\n  \ntext,label\na film,good\nno,bad\n",
    "a separator within quotes": '"text";"label"\n"a film";good\nno;bad\n',
}


@pytest.mark.parametrize("name", SPELLED)
def test_tables_as_programs_write_them(tmp_path, name):
    (tmp_path / "rows.csv").write_bytes(SPELLED[name].encode())
    table = read_table(tmp_path / "rows.csv")
    assert rows_of(table) == [{"text": "a film", "label": "good"}, {"text": "no", "label": "bad"}]


def test_the_separator_is_counted_outside_of_quotes(tmp_path):
    (tmp_path / "rows.csv").write_text('"text, whole";label\na;good\n')
    assert rows_of(read_table(tmp_path / "rows.csv")) == [{"text, whole": "a", "label": "good"}]


def test_lines_of_json_may_end_as_old_macs_write_them(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(lines().replace(b"\n", b"\r"))
    assert rows_of(read_table(tmp_path / "rows.jsonl")) == ROWS


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_a_key_that_stands_twice_is_named_and_nothing_is_lost_unseen(tmp_path, name):
    row = '{"text": "first", "text": "second"}'
    (tmp_path / name).write_text(f"[{row}]" if name.endswith("json") else row)
    with pytest.raises(DataError, match="the key 'text' stands twice"):
        read_table(tmp_path / name)


def test_of_a_folder_with_splits_only_training_is_read(tmp_path):
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001", "val.en"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}) + "\n")
    (tmp_path / "README.txt").write_text("About this data.\n")
    (tmp_path / "latest.jsonl").write_text('{"text": "latest"}\n')  # no split is named in it
    table = read_table(tmp_path)
    assert [row["text"][:6] for row in rows_of(table)] == ["latest", "train-", "train-"]
    assert table.notes[0] == ("of other splits, not read: test-00000-of-00001.jsonl, val.en.jsonl")
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "test.jsonl").write_text('{"text": "a"}\n')
    assert rows_of(read_table(tmp_path / "only")) == [{"text": "a"}], "it was chosen by itself"


def test_keys_that_a_table_fills_in_from_other_rows_are_not_there(tmp_path):
    """A file of columns has one set of keys: what another row's call takes is null in this one."""
    arguments = [{"city": "Paris"}, {"unit": "C", "days": [1, None]}]
    rows = [{"text": None, "call": {"name": "f", "arguments": a}} for a in arguments]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert rows_of(read_table(tmp_path / "rows.parquet")) == rows


NOT_UTF_8 = {
    "a cell of several lines": (b'text,label\n"a\n\xe4\nb",x\ngood,y\n', "rows.csv", 2),
    "a row of a list": (b'[{"text": "a",\n"b": "\xe4"}, {"text": "good"}]', "rows.json", 1),
    "a paragraph": (b"one\n\xe4\n\ngood\n", "rows.txt", 1),
}


@pytest.mark.parametrize("name", NOT_UTF_8)
def test_a_row_of_which_a_part_is_not_utf_8_is_left_out_whole(tmp_path, name):
    raw, file, line = NOT_UTF_8[name]
    (tmp_path / file).write_bytes(raw)
    with pytest.raises(DataError, match=f"line {line}: not UTF-8"):
        read_table(tmp_path / file)
    table = read_table(tmp_path / file, skip_bad=True)
    assert [row["text"] for row in rows_of(table)] == ["good"]
    assert f"1 row was left out (line {line}: not UTF-8" in table.notes[0]


WRONG_JSON = {
    "cut off": '[{"text": "a"}, {"text": ',
    "something behind": '[{"text": "a"}] [1]',
    "no comma": '[{"text": "a"} {"text": "b"}]',
    "no end": '[{"text": "a"}',
    "deep": '[{"a":' + "[" * 100_000,
    "a long number": '[{"a": ' + "1" * 5000 + "}]",
}


@pytest.mark.parametrize("name", WRONG_JSON)
def test_what_is_no_list_of_json_is_refused_whole(tmp_path, name):
    (tmp_path / "rows.json").write_text(WRONG_JSON[name])
    with pytest.raises(DataError, match="begins like a JSON list, and is none"):
        read_table(tmp_path / "rows.json", skip_bad=True)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("nested", [False, True])
def test_a_list_is_read_as_json_reads_it_wherever_its_parts_end(
    tmp_path, monkeypatch, indent, nested
):
    """Python's own reader of the whole file is the reference, for parts of each size."""
    rows = [{"text": "ü" * n, "n": n * 1.5, "more": [{"x": None}] * (n % 3)} for n in range(1, 30)]
    whole = {"about": [[1], {"a": 2}], "rows": rows, "empty": []} if nested else rows
    (tmp_path / "rows.json").write_text(json.dumps(whole, indent=indent, ensure_ascii=False))
    for size in (1, 2, 3, 7, 64, 10_000):
        monkeypatch.setattr(json_rows, "CHUNK", size)
        assert rows_of(read_table(tmp_path / "rows.json")) == rows


def test_rows_can_be_gone_through_again_and_in_part(tmp_path):
    jsonl(tmp_path / "rows.jsonl")
    table = read_table(tmp_path / "rows.jsonl")
    assert next(iter(table.rows)) == (1, ROWS[0])
    assert table.sample == rows_of(table) == rows_of(table) == ROWS
    assert len(table.rows) == 2


def test_a_pattern_looks_into_few_folders(tmp_path, monkeypatch):
    for folder in "abc":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.jsonl").write_text("{}\n")
    monkeypatch.chdir(tmp_path)
    assert [p.name for p in files_of("*/*.jsonl")] == ["rows.jsonl"] * 3
    assert len(files_of(f"{tmp_path.parent}/{tmp_path.name[:-1]}[0-9]/?/*.jsonl")) == 3
    for endless in ("*/../" * 9 + "*/*.jsonl", "/*/*/*/*.jsonl", "*/../*.jsonl"):
        with pytest.raises(DataError, match="in its last 3 parts, and no"):
            files_of(endless)
        assert data_fingerprint(endless) == ""


def test_a_list_is_no_key_of_an_object(tmp_path):
    (tmp_path / "rows.json").write_text('{[1]: 2, "rows": [{"text": "a"}]}')
    with pytest.raises(DataError, match="no key"):
        read_table(tmp_path / "rows.json")


def test_two_classes_of_one_name_are_refused(tmp_path):
    """As datasets does: they would be one class."""
    feature = {"label": {"names": ["neg", "pos", "neg"], "_type": "ClassLabel"}}
    about = {b"huggingface": json.dumps({"info": {"features": feature}}).encode()}
    table = pa.table({"label": [0, 1, 2]}).replace_schema_metadata(about)
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="two classes of one name, 'neg'"):
        list(rows_of(read_table(tmp_path / "rows.parquet")))
