"""Every row comes once an epoch, held out or trained on, in batches that a seed decides."""

import time
from itertools import islice, pairwise

import numpy as np
import pytest

from lora_lab.data.batching import batch_order, epoch_steps, packed
from lora_lab.data.split import split

LENGTHS = np.random.default_rng(0).integers(3, 60, 103)


def within(how, budget, skip=0):
    return batch_order(LENGTHS, 1, 3, how, 64, skip, budget)


def epoch(how, seed=0, size=8):
    return list(islice(batch_order(LENGTHS, size, seed, how, 64), -(-len(LENGTHS) // size)))


def flat(batch):
    return [int(i) for piece in batch for i in np.atleast_1d(piece)]


@pytest.mark.parametrize("how", ["bucketed", "packed", "shuffled"])
def test_every_row_comes_once_an_epoch(how):
    batches = [flat(batch) for batch in epoch(how)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))
    assert max(map(len, batches)) == 8
    assert batches == [flat(batch) for batch in epoch(how)]
    assert batches != [flat(batch) for batch in epoch(how, seed=1)]


@pytest.mark.parametrize("how", ["bucketed", "packed", "shuffled"])
@pytest.mark.parametrize("size", [1, 2, 8, 103, 200])  # windows of 50 batches: two of size 1
def test_what_is_left_out_changes_nothing_of_what_comes(how, size):
    whole = [flat(b) for b in islice(batch_order(LENGTHS, size, 3, how, 64), 330)]
    for skip in (0, 1, 2, 12, 13, 14, 103, 104, 207, 315):
        behind = islice(batch_order(LENGTHS, size, 3, how, 64, skip), 15)
        assert [flat(batch) for batch in behind] == whole[skip : skip + 15], skip


@pytest.mark.parametrize("how", ["bucketed", "packed", "shuffled"])
@pytest.mark.parametrize("budget", [1, 40, 59, 130, 512, 10**6])
def test_a_batch_has_as_many_rows_as_its_tokens_have_room_for(how, budget):
    """Every row once an epoch; and no row of the next batch would have fit, by padded tokens."""
    count = epoch_steps(LENGTHS, 3, how, budget)
    batches = [flat(batch) for batch in islice(within(how, budget), count)]
    assert sorted(i for batch in batches for i in batch) == list(range(len(LENGTHS)))

    def size(rows):
        lengths = LENGTHS[rows]
        return lengths.sum() if how == "packed" else len(lengths) * lengths.max()

    assert all(size(rows) <= budget or len(rows) == 1 for rows in batches)
    filled = batches
    if how == "bucketed":  # they come in another order than that in which they were filled
        filled = sorted(batches, key=lambda rows: (LENGTHS[rows].max(), LENGTHS[rows].min()))
    if how != "bucketed" or budget >= 130:  # else there are several windows
        following = pairwise(filled)
        assert all(size([*rows, others[0]]) > budget for rows, others in following)
    for skip in (1, count - 1, count, count + 1, 3 * count + 2):
        whole = [flat(batch) for batch in islice(within(how, budget), skip + 5)]
        assert [flat(batch) for batch in islice(within(how, budget, skip), 5)] == whole[skip:]


def test_millions_are_left_out_in_a_moment():
    """A run may go on, or back, behind them."""
    began = time.process_time()
    next(batch_order(LENGTHS, 1, 3, "bucketed", 64, 2_000_000))
    assert time.process_time() - began < 2


def test_bucketed_batches_are_of_like_length():
    def padding(how):
        return sum(len(b) * LENGTHS[b].max() - LENGTHS[b].sum() for b in map(flat, epoch(how)))

    assert padding("bucketed") < 0.3 * padding("shuffled")


def test_packed_pieces_keep_to_the_limit():
    for batch in epoch("packed"):
        assert max(LENGTHS[piece].sum() for piece in batch) <= 64
    pieces = packed(np.arange(4), np.array([30, 34, 60, 4]), 64)
    assert sorted(sorted(map(int, p)) for p in pieces) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("count", [1, 2, 103])
def test_a_split_parts_the_rows(count, share):
    train, held = split(count, share, seed=3)
    assert sorted([*train, *held]) == list(range(count))
    assert len(train) >= 1
    assert (len(held) > 0) == (share > 0 and count > 1)
    again = split(count, share, seed=3)
    assert np.array_equal(again[1], held)


def test_each_class_is_held_out_alike():
    labels = np.array([0] * 80 + [1] * 20)
    _, held = split(100, 0.2, 0, labels)
    assert np.bincount(labels[held]).tolist() == [16, 4]
    assert not np.array_equal(held, split(100, 0.2, 1, labels)[1])
