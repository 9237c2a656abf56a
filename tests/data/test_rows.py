"""Tables are read from what people have; a row that cannot be read is named with its number."""

import json
import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from lora_lab.data import rows
from lora_lab.data.rows import read_table
from lora_lab.errors import DataError

ROWS = [{"text": "a film", "label": "good"}, {"text": "ü, or\nnot", "label": "bad"}]


def jsonl(path):
    path.write_text("\n".join(map(json.dumps, ROWS)) + "\n")


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
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path, name):
    FORMATS[name](tmp_path / name)
    table = read_table(tmp_path / name)
    assert table.columns == ("text", "label")
    assert table.rows == ROWS
    assert table.notes == ()


def test_plain_text_is_read_in_paragraphs(tmp_path):
    (tmp_path / "book.txt").write_text("One line\nand another.\n\n\nThe second.\n")
    table = read_table(tmp_path / "book.txt")
    assert [row["text"] for row in table.rows] == ["One line\nand another.", "The second."]
    assert table.numbers == [1, 5]


def test_one_column_is_a_table(tmp_path):
    (tmp_path / "one.csv").write_text("text\nfirst\nsecond\n")
    assert read_table(tmp_path / "one.csv").rows == [{"text": "first"}, {"text": "second"}]


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
    "folder": (lambda p: p.mkdir(), "folder"),
    "missing": (lambda p: None, "no such file"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(50)), "gzip"),
    "zip": (lambda p: p.write_bytes(b"PK\3\4" + bytes(50)), "zip"),
    "pointer": (lambda p: p.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "LFS"),
    "page": (lambda p: p.write_bytes(b"<!DOCTYPE html><html>"), "web page"),
    "image": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50)), "image"),
    "binary": (lambda p: p.write_bytes(b"ab\0\0\1\2" * 50), "not text"),
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


def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    jsonl(path)
    states = iter([(path.stat().st_size, 1, 1), (path.stat().st_size, 2, 1)])
    monkeypatch.setattr(rows, "_state", lambda _: next(states))
    with pytest.raises(DataError, match="changed while it was read"):
        read_table(path)


def test_one_giant_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "LONGEST_LINE", 1000)
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "' + b"x" * 2000 + b'"}\n')
    with pytest.raises(DataError, match="no table of rows"):
        read_table(tmp_path / "rows.jsonl")
