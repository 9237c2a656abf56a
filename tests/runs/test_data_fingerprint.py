"""The fingerprint of data: of a file's bytes, of a folder's names and sizes."""

import hashlib
import os

from lora_lab.runs.data_fingerprint import data_fingerprint, is_in_splits


def test_a_file_is_known_by_its_bytes(tmp_path, monkeypatch):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"abc")
    assert data_fingerprint(str(file)) == hashlib.sha256(b"abc").hexdigest()
    first = data_fingerprint(str(file))
    file.write_bytes(b"abd")
    assert data_fingerprint(str(file)) != first
    monkeypatch.setattr("lora_lab.runs.data_fingerprint.WHOLE", 2)
    assert data_fingerprint(str(file)).startswith("3 bytes of ")


def test_a_folder_is_known_by_names_and_sizes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"xx")
    first = data_fingerprint(str(tmp_path))
    (tmp_path / "a" / "2.png").write_bytes(b"xx")
    assert data_fingerprint(str(tmp_path)) != first


def test_names_in_another_encoding_are_names(tmp_path):
    names = [os.fsdecode(b"train-\xff.jsonl"), "test.jsonl"]
    for name in names:
        (tmp_path / name).write_text('{"text": "a"}\n')
    found = {data_fingerprint(str(tmp_path), rows=True), data_fingerprint(str(tmp_path)),
             data_fingerprint(f"{tmp_path}/*.jsonl")}  # fmt: skip
    assert len(found - {""}) == 3


def test_no_data_has_none():
    assert data_fingerprint("a\0b") == ""
    assert data_fingerprint(None) == data_fingerprint("/nowhere") == ""


def test_of_a_folder_of_splits_what_is_read_counts(tmp_path):
    for name in ("train.jsonl", "test.jsonl"):
        (tmp_path / name).write_text("{}")
    whole, read = (data_fingerprint(str(tmp_path), rows) for rows in (False, True))
    assert is_in_splits(str(tmp_path))
    (tmp_path / "test.jsonl").write_text("{}{}")
    assert data_fingerprint(str(tmp_path)) != whole
    assert data_fingerprint(str(tmp_path), rows=True) == read
    (tmp_path / "train.jsonl").write_text("{}{}")
    assert data_fingerprint(str(tmp_path), rows=True) != read
    (tmp_path / "test.jsonl").unlink()  # without another split it is a folder like any other
    assert not is_in_splits(str(tmp_path))
    assert data_fingerprint(str(tmp_path), rows=True) == data_fingerprint(str(tmp_path))
