"""The pieces of a row, given or asked for, and chats cut where the assistant speaks."""

import pytest

from lora_lab.data.dialogue import BadRow, asked_characters, pieces, turns
from lora_lab.data.mapping import Mapping
from lora_lab.errors import DataError


class Template:
    """A tokenizer that writes chats as `<role>content;`."""

    chat_template = "x"

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        assert not tokenize
        text = "".join(f"<{m['role']}>{m['content']};" for m in messages)
        return text + ("<assistant>" if add_generation_prompt else "")


class Counting(Template):
    """A template that writes how many messages there are at the beginning."""

    def apply_chat_template(self, messages, tokenize, add_generation_prompt):
        return f"{len(messages)}" + super().apply_chat_template(
            messages, tokenize, add_generation_prompt
        )


CHAT = Mapping("chat", (("messages", "m"),))


def said(role, content):
    return {"role": role, "content": content}


def test_what_the_assistant_says_is_asked_for_and_nothing_else():
    row = {"m": [said("system", "S"), said("user", "u"), said("assistant", "a"),
                 said("user", "v"), said("assistant", "b")]}  # fmt: skip
    assert pieces(row, CHAT, Template()) == [
        ("<system>S;<user>u;<assistant>", False), ("a;", True),
        ("<user>v;<assistant>", False), ("b;", True),
    ]  # fmt: skip


def test_what_follows_the_last_answer_is_given():
    row = {"m": [said("user", "u"), said("assistant", "a"), said("user", "v")]}
    assert pieces(row, CHAT, Template())[-1] == ("<user>v;", False)


def test_sharegpt_is_the_same_chat():
    sharegpt = [{"from": "human", "value": "u"}, {"from": "gpt", "value": "a"}]
    assert turns(sharegpt) == [said("user", "u"), said("assistant", "a")]


def test_a_template_that_rewrites_the_beginning_is_refused():
    row = {"m": [said("user", "u"), said("assistant", "a"), said("user", "v")]}
    with pytest.raises(BadRow, match="rewrites"):
        pieces(row, CHAT, Counting())


def test_without_a_template_no_row_can_be_read():
    tokenizer = Template()
    tokenizer.chat_template = None
    with pytest.raises(DataError, match="no chat template"):
        pieces({"m": [said("user", "u"), said("assistant", "a")]}, CHAT, tokenizer)


BAD_CHATS = {
    "nothing": ([], "no messages"),
    "text": ("hello", "no messages"),
    "a list of text": (["hello"], "not an object"),
    "no role": ([{"content": "x"}], "role"),
    "only questions": ([said("user", "u")], "nothing is said"),
    "an empty answer": ([said("user", "u"), said("assistant", " ")], "nothing is said"),
    "content of parts": ([{"role": "assistant", "content": [{"text": "x"}]}], "content"),
}


@pytest.mark.parametrize("name", BAD_CHATS)
def test_what_is_no_chat_is_said(name):
    value, reason = BAD_CHATS[name]
    with pytest.raises(BadRow, match=reason):
        turns(value)


def test_spans_are_of_the_whole_text():
    whole, spans = asked_characters([("ab", False), ("cde", True), ("f", False), ("g", True)])
    assert whole == "abcdefg"
    assert [whole[begin:end] for begin, end in spans] == ["cde", "g"]
