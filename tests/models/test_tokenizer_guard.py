"""Tokenizers that run on, fill the memory or panic are one error that names the text; others are
what they were."""

import base64
import json
import os
import re
from pathlib import Path

import psutil
import pytest
import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from lora_lab.apart.client import end_children, pids
from lora_lab.errors import CheckpointError, DataError
from lora_lab.models.tokenizer_cost import is_cheap, surely_cheap
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.models.tokenizer_guard import OF_PIECES, PIECES, check_tokens, guarded
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


WORDS = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 10**9, "vocab": {"[UNK]": 0, "b": 1}}  # fmt: skip
AROUND = {"type": "TemplateProcessing", "pair": [],
          "single": [*[{"SpecialToken": {"id": "<|end|>", "type_id": 0}}] * 10**4,
                     {"Sequence": {"id": "A", "type_id": 0}}],
          "special_tokens": {"<|end|>": {"id": "<|end|>", "ids": [0],
                                         "tokens": ["<|end|>"]}}}  # fmt: skip
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


ODD = {"content": "<|end|>", "\x1b[2J": 1}
TOKENS = {
    "of a number": ("tokenizer_config.json", {"added_tokens_decoder": {"0": ODD}}),
    "without a text": ("tokenizer_config.json", {"added_tokens_decoder": {"0": {"\x1b[2J": 1}}}),
    "by its type": ("tokenizer_config.json", {"eos_token": {"__type": "AddedToken", **ODD}}),
    "in a list": ("tokenizer_config.json", {"extra": [{"__type": "AddedToken", "\x1b[2J": 1}]}),
    "in the old file": ("special_tokens_map.json", {"eos_token": ODD}),
    "of it by any name": ("special_tokens_map.json", {"x": {"\x1b[2J": 1}}),
    "of it in an extra list": ("special_tokens_map.json", {"extra_special_tokens": [ODD]}),
    "in the whole": ("tokenizer.json", {"added_tokens": [{"id": 0, **ODD}]}),
    "of it in a list": ("special_tokens_map.json", {"additional_special_tokens": [ODD]}),
}


@pytest.mark.parametrize("case", TOKENS)
def test_the_library_writes_no_setting_of_a_token_to_the_terminal(tmp_path, capfd, case):
    name, more = TOKENS[case]
    save(tmp_path, "llama")
    old = tmp_path / name
    old.write_text(json.dumps({**(json.loads(old.read_text()) if old.exists() else {}), **more}))
    capfd.readouterr()  # of making the model
    with pytest.raises(CheckpointError, match=rf"{name}: a token .* '\\x1b\[2J'"):
        open_tokenizer(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_setting_without_a_name_is_one_as_well(tmp_path):
    save(tmp_path, "llama")
    (tmp_path / "special_tokens_map.json").write_text('{"eos_token": {"content": "x", "": 1}}')
    with pytest.raises(CheckpointError, match="has the setting ''"):
        open_tokenizer(tmp_path)


def test_usual_tokenizers_are_not_tried_out():
    end_children()
    guard = guarded(changed())
    assert surely_cheap(guard.backend_tokenizer)
    guard(["some text"] * 100)
    assert pids() == ()


@pytest.mark.parametrize(("text", "cheap"), [("x" * 33, True), ("x" * 65, False)])
def test_a_table_of_characters_is_cheap_by_what_it_puts_for_one(text, cheap):
    from lora_lab.models.tokenizer_cost import _step_is_cheap

    assert _step_is_cheap(charsmap(text)) is cheap


@pytest.mark.skipif(os.name != "posix", reason="there are no pipes of this kind")
@pytest.mark.parametrize(
    "name",
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
     "vocab.json", "merges.txt", "chat_template.jinja", "config.json", "spiece.model"],
)  # fmt: skip
def test_a_pipe_or_a_device_among_the_files_is_refused_by_name(tmp_path, name):
    save(tmp_path, "llama")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(CheckpointError, match=rf"{name}: this is no"):
        open_tokenizer(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(CheckpointError, match=rf"{name}: this is no"):
        open_tokenizer(tmp_path)
    (tmp_path / name).unlink()
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CheckpointError, match=rf"{name}: .*bytes are"):
        open_tokenizer(tmp_path)


def piece(text):
    """A piece of SentencePiece's message, as field 1 of a model."""
    inner = b"\x0a" + varint(len(text)) + text + b"\x15\0\0\0\0"
    return b"\x0a" + varint(len(inner)) + inner


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def unigram(text):
    return {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], [text, -1.0]]}


def added(text):
    token = {"content": text, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": False}  # fmt: skip
    return [{"id": 5, **token}]


TOO_LONG = {  # what is far too long → file, what is in it where the text is so long, how long
    "a piece of Unigram": ("tokenizer.json", lambda n: {"model": unigram("ab" * (n // 2))}, 10**6),
    "a piece of others": ("tokenizer.json", lambda n: {"model": {"vocab": {"a" * n: 0}}}, 10**5),
    "a piece of SentencePiece": ("tokenizer.model", lambda n: piece(b"a") + piece(b"a" * n), 10**6),
    "one behind other fields": (
        "spiece.model", lambda n: b"\x18\x05\x0b\x0c\x12\x01x\x25abcd" + piece(b"a" * n), 10**4),
    "an added token": ("tokenizer.json", lambda n: {"added_tokens": added("a" * n)}, 10**5),
    "an added token beside it": (
        "tokenizer_config.json",
        lambda n: {"added_tokens_decoder": {"5": {"content": "a" * n}}}, 10**5),
    "an expression": (
        "tokenizer.json", lambda n: {"pre_tokenizer": sought(r"\p{L}" * (n // 5))}, 10**5),
    "expressions": (
        "tokenizer.json",
        lambda n: {"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": "a" * 100}, "content": ""}] * (n // 100)}},
        10**5),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LONG)
def test_what_is_too_long_for_the_library_is_refused_before_it_sees_it(tmp_path, name):
    file, made, length = TOO_LONG[name]
    save(tmp_path, "llama")
    for much, matches in ((length, True), (100, False)):
        value = made(much)
        if isinstance(value, dict):
            told = json.loads((tmp_path / file).read_text())
            (tmp_path / file).write_text(json.dumps({**told, **value}))
        else:
            (tmp_path / file).write_bytes(value)
        if matches:
            with pytest.raises(CheckpointError, match=f"^{file}: an? .* is far longer than any"):
                check_tokens(tmp_path)
        else:
            check_tokens(tmp_path)


def test_a_file_that_is_no_message_of_sentencepiece_is_left_to_the_library(tmp_path):
    save(tmp_path, "llama")
    for text in (b"", b"IQ== 0\nIg== 1\n" * 5000, b"\x0a", b"\xff" * 5000, b"\x0f" + b"a" * 9000):
        (tmp_path / "tokenizer.model").write_bytes(text)
        check_tokens(tmp_path)


@pytest.mark.parametrize("kind", ["BPE", "WordLevel", "WordPiece"])
def test_a_long_piece_of_a_vocabulary_that_bears_it_is_let_be(tmp_path, kind):
    save(tmp_path, "llama")
    told = json.loads((tmp_path / "tokenizer.json").read_text())
    model = {"type": kind, "vocab": {"a" * 5000: 0}}
    (tmp_path / "tokenizer.json").write_text(json.dumps({**told, "model": model}))
    check_tokens(tmp_path)


def test_a_file_of_another_library_is_not_read_as_pieces(tmp_path):
    save(tmp_path, "llama")
    (tmp_path / "words2vec.model").write_bytes(piece(b"a" * 10**4))
    check_tokens(tmp_path)


def test_every_file_of_pieces_that_the_library_opens_is_looked_at():
    named = re.compile(r'"(\w[\w.]*\.(?:model|spm))"')
    files = Path(transformers.__file__).parent.rglob("tokenization_*.py")
    found = {name for file in files for name in named.findall(file.read_text("utf-8"))}
    assert found <= set(OF_PIECES)
    assert found >= set(PIECES)


@pytest.mark.parametrize("place", ["added_tokens", "decoder"])
def test_a_table_nested_too_deeply_is_refused(tmp_path, monkeypatch, place):
    save(tmp_path, "llama")
    (tmp_path / "tokenizer.json").write_text('"deep"')
    nested, read = [], json.loads
    for _ in range(5000):  # which newer Pythons read, whose C goes deeper than their own code
        nested = [nested]
    deep = {place: nested}
    monkeypatch.setattr(
        json, "loads", lambda data, **how: deep if data == b'"deep"' else read(data, **how)
    )
    with pytest.raises(CheckpointError, match=r"^tokenizer.json: it is nested too deeply\."):
        check_tokens(tmp_path)


def test_a_number_of_sentencepiece_has_an_end(tmp_path):
    """One of a megabyte took twenty seconds, and four times as long for twice as much."""
    (tmp_path / "tokenizer.model").write_bytes(b"\xff" * 2**20)
    began = processor_seconds()
    check_tokens(tmp_path)
    assert processor_seconds() - began < 1
    (tmp_path / "tokenizer.model").write_bytes(b"\x0a" + b"\xff" * 9 + b"\x01" + b"a" * 9)
    with pytest.raises(CheckpointError, match="is far longer than any"):  # 64 bits are one
        check_tokens(tmp_path)


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
