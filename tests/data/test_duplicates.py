"""Rows that stand twice are counted, wherever they stand."""

import numpy as np
import pytest

from lora_lab.data.duplicates import duplicate_notes, prints

CASES = {
    "nothing": ([[1], [2]], [[3]], None, ()),
    "held out": ([[1], [2], [3]], [[1], [3], [4]], None,
                 ("2 of 3 validation rows are trained on as well",)),
    "all held out": ([[1], [2]], [[2]], None, ("1 of 1 validation row is trained on as well",)),
    "twice": ([[1], [1], [1], [2]], [], None, ("2 duplicate rows to train on",)),
    "labels": ([[1], [1], [2]], [], [0, 1, 1],
               ("1 duplicate row to train on",
                "1 row to train on with labels that contradict")),
    "shapes": ([[1, 2], [[1], [2]]], [], None, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_stands_twice_is_named_with_a_count(name):
    train, held_out, labels, notes = CASES[name]
    both = (prints(np.array(row, dtype=np.int32) for row in rows) for rows in (train, held_out))
    assert duplicate_notes(*both, labels) == notes
