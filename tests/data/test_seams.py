"""What is tokenized apart gives the tokens of one text, and no beginning or end is doubled."""

import pytest
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from lora_lab.data.seams import adds_space, encode_pieces
from lora_lab.data.token_text import token_texts
from tests.models.tiny import tokenizer as bytewise

TEXTS = ["Review 1: it is good and positive", "Verdict: positive negative", "the film is good"]


def sentencepiece(scheme):
    """A tokenizer as Llama 2's, in the three ways in which files have it."""
    inner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if scheme == "prepend":
        inner.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    special = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=special, show_progress=False)
    inner.train_from_iterator(TEXTS * 3, trainer)
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


SCHEMES = ["prepend", "first", "always"]
SEAMS = {
    "a space in the completion": ("the film is", " good"),
    "a line before": ("### Response:\n", "positive"),
    "two spaces": ("a", "  positive"),
    "a space in the prompt": ("a ", "positive"),
    "no prompt": ("", "positive"),
}


def encoded(words, prompt, completion):
    ((ids, asked),) = encode_pieces([[(prompt, False), (completion, True)]], words)
    return ids.tolist(), asked.tolist()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", SEAMS)
def test_prompt_and_completion_are_the_text_and_no_more(scheme, name):
    words, (prompt, completion) = sentencepiece(scheme), SEAMS[name]
    ids, asked = encoded(words, prompt, completion)
    assert adds_space(words)
    whole = words(prompt + completion, add_special_tokens=False)["input_ids"]
    assert words.decode([i for i in ids if i > 2]) == words.decode(whole)
    alone = words(prompt)["input_ids"]
    assert ids[: len(alone)] == alone, "at generation the prompt comes alone"
    assert asked == [False] * len(alone) + [True] * (len(ids) - len(alone))
    if words(prompt + completion)["input_ids"][: len(alone)] == alone:
        assert ids == [*words(prompt + completion)["input_ids"], words.eos_token_id]


def test_bytes_need_no_care():
    words = bytewise()
    assert not adds_space(words)
    ids, _ = encoded(words, "the film is", " good")
    assert ids == [*words("the film is")["input_ids"], *words(" good")["input_ids"], 0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_beginning_and_an_end_are_not_doubled(scheme):
    words = sentencepiece(scheme)
    ((ids, _),) = encode_pieces([[("<s>the film</s>", True)]], words)
    assert ids.tolist().count(words.bos_token_id) == 1
    assert ids.tolist().count(words.eos_token_id) == 1
    ids, _ = encoded(words, "<s>the film", " is</s>")
    assert (ids.count(words.bos_token_id), ids.count(words.eos_token_id)) == (1, 1)


def test_the_beginning_of_a_row_does_not_depend_on_its_neighbours():
    words = sentencepiece("prepend")
    row, other = [("", False), ("good", True)], [("a", False), ("b", True)]
    alone, together = next(encode_pieces([row], words)), next(encode_pieces([row, other], words))
    assert alone[0].tolist() == together[0].tolist()
    assert alone[0][0] == words.bos_token_id


SHOWN = ["the film is good", "two  spaces", "emoji 🙂🙂 ok", "e\u0301 and é", "line\nline"]


@pytest.mark.parametrize("text", SHOWN)
@pytest.mark.parametrize(
    "words", [*map(sentencepiece, SCHEMES), bytewise()], ids=[*SCHEMES, "bytes"]
)
def test_tokens_are_shown_as_the_text_they_are(words, text):
    ids = words(text, add_special_tokens=False)["input_ids"]
    shown = token_texts(words, ids)
    assert len(shown) == len(ids)
    assert "".join(shown).lstrip(" ") == words.decode(ids).lstrip(" ") == text
    assert not any("�" in token for token in shown)


def test_half_a_character_at_the_end_is_shown_as_such():
    words = sentencepiece("prepend")
    ids = words("🙂", add_special_tokens=False)["input_ids"][:-1]
    assert token_texts(words, ids)[-1] != ""
