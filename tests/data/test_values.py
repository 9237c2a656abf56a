"""One meaning for a missing value, one word for a label, one order in every process."""

import datetime
from decimal import Decimal

import pytest

from lora_lab.data.json_text import TooMuch
from lora_lab.data.left_out import BadRow
from lora_lab.data.values import (
    as_label,
    as_text,
    from_text,
    is_missing,
    look_alike,
    natural_order,
)

MISSING = [None, "", float("nan"), Decimal("NaN")]
PRESENT = ["nan", "NA", "null", " ", 0, 0.0, False, float("inf")]


@pytest.mark.parametrize("value", MISSING, ids=repr)
def test_a_missing_value_has_many_spellings_and_one_meaning(value):
    assert is_missing(value)
    assert as_text(value) == as_label(value) == ""


@pytest.mark.parametrize("value", PRESENT, ids=repr)
def test_words_and_zeros_are_values(value):
    assert not is_missing(value)


def test_what_pandas_writes_is_missing():
    pandas = pytest.importorskip("pandas")
    assert is_missing(pandas.NA)
    assert is_missing(pandas.NaT)


@pytest.mark.parametrize(
    ("value", "word"),
    [(1, "1"), (1.0, "1"), (Decimal("1.0"), "1"), ("1", "1"), (1.5, "1.5"), (True, "True"),
     (" a ", "a"), (b"neg", "neg"), (float("inf"), "inf"),
     (datetime.date(2026, 1, 2), "2026-01-02")],
)  # fmt: skip
def test_a_label_is_one_word_however_it_is_written(value, word):
    assert as_label(value) == word


def test_a_text_that_no_tokenizer_can_take_is_no_text():
    assert as_text("x" * 2**23) == "x" * 2**23
    with pytest.raises(BadRow, match="over 8,388,608 characters: make several rows of it"):
        as_text("x" * (2**23 + 1))


def test_lists_are_no_labels():
    with pytest.raises(BadRow, match="list"):
        as_label(["a"])


@pytest.mark.parametrize("turn", range(7))
def test_the_order_of_names_does_not_depend_on_where_they_stood(turn):
    names = ["10", "2", "nan", "b", "inf", "NaN", "-1"]
    names = names[turn:] + names[:turn]
    assert sorted(names, key=natural_order) == ["-1", "2", "10", "inf", "NaN", "b", "nan"]


def test_names_that_look_alike_are_found():
    names = ["Good", "good", "bad", "1", "1.0", "01", "é", "e\u0301", "9007199254740992",
             "9007199254740993", "nan", "NaN"]  # fmt: skip
    assert look_alike(names) == [
        ("Good", "good"), ("1", "1.0", "01"), ("é", "e\u0301"), ("nan", "NaN")
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["[{'a': None, 'b': True}]", '[{"a": null, "b": true}]'])
def test_lists_are_read_as_json_or_as_python_writes_them(text):
    assert from_text(text) == [{"a": None, "b": True}]


def test_what_is_too_much_for_a_cell_is_said_as_that():
    with pytest.raises(TooMuch, match="over 2,097,152 values"):
        from_text("[" + "[]," * 4_000_000 + "0]")
    with pytest.raises(TooMuch, match="write it as JSON"):
        from_text("[" + "1," * 40_000 + "'']")


@pytest.mark.parametrize("text", ["[{'a': f()}]", "array([1])", "[" * 10_000, "[1 +", "x"])
def test_nothing_else_is_read_and_nothing_executed(text):
    with pytest.raises(ValueError, match=r"."):
        from_text(text)
