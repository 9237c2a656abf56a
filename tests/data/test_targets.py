"""What a cell says of a text: a number, or several labels in one of their spellings."""

import pytest

from lora_lab.data.left_out import BadRow
from lora_lab.data.mapping import map_columns
from lora_lab.data.targets import as_names, as_number
from lora_lab.errors import DataError
from tests.data.test_mapping import WORDS, table


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("['a', 'b']", ("a", "b")),  # as pandas writes a list
        (["a", "b", "a"], ("a", "b")),
        ([1, 2.0], ("1", "2")),
        ("a|b", ("a", "b")),
        ("a; b ;", ("a", "b")),
        ("a, b", ("a", "b")),
        ('["a", "b, c"]', ("a", "b, c")),
        ("a", ("a",)),
        (3, ("3",)),
        ("", ()),
        (None, ()),
        ([], ()),
    ],
)
def test_labels_have_many_spellings(value, names):
    assert as_names(value) == names


@pytest.mark.parametrize(("value", "number"), [(1, 1.0), ("-2.5", -2.5), ("1e3", 1000.0)])
def test_numbers(value, number):
    assert as_number(value) == number


@pytest.mark.parametrize("value", [True, "1,5", "nan", float("inf"), [1.0], None, "", {}, 10**400,
                                   -1e308, "1e39"])  # fmt: skip
def test_what_is_no_number(value):
    with pytest.raises(BadRow):
        as_number(value)


@pytest.mark.parametrize("value", ["a," * 1000, ["a"] * 1001], ids=["text", "list"])
def test_what_is_more_labels_than_there_can_be(value):
    with pytest.raises(BadRow, match="over 1,000 labels"):
        as_names(value)
    assert as_names(value[2:]) == ("a",)


TARGETS = {
    "sts-b": ("regression", table(sentence=WORDS, sentence2=WORDS, score=[0.5, 4.2, 3.0]),
              {"text": "sentence", "pair": "sentence2", "score": "score"}),
    "any number": ("regression", table(text=WORDS, stars=["1", "2", "5"]),
                   {"text": "text", "score": "stars"}),
    "lists": ("multi_label", table(text=WORDS, labels=[["a"], ["b", "a"], []]),
              {"text": "text", "labels": "labels"}),
    "genres": ("multi_label", table(text=WORDS, genres=["a|b", "a", "b"]),
               {"text": "text", "labels": "genres"}),
}  # fmt: skip


@pytest.mark.parametrize("name", TARGETS)
def test_the_column_is_found(name):
    task, rows, roles = TARGETS[name]
    assert dict(map_columns(rows, task).roles) == roles


@pytest.mark.parametrize(
    ("task", "rows", "reason"),
    [
        ("regression", table(text=WORDS, label=["a", "b", "c"]), "which column is the score"),
        ("multi_label", table(text=WORDS, labels=["x" * 101, "b", "c"]), "which column is the"),
    ],
)
def test_a_column_that_is_none_is_refused(task, rows, reason):
    with pytest.raises(DataError, match=reason):
        map_columns(rows, task)
    with pytest.raises(DataError, match=r"holds no numbers|free text"):
        map_columns(rows, task, [("score" if task == "regression" else "labels", rows.columns[1])])
