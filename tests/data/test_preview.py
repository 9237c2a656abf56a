"""What is shown of the data before training: rows as tokens, counts, images class by class."""

from types import SimpleNamespace

import numpy as np
import pytest

from lora_lab.data.images import ImageSet
from lora_lab.data.mapping import Mapping
from lora_lab.data.preview import ROWS, TOKENS, image_record, text_record
from lora_lab.data.token_rows import Example
from lora_lab.data.token_writer import gathered


class Letters:
    """A tokenizer whose token n is the n-th letter."""

    def decode(self, ids, skip_special_tokens):
        assert not skip_special_tokens
        return "".join(chr(97 + i % 26) for i in ids)


def example(number, length, asked, cut=0):
    ids = np.arange(length, dtype=np.int64)
    return Example(ids, ids >= length - asked, number=number, cut=cut)


def record(train, held_out=(), **more):
    table = SimpleNamespace(path="rows.csv", columns=("text", "label"))
    mapping = Mapping("text", (("text", "text"),))
    both = (gathered(rows) for rows in (train, held_out))
    return text_record(table, mapping, Letters(), *both, 64, **more)


def test_rows_stand_as_the_model_sees_them():
    found = record([example(7, 4, 2), example(9, 3, 3, cut=5)], [example(8, 2, 1)])
    assert found.rows[0].tokens == ("a", "b", "c", "d")
    assert found.rows[0].supervised == (False, False, True, True)
    assert [row.number for row in found.rows] == [7, 9]
    assert [row.cut for row in found.rows] == [0, 5]
    assert (found.train_rows, found.validation_rows) == (2, 1)
    assert (found.tokens, found.supervised_tokens, found.cut_rows) == (7, 5, 1)


def test_lengths_are_those_before_the_cut_and_cannot_be_written():
    found = record([example(1, 4, 2), example(2, 3, 3, cut=5)])
    assert found.lengths.tolist() == [4, 8]
    with pytest.raises(ValueError, match="read-only"):
        found.lengths[0] = 1


def test_many_rows_and_long_ones_are_shown_in_part_and_counted_whole():
    found = record([example(n, TOKENS + 10, 1) for n in range(ROWS + 5)])
    assert len(found.rows) == ROWS
    assert len(found.rows[0].tokens) == len(found.rows[0].supervised) == TOKENS
    assert found.train_rows == ROWS + 5
    assert found.tokens == (ROWS + 5) * (TOKENS + 10)


def test_classes_are_named_and_counted():
    rows = [example(n, 2, 0) for n in range(3)]
    found = record(
        rows, rows[:1], classes=("bad", "good"), labels=np.array([1, 1, 0]),
        validation_labels=np.array([1]),
    )  # fmt: skip
    assert [row.label for row in found.rows] == ["good", "good", "bad"]
    assert found.class_counts == (1, 2)
    assert found.validation_counts == (0, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_every_class_come_first(channels):
    images = np.zeros((60, 5, 4, channels), np.uint8)
    images[:, 0, 0, 0] = np.arange(60)
    labels = np.repeat([0, 1, 2], 20)
    found = image_record("folder", ImageSet(images, labels, ("a", "b", "c")), ImageSet(
        images[:3], labels[:3], ("a", "b", "c")
    ))  # fmt: skip
    assert [row.label for row in found.rows[:6]] == ["a", "b", "c", "a", "b", "c"]
    assert [row.number for row in found.rows[:3]] == [1, 21, 41]
    assert [int(row.image.flat[0]) for row in found.rows[:3]] == [0, 20, 40]
    assert found.rows[0].image.shape == ((5, 4) if channels == 1 else (5, 4, 3))
    assert found.class_counts == (20, 20, 20)
    assert found.validation_counts == (3, 0, 0)
    assert "4 × 5" in found.form


def test_large_images_are_shown_small():
    pictures = np.zeros((2, 1500, 700, 3), np.uint8)
    pictures[:, 3, 6] = 9
    many = ImageSet(pictures, np.array([0, 1]), ("a", "b"))
    told = image_record("x", many, many)
    assert [row.image.shape for row in told.rows] == [(500, 234, 3)] * 2
    assert told.rows[0].image[1, 2].tolist() == [9, 9, 9]
    assert "700 × 1500 pixels" in told.form
