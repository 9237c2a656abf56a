"""Words with tags as tokens: the first piece of a word has its tag, as in Hugging Face's course."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from lora_lab.data.left_out import BadRow
from lora_lab.data.mapping import map_columns
from lora_lab.data.rows import HeldRows, Table
from lora_lab.data.tags import NONE, are_entities, encode_tags, entities, in_order, listed
from lora_lab.errors import DataError
from tests.models.tiny import tokenizer
from tests.spent import processor_seconds

TAGS = ["O", "B-PER", "I-PER"]


def word_pieces():
    """A tokenizer as BERT's: lower case, pieces with ##, [CLS] and [SEP] around a text."""
    pieces = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", *"abcdefghijklmnopqrstuvwxyz", ".", "the", "film"]
    pieces += ["##" + piece for piece in (*"abcdefghijklmnopqrstuvwxyz", "ing", "er")]
    made = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        pad_token="[PAD]", model_max_length=512,
    )  # fmt: skip


def encoded(rows, words=None, limit=64, **settings):
    columns = tuple(rows[0])
    table = Table(Path("ner.jsonl"), columns, HeldRows(rows, range(1, len(rows) + 1)))
    mapping = map_columns(table, "token_classification")
    return encode_tags(table, mapping, words or tokenizer(), limit, **settings)


def as_the_course(words, tags, names, tokenize, limit):
    """tokenize_and_align_labels of the course, the tag at the first piece of a word alone."""
    tokens = tokenize(words, is_split_into_words=True, truncation=True, max_length=limit)
    labels, before = [], None
    for word in tokens.word_ids():
        labels.append(NONE if word is None or word == before else names.index(tags[word]))
        before = word
    return tokens["input_ids"], labels


@pytest.mark.parametrize("limit", [64, 12])
@pytest.mark.parametrize("seed", range(5))
def test_pieces_and_tags_are_those_of_the_course(seed, limit):
    draw = random.Random(seed)
    words = ["The", "film", "filming", "Greta", "zoo.", "x", "unseen-word"]
    rows = []
    for _ in range(8):
        tokens = draw.choices(words, k=draw.randint(1, 6))
        rows.append({"tokens": tokens, "ner_tags": draw.choices(TAGS, k=len(tokens))})
    rows.append({"tokens": ["x"] * 3, "ner_tags": TAGS})
    made, names, _ = encoded(rows, word_pieces(), limit)
    assert names == tuple(in_order(set(TAGS)))
    for row, example in zip(rows, made, strict=True):
        ids, labels = as_the_course(row["tokens"], row["ner_tags"], names, word_pieces(), limit)
        assert (example.ids.tolist(), example.tags.tolist()) == (ids, labels)
        assert example.supervised.tolist() == [label != NONE for label in labels]


def test_pieces_of_bytes_are_those_of_the_running_text():
    row = {"tokens": ["the", "film", "is", "Gérard’s"], "tags": ["O", "O", "O", "B-PER"]}
    ((example,), names, notes) = encoded([row])
    words = tokenizer()
    assert words.decode(example.ids) == "the film is Gérard’s"
    firsts = [words.decode(example.ids[i]) for i in example.supervised.nonzero()[0]]
    assert [first.strip()[:1] for first in firsts] == ["t", "f", "i", "G"]
    assert [names[i] for i in example.tags[example.supervised]] == row["tags"]
    assert notes == ()


SPELLINGS = {
    "lists": (["a", "b"], ["a", "b"]),
    "JSON": ('["a", "b"]', ["a", "b"]),
    "text": ("a b", ["a", "b"]),
    "a bracket": ("[ b", ["[", "b"]),
    "numbers": ([0, 3.0], ["0", "3"]),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_words_have_several_spellings(name):
    value, words = SPELLINGS[name]
    assert listed(value) == words


@pytest.mark.parametrize("value", [None, "", [], " ", ["a", ""], ["a", None], [["a"]]])
def test_what_is_no_list_of_words(value):
    with pytest.raises(BadRow):
        listed(value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "2 tokens and 1 tags"),
        ({"tokens": [], "tags": []}, "no tokens or no tags"),
        ({"tokens": ["a"], "tags": ["B-X"]}, "label 'B-X' is none of O, B-PER"),
    ],
)
def test_bad_rows_are_named_or_left_out(row, reason):
    good = {"tokens": ["a", "b"], "tags": ["O", "B-PER"]}
    with pytest.raises(DataError, match=f"row 2: .*{reason}"):
        encoded([good, row], classes=("O", "B-PER"))
    made, _, notes = encoded([good, row], classes=("O", "B-PER"), skip_bad=True)
    assert len(made) == 1
    assert "row 2" in notes[0]


@pytest.mark.parametrize("none", [NONE, str(NONE), float(NONE)])
def test_a_tag_that_transformers_ignores_is_no_class(none):
    row = {"tokens": ["the", "film", "x"], "ner_tags": [0, none, 1]}
    only = {"tokens": ["the"], "ner_tags": [none]}
    made, names, notes = encoded([row, only], word_pieces())
    assert names == ("0", "1")
    assert [list(one.tags) for one in made] == [[NONE, 0, NONE, 1, NONE]]
    assert list(made[0].supervised) == [False, True, False, True, False]
    assert notes == ("2 words are tagged -100, so not learned",)


def test_tags_of_one_kind_teach_nothing():
    with pytest.raises(DataError, match="all tags are O"):
        encoded([{"tokens": ["a", "b"], "tags": ["O", "O"]}])


# seqeval's own examples and conlleval's rule, written out by hand: tags, and what they mark.
ENTITIES = {
    "O O B-PER I-PER O": {("PER", 2, 3)},
    "B-PER B-PER": {("PER", 0, 0), ("PER", 1, 1)},
    "I-PER I-PER O I-LOC": {("PER", 0, 1), ("LOC", 3, 3)},
    "B-PER I-LOC": {("PER", 0, 0), ("LOC", 1, 1)},
    "B-PER I-PER B-LOC I-LOC I-LOC": {("PER", 0, 1), ("LOC", 2, 4)},
    "B-PER I-PER E-PER S-LOC": {("PER", 0, 2), ("LOC", 3, 3)},
    "S-PER I-PER": {("PER", 0, 0), ("PER", 1, 1)},
    "E-PER I-PER": {("PER", 0, 0), ("PER", 1, 1)},
    "O O": set(),
    "": set(),
}


@pytest.mark.parametrize("tags", ENTITIES)
def test_entities_are_those_of_conlleval(tags):
    assert entities(tags.split()) == ENTITIES[tags]


def test_the_order_of_tags_and_whether_they_mark_entities():
    names = {"I-PER", "B-PER", "O", "B-LOC", "I-LOC"}
    assert in_order(names) == ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
    assert in_order({"10", "9", "0"}) == ["0", "9", "10"]
    assert are_entities(tuple(names))
    assert not are_entities(("0", "1"))
    assert not are_entities(("O", "NOUN"))


def test_rows_of_many_words_and_tags_take_their_time_once():
    many = 100_000
    began = processor_seconds()
    with pytest.raises(DataError, match="over 10,000 different tags up to row 1, too many"):
        encoded([{"tokens": ["a"] * many, "ner_tags": [str(n) for n in range(many)]}])
    with pytest.raises(DataError, match="row 1: there are over 1,048,576 tokens or tags"):
        encoded([{"tokens": "a " * 2**21, "ner_tags": "O " * 2**21}])
    assert processor_seconds() - began < 2


def test_as_many_tags_as_forms_of_words_have_are_learned():
    tags = [f"T{n}" for n in range(4000)]
    (made, names, _) = encoded([{"tokens": ["the"] * 4000, "ner_tags": tags}], limit=8)
    assert (len(names), made[0].tags[0]) == (4000, names.index("T0"))
    (again, names, _) = encoded([{"tokens": ["the"] * 4000, "ner_tags": tags}], classes=tags)
    assert (names, again[0].tags[0]) == (tuple(tags), 0)
