"""A chat in any spelling is the same messages; what no template could write is named."""

import json

import pytest

from lora_lab.data.chat import read_chat
from lora_lab.data.left_out import BadRow

U, A = {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}
CALL = {"type": "function", "function": {"name": "look", "arguments": {"x": 1}}}
TURNS = (U, A)
NAN = float("nan")
CALLED = (U, {"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "content": "sunny"}, A)

SAME = {
    "messages": ([U, A], TURNS),
    "ShareGPT": ([{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}], TURNS),
    "roles of others": ([{"role": "HUMAN", "content": "u"}, {"role": "ai", "content": "a"}], TURNS),
    "a string of JSON": (json.dumps([U, A]), TURNS),
    "an object with messages": ({"messages": [U, A]}, TURNS),
    "merged tables": (
        [{"role": None, "from": "human", "value": "u", "content": None}, {**A, "from": None}],
        TURNS,
    ),
    "parts of text": (
        [U, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}], TURNS,
    ),
    "null beside a call": (
        [U, {"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "content": "sunny"}, A], CALLED,
    ),
    "a call of ShareGPT": (
        [{"from": "human", "value": "u"},
         {"from": "function_call", "value": json.dumps({"name": "look", "arguments": {"x": 1}})},
         {"from": "observation", "value": "sunny"}, {"from": "gpt", "value": "a"}], CALLED,
    ),
    "an older call of OpenAI": (
        [U, {"role": "assistant", "content": None,
             "function_call": {"name": "look", "arguments": {"x": 1}}},
         {"role": "function", "content": "sunny"}, A], CALLED,
    ),
    "a call without its wrapper": (
        [U, {"role": "assistant", "tool_calls": [{"name": "look", "parameters": {"x": 1}}]},
         {"role": "tool", "content": "sunny"}, A], CALLED,
    ),
    "a user who says nothing": (
        [{"role": "user", "content": None}, A], ({"role": "user", "content": ""}, A),
    ),
    "NaN, as pandas writes null": (
        [{"role": "user", "content": NAN, "value": "u", "name": NAN},
         {**A, "from": NAN, "reasoning_content": NAN, "tool_calls": NAN}], TURNS,
    ),
    "a reasoning beside an empty one": (
        [U, {**A, "reasoning_content": "", "reasoning": "r"}], (U, {**A, "reasoning": "r"}),
    ),
    "what else a message holds": (
        [{**U, "name": "Ann"}, {**A, "reasoning_content": "r", "x": None}],
        ({**U, "name": "Ann"}, {**A, "reasoning_content": "r"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_the_messages_are_the_same_in_every_spelling(name):
    value, messages = SAME[name]
    assert read_chat(value).messages == messages


@pytest.mark.parametrize(
    "flag", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"trainable": False},
             {"loss": False}, {"masked": True}, {"training": False}, {"loss_weight": 0},
             {"loss_mask": 0}],
)  # fmt: skip
def test_a_turn_that_is_not_to_be_trained_is_read_only(flag):
    found = read_chat([U, A, U, {**A, **flag}])
    assert found.trained == (False, True, False, False)
    assert found.messages[3] == A, "a template does not see the flag"


@pytest.mark.parametrize(
    "flag", [{"weight": 1}, {"train": True}, {"weight": None}, {"weight": NAN}, {"masked": NAN}]
)
def test_a_turn_that_is_to_be_trained_is(flag):
    assert read_chat([U, {**A, **flag}]).trained == (False, True)


TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


@pytest.mark.parametrize(
    "tools", [[TOOL], json.dumps([TOOL]), [TOOL["function"]], [json.dumps(TOOL)], TOOL]
)
def test_tools_are_the_same_in_every_spelling(tools):
    assert read_chat([U, A], tools).tools == (TOOL,)


def test_no_tools_in_any_spelling():
    assert all(read_chat([U, A], none).tools == () for none in (None, "", NAN, [], "[]", "null"))


def test_a_system_column_is_the_first_message():
    assert read_chat([U, A], system="S").messages[0] == {"role": "system", "content": "S"}
    assert not read_chat([U, A], system="S").trained[0]
    own = {"role": "system", "content": "S"}
    assert read_chat([own, U, A], system="S").messages == (own, U, A)


BAD = {
    "nothing": ([], "no messages"),
    "text": ("hello", "not JSON"),
    "a number": (3, "no messages"),
    "a list of text": (["hello"], "not an object"),
    "no role": ([{"content": "x"}], "no role"),
    "only questions": ([U], "says nothing"),
    "an empty answer": ([U, {"role": "assistant", "content": " "}], "says nothing"),
    "an image": (
        [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}, A], "'image_url'",
    ),
    "sound": ([{"role": "user", "content": [{"type": "audio", "audio": "x"}]}, A], "'audio'"),
    "an answer that is missing": ([U, {"role": "assistant", "content": NAN}], "says nothing"),
    "half a weight": ([U, {**A, "weight": 0.5}], "weight 0.5: an answer is learned"),
    "half a weight as text": ([U, {**A, "weight": "0.5"}], "weight 0.5: an answer is learned"),
    "nothing to train": ([U, {**A, "weight": 0}], "marked as not to be trained"),
    "a call without a name": ([U, {"role": "assistant", "tool_calls": [{}]}], "has no name"),
    "a call that is no JSON": ([U, {"from": "function_call", "value": "look"}], "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("function", [[], None, "f", 1])
def test_a_tool_whose_function_is_none_is_refused(function):
    with pytest.raises(BadRow, match="a tool's function is not an object"):
        read_chat([U, A], [{"type": "function", "function": function}])


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_chat_is_said(name):
    value, reason = BAD[name]
    with pytest.raises(BadRow, match=reason):
        read_chat(value)


def test_two_system_prompts_are_not_guessed_between():
    with pytest.raises(BadRow, match="beside another system message"):
        read_chat([{"role": "system", "content": "T"}, U, A], system="S")


@pytest.mark.parametrize("flags", [
    {"weight": "0"}, {"weight": "0.0"}, {"train": "false"}, {"train": "False"}, {"masked": "true"},
    {"masked": True}, {"weight": 0.0},
])  # fmt: skip
def test_a_flag_that_a_table_wrote_as_text_is_the_flag(flags):
    good = {"role": "assistant", "content": "good", "weight": "1", "masked": "false"}
    turns = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "bad", **flags}]
    turns.append(good)
    assert read_chat(turns).trained == (False, False, True)


@pytest.mark.parametrize("content", [{"temperature": 3}, [{"temperature": 3}]])
def test_a_result_that_is_an_object_is_named_as_one(content):
    turns = [{"role": "user", "content": "u"}, {"role": "tool", "content": content},
             {"role": "assistant", "content": "a"}]  # fmt: skip
    with pytest.raises(BadRow, match="is an object: write it as text"):
        read_chat(turns)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user", "content": "a", 1: 2}, "a key that is no text"),
        ({"role": "user", "content": "a", None: 2}, "a key that is no text"),
        *(({"role": "assistant", "tool_calls": [{"name": "f", "arguments": odd}]},
           "hold what JSON has not") for odd in ({1}, b"x", ..., {(1, 2): 3}, {"a": 1j})),
    ],
)  # fmt: skip
def test_what_python_writes_and_json_has_not_is_a_bad_row(message, reason):
    with pytest.raises(BadRow, match=reason):
        read_chat([message, {"role": "assistant", "content": "b"}])
