"""What is kept comes back the very same, or is not believed; the oldest gives way."""

import json
import os
import stat

import numpy as np
import pytest

from lora_lab.data import kept_tokens
from lora_lab.data.kept_tokens import Damaged, Kept, folder, keep, load

KEPT = Kept(
    {
        "ids": np.arange(1000, dtype=np.uint16),
        "supervised": np.arange(1000) % 3 == 0,
        "types": np.zeros(0, np.int8),
        "labels": np.linspace(0, 1, 30, dtype=np.float32).reshape(10, 3),
        "print": np.full(4, 2**64 - 1, np.uint64),
    },
    {"notes": ["ü\n", "b"], "tags": None},
)


@pytest.mark.parametrize("held", [10**9, 0], ids=["read", "mapped"])
def test_what_is_kept_comes_back_the_very_same(monkeypatch, held):
    monkeypatch.setattr(kept_tokens, "HELD", held)
    monkeypatch.setattr(kept_tokens, "BLOCK", 64)
    assert load("one") is None
    keep("one", KEPT)
    found = load("one")
    assert found.facts == KEPT.facts
    assert found.arrays.keys() == KEPT.arrays.keys()
    for name, array in KEPT.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)
    keep("one", KEPT._replace(facts={}))
    assert load("one").facts == {}
    assert load("two") is None


def changed_byte(name, at=3):
    def spoil(place):
        raw = bytearray((place / name).read_bytes())
        raw[at] ^= 1
        (place / name).write_bytes(raw)

    return spoil


def index(edit):
    def spoil(place):
        text = (place / "index.json").read_text()
        (place / "index.json").write_text(edit(text))

    return spoil


def in_place_of(name, make):
    def spoil(place):
        (place / name).unlink()
        make(place / name)

    return spoil


DAMAGE = {
    "a bit of an array": changed_byte("ids"),
    "a bit of what is said": index(lambda text: text.replace('"b"', '"c"')),
    "a cut array": lambda place: os.truncate(place / "print", 8),
    "a longer array": lambda place: os.truncate(place / "print", 800),
    "no array": lambda place: (place / "labels").unlink(),
    "a cut index": index(lambda text: text[:-20]),
    "an empty index": index(lambda text: ""),
    "no index": lambda place: (place / "index.json").unlink(),
    "another format": index(lambda text: text.replace('"format": 1', '"format": 0')),
    "a list": index(lambda text: "[]"),
    "deep": index(lambda text: "[" * 100_000),
    "another folder": index(lambda text: text.replace('"ids"', '"../x"')),
    "many lists": index(lambda text: text[:-1] + ',"x":[' + "[]," * 100_000 + "[]]}"),
    "long": index(lambda text: text + " " * 2**23),
    "a size beyond all": index(lambda text: text.replace("[1000]", "[1e999]")),
    "another type": index(lambda text: text.replace('"<u2"', '"|O"')),
}


if hasattr(os, "mkfifo"):
    DAMAGE["a pipe as the index"] = in_place_of("index.json", os.mkfifo)
    DAMAGE["a pipe as an array of nothing"] = in_place_of("types", os.mkfifo)
    DAMAGE["a device as an array of nothing"] = in_place_of(
        "types", lambda path: path.symlink_to("/dev/zero")
    )


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_not_believed_and_goes(name):
    keep("one", KEPT)
    DAMAGE[name](folder() / "one")
    with pytest.raises(Damaged):
        load("one")
    assert load("one") is None
    keep("one", KEPT)
    assert load("one").facts == KEPT.facts


def test_a_digest_is_of_all_that_the_index_says():
    keep("one", KEPT)
    path = folder() / "one" / "index.json"
    body = json.loads(path.read_text())
    body["facts"]["notes"] = []
    path.write_text(json.dumps(body))
    with pytest.raises(Damaged):
        load("one")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_nobody_else_may_read_what_is_kept():
    keep("one", KEPT)
    for path in (folder(), folder() / "one", *(folder() / "one").iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), path.name


def test_the_oldest_gives_way_and_what_is_too_large_is_not_kept(monkeypatch):
    keep("first", KEPT)
    size = sum(file.stat().st_size for file in (folder() / "first").iterdir())
    monkeypatch.setattr(kept_tokens, "MOST", 3 * size)
    for age, name in ((30, "second"), (20, "third")):
        keep(name, KEPT)
        for file in (folder() / name).iterdir():
            os.utime(file, (age, age))
    for file in (folder() / "first").iterdir():
        os.utime(file, (10, 10))
    assert load("first"), "what is asked for is the newest"
    keep("fourth", KEPT)
    assert [load(name) is not None for name in ("first", "second", "third", "fourth")] == [
        True, True, False, True,
    ]  # fmt: skip
    monkeypatch.setattr(kept_tokens, "MOST", 10)
    keep("fifth", KEPT)
    assert load("fifth") is None
    monkeypatch.setattr(kept_tokens, "MOST", 2**30)
    keep("sixth", Kept(KEPT.arrays, {"notes": ["a" * kept_tokens.LARGEST_INDEX]}))
    assert load("sixth") is None
    monkeypatch.setattr(kept_tokens, "MOST", 10)
    assert load("fourth"), "for what is not kept nothing gives way"


def test_a_place_that_cannot_be_written_is_an_error_of_the_system(home):
    home.write_text("a file in the place of the folder")
    with pytest.raises(NotADirectoryError):
        keep("one", KEPT)
    assert load("one") is None
