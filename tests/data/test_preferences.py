"""Pairs as tokens: prompts apart, implicit, and in chats; what is no pair is refused by its row."""

import json
from pathlib import Path

import pytest

from lora_lab.data.mapping import map_columns
from lora_lab.data.preferences import encode_pairs, shared
from lora_lab.data.rows import HeldRows, Table
from lora_lab.errors import DataError
from tests.models.tiny import tokenizer

ASK, YES, NO = (
    {"role": "user", "content": "is it so"},
    {"role": "assistant", "content": "yes"},
    {"role": "assistant", "content": "no"},
)


def pairs_of(*rows, chat=False, limit=64, **settings):
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    table = Table(Path("pairs.jsonl"), columns, HeldRows(list(rows), range(1, len(rows) + 1)))
    words = tokenizer(chat)
    mapping = map_columns(table, "preference")
    pairs, notes = encode_pairs(table, mapping, words, limit, **settings)
    return [(_said(words, p.chosen), _said(words, p.rejected)) for p in pairs], notes


def _said(words, example):
    """(all of the text, what the loss asks for)."""
    asked = example.ids[example.supervised]
    return words.decode(example.ids), words.decode(asked)


END = "<|end|>"
FORMS = {
    "prompt apart": (
        {"prompt": "is it so?", "chosen": " yes", "rejected": " no"},
        ("is it so? yes" + END, " yes" + END), ("is it so? no" + END, " no" + END),
    ),
    "prompt in both": (
        {"chosen": "is it so? yes, it is", "rejected": "is it so? yet no"},
        ("is it so? yes, it is" + END, " yes, it is" + END),
        ("is it so? yet no" + END, " yet no" + END),
    ),
    "lines of a talk": (
        {"chosen": "Human: so?\n\nAssistant: yes", "rejected": "Human: so?\n\nAssistant: no"},
        ("Human: so?\n\nAssistant: yes" + END, " yes" + END),
        ("Human: so?\n\nAssistant: no" + END, " no" + END),
    ),
    "chats": (
        {"prompt": [ASK], "chosen": [YES], "rejected": [NO]},
        ("<|user|>is it so<|end|><|assistant|>yes<|end|>", "yes<|end|>"),
        ("<|user|>is it so<|end|><|assistant|>no<|end|>", "no<|end|>"),
    ),
}  # fmt: skip
CHAT = FORMS["chats"][1:]
FORMS |= {
    "chats that begin alike": ({"chosen": [ASK, YES], "rejected": [ASK, NO]}, *CHAT),
    "chats as JSON": (
        {"chosen": json.dumps([ASK, YES]), "rejected": json.dumps([ASK, NO])}, *CHAT
    ),
    "a prompt in words": (
        {"prompt": "is it so", "chosen": [YES], "rejected": [NO]}, *CHAT
    ),
    "a prompt said twice": (
        {"prompt": "is it so", "chosen": [ASK, YES], "rejected": [ASK, NO]}, *CHAT
    ),
    "messages said twice": (
        {"prompt": [ASK], "chosen": [ASK, YES], "rejected": [ASK, NO]}, *CHAT
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_both_answers_follow_one_prompt(name):
    row, *wanted = FORMS[name]
    ((*found,),), notes = pairs_of(row, chat=True)
    assert found == wanted
    assert not notes


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "b"}, "are the same"),
        ({"prompt": "a", "chosen": "b", "rejected": " "}, "rejected answer is empty"),
        ({"prompt": "a", "chosen": None, "rejected": "b"}, "chosen answer is empty"),
        ({"prompt": "a", "chosen": [YES], "rejected": "b"}, "not both lists"),
        ({"prompt": [ASK], "chosen": [YES], "rejected": [YES]}, "are the same"),
        ({"chosen": [ASK, YES], "rejected": [{**ASK, "content": "Else?"}, YES]}, "the same prompt"),
        ({"prompt": [ASK], "chosen": [YES], "rejected": [ASK]}, "assistant says nothing|not to be"),
        ({"prompt": [ASK], "chosen": "b", "rejected": "c"}, "a list where text belongs"),
    ],
)
def test_what_is_no_pair_is_refused_by_its_row_or_left_out(row, reason):
    good = FORMS["prompt apart"][0]
    with pytest.raises(DataError, match=f"row 2.*({reason})"):
        pairs_of(good, row, chat=True)
    found, notes = pairs_of(good, row, chat=True, skip_bad=True)
    assert len(found) == 1
    assert "row 2" in " ".join(notes)


def test_a_pair_whose_answer_is_cut_away_is_left_out_and_counted():
    long = {"prompt": "the film is good " * 20, "chosen": " yes", "rejected": " no"}
    good = FORMS["prompt apart"][0]
    found, notes = pairs_of(good, good, long, limit=40)
    assert len(found) == 2
    assert notes == ("1 row was left out: within 40 tokens one of the answers does not begin",)
    with pytest.raises(DataError, match="of 2 rows 1 would be left out"):
        pairs_of(good, long, limit=40)


@pytest.mark.parametrize(
    ("one", "other", "prompt"),
    [
        ("a b", "a c", "a"),
        ("a\nb", "a\nc", "a\n"),
        ("better", "bet", ""),
        ("a bet", "a better", "a"),
        ("a", "a b", ""),
        ("same", "other", ""),
        ("a b  ", "a b c", "a"),
    ],
)
def test_what_both_share_ends_before_a_word(one, other, prompt):
    assert one[: shared(one, other)] == prompt == other[: shared(other, one)]
