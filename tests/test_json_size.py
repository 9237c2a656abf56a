"""What a text of JSON holds is counted before it is parsed."""

import time

import pytest

from lora_lab.json_size import MOST_LISTS, MOST_VALUES, check_size, lists_in


@pytest.mark.parametrize("piece", ["[],", "{},", '{"":0},', "[[]],", '"a",', "0,", '"a":0,'])
@pytest.mark.parametrize("kind", [str, str.encode])
def test_more_than_may_be_is_refused_before_it_is_parsed(piece, kind):
    text = kind("[" + piece * (MOST_VALUES + 1) + "0]")
    began = time.process_time()
    with pytest.raises(ValueError, match="no more than"):
        check_size(text)
    assert time.process_time() - began < 0.3


def test_what_may_be_is_let_through():
    check_size("[]," * (MOST_LISTS - 1) + "[]")
    check_size("[" + "1," * (MOST_VALUES - 1) + "1]")
    check_size('{"a": [[1, 2], [3]]}', lists=4, values=2)


def test_a_kind_of_text_may_have_limits_of_its_own():
    with pytest.raises(ValueError, match="5 lists and tables, and no more than 4 are read"):
        check_size("[[[[[]]]]]", lists=4)
    with pytest.raises(ValueError, match="3 values, and no more than 2"):
        check_size("[1,2,3,4]", values=2)


def test_lists_and_tables_count_alike():
    assert lists_in('[{"a": []}]') == lists_in(b'[{"a": []}]') == 3
