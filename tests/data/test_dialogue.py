"""The pieces of a row, given or asked for, in the words of its form."""

import pytest

from lora_lab.data.dialogue import chat, instruction_prompt, pieces
from lora_lab.data.left_out import BadRow
from lora_lab.data.mapping import Mapping

INSTRUCTION = Mapping(
    "instruction",
    tuple((role, role) for role in ("instruction", "output", "input", "system", "history")),
)
NAN = float("nan")


def prompt_of(row, mapping=INSTRUCTION):
    (prompt, asked), (_, answered) = pieces(row, mapping)
    assert (asked, answered) == (False, True)
    return prompt


def test_an_instruction_has_its_input_and_its_own_system_text():
    row = {"instruction": "Judge.", "output": "good", "input": "a film", "system": "BE BRIEF"}
    assert prompt_of(row) == (
        "BE BRIEF\n\n### Instruction:\nJudge.\n\n### Input:\na film\n\n### Response:\n"
    )
    assert prompt_of({**row, "system": NAN, "input": None}) == instruction_prompt("Judge.")


def test_earlier_turns_of_an_instruction_stand_before_it():
    row = {"instruction": "And one?", "output": "Five.", "history": [["Two?", "Four."], ["a", "b"]]}
    assert prompt_of(row) == (
        instruction_prompt("Two?") + "Four.\n\n### Instruction:\na\n\n### Response:\nb"
        "\n\n### Instruction:\nAnd one?\n\n### Response:\n"
    )


BAD = {
    "nan text": (Mapping("text", (("text", "t"),)), {"t": NAN}, "the text is empty"),
    "nan answer": (INSTRUCTION, {"instruction": "a", "output": NAN}, "the output is empty"),
    "nan instruction": (INSTRUCTION, {"instruction": NAN, "output": "a"}, "instruction is empty"),
    "a list": (Mapping("text", (("text", "t"),)), {"t": ["a"]}, "a list where text belongs"),
    "bytes": (Mapping("text", (("text", "t"),)), {"t": b"\xff"}, "bytes that are not UTF-8"),
    "half a pair": (Mapping("text", (("text", "t"),)), {"t": "ab\ud83d"}, "ud83d.*place 3"),
    "a history of words": (
        INSTRUCTION, {"instruction": "a", "output": "b", "history": ["a"]}, "no list of pairs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_have_its_form_is_named(name):
    mapping, row, reason = BAD[name]
    with pytest.raises(BadRow, match=reason):
        pieces(row, mapping)


def test_bytes_of_a_binary_column_are_text():
    assert pieces({"t": "é".encode()}, Mapping("text", (("text", "t"),))) == [("é", True)]


def test_a_chat_takes_its_tools_and_system_from_their_columns():
    mapping = Mapping("chat", (("messages", "m"), ("tools", "t"), ("system", "s")))
    turns = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    found = chat({"m": turns, "t": [{"name": "look"}], "s": "S"}, mapping)
    assert found.messages == ({"role": "system", "content": "S"}, *turns)
    assert found.tools == ({"type": "function", "function": {"name": "look"}},)
    assert chat({"m": turns, "t": None, "s": NAN}, mapping).messages == tuple(turns)


def test_of_turns_apart_the_completion_alone_is_trained():
    mapping = Mapping("chat", (("prompt", "p"), ("completion", "c")))
    turns = [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]
    found = chat({"p": [*turns, turns[0]], "c": [turns[1]]}, mapping)
    assert found.messages == (*turns, *turns)
    assert found.trained == (False, False, False, True)
    with pytest.raises(BadRow, match="lists of messages"):
        chat({"p": "u", "c": turns}, mapping)


@pytest.mark.parametrize("history", ['[["Two?", "Four."]]', "[['Two?', 'Four.']]"])
def test_a_history_in_a_table_is_the_history(history):
    row = {"instruction": "And one?", "output": "Five."}
    assert prompt_of({**row, "history": history}) == prompt_of(
        {**row, "history": [["Two?", "Four."]]}
    )
    with pytest.raises(BadRow, match="text that is no list"):
        prompt_of({**row, "history": "Two? Four."})
