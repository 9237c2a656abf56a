"""JSON from elsewhere: what Python's own reader lets through and nobody can use is refused."""

import json

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.models.strict_json import parse_json
from tests.spent import processor_seconds

REFUSED = [
    (b'{"a": 1, "a": 2}', "'a' is given twice"),
    (b'{"a": NaN}', "NaN is not a number"),
    (b'{"a": Infinity}', "Infinity is not a number"),
    (b'{"a": 1e999}', "'1e999' is not a number"),
    (b'{"a": %s}' % (b"9" * 400), "400 digits"),
    (rb'{"a": "\ud83d"}', "half a character"),
    (rb'{"\uDE00": 1}', "half a character"),
    (b"[" * 500 + b"]" * 500, "nested too deeply"),
    (b'{"a":' * 200 + b"1" + b"}" * 200, "nested too deeply"),
    (b"[" * 100_000, "nested too deeply"),
    (b'\xef\xbb\xbf{"a": 1}', "not valid JSON"),
    ('{"a": 1}'.encode("utf-16"), "not UTF-8 text"),
]


@pytest.mark.parametrize(("data", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cannot_be_used_is_refused(data, words):
    with pytest.raises(CheckpointError, match=r"x\.json: ") as error:
        parse_json(data, "x.json", CheckpointError)
    assert words in str(error.value)


def test_a_name_given_twice_is_found_in_one_pass():
    """It was sought by counting every one of them: a minute for 90,000 names."""
    names = "".join(f'"{i}":0,' for i in range(100_000))
    data, began = f'{{{names}"z":0,"z":0}}'.encode(), processor_seconds()
    with pytest.raises(CheckpointError, match="'z' is given twice"):
        parse_json(data, "x.json", CheckpointError)
    assert processor_seconds() - began < 1


@pytest.mark.parametrize(
    "value",
    [
        {"a": "\U0001f600"},
        {"model_max_length": 10**30},
        {"a": r"\ud83d"},
        [[[1.5]] * 3],
        "x",
        1e308,
    ],
)
def test_what_json_writes_is_read(value):
    assert parse_json(json.dumps(value).encode(), "x.json", CheckpointError) == value
