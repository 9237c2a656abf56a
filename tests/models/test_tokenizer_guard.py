"""Tokenizers that run on, fill the memory or panic are one error that names the text; others are
what they were."""

import base64
import json
import time

import psutil
import pytest
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from lora_lab.apart.client import end_children, pids
from lora_lab.errors import CheckpointError, DataError
from lora_lab.models.tokenizer_cost import is_cheap, steps_are_cheap, surely_cheap
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.models.tokenizer_guard import guarded
from tests.models.tiny import save, tokenizer
from tests.spent import processor_seconds

NEXT = r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{M}]+[\p{Ll}\p{M}]*(?i:'s|'t)?|\p{N}{1,3}"
CHEAP = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}]+[\r\n]*|\s*[\r\n]+|\s+",
    r"<\|startoftext\|>|'s|'t|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+" + NEXT,
    r" ?[^(\s|[.,!?…。，、।۔،])]+", "[0-9][0-9][0-9]", r" {2,}", r"[\n\r\t]", "(?:ab)+",
)  # fmt: skip
DEAR = (
    r"(?![\s\S]*)", r"(?=[\s\S]*)", r"b|(?!a*)", r"a(?=[\s\S]*)", r"(?<=a+)b",
    "(a+)+$", "(a|aa)+", "(a*)*", ".*.*x", ".*x", "(x+x+)+y", "a?a?a?a?a?a?a?aaaaaaa", r"(a)\1+",
    "(?:a+)+", "(?=a+)b", "a{1,100}b", r"(?<n>a+)\k<n>", "(a", "a)", "[a", "(?R)|a", "(?:a{2,})*",
    "(a?){50}", "((a|b)c?){2,}", r"\s+\n", "(?:(?:a*)b?)*", "(" * 999, "a" * 2000, "(?", "\\",
)  # fmt: skip


@pytest.mark.parametrize("pattern", CHEAP)
def test_what_usual_tokenizers_search_for_is_cheap(pattern):
    assert is_cheap(pattern)


@pytest.mark.parametrize("pattern", DEAR)
def test_what_may_look_back_again_and_again_is_not(pattern):
    assert not is_cheap(pattern)


def sought(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
            "invert": False}  # fmt: skip


def put(sought, content, times=1):
    step = {"type": "Replace", "pattern": {"String": sought}, "content": content}
    return {"type": "Sequence", "normalizers": [step] * times}


def charsmap(text):
    """SentencePiece's table of one entry: a trie that sends "a" to `text`."""
    return {"type": "Precompiled",
            "precompiled_charsmap": base64.b64encode(
                (4).to_bytes(4, "little") + bytes(4) + text.encode() + b"\0").decode()}  # fmt: skip


def repeated(*steps, times):
    return {"type": "Sequence", "normalizers": [*steps] * times}


def of_any(content, pattern="."):
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


WORDS = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 10**9, "vocab": {"[UNK]": 0, "b": 1}}  # fmt: skip
AROUND = {"type": "TemplateProcessing", "pair": [],
          "single": [*[{"SpecialToken": {"id": "<|end|>", "type_id": 0}}] * 10**4,
                     {"Sequence": {"id": "A", "type_id": 0}}],
          "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [0],
                                         "tokens": ["<|end|>"]}}}  # fmt: skip
ROWS = [{"Sequence": {"id": "A", "type_id": 0}}]
LIGATURE, FORM = of_any("\ufdfa"), {"type": "NFKD"}  # of one letter, of which that makes 18
CHINESE = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": True,
           "strip_accents": False, "lowercase": False}  # fmt: skip
AS_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False,
            "use_regex": False}  # fmt: skip
SPACES = [{"type": "Metaspace", "replacement": sign, "prepend_scheme": "always", "split": True}
          for sign in "▁▂"]  # fmt: skip
# Steps of which each is usual, and which together make more and more of a text.
TOGETHER = {
    "forms of what is put": {"normalizer": repeated(LIGATURE, FORM, times=5)},
    "spaces around what is put": {"normalizer": repeated(of_any("中"), CHINESE, times=13)},
    "a letter beside each": {"normalizer": repeated(of_any("a", "x*"), times=30)},
    "bytes of bytes": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [AS_BYTES] * 26}},
    "spaces of two kinds": {"pre_tokenizer": {"type": "Sequence", "pretokenizers": SPACES * 24}},
    "a text again and again": {"post_processor": {"type": "TemplateProcessing",
                                                  "single": ROWS * 9999, "pair": [],
                                                  "special_tokens": {}}},
}  # fmt: skip
# What is changed in a usual tokenizer.json, and a text that it does not end over.
HOSTILE = {
    "a group that repeats": ({"pre_tokenizer": sought("(a+)+$")}, "a" * 60 + "b"),
    "texts doubled": ({"normalizer": put("a", "aa", 40)}, "a"),
    "a long text for one letter": ({"normalizer": put("a", "b" * 10**6)}, "a" * 10**4),
    "words of any length": ({"model": WORDS, "pre_tokenizer": None}, "a" * 3 * 10**5),
    "tokens around each row": ({"post_processor": AROUND}, "a"),
}


def changed(**parts):
    table = json.loads(tokenizer().backend_tokenizer.to_str())
    backend = Tokenizer.from_str(json.dumps({**table, **parts}))
    return PreTrainedTokenizerFast(tokenizer_object=backend, name_or_path="some/folder")


@pytest.mark.parametrize(
    ("case", "pair"), [*((case, False) for case in HOSTILE), ("a group that repeats", True)]
)
def test_a_text_over_which_a_tokenizer_does_not_end_is_named(case, pair):
    parts, text = HOSTILE[case]
    guard, began = guarded(changed(**parts)), processor_seconds()
    here = psutil.Process().memory_info().rss
    texts = ["x"] * 20 + [text]
    named = "x" if "around" in case else text[:40]
    with pytest.raises(DataError, match=rf"^folder: its tokenizer .* '{named}.*Leave the row"):
        guard(texts, texts if pair else None)
    assert processor_seconds() - began < 20
    assert psutil.Process().memory_info().rss - here < 100 * 2**20
    if case not in ("tokens around each row", "words of any length"):
        assert guard(["x", "b b"])["input_ids"] == changed(**parts)(["x", "b b"])["input_ids"]


def test_a_decoder_that_runs_on_is_named_too():
    decoder = {"type": "Replace", "pattern": {"Regex": "(l+)+$"}, "content": ""}
    made = changed(decoder=decoder)
    made.add_tokens(["l" * 60 + "b"])
    guard = guarded(made)
    with pytest.raises(DataError, match="does not end over a token"):
        guard.decode([len(guard) - 1])
    assert guard.decode([5]) == changed(decoder=decoder).decode([5])


def test_a_panic_of_a_tokenizer_that_is_not_tried_out_is_an_error():
    lacking = {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 0]}
    guard = guarded(changed())
    assert guard("x")["input_ids"] == changed()("x")["input_ids"]
    assert type(guard).__name__ == type(changed()).__name__
    assert guarded(changed(post_processor=lacking))("x")["input_ids"]


@pytest.mark.parametrize("longest", [[], "512", {"a": 1}, True])
def test_a_longest_length_that_is_no_number_is_named(tmp_path, longest):
    save(tmp_path, "llama")
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    settings["model_max_length"] = longest
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match=r"model_max_length is .*, where a number belongs"):
        open_tokenizer(tmp_path)


def test_what_a_tokenizer_refuses_in_its_own_words_is_an_error_that_names_it():
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
             "max_input_chars_per_word": 100, "vocab": {"b": 0}}  # fmt: skip
    with pytest.raises(DataError, match=r"The tokenizer fails on this text \(.*\[UNK\]"):
        guarded(changed(model=model))("a")


def test_usual_tokenizers_are_not_tried_out():
    end_children()
    guard = guarded(changed())
    assert surely_cheap(guard.backend_tokenizer)
    guard(["some text"] * 100)
    assert pids() == ()


@pytest.mark.parametrize("case", TOGETHER)
def test_steps_that_grow_a_text_together_are_tried_out(case):
    guard, began = guarded(changed(**TOGETHER[case])), processor_seconds()
    assert not surely_cheap(guard.backend_tokenizer)
    with pytest.raises(DataError, match="does not end over the text that begins 'the cat"):
        guard("the cat sat " * 40)
    assert processor_seconds() - began < 10


# Steps as usual tokenizers have them: ALBERT's, T5's, SigLIP's, BERT's, Llama's, CLIP's, GPT-2's.
META = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
PREFIXED = {**AS_BYTES, "add_prefix_space": True, "use_regex": True}
UNCASED = {"type": "Lowercase"}
USUAL = [
    ([put("``", '"'), FORM, {"type": "StripAccents"}, UNCASED, "table",
      of_any("▁", " {2,}")], [META]),
    (["table", of_any("▁", " {2,}")], [{"type": "WhitespaceSplit"}, META]),
    ([UNCASED, of_any("", r"[!\"'(),.:;?]"), of_any(" ", r"\s+"), "table"], [META]),
    ([{**CHINESE, "lowercase": True, "strip_accents": True}], [{"type": "BertPreTokenizer"}]),
    ([{"type": "Prepend", "prepend": "▁"}, of_any("▁", " ")], []),
    ([{"type": "NFC"}, of_any(" ", r"\s+"), UNCASED], [sought(CHEAP[0]), AS_BYTES]),
    ([], [PREFIXED]),
]  # fmt: skip


@pytest.mark.parametrize(("normalizers", "cuts"), USUAL)
def test_steps_of_usual_tokenizers_are_cheap_together(normalizers, cuts):
    normalizers = [charsmap("ص" * 16 + "x") if step == "table" else step for step in normalizers]
    assert steps_are_cheap([normalizers, cuts])


@pytest.mark.parametrize("name", ["continuing_subword_prefix", "end_of_word_suffix", "unk_token"])
def test_what_is_put_beside_each_word_is_cheap_by_its_length(name):
    model = {"type": "BPE", "vocab": {"a": 0, "<" * 9999: 1, "<" * 64: 2}, "merges": []}
    for length, cheap in ((64, True), (9999, False)):
        made = changed(model={**model, name: "<" * length})
        assert surely_cheap(made.backend_tokenizer) is cheap


def nested(longest):
    """Unigram with a piece of each length, of which it tries all at each place."""
    pieces = [["[UNK]", 0.0], *(["a" * n, -1.0] for n in range(1, longest + 1))]
    return changed(model={"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False})


def words_of(longest):
    vocab = {"[UNK]": 0, "a": 1, "##a": 2}
    return changed(model={"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab,
                          "continuing_subword_prefix": "##",
                          "max_input_chars_per_word": longest})  # fmt: skip


@pytest.mark.parametrize(
    ("made", "cheap"),
    [(nested(64), True), (nested(65), False), (words_of(100), True), (words_of(1000), False)],
)
def test_pieces_and_words_are_cheap_by_their_length(made, cheap):
    assert surely_cheap(made.backend_tokenizer) is cheap


def test_pieces_within_each_other_are_tried_out_before_a_text_is_split_by_them():
    guard = guarded(nested(2000))
    assert guard("aaa")["input_ids"] == nested(2000)("aaa")["input_ids"]
    began = time.process_time()
    with pytest.raises(DataError, match="does not end over the text that begins 'aaaa"):
        guard("a" * 150_000)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(("text", "cheap"), [("x" * 33, True), ("x" * 65, False)])
def test_a_table_of_characters_is_cheap_by_what_it_puts_for_one(text, cheap):
    assert steps_are_cheap([charsmap(text), META]) is cheap


@pytest.mark.parametrize("side", ["single", "pair"])
def test_so_many_tokens_around_a_text_are_refused_at_once(side):
    token = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    parts = {"single": [{"Sequence": {"id": "A", "type_id": 0}}],
             "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                      {"Sequence": {"id": "B", "type_id": 0}}]}  # fmt: skip
    parts[side] = [token, *parts[side]]
    ids = {"id": "<s>", "ids": [1] * 20_000, "tokens": ["<s>"] * 20_000}
    post = {"type": "TemplateProcessing", **parts, "special_tokens": {"<s>": ids}}
    with pytest.raises(CheckpointError, match="puts 20,000 tokens around each text"):
        guarded(changed(post_processor=post))
