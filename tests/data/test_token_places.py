"""Without places from the tokenizer the same tokens are asked for as with them, or none at all."""

import json
import random

import numpy as np
import pytest
from transformers import ByT5Tokenizer, CTRLTokenizer

from lora_lab.data.chat_template import ChatText
from lora_lab.data.encode import encode_chats, encode_rows, encode_texts
from lora_lab.data.left_out import BadRow
from lora_lab.data.mapping import map_columns
from lora_lab.data.preferences import encode_pairs
from lora_lab.data.rows import read_table
from lora_lab.data.token_places import asked_tokens
from tests.models.families import bert_tokens
from tests.models.tiny import tokenizer

CHATML = (
    "{% for m in messages %}<s>{{ m.role }}\n{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
)
TEXTS = [
    "the film is good and it is a bad film",
    "is it good? yes  no\n\n and",
    "ü 🎬 good 🎬🎬 bad ü",
    "<|user|>is it<|end|><|bot|>good<|end|>",
]


@pytest.mark.parametrize("kind", ["bytes", "words"])
@pytest.mark.parametrize("text", TEXTS)
def test_the_tokens_are_those_of_a_tokenizer_that_tells_places(kind, text):
    """A fast tokenizer is the reference, for each span that there is."""
    words = tokenizer() if kind == "bytes" else bert_tokens()
    same = refused = 0
    for begin in range(len(text)):
        for end in range(begin + 1, len(text) + 1, 3):
            ((ids, wanted),) = encode_chats([ChatText(text, ((begin, end),))], words)
            try:
                found, asked = asked_tokens(words, text, ((begin, end),))
            except BadRow:
                refused += 1
                continue
            assert found.tolist() == ids.tolist()
            assert asked.tolist() == wanted.tolist(), (text[begin:end], begin, end)
            same += 1
    assert same > 2 * refused


def ctrl(folder):
    """Pieces of words that go on with @@, which lose the spaces between."""
    pieces = ["the", "film", "is", "good", "bad", "yes", "no", "g@@", "o@@", "d"]
    vocabulary = {piece: i for i, piece in enumerate(["<unk>", *pieces, "?"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e</w>\n\n")
    return CTRLTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


def by_bytes(text, spans):
    """What is asked for where each byte is a token, by hand."""
    asked = np.zeros(len(text.encode()), dtype=bool)
    for span in spans:
        begin, end = (len(text[:place].encode()) for place in span)
        asked[begin:end] = True
    return asked.tolist()


def test_bytes_are_counted_by_hand():
    words = ByT5Tokenizer(extra_ids=0)
    assert not words.is_fast
    text = "is it good? 🎬 yes\nü no"
    generator = random.Random(0)
    for _ in range(50):
        spans = tuple(sorted(generator.sample(range(len(text)), 2)) for _ in range(2))
        ids, asked = asked_tokens(words, text, spans)
        assert ids.tolist() == [byte + 3 for byte in text.encode()]
        assert asked.tolist() == by_bytes(text, spans)


ROWS = {
    "text": [{"text": "the film is good"}, {"text": "no 🎬"}],
    "prompt": [{"prompt": "is it good? ", "completion": "yes"}],
    "chat": [
        {"messages": [
            {"role": "user", "content": "is it good?"}, {"role": "assistant", "content": "yes 🎬"},
            {"role": "user", "content": "is it?"}, {"role": "assistant", "content": "no"},
        ]},
    ],
}  # fmt: skip


def table_of(tmp_path, rows):
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_table(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_each_form_are_read_by_a_tokenizer_written_in_python(tmp_path, name):
    words = ByT5Tokenizer(extra_ids=0)
    words.chat_template = CHATML
    table = table_of(tmp_path, ROWS[name])
    rows, notes = encode_rows(table, map_columns(table, "causal_lm"), words, 500)
    for row, given in zip(rows, ROWS[name], strict=True):
        said = words.decode(row.ids[row.supervised])
        if name == "chat":
            whole = words.apply_chat_template(given["messages"])["input_ids"]
            assert row.ids.tolist() == whole, "as transformers tokenizes the chat"
            assert said == "yes 🎬</s>no</s>"
        elif name == "prompt":
            assert words.decode(row.ids) == "is it good? yes</s>"
            assert said == "yes</s>"
        else:
            assert words.decode(row.ids) == given["text"] + "</s>"
            assert row.supervised[1:].all()
    assert notes == ()


def test_preferences_and_labels_are_read_by_it_too(tmp_path):
    words = ByT5Tokenizer(extra_ids=0)
    words.chat_template = CHATML
    user = {"role": "user", "content": "is it?"}
    answers = [[user, {"role": "assistant", "content": text}] for text in ("yes", "no 🎬")]
    table = table_of(tmp_path, [dict(zip(("chosen", "rejected"), answers, strict=True))])
    ((pair), *_), _ = encode_pairs(table, map_columns(table, "preference"), words, 500)
    assert words.decode(pair.chosen.ids[pair.chosen.supervised]) == "yes</s>"
    assert words.decode(pair.rejected.ids[pair.rejected.supervised]) == "no 🎬</s>"
    table = table_of(tmp_path, [{"text": "good 🎬", "label": "a"}, {"text": "bad", "label": "b"}])
    rows, labels, names, _ = encode_texts(
        table, map_columns(table, "text_classification"), words, 500
    )
    assert [words.decode(row.ids) for row in rows] == ["good 🎬</s>", "bad</s>"]
    assert [names[i] for i in labels] == ["a", "b"]


def test_pieces_that_lose_the_spaces_are_told_apart_where_words_end(tmp_path):
    words = ctrl(tmp_path)
    text = "the film is good yes"
    ids, asked = asked_tokens(words, text, ((text.index("good"), text.index(" yes")),))
    assert words.convert_ids_to_tokens(ids[asked]) == ["g@@", "o@@", "o@@", "d"]
    assert ids.tolist() == words(text)["input_ids"]


def test_a_row_that_cannot_be_told_is_named_and_may_be_left_out(tmp_path):
    class Hiding(ByT5Tokenizer):
        """One that writes other tokens for each beginning of a text."""

        def __call__(self, text, **settings):
            found = super().__call__(text, **settings)
            if isinstance(text, str) and "🎬" in text:
                found["input_ids"][0] = 3 + len(text) % 50
            return found

    words = Hiding(extra_ids=0)
    words.chat_template = CHATML
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    hidden = {"messages": [{"role": "user", "content": "🎬"}, *good["messages"][1:]]}
    table = table_of(tmp_path, [good, hidden, good])
    mapping = map_columns(table, "causal_lm")
    rows, notes = encode_rows(table, mapping, words, 500, skip_bad=True)
    assert [row.number for row in rows] == [1, 3]
    assert "1 row was left out (row 2: the tokenizer does not tell which token" in notes[0]
