"""What the model sees is what the form says, and the loss asks for what was answered only."""

import json

import numpy as np
import pytest

from lora_lab.data.encode import blocks, encode_rows, encode_texts
from lora_lab.data.mapping import map_columns
from lora_lab.data.rows import read_table
from lora_lab.errors import DataError
from tests.models.tiny import tokenizer

USER, BOT = {"role": "user", "content": "is it good?"}, {"role": "assistant", "content": "yes"}


def encoded(tmp_path, rows, limit=64, *, chat=True, template=None, **how):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    table, words = read_table(path), tokenizer(chat)
    if template is not None:
        words.chat_template = template
    mapping = map_columns(table, "causal_lm")
    examples, notes = encode_rows(table, mapping, words, limit, **how)
    return examples, notes, words


def parts(example, words):
    """The text, and what of it is asked for."""
    ids = example.ids
    return words.decode(ids), words.decode(ids[example.supervised])


ALPACA = {"instruction": "Judge.", "input": "a film", "output": "good"}
FORMS = {
    "text": ({"text": "a bad film"}, "a bad film<|end|>", None),
    "prompt": (
        {"prompt": "the film is", "completion": " good"}, "the film is good<|end|>", " good<|end|>",
    ),
    "no prompt": ({"prompt": "", "completion": "good"}, "good<|end|>", None),
    "chat": (
        {"messages": [USER, BOT, USER, BOT]},
        "<|user|>is it good?<|end|><|assistant|>yes<|end|>" * 2, "yes<|end|>yes<|end|>",
    ),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "is it good?"},
                           {"from": "gpt", "value": "yes"}]},
        "<|user|>is it good?<|end|><|assistant|>yes<|end|>", "yes<|end|>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_loss_asks_for_the_answer(tmp_path, name):
    row, whole, asked = FORMS[name]
    (example,), notes, words = encoded(tmp_path, [row])
    assert notes == ()
    if asked is None:  # all but the first token, which nothing comes before
        assert not example.supervised[0]
        assert example.supervised[1:].all()
        assert words.decode(example.ids) == whole
    else:
        assert parts(example, words) == (whole, asked)


def test_an_instruction_is_written_as_its_data_sets_are(tmp_path):
    (example,), _, words = encoded(tmp_path, [ALPACA], limit=1000)
    whole, asked = parts(example, words)
    assert "### Instruction:\nJudge.\n\n### Input:\na film\n\n### Response:\ngood" in whole
    assert asked == "good<|end|>"


def test_long_rows_are_cut_and_counted(tmp_path):
    rows = [{"text": "a bad film and a good film " * 5}, {"text": "good"}]
    (long, short), notes, words = encoded(tmp_path, rows, 10)
    assert (len(long.ids), long.cut > 0, short.cut) == (10, True, 0)
    assert 10 + long.cut == len(words(rows[0]["text"])["input_ids"]) + 1
    assert notes == ()


def test_rows_that_are_cut_before_the_answer_are_left_out(tmp_path):
    short = [{"prompt": "a", "completion": word} for word in "bc"]
    rows = [{"prompt": "word " * 50, "completion": "x"}, *short]
    examples, notes, _ = encoded(tmp_path, rows, 10)
    assert [e.number for e in examples] == [2, 3]
    assert "1 row was left out: within 10 tokens nothing is to be predicted" in notes[0]


def test_half_of_the_rows_are_not_left_out_unasked(tmp_path):
    rows = [{"prompt": "word " * 50, "completion": "x"}, {"prompt": "a", "completion": "b"}]
    with pytest.raises(DataError, match="of 2 rows 1 would be left out"):
        encoded(tmp_path, rows, 10)
    examples, _, _ = encoded(tmp_path, rows, 10, skip_bad=True)
    assert [e.number for e in examples] == [2]


BAD = {
    "empty text": ([{"text": "a"}, {"text": "  "}], {}, "row 2: the text is empty"),
    "no answer": ([{"prompt": "a", "completion": ""}], {}, "row 1: the completion is empty"),
    "nobody answers": ([{"messages": [USER]}], {}, "the assistant says nothing"),
    "a message that is none": ([{"messages": ["hi"]}], {}, "not an object"),
    "no template": ([{"messages": [USER, BOT]}], {"chat": False}, "no chat template"),
    "a template that fails": (
        [{"messages": [USER, BOT]}], {"template": "{{ raise_exception('no') }}"}, "refuses it",
    ),
    "a template that reaches out": (
        [{"messages": [USER, BOT]}], {"template": "{{ ''.__class__.__mro__ }}"}, "refuses it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_rows_that_do_not_have_their_form_are_named(tmp_path, name):
    rows, how, reason = BAD[name]
    with pytest.raises(DataError, match=reason):
        encoded(tmp_path, rows, **how)


def test_bad_rows_may_be_left_out(tmp_path):
    rows = [{"text": "a film"}, {"text": ""}, {"text": "good"}]
    examples, notes, _ = encoded(tmp_path, rows, skip_bad=True)
    assert [e.number for e in examples] == [1, 3]
    assert "1 row was left out (row 2: the text is empty)" in notes[0]


def classified(tmp_path, rows, **how):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_table(path)
    mapping = map_columns(table, "text_classification", [("text", "text"), ("label", "label")])
    return encode_texts(table, mapping, tokenizer(), 8, **how)


def test_labels_are_words_in_their_natural_order(tmp_path):
    rows = [{"text": "a film", "label": x} for x in (10, 2, 2.0, "2", "b", "a")]
    examples, labels, classes, notes = classified(tmp_path, rows)
    assert classes == ("2", "10", "a", "b")
    assert labels.tolist() == [1, 0, 0, 0, 3, 2]
    assert np.dtype(np.int64) == labels.dtype
    assert not any(example.supervised.any() for example in examples)
    assert notes == ()


def test_held_out_rows_have_the_classes_of_the_others(tmp_path):
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "z"}]
    with pytest.raises(DataError, match="'z' is none of x, y"):
        classified(tmp_path, rows, classes=("x", "y"))
    _, labels, classes, notes = classified(tmp_path, rows, classes=("x", "y"), skip_bad=True)
    assert (labels.tolist(), classes) == ([0], ("x", "y"))
    assert "left out" in notes[0]


@pytest.mark.parametrize("row", [{"text": " ", "label": "x"}, {"text": "a", "label": None}])
def test_a_text_and_a_label_must_be_there(tmp_path, row):
    with pytest.raises(DataError, match="row 2: "):
        classified(tmp_path, [{"text": "a", "label": "x"}, row])


def test_classes_that_look_alike_are_noted(tmp_path):
    rows = [{"text": "a film", "label": x} for x in ("Good", "good", "bad")]
    _, _, classes, notes = classified(tmp_path, rows)
    assert classes == ("Good", "bad", "good")
    assert notes == ("classes that look alike are kept apart: 'Good' and 'good'",)


def test_texts_are_cut_as_the_tokenizer_cuts_them_and_read_once(tmp_path, monkeypatch):
    rows = [{"text": "a film " * n, "label": "xy"[n % 2]} for n in (1, 9, 2, 12)]
    words, read = tokenizer(), []
    whole = type(words).__call__

    def counted(self, texts, *more, **how):
        read.extend(texts)
        return whole(self, texts, *more, **how)

    monkeypatch.setattr(type(words), "__call__", counted)
    examples, *_ = classified(tmp_path, rows)
    assert len(read) == 4 + 2, "the two that are too long are read once more"
    for example, row in zip(examples, rows, strict=True):
        cut = whole(words, row["text"], truncation=True, max_length=8)["input_ids"]
        assert example.ids.tolist() == cut
        assert example.cut == len(whole(words, row["text"])["input_ids"]) - len(cut)


def test_a_tokenizer_without_an_end_is_noted(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "a", "completion": "film"}))
    table, words = read_table(path), tokenizer()
    words.eos_token = None
    _, notes = encode_rows(table, map_columns(table, "causal_lm"), words, 8)
    assert notes == ("the tokenizer has no token that ends a text, so no end is learned",)


def test_long_texts_are_tokenized_a_few_at_a_time():
    class Said:
        text = "c" * 300_000

    rows = [(1, "a" * 10), (2, ["b" * 200_000, ("", True)]), (3, Said()), *[(4, "d")] * 1000]
    rows += [(5, "e" * 2**21), (6, "f" * 2**22), (7, "g")]
    found = list(blocks(rows, len(rows), lambda *said: None))
    assert [row for block in found for row in block] == rows
    assert [len(block) for block in found] == [500, 500, 4, 1, 1]
    assert list(blocks([], 0, lambda *said: None)) == []
