"""Names from files: shown without harm, and sorted as people count."""

import pytest

from lora_lab.names import MOST, natural, shown


@pytest.mark.parametrize(
    "ordered",
    [
        ["layers.2", "layers.10"],
        ["block2.fc", "block10.fc"],
        ["9", "10", "g.2", "h", "h.9", "h.10"],
        ["a", "a.1", "ab"],
        ["x.1", "x.²"],  # a digit to Python's isdigit, but no number
        ["x.1", "x.٣"],
        ["", "0"],
        ["x.1" + "0" * 5000, "x.2" + "0" * 5000],  # digits that no int is made of
        ["x.9", "x.1" + "0" * 5000],
        ["x.007.a", "x.8.a", "x.0010.a"],
    ],
)
def test_numbers_in_names_are_sorted_by_value(ordered):
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural) == ordered


def test_a_name_is_escaped_and_cut():
    assert shown("a\n\u202e") == r"'a\n\u202e'"
    assert len(shown("first" + "n" * 5000 + "last")) == MOST
    assert shown("first" + "n" * 5000 + "last").endswith("last'")
