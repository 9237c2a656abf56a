"""What a tokenizer's files say too much of is refused before a library sees it, in true words."""

import base64
import json
import os
import re
from pathlib import Path

import pytest
import transformers

from lora_lab.errors import CheckpointError
from lora_lab.models import tokenizer_texts
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.models.tokenizer_texts import MOST_ADDED, OF_PIECES, PIECES, check_tokens
from tests.models.test_tokenizer_guard import sought
from tests.models.tiny import save
from tests.spent import processor_seconds


def told(folder, name, **more):
    """A file of a tokenizer with more in it than it had."""
    file = folder / name
    had = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**had, **more}))


ODD = {"content": "<|end|>", "\x1b[2J": 1}
TOKENS = {
    "of a number": ("tokenizer_config.json", {"added_tokens_decoder": {"0": ODD}}),
    "without a text": ("tokenizer_config.json", {"added_tokens_decoder": {"0": {"\x1b[2J": 1}}}),
    "by its type": ("tokenizer_config.json", {"eos_token": {"__type": "AddedToken", **ODD}}),
    "in a schema": ("tokenizer_config.json", {"response_schema": {"x": {"__type": 1, **ODD}}}),
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


def kind(text, said=b"\x18\x04"):
    """One that the user defined, which becomes an added token."""
    inner = said + b"\x0a" + varint(len(text)) + text
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


def charsmap(claimed):
    raw = claimed.to_bytes(4, "little") + b"a" * 40
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(raw).decode()}


def normalized(claimed):
    """A SentencePiece model of one piece whose table of characters claims so many bytes."""
    table = b"\x12" + varint(44) + claimed.to_bytes(4, "little") + b"a" * 40
    return piece(b"a") + b"\x1a" + varint(len(table)) + table


def numbered(n):
    return {"extra_special_tokens": [f"{i}{'ab' * 50}" for i in range(n)]}


WORDS = "the added tokens in it have [0-9,]+ letters, far more than any tokenizer has"
# What is refused → the file, what is in it, and the reason.
TOO_MUCH = {
    "one long token": ("tokenizer_config.json", {"bos_token": "a" * 10**5}, "far longer than any"),
    "a key": ("added_tokens.json", {"a" * 10**5: 321}, "far longer than any"),
    "one of a kind of its own": (
        "tokenizer_config.json", {"image_token": "a" * 10**5}, "far longer than any"),
    "in the old file": ("special_tokens_map.json", {"eos_token": "a" * 10**5}, "far longer"),
    "many tokens": ("tokenizer_config.json", numbered(6000), WORDS),
    "many in the old file": ("special_tokens_map.json", numbered(6000), WORDS),
    "many keys": ("added_tokens.json", {f"{i}{'ab' * 50}": i for i in range(6000)}, WORDS),
    "many in the whole": (
        "tokenizer.json",
        {"added_tokens": [{**added("ab" * 50 + str(i))[0], "content": f"{i}{'ab' * 50}"}
                          for i in range(6000)]}, WORDS),
    "a number": ("added_tokens.json", {"<x>": 10**9}, "has the number 1000000000, which none"),
    "a number as a key": (
        "tokenizer_config.json", {"added_tokens_decoder": {"1000000000": {"content": "x"}}},
        "has the number '1000000000'"),
    "a key that is a number to Python": (
        "tokenizer_config.json", {"added_tokens_decoder": {"1_000_000_000": {"content": "x"}}},
        "has the number '1_000_000_000'"),
    "an id": ("tokenizer.json", {"added_tokens": [{**added("x")[0], "id": 10**9}]}, "number 1000"),
    "a table of characters": (
        "tokenizer.json", {"normalizer": charsmap(2**32 - 4)}, "claims more bytes than it has"),
    "one behind blanks": (
        "tokenizer.json", {"normalizer": {"normalizers": [{**charsmap(0), "precompiled_charsmap":
            "\n" + charsmap(2**32 - 4)["precompiled_charsmap"]}]}}, "claims more bytes"),
    "one of SentencePiece": ("spiece.model", normalized(2**32 - 4), "claims more bytes"),
    "steps": ("tokenizer.json", {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "NFC"}] * 70_000}}, "has 70,0.. steps"),
    "tokens of SentencePiece": (
        "tokenizer.model", b"".join(kind(b"%d" % i + b"ab" * 400) for i in range(700)),
        "far longer than any"),
    "those in other bytes": (
        "tokenizer.model",
        b"".join(kind(b"%d" % i + b"ab" * 400, b"\x98\0\x04") for i in range(700)),
        "far longer than any"),
    "lists": ("tokenizer.json", {"x": [[]] * 100}, "values are too many"),
    "a number without end": ("tokenizer.json", b'{"x": ' + b"1" * 5000 + b"}", "not valid JSON"),
    "two models": ("tokenizer.json", b'{"model": {}, "model": {}}', "'model' is given twice"),
    "another file": ("tokenizer_config.json", {"fast_tokenizer_files": ["tokenizer.4.0.0.json"]},
                     "fast_tokenizer_files is .*place of the folder's own"),
    "a file elsewhere": ("tokenizer_config.json", {"fast_tokenizer_files": "tokenizer.4.json"},
                         "fast_tokenizer_files is"),
    "pieces": ("tokenizer_config.json", {"vocab": [["<unk>", 0]]}, "vocab is .*folder's own"),
    "pairs in the old file": ("special_tokens_map.json", {"merges": ["a b"]}, "merges is"),
    "what the class is called with": ("tokenizer_config.json", {"init_inputs": [1]}, "init_inputs"),
    "a file of this machine": (
        "tokenizer_config.json", {"merges_file": __file__}, "a file of this machine"),
    "a file of this machine by another name": (
        "tokenizer_config.json", {"tokenizer_file": __file__}, "a file of this machine"),
    "a dictionary in the old file": (
        "special_tokens_map.json", {"mecab_option": "-r /x"}, "could load or start something"),
    "counted words": ("tokenizer_config.json", {"extra_ids": 10**9}, "extra_ids is 1,000,000,000"),
    "counted words below": ("tokenizer_config.json", {"offset": -(10**9)}, "offset is -1,000,000,"),
    "a text's length": ("tokenizer_config.json", {"image_seq_length": 10**9}, "is 1,000,000,000"),
    "counted in the old file": ("special_tokens_map.json", {"num_madeup_words": 10**9}, "is 1,000"),
    "counted as a fraction": ("tokenizer_config.json", {"num_madeup_words": 1e9}, "far more than"),
    "counted inside": ("tokenizer_config.json", {"sp_model_kwargs": {"x": [10**9]}}, "x is 1,000"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_is_too_much_is_refused_with_the_reason(tmp_path, monkeypatch, name):
    file, value, words = TOO_MUCH[name]
    save(tmp_path, "llama")
    if name == "lists":  # of fewer, since a tiny vocabulary has more than none
        monkeypatch.setattr(tokenizer_texts, "MOST_PARTS", 2**7)
    if isinstance(value, bytes):
        (tmp_path / file).write_bytes(value)
    else:
        told(tmp_path, file, **value)
    began = processor_seconds()
    with pytest.raises(CheckpointError, match=words) as refused:
        open_tokenizer(tmp_path)
    assert file in str(refused.value)
    assert processor_seconds() - began < 1


# What real files have, the largest of it.
LARGE = {"max_seq_length": 131_072, "n_ctx": 32_768, "context_length": 32_768, "seq_length": 32_768,
         "eos_token_ids": [151_645], "image_token_index": 151_655, "nb_max_frames": 30_000,
         "max_video_tokens": 128_000, "max_frames": 10_800}  # fmt: skip
HONEST = {
    "numbered sounds": ("added_tokens.json", {f"<|s_{i}|>": 320 + i for i in range(65_536)}),
    "what older versions write": (
        "tokenizer_config.json",
        {"init_inputs": [], "fast_tokenizer_files": ["tokenizer.json"], "model_max_length": 10**30,
         "tokenizer_file": "/nowhere/tokenizer.json", "extra_ids": 100, "bos_token_id": 151_643,
         "special_tokens_map_file": "/nowhere/special_tokens_map.json", "max_length": 32_768,
         "chat_template": "{# " + "long " * 20_000 + "#}", "vocab_size": 256_000}),
    "a whole table of characters": ("tokenizer.json", {"normalizer": charsmap(4)}),
    "pieces that say to be usual": (
        "spiece.model", b"".join(kind(b"%d" % i + b"ab" * 40, b"\x18\x01") for i in range(9000))),
    "how an answer is made up": (
        "tokenizer_config.json",
        {"response_schema": {"type": "object", "properties": {
            "role": {"const": "assistant"}, "content": {"type": "string"}}}}),
    "lengths and numbers of tokens": ("tokenizer_config.json", LARGE),
    "those in the old file": ("special_tokens_map.json", LARGE),
    "a file that older versions name": (
        "tokenizer_config.json", {"special_tokens_map_file": __file__}),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_what_real_files_have_is_let_be(tmp_path, name):
    file, value = HONEST[name]
    save(tmp_path, "llama")
    if isinstance(value, bytes):
        (tmp_path / file).write_bytes(value)
    else:
        told(tmp_path, file, **value)
    began = processor_seconds()
    check_tokens(tmp_path)
    assert processor_seconds() - began < 0.6
    if name != "numbered sounds":  # the library itself takes long over those
        assert open_tokenizer(tmp_path)


def test_a_file_of_the_folder_itself_may_be_named(tmp_path, monkeypatch):
    save(tmp_path, "llama")
    told(tmp_path, "tokenizer_config.json", tokenizer_file=str(tmp_path / "tokenizer.json"))
    assert open_tokenizer(tmp_path)
    monkeypatch.chdir(tmp_path)
    told(tmp_path, "tokenizer_config.json", tokenizer_file="tokenizer.json")
    assert open_tokenizer(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")
def test_the_links_of_the_hubs_cache_are_followed(tmp_path):
    snapshot, blobs = tmp_path / "models--a--b/snapshots/0123", tmp_path / "models--a--b/blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    save(snapshot, "llama")
    (snapshot / "additional_chat_templates").mkdir()
    (snapshot / "additional_chat_templates/a.jinja").write_text("{{ 1 }}")
    (snapshot / "chat_template.jinja").write_text("{{ 2 }}")
    for number, file in enumerate([p for p in snapshot.rglob("*") if p.is_file()]):
        file.rename(blobs / str(number))
        file.symlink_to(blobs / str(number))
    assert open_tokenizer(snapshot).chat_template == {"default": "{{ 2 }}", "a": "{{ 1 }}"}


OF_FOLDER = (
    "chat_template.jinja",
    "additional_chat_templates",
    "additional_chat_templates/a.jinja",
)


@pytest.mark.skipif(os.name != "posix", reason="links need a right elsewhere")
@pytest.mark.parametrize(
    ("name", "gguf"),
    [*((name, False) for name in OF_FOLDER), *((name, True) for name in OF_FOLDER[1:]),
     ("tokenizer_config.json", False), ("tokenizer_config.json", True)],
)  # fmt: skip
def test_a_file_elsewhere_is_no_part_of_a_tokenizer(tmp_path, name, gguf):
    """What it says would be shown, and written into an export."""
    from tests.models.test_gguf_file import write
    from tests.models.tiny import MODELS

    model, other = tmp_path / "model", tmp_path / "other"
    (other / "additional_chat_templates").mkdir(parents=True)
    for place in OF_FOLDER[::2]:
        (other / place).write_text("a text of somebody else")
    told(other, "tokenizer_config.json", chat_template="a text of somebody else")
    (model / name).parent.mkdir(parents=True)
    if gguf:
        write(model / "x.gguf", MODELS["llama"]())
    else:
        save(model, "llama")
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(other / name)
    with pytest.raises(CheckpointError, match="is a link that leads out of model"):
        open_tokenizer(model / "x.gguf" if gguf else model)


def test_texts_are_measured_by_what_they_do_not_share():
    many = [f"<|a text that all of them begin with {i}|>" for i in range(20_000)]
    tokenizer_texts.check_branches(many, MOST_ADDED, "they")
    with pytest.raises(CheckpointError, match=r"^they have [0-9,]+ letters"):
        tokenizer_texts.check_branches([text[::-1] + text for text in many], MOST_ADDED, "they")


def test_what_lies_beside_a_gguf_is_looked_at_as_well(tmp_path):
    from tests.models.test_gguf_file import write
    from tests.models.tiny import MODELS

    write(tmp_path / "x.gguf", MODELS["llama"]())
    assert open_tokenizer(tmp_path / "x.gguf")
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added("a" * 10**5)}))
    with pytest.raises(CheckpointError, match=r"^tokenizer.json: an added token in it is far"):
        open_tokenizer(tmp_path / "x.gguf")


def test_templates_beside_a_gguf_are_files_of_a_size(tmp_path):
    from tests.models.test_gguf_file import write
    from tests.models.tiny import MODELS

    write(tmp_path / "x.gguf", MODELS["llama"]())
    (tmp_path / "another.json").touch()  # of some other program, and none of the tokenizer's
    os.truncate(tmp_path / "another.json", 2**28)
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates/a.jinja").write_text("{{ 1 }}")
    assert open_tokenizer(tmp_path / "x.gguf")
    os.truncate(tmp_path / "additional_chat_templates/a.jinja", 2**28)
    with pytest.raises(CheckpointError, match=r"^a.jinja: 268,435,456 bytes are more than any"):
        open_tokenizer(tmp_path / "x.gguf")


def test_a_gguf_beside_files_that_ask_for_code_is_opened(tmp_path):
    from tests.models.test_gguf_file import write
    from tests.models.tiny import MODELS

    write(tmp_path / "x.gguf", MODELS["llama"]())
    told(tmp_path, "tokenizer_config.json", auto_map={"AutoTokenizer": ["x.Y", None]})
    with pytest.raises(CheckpointError, match="asks for code of its author"):
        open_tokenizer(tmp_path / "x.gguf")  # no class is known
    told(tmp_path, "tokenizer_config.json", tokenizer_class="LlamaTokenizer")
    assert open_tokenizer(tmp_path / "x.gguf")


def test_a_template_of_the_folder_of_templates_is_a_file_of_a_size(tmp_path):
    save(tmp_path, "llama")
    (tmp_path / "additional_chat_templates").mkdir()
    with (tmp_path / "additional_chat_templates" / "x.jinja").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CheckpointError, match=r"^x.jinja: 1,099,511,627,776 bytes are"):
        open_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"), [("vocab.txt", "\n" * 2_200_000), ("merges.txt", "a b\n" * 2_200_000),
                       ("vocab.json", "[" + "[]," * 2_200_000 + "0]")],
)  # fmt: skip
def test_older_files_list_no_more_tokens_than_there_are(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=f"^{name}: it lists over 2,097,152 tokens"):
        check_tokens(tmp_path)
    (tmp_path / name).write_text(text[:1000])
    check_tokens(tmp_path)
