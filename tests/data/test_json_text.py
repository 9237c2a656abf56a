"""A short text may name much: it is weighed before it is read; what is honest is read as ever."""

import json
import tracemalloc

import pytest

from lora_lab.data import json_text
from lora_lab.data.json_text import TooMuch, is_much, literal, parsed
from tests.spent import processor_seconds

MANY = 4_000_000
MUCH = {
    "lists": '{"x": [' + "[]," * MANY + "[]]}",
    "nested lists": "[" + ("[" * 300 + "]" * 300 + ",") * (MANY // 300) + "0]",
    "objects": "[" + ("{}," * MANY) + "0]",
    "nested objects": "[" + ('{"":' * 300 + "0" + "}" * 300 + ",") * (MANY // 300) + "0]",
    "keys": "{" + ",".join(f'"{n}":0' for n in range(MANY // 4)) + "}",
    "short texts": '["a' + '","ab' * MANY + '"]',
    "empty texts": '[""' + ',""' * MANY + "]",
    "numbers": "[0.5" + ",0.5" * MANY + "]",
    "behind a text of quotes": '["' + '\\"' * 1000 + '"' + ",[]" * MANY + "]",
    "behind a text of strokes": '["' + "\\\\" * 1001 + '"' + ",[]" * MANY + "]",
}


@pytest.mark.parametrize("name", MUCH)
def test_a_text_that_names_more_than_a_row_has_is_not_read(name):
    began = processor_seconds()
    with pytest.raises(TooMuch, match="over 2,097,152 values"):
        parsed(MUCH[name])
    assert processor_seconds() - began < 1


@pytest.mark.parametrize("mark", [",", "[", "{", ":", ",{[:", '\\"{', "\\\\{", "{\\n"])
def test_what_stands_in_a_text_is_no_value(mark):
    text = json.dumps({"text": mark * json_text.VALUES})
    assert not is_much(text)
    assert parsed(text) == {"text": mark * json_text.VALUES}


@pytest.mark.parametrize("value", [[0.5] * 1_000_000, [[[0] * 3] * 512] * 512, ["word"] * 500_000])
def test_sound_pictures_and_words_as_numbers_are_read(value):
    assert parsed(json.dumps({"array": value, "text": "x"})) == {"array": value, "text": "x"}


def test_what_is_read_takes_no_more_than_the_units_say(monkeypatch):
    monkeypatch.setattr(json_text, "VALUES", 200_000)
    for text in ("[" + ",".join(["[]"] * 60_000) + "]", "[" + ",".join(['"ab"'] * 190_000) + "]",
                 "{" + ",".join(f'"{n}":0' for n in range(45_000)) + "}"):  # fmt: skip
        tracemalloc.start()
        try:
            parsed(text, dict)
            assert tracemalloc.get_traced_memory()[1] < 100 * json_text.VALUES
        finally:
            tracemalloc.stop()


def test_what_is_nested_deep_is_a_value_error():
    with pytest.raises(ValueError, match="nested too deeply"):
        parsed("[" * 200_000)


HONEST = [
    [{"role": "user", "content": "it's \"quoted\" # f'x' ''' \n \\"}, None, True, -2.5e-05, b"x"],
    [["word\n" * 500_000, "\\'" * 100_000]],
    [0.123] * 4096,
    {"a": (1, 2), "b": {3}},
]


@pytest.mark.parametrize("value", HONEST, ids=range(len(HONEST)))
def test_what_python_writes_is_read_as_it_was(value):
    assert literal(f" {value!r} ") == value


def test_a_list_that_python_2_wrote_is_one():
    assert literal("[u'Action', u\"Mother's Day\", b'x']") == ["Action", "Mother's Day", b"x"]


@pytest.mark.parametrize(
    "text",
    ["[" + "1," * 2_000_000 + "'']", "[" + "'a'," * 20_000 + "]", "[" + "{'a':1}," * 20_000 + "]",
     "['" + "\\'" * 9 + "'" + ",1" * 40_000 + "]", "[b'" + "\\\\" * 9 + "'" + ",1" * 40_000 + "]",
     "['a' " + "'a' " * 40_000 + "]", "[" + "-" * 40_000 + "1]"],
)  # fmt: skip
def test_a_long_list_that_is_not_json_says_what_to_do(text):
    began = processor_seconds()
    with pytest.raises(TooMuch, match="write it as JSON"):
        literal(text)
    assert processor_seconds() - began < 0.5


@pytest.mark.parametrize(
    "text",
    ["[f'{1,1}']", "[rf'{1,1}']", "[1.f'{1,1}']", "[1, # '\n1,1 # '\n]", "['''a'b''',1,1]",
     '["""a"b""",1,1]', "[t'{1}']"],
)  # fmt: skip
def test_what_may_hide_words_from_the_count_is_not_read(text):
    with pytest.raises(ValueError, match="no literal"):
        literal(text)


@pytest.mark.parametrize("text", ["[{[]: 1}]", "{{}}", "[" * 10_000, "[1 +", "[" + "-" * 9_000])
def test_whatever_its_reader_raises_is_a_value_error(text):
    with pytest.raises(ValueError, match=r".|^$"):
        literal(text)
