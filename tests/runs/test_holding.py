"""Which rows hold: the same whenever it is asked, and soon told however often a run went back."""

import itertools
import random
import time
from array import array

import numpy as np
import pytest

from lora_lab.runs.holding import Holding
from lora_lab.runs.lines import held_lines
from lora_lab.runs.past import past_records

STEP = b'{"record":"StepRecord","step":%d,"loss":0.5,"learning_rate":0.001,"seconds":1.0}\n'
EDIT = b'{"record":"ClippedRecord","step":%d,"bound":1.0,"norm":2.0}\n'
OTHER = b'{"record":"StateRecord","step":%d}\n'
BACK = b'{"record":"ResumedRecord","step":%d,"stage":[0,9],"notes":[],"edits":%d}\n'
SOME = 20_000


def at_once(rows, step, edits):
    """What holds of (row, step, edit), the plain way."""
    held = [row for row in rows if row[1] <= step]
    changing = itertools.count(1)
    return [row for row in held if edits < 0 or not row[2] or next(changing) <= edits]


@pytest.mark.parametrize("settles", [0.0, 0.1, 1.0])
def test_what_holds_is_the_same_whenever_it_is_asked(settles):
    rng = random.Random(0)
    for _ in range(300):
        holding, plain = Holding(rng.choice(([], array("q")))), []
        for number in range(rng.randint(1, 60)):
            kind = rng.random()
            if kind < 0.7:
                row = (number, rng.choice((-1, 0, *range(12))), rng.random() < 0.4)
                holding.add(*row)
                plain.append(row)
            elif kind < 0.9:
                back = rng.randint(0, 12), rng.choice((-1, 0, 1, 2, 5))
                holding.go_back(*back)
                plain = at_once(plain, *back)
            elif not holding.unsettled and plain:
                place = rng.randrange(len(plain))
                holding.drop(place)
                del plain[place]
            if rng.random() < settles:
                holding.settle()
                assert list(holding.rows) == [row for row, _, _ in plain]
        holding.settle()
        rows = zip(holding.rows, holding.steps, holding.edits, strict=True)
        assert [(row, step, bool(edit)) for row, step, edit in rows] == plain


def test_a_row_that_is_dropped_before_it_is_settled_is_gone():
    holding = Holding([])
    for row, step in (("a", 1), ("b", 9), ("c", 2)):
        holding.add(row, step)
    holding.go_back(5)
    holding.drop(2)
    holding.settle()
    assert holding.rows == ["a"]
    assert np.array_equal(holding.steps, [1])


FILES = {
    "steps, then many times back": [*(STEP % n for n in range(SOME)), *[BACK % (10**6, -1)] * SOME],
    "there and back": [
        *(STEP % n for n in range(SOME)),
        *(line for n in range(SOME) for line in (STEP % (SOME + n), BACK % (SOME + n - 1, -1))),
    ],
    "each time one less": [
        *(STEP % n for n in range(SOME)), *(BACK % (n, -1) for n in reversed(range(SOME)))
    ],
    "falling, before others": [
        *(OTHER % n for n in reversed(range(SOME))), *[OTHER % 0] * SOME,
        *(BACK % (n, -1) for n in reversed(range(SOME))),
    ],
    "edits, each time one less": [
        *[EDIT % 1] * SOME, *(BACK % (9, n) for n in reversed(range(SOME)))
    ],
    "edits there and back": [*[EDIT % 1] * SOME, *[EDIT % 1, BACK % (9, SOME)] * SOME],
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("reader", ["some", "all", "past"])
def test_going_back_as_often_as_one_likes_takes_a_moment(tmp_path, name, reader):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join(FILES[name]))
    readers = {"some": lambda: held_lines(path, most=20_000), "all": lambda: held_lines(path),
               "past": lambda: past_records(path, 10**7)}  # fmt: skip
    began = time.process_time()
    for _ in readers[reader]():
        pass
    assert time.process_time() - began < 2
