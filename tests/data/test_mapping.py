"""Columns are guessed as a person would, changed as they request, and refused with a better one."""

import json
from pathlib import Path

import pytest

from lora_lab.data.mapping import map_columns, unused
from lora_lab.data.rows import HeldRows, Table
from lora_lab.errors import DataError


def table(**columns):
    names, values = list(columns), zip(*columns.values(), strict=True)
    rows = [dict(zip(names, row, strict=True)) for row in values]
    return Table(Path("rows.csv"), tuple(names), HeldRows(rows, range(1, len(rows) + 1)))


WORDS = ["a long enough text", "another such text", "and a third of them"]
TALK = [[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]] * 3
FORMS = {
    "text": (table(text=WORDS), "text", {"text": "text"}),
    "one column of any name": (table(whatever=WORDS), "text", {"text": "whatever"}),
    "prompt": (table(Prompt=WORDS, completion=WORDS, id=WORDS), "prompt + completion",
               {"prompt": "Prompt", "completion": "completion"}),
    "question": (table(question=WORDS, answer=WORDS), "prompt + completion",
                 {"prompt": "question", "completion": "answer"}),
    "alpaca": (table(instruction=WORDS, input=WORDS, output=WORDS, text=WORDS), "instruction",
               {"instruction": "instruction", "output": "output", "input": "input"}),
    "chat": (table(messages=TALK, text=WORDS), "chat", {"messages": "messages"}),
    "sharegpt": (table(conversations=TALK), "chat", {"messages": "conversations"}),
    "messages as JSON": (table(messages=[json.dumps(t) for t in TALK]), "chat",
                         {"messages": "messages"}),
    "one column of JSON": (table(whatever=[json.dumps(t) for t in TALK]), "chat",
                           {"messages": "whatever"}),
    "chat with tools": (table(messages=TALK, tools=[[]] * 3, system=WORDS, id=WORDS), "chat",
                        {"messages": "messages", "tools": "tools", "system": "system"}),
    "turns apart": (table(prompt=TALK, completion=TALK), "chat",
                    {"prompt": "prompt", "completion": "completion"}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_form_is_guessed(name):
    rows, form, roles = FORMS[name]
    found = map_columns(rows, "causal_lm")
    assert (found.form, dict(found.roles)) == (form, roles)


PAIRS = {
    "trl": (table(prompt=WORDS, chosen=WORDS, rejected=WORDS, system=WORDS),
            {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}),
    "implicit": (table(chosen=WORDS, rejected=WORDS, score=[1, 2, 3]),
                 {"chosen": "chosen", "rejected": "rejected"}),
    "chats": (table(chosen=TALK, rejected=TALK, question=WORDS, system=WORDS, tools=[[]] * 3),
              {"prompt": "question", "chosen": "chosen", "rejected": "rejected",
               "tools": "tools", "system": "system"}),
    "argilla": (table(instruction=WORDS, chosen_response=WORDS, rejected_response=WORDS),
                {"prompt": "instruction", "chosen": "chosen_response",
                 "rejected": "rejected_response"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_found(name):
    rows, roles = PAIRS[name]
    found = map_columns(rows, "preference")
    assert (found.form, dict(found.roles)) == ("preference pairs", roles)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (table(prompt=WORDS, completion=WORDS), "which column is chosen, rejected. Its columns"),
        (table(prompt=WORDS, chosen=WORDS), "which column is rejected"),
        (table(prompt=WORDS, completion=WORDS, label=[True, False, True]), "feedback .KTO."),
    ],
)
def test_rows_that_are_no_pairs_are_refused(rows, reason):
    with pytest.raises(DataError, match=reason):
        map_columns(rows, "preference")


def test_requests_come_first():
    rows = table(prompt=WORDS, completion=WORDS, note=WORDS)
    assert map_columns(rows, "causal_lm", [("text", "note")]).form == "text"
    found = map_columns(rows, "causal_lm", [("completion", "note")])
    assert dict(found.roles) == {"prompt": "prompt", "completion": "note"}


LABELS = {
    "names": (table(text=WORDS, label=["a", "b", "a"]), {"text": "text", "label": "label"}),
    "sst": (table(sentence=WORDS, label=[0, 1, 0]), {"text": "sentence", "label": "label"}),
    "pairs": (
        table(sentence=WORDS, sentence2=WORDS, label=[0, 1, 0]),
        {"text": "sentence", "pair": "sentence2", "label": "label"},
    ),
    "only one can be": (
        table(words=[f"text number {i}" for i in range(30)], kind=["a", "b"] * 15),
        {"text": "words", "label": "kind"},
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_text_and_label_are_guessed(name):
    rows, roles = LABELS[name]
    assert dict(map_columns(rows, "text_classification").roles) == roles


LONG = ["word " * 40 + str(i) for i in range(3)]
BAD = {
    "free text": (table(text=WORDS, label=LONG, kind=["a", "b", "a"]), [("label", "label")],
                  "free text.*kind would do"),
    "too many": (table(text=[*WORDS] * 20, label=list(range(60))), [("label", "label")],
                 "too many for labels"),
    "no such column": (table(text=WORDS, label=["a", "b", "a"]), [("text", "body")], "no column"),
    "no such role": (table(text=WORDS, label=["a", "b", "a"]), [("prompt", "text")], "no role"),
    "the same": (table(text=WORDS, label=["a", "b", "a"]), [("text", "label"), ("label", "label")],
                 "same column"),
    "nothing": (table(a=LONG, b=LONG), [], "not clear which column is the"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_said_with_the_columns_there_are(name):
    rows, requested, reason = BAD[name]
    with pytest.raises(DataError, match=reason) as caught:
        map_columns(rows, "text_classification", requested)
    assert "Its columns are: " in str(caught.value)


def test_rows_of_no_form_are_refused():
    with pytest.raises(DataError, match="not clear what to learn"):
        map_columns(table(a=WORDS, b=WORDS), "causal_lm")


def test_columns_that_nothing_takes_are_named():
    rows = table(prompt=WORDS, completion=WORDS, id=WORDS, source=WORDS)
    assert unused(rows, map_columns(rows, "causal_lm")) == ("columns not used: id, source",)
    rows = table(text=WORDS, label=[1, 2, 1])
    assert unused(rows, map_columns(rows, "text_classification")) == ()


@pytest.mark.parametrize("label", [[True, False, True], [1, 0, 0], ["True", "False", "True"],
                                   ["1", "0", "1"]], ids=repr)  # fmt: skip
def test_feedback_is_not_learned_as_answers(label):
    rows = table(prompt=WORDS, completion=WORDS, label=label)
    with pytest.raises(DataError, match="KTO"):
        map_columns(rows, "causal_lm")
    given = [("prompt", "prompt"), ("completion", "completion")]
    assert map_columns(rows, "causal_lm", given).form == "prompt + completion"


def test_chats_as_pandas_writes_them_are_chats_and_no_text():
    """`to_csv` writes a list as Python does; as text it would be learned, the user's words too."""
    turns = "[{'role': 'user', 'content': 'u'}, {'role': 'assistant', 'content': 'a'}]"
    for column in ("messages", "talk"):
        rows = table(**{column: [turns] * 3})
        assert map_columns(rows, "causal_lm").form == "chat"
    assert map_columns(table(messages=["[{'role': dtype(x)}]"] * 3), "causal_lm").form == "chat"


@pytest.mark.parametrize(("classes", "rows", "requested"), [(151, 400, False), (27, 40, True)])
def test_many_classes_are_classes(classes, rows, requested):
    labels = [f"intent {n % classes}" for n in range(rows)]
    given = [("label", "label"), ("text", "text")] if requested else []
    mapping = map_columns(
        table(text=[f"what number {n} asks" for n in range(rows)], label=labels),
        "text_classification",
        given,
    )
    assert mapping.column("label") == "label"


def test_a_label_among_hundreds_of_measures_is_found():
    measures = {f"m{n}": [n + row / 7 for row in range(60)] for n in range(700)}
    rows = table(text=[f"a text that is {n}" for n in range(60)], **measures, kind=["a", "b"] * 30)
    assert map_columns(rows, "text_classification").column("label") == "kind"
