"""Files that name a class: a tokenizer or a processor is opened, nothing else of the library."""

import importlib
import json

import pytest
from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES

from lora_lab.errors import CheckpointError, DataError
from lora_lab.models.image_rules import open_image_rules
from lora_lab.models.named_classes import check_alone, check_classes, check_settings
from lora_lab.models.tokenizer_file import open_tokenizer
from tests.models.tiny import save

WRONG = ("AutoModel", "AutoModelForCausalLM", "LlamaForCausalLM", "AutoConfig", "AutoTokenizer",
         "RagTokenizer", "RagRetriever", "Trainer", "pipeline", "AutoProcessor", "utils",
         "AutoImageProcessor", "GenerationConfig", ["a"], 5, {"a": 1})  # fmt: skip


@pytest.mark.parametrize("name", WRONG, ids=str)
def test_what_opens_something_else_is_refused(name):
    for key in ("tokenizer_class", "processor_class", "image_processor_type"):
        with pytest.raises(CheckpointError, match=f"x: {key} is "):
            check_classes({key: name}, "x")


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_it_is_refused_in_each_file_that_may_name_it(tmp_path, file):
    save(tmp_path, "llama")
    values = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps({**values, "tokenizer_class": "AutoModel"}))
    with pytest.raises(CheckpointError, match=rf"{file}: tokenizer_class is 'AutoModel'"):
        open_tokenizer(tmp_path)


def test_rules_of_images_name_no_loader_of_models(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "preprocessor_config.json").write_text('{"image_processor_type": "AutoModel"}')
    with pytest.raises(CheckpointError, match="image_processor_type is 'AutoModel'"):
        open_image_rules(tmp_path)


def names(table):
    for value in table.values():
        for name in value.values() if isinstance(value, dict) else [value]:
            for one in name if isinstance(name, tuple | list) else [name]:
                if isinstance(one, str):
                    yield one


@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("tokenizer_class", TOKENIZER_MAPPING_NAMES),
        ("processor_class", PROCESSOR_MAPPING_NAMES),
        ("image_processor_type", IMAGE_PROCESSOR_MAPPING_NAMES),
    ],
    ids=["tokenizers", "processors", "images"],
)
def test_all_that_the_library_has_of_a_kind_may_be_named(key, table):
    found = set(names(table)) - {"RagTokenizer"}  # two in folders of their own, which nobody checks
    assert len(found) > 20
    for name in found:
        check_classes({key: name}, "x")
    check_classes({"tokenizer_class": "BertTokenizerLegacy"}, "x")  # in no table
    check_classes({key: "NobodyKnowsThis"}, "x")  # of which the library makes its usual


@pytest.mark.parametrize(
    "settings",
    [
        {"word_tokenizer_type": "jumanpp"},
        {"mecab_kwargs": {"mecab_option": "-r evil"}},
        {"mecab_kwargs": {"mecab_dic": "../evil"}},
        {"sudachi_kwargs": {"sudachi_config_path": "evil.json"}},
        {"sudachi_kwargs": {"sudachi_resource_dir": "."}},
        {"sudachi_kwargs": {"sudachi_dict_type": "./evil.dic"}},
        {"jumanpp_kwargs": ["x"]},
        {"word_tokenizer_type": ["mecab"]},
    ],
    ids=str,
)
def test_nothing_is_loaded_or_started_to_cut_words(settings):
    with pytest.raises(CheckpointError, match=r"x: \w+ is .*"):
        check_settings(settings, "x")


def test_usual_ways_to_cut_words_are_let_through():
    usual = {"word_tokenizer_type": "mecab", "mecab_kwargs": {"mecab_dic": "unidic_lite"}}
    check_settings({**usual, "sudachi_kwargs": None}, "x")


def test_one_that_starts_another_program_is_refused():
    class Speaks:
        phonemize = True

    with pytest.raises(CheckpointError, match="starts another program"):
        check_alone(Speaks(), "x")


def test_what_a_tokenizer_in_python_refuses_is_an_error_that_names_it(tmp_path):
    save(tmp_path, "llama")
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "tokenizer_config.json").write_text(
        '{"tokenizer_class": "BlenderbotSmallTokenizer", "unk_token": null}'
    )
    (tmp_path / "vocab.json").write_text('{"b": 0, "a@@": 1}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    tokenizer = open_tokenizer(tmp_path)
    assert not tokenizer.is_fast
    with pytest.raises(DataError, match="The tokenizer fails on this text"):
        tokenizer("zzzz")


SIZE = {"size": {"height": 28, "width": 28}}
ASKING = {  # what the library would do → what the image processor's file says
    "for a connection": {"image_processor_type": "OneFormerImageProcessor",
                         "repo_path": "some/folder", "class_info_file": "x.json"},
    "for another program": {"image_processor_type": "LayoutLMv3ImageProcessor",
                            "apply_ocr": True},
}  # fmt: skip
READER = """
import subprocess, sys
class Output: DICT = 1
def image_to_data(*_, **__):
    subprocess.run([sys.executable, "-c", ""], check=True)
"""


@pytest.mark.parametrize("asked", ASKING)
def test_an_image_processor_neither_fetches_nor_starts_something(tmp_path, monkeypatch, asked):
    model, packages = tmp_path / "model", tmp_path / "packages"
    save(model, "llama")
    packages.mkdir()
    (packages / "pytesseract.py").write_text(READER)
    monkeypatch.syspath_prepend(packages)
    for module in ("layoutlmv3.image_processing_pil_layoutlmv3",):
        whole = importlib.import_module(f"transformers.models.{module}")
        monkeypatch.setattr(whole, "requires_backends", lambda *_: None)
        monkeypatch.setattr(whole, "pytesseract", importlib.import_module("pytesseract"), False)
    (model / "preprocessor_config.json").write_text(json.dumps({**ASKING[asked], **SIZE}))
    with pytest.raises(CheckpointError, match=r"^model: its image processor has"):
        open_image_rules(model)
    monkeypatch.setattr("lora_lab.models.named_classes.BEYOND_PIXELS", {})  # by another setting
    with pytest.raises(CheckpointError, match=f"^model: it asks {asked}"):
        open_image_rules(model)


def test_what_is_of_speech_is_said_to_be(tmp_path):
    save(tmp_path, "llama")
    told = json.loads((tmp_path / "tokenizer_config.json").read_text())
    told["processor_class"] = "Wav2Vec2ProcessorWithLM"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match="models of speech and sound cannot be trained"):
        open_tokenizer(tmp_path)
