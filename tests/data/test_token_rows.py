"""Rows of tokens come back as they were put in, from memory and from the disk, and are summed."""

import errno
import io

import numpy as np
import pytest

from lora_lab import paths
from lora_lab.data import token_writer
from lora_lab.data.preferences import Pair
from lora_lab.data.tags import NONE, Tagged
from lora_lab.data.token_rows import Example
from lora_lab.data.token_writer import TokenWriter, gathered

random = np.random.default_rng(0)


def example(number, size, kind=Example, **more):
    ids = random.integers(0, 60_000, size, dtype=np.int32)
    return kind(ids, random.random(size) < 0.5, int(random.integers(3)), number, **more)


def pair(number, one, other):
    return Pair.of(example(number, one), example(number, other), number % 2 == 0)


def tagged(number, size):
    made = example(number, size)
    tags = np.where(made.supervised, random.integers(0, 4, size), NONE)
    return Tagged(made.ids, made.supervised, made.cut, number, tags)


SETS = {
    "texts": [example(n, 1 + n % 7) for n in range(1, 40)],
    "nothing but empty ones": [example(n, 0) for n in (1, 2, 3)],
    "an empty one": [example(1, 0), example(2, 3), example(3, 0)],
    "segments from the third row on": [
        *(example(n, 4) for n in (1, 2)),
        *(example(n, 5, types=np.array([0, 0, 1, 1, 1], np.int8)) for n in (3, 4)),
    ],
    "pairs": [pair(n, 1 + n % 3, 1 + n % 5) for n in range(1, 20)],
    "tags": [tagged(n, 3 + n % 4) for n in range(1, 20)],
}


def put_together(examples, vocabulary=60_000):
    writer = TokenWriter(type(examples[0]), vocabulary)
    for one in examples:
        writer.add(one)
    return writer.rows(), writer.notes()


def fields(one):
    """What an example says, as plain values."""
    if isinstance(one, Pair):
        return (*map(fields, one.texts()), one.chat)
    types = [0] * len(one.ids) if one.types is None else one.types.tolist()
    tags = one.tags.tolist() if isinstance(one, Tagged) else ()
    return one.ids.tolist(), one.supervised.tolist(), one.cut, one.number, types, tags


class Filling(io.FileIO):
    """A file on a disk that has so many bytes left."""

    left = 0

    def write(self, part):
        if Filling.left <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = super().write(part[: Filling.left])
        Filling.left -= done
        return done


@pytest.fixture(params=["in memory", "on the disk", "a full disk", "a disk that fills up"])
def disk(request, monkeypatch, tmp_path):
    """Where rows are put; what is to be said of it."""
    if request.param == "in memory":
        return ""
    monkeypatch.setattr(token_writer, "FLUSHED", 8)
    monkeypatch.setattr(token_writer, "HELD", 0)
    if request.param == "on the disk":
        return ""
    names = (tmp_path / str(n) for n in range(100))
    monkeypatch.setattr(token_writer, "unnamed_file", lambda: Filling(next(names), "w+"))
    Filling.left = 0 if request.param == "a full disk" else 30
    return "the disk is full"


@pytest.mark.parametrize("name", SETS)
def test_rows_come_back_as_they_were_put_in(disk, name):
    examples = SETS[name]
    rows, notes = put_together(examples)
    assert [fields(one) for one in rows] == [fields(one) for one in examples]
    assert disk in " ".join(notes)
    assert bool(notes) == bool(disk)
    some = np.array([len(examples) - 1, 0, 1])
    assert [fields(one) for one in rows.subset(some)] == [fields(examples[i]) for i in some]
    assert [fields(one) for one in rows[1:3]] == [fields(one) for one in examples[1:3]]
    assert not list(paths.caches().glob("*")) if paths.caches().exists() else True


@pytest.mark.parametrize("name", SETS)
def test_rows_are_summed_as_one_by_one(name):
    rows = gathered(SETS[name])
    for some in (rows, rows.subset(np.array([2, 0]))):
        each = list(some)
        texts = [one.texts() for one in each]
        double = 2 if rows.kind is Pair else 1
        kept = [max(len(text.ids) for text in row) for row in texts]
        assert some.rooms.tolist() == [double * tokens for tokens in kept]
        assert some.lengths.tolist() == [max(len(t.ids) + t.cut for t in row) for row in texts]
        assert some.cuts.tolist() == [one.cut for one in each]
        assert some.asked.tolist() == [int(one.supervised.sum()) for one in each]
        assert some.tokens == sum(len(one.ids) for one in each)
        assert some.numbers.tolist() == [one.number for one in each]
    used = {int(i) for one in rows for i in one.ids}
    assert rows.used() == used
    assert rows.beyond(max(used, default=0) + 1) is None
    if not used:
        return
    token, number = rows.beyond(max(used))
    assert token == max(used)
    assert any(one.number == number and token in one.ids for one in rows)


def test_equal_rows_have_equal_prints_and_others_do_not():
    ids, asked = np.arange(4, dtype=np.int32), np.array([False, True, True, False])
    one = Example(ids, asked, 0, 1)
    texts = {
        "the same elsewhere": (Example(ids.copy(), asked.copy(), 3, 9), True),
        "another token": (Example(ids[::-1].copy(), asked, 0, 1), False),
        "other targets": (Example(ids, ~asked, 0, 1), False),
        "a part": (Example(ids[:3], asked[:3], 0, 1), False),
    }
    prints = gathered([one, *(other for other, _ in texts.values())]).prints
    assert [prints[0] == found for found in prints[1:]] == [same for _, same in texts.values()]
    seams = [Pair.of(*(Example(i, i > 9, 0, 1) for i in (ids[:n], ids[n:])), False) for n in (1, 2)]
    assert len(set(gathered(seams).prints.tolist())) == 2, "where a text ends counts"


def test_tags_can_be_called_otherwise():
    rows = gathered(SETS["tags"])
    for new in (np.array([3, 2, 1, 0]), np.array([1, 0, 3, 2])):
        renamed = rows.with_tags(new)
        for before, after in zip(rows, renamed, strict=True):
            wanted = [tag if tag == NONE else new[tag] for tag in before.tags]
            assert after.tags.tolist() == wanted
        assert renamed.asked_tags().tolist() == [
            tag for row in renamed for tag in row.tags if tag != NONE
        ]
    twice = rows.with_tags(np.array([3, 2, 1, 0])).with_tags(np.array([3, 2, 1, 0]))
    assert [fields(one) for one in twice] == [fields(one) for one in rows]
