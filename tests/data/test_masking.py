"""Gaps are as BERT has them: how many, of which tokens, and what stands in their place."""

import json

import numpy as np
import pytest
import torch
from transformers import DataCollatorForLanguageModeling

from lora_lab.data.mapping import map_columns
from lora_lab.data.masking import Gaps, encode_maskable
from lora_lab.data.rows import read_table
from lora_lab.errors import DataError
from tests.models.families import bert_tokens
from tests.models.tiny import tokenizer

KNOWN = 330  # embeddings of a model


def texts(path, rows):
    path.write_text("\n".join(json.dumps({"text": row}) for row in rows))
    table = read_table(path)
    return table, map_columns(table, "masked_lm")


@pytest.fixture
def examples(tmp_path):
    rows = [" ".join(["the film is good and clear"] * (1 + i % 4)) for i in range(200)]
    return encode_maskable(*texts(tmp_path / "rows.jsonl", rows), bert_tokens(), 64)[0]


def test_gaps_have_the_shares_that_transformers_collator_has(examples):
    words = bert_tokens()
    gaps = Gaps.of(words, KNOWN)
    collator = DataCollatorForLanguageModeling(words, mlm_probability=0.15, seed=0)
    counts = {"ours": np.zeros(4), "theirs": np.zeros(4)}  # able, mask token, other, kept
    for draw in range(10):
        theirs = collator([{"input_ids": e.ids.tolist()} for e in examples])
        for place, example in enumerate(examples):
            ids, places = gaps.masked(example, (draw, example.number))
            label = theirs["labels"][place, : len(example.ids)].numpy()
            where = np.flatnonzero(label != -100)
            assert np.array_equal(label[where], example.ids[where])
            for name, read, at in (
                ("ours", ids, places),
                ("theirs", theirs["input_ids"][place].numpy(), where),
            ):
                now, before = read[at], example.ids[at]
                assert example.supervised[at].all(), "special tokens are never masked"
                counts[name] += (
                    example.supervised.sum(), (now == words.mask_token_id).sum(),
                    ((now != words.mask_token_id) & (now != before)).sum(), (now == before).sum(),
                )  # fmt: skip
    ours, theirs = (counts[name][1:] / counts[name][0] for name in counts)
    assert np.allclose(ours, theirs, atol=0.006), (ours, theirs)
    assert np.allclose(ours.sum(), 0.15, atol=0.005)


def test_gaps_are_a_function_of_their_seed(examples):
    gaps = Gaps.of(bert_tokens(), KNOWN)
    example = examples[3]
    one, again, other = (gaps.masked(example, seed) for seed in ((1, 2), (1, 2), (1, 3)))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[1], other[1])


def test_a_short_text_has_one_gap_and_what_has_none_is_left_out(tmp_path):
    words = bert_tokens()
    table, mapping = texts(tmp_path / "rows.jsonl", ["a", "[SEP][SEP]", "good"])
    examples, notes = encode_maskable(table, mapping, words, 64)
    assert [example.number for example in examples] == [1, 3]
    assert any("1 row was left out: all tokens are special" in note for note in notes)
    _, places = Gaps.of(words, KNOWN).masked(examples[0], (0,))
    assert len(places) == 1
    with pytest.raises(DataError, match="no row is left"):
        encode_maskable(*texts(tmp_path / "rows.jsonl", ["[SEP]"]), words, 64)


def test_a_tokenizer_without_a_mask_token_is_refused(tmp_path):
    with pytest.raises(DataError, match="no mask token"):
        encode_maskable(*texts(tmp_path / "rows.jsonl", ["good"]), tokenizer(), 64)


def test_what_replaces_a_token_is_no_special_one_and_known_to_the_model():
    words = bert_tokens()
    gaps = Gaps.of(words, 300)
    assert gaps.words.max() < 300
    assert not set(gaps.words) & set(words.all_special_ids)
    assert torch.is_tensor(torch.from_numpy(gaps.words))
