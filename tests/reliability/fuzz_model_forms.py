"""What models, tokenizers and their rules are written in."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import safetensors.torch

from tests.reliability.fuzz_data_forms import CHATS, model
from tests.reliability.fuzz_form import (
    Form,
    in_folder,
    lines,
    of_header,
    of_shapes,
    of_table,
    spelled,
    within,
)

# Pieces of chat templates, some of which never end, fill the memory, or look where they may not.
PIECES = (
    "{% for m in messages %}", "{{ m.content }}", "{{ m['role'] }}", "{% endfor %}", "{% if m %}",
    "{% endif %}", "{{ 1 / 0 }}", "{{ 'a' * 10 ** 9 }}", "{{ range(10 ** 9) | list }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ messages.__class__.__mro__ }}", "{% macro x() %}{{ x() }}{% endmacro %}{{ x() }}",
    "{{ raise_exception('\x1b[2J') }}", "{{ 'x' | center(10 ** 9) }}", "{{ '%999999999d' % 1 }}",
    "{% generation %}", "{% endgeneration %}", "{% set m = messages[9] %}", "{{ eos_token }}",
    "{{ strftime_now('%Y') }}", "{{ tools | tojson }}", "{% include 'x' %}", "{{ m.content.x.y }}",
)  # fmt: skip
LLAMA = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 9,
         "rope_parameters": {"rope_type": "default"}}  # fmt: skip
TEMPLATE = ["{% for m in messages %}", "{{ m.role }}: ", "{{ m.content }}", "{{ eos_token }}",
            "{% endfor %}"]  # fmt: skip
# Settings of tokenizers by which words are counted, and other files or pieces are taken.
SETTINGS = ("extra_ids", "offset", "num_madeup_words", "fast_tokenizer_files", "vocab", "merges",
            "init_inputs", "bos_token", "extra_special_tokens", "tokenizer_class")  # fmt: skip
# Steps of tokenizers that grow a text, alone or together, and what else each word is put beside.
BESIDE = ("continuing_subword_prefix", "end_of_word_suffix", "unk_token", "normalized")
STEPS: tuple[Any, ...] = (
    {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"Regex": "."}, "content": "\ufdfa"}, {"type": "NFKD"}] * 5},
    {"type": "Sequence", "pretokenizers": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
         "use_regex": False}] * 26},
    {"type": "Sequence", "decoders": [{"type": "BPEDecoder", "suffix": ""}] * 40},
    {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "aaaa"},
    {"type": "TemplateProcessing", "pair": [], "special_tokens": {},
     "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 5000},
    "#" * 10_000,
)  # fmt: skip
LETTERS = [chr(97 + i) for i in range(26)]


def of_tokenizer(folder: Path) -> Any:
    """Chats, read by the tokenizer of a model's folder."""
    from lora_lab.presets import starting_config
    from lora_lab.tasks.causal_lm import CausalLmTask

    data = folder.parent / "chats.jsonl"
    data.write_bytes(lines(CHATS))
    config = starting_config("causal_lm", model=str(folder), data=str(data), max_length=64)
    return CausalLmTask.open(config).data


def of_words(folder: Path) -> Any:
    """A sentence, read by the tokenizer of a model's folder, and said again."""
    from lora_lab.models.tokenizer_file import open_tokenizer

    words = open_tokenizer(folder)
    ids = words("the cat sat")["input_ids"]
    return words.decode(ids)


def whole(folder: Path) -> Any:
    """Built, and tried on a few tokens."""
    import torch

    from lora_lab.models.hf_folder import open_model
    from lora_lab.models.inspect import describe

    describe(folder)
    opened = open_model(folder, "causal_lm")
    with torch.no_grad():
        return opened.module(torch.arange(4)[None] % opened.module.config.vocab_size).logits


def rules(folder: Path) -> Any:
    import numpy as np

    from lora_lab.models.image_rules import open_image_rules

    found = open_image_rules(folder)
    picture = np.zeros((20, 30, found.channels), np.uint8)
    return found.prepare(picture) if found.prepare else picture


def of_pictures(folder: Path) -> Any:
    """Opened, and asked for a text with an image, as each row of the data does."""
    import numpy as np

    from lora_lab.data.pictured_tokens import processed
    from lora_lab.errors import DataError
    from lora_lab.models.processor import open_processor

    processor = open_processor(folder)
    picture = np.zeros((20, 30, 3), np.uint8)
    try:
        return processed(processor, ["the <image> sat"], [[picture]], "np")
    except Exception as error:  # a row is left out for it
        raise DataError(str(error)) from error


def config(path: Path) -> Any:
    from lora_lab.models.hf_config import read_config

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "config.json")
        return read_config(folder)


def templated(table: Any) -> bytes:
    """tokenizer_config.json with a template of pieces."""
    pieces = table if isinstance(table, list) else [table]
    settings = json.loads((model() / "tokenizer_config.json").read_text())
    return spelled({**settings, "chat_template": "".join(map(str, pieces))})


@cache
def _word_pieces() -> Path:
    """BERT's tokenizer in its old form, a line for each piece."""
    folder = Path(shutil.copytree(model("bert"), Path(tempfile.mkdtemp()) / "model"))
    (folder / "tokenizer.json").unlink()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", *LETTERS]
    (folder / "vocab.txt").write_text("\n".join([*pieces, *(f"##{x}" for x in LETTERS)]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


@cache
def _pairs() -> Path:
    """GPT-2's in its old form: a table of pieces, and the pairs that make them."""
    folder = Path(shutil.copytree(model("gpt2"), Path(tempfile.mkdtemp()) / "model"))
    told = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(told["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in told["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]))
    (folder / "special_tokens_map.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    (folder / "added_tokens.json").write_text(json.dumps({"<|more|>": 319}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    return folder


@cache
def _shards() -> Path:
    folder = Path(shutil.copytree(model(), Path(tempfile.mkdtemp()) / "model"))
    tensors = list(safetensors.torch.load_file(str(folder / "model.safetensors")).items())
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for part in range(2):
        name = f"model-0000{part + 1}-of-00002.safetensors"
        safetensors.torch.save_file(dict(tensors[part::2]), str(folder / name), {"format": "pt"})
        weight_map |= {key: name for key, _ in tensors[part::2]}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def _packed(how: tuple[str, str]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Shapes, types and texts of a model with one matrix in bytes, as bitsandbytes has them."""
    state = safetensors.torch.load_file(str(model() / "model.safetensors"))
    shapes: dict[str, Any] = {key: tuple(tensor.shape) for key, tensor in state.items()}
    key = "model.layers.0.mlp.up_proj.weight"
    (out, width), (kind, packing) = shapes[key], how
    texts = {}
    if packing:
        shapes[key] = (out * width // 2, 1)
        more = {"absmax": (out * width // 64,), "quant_map": (16,)}
        facts = {"blocksize": 64, "shape": [out, width], "nested_blocksize": 256}
        shapes |= {f"{key}.{part}": shape for part, shape in more.items()}
        texts[f"{key}.quant_state.bitsandbytes__{packing}"] = json.dumps(facts)
        shapes |= dict.fromkeys(texts, ())
    else:
        shapes[key.replace("weight", "SCB")] = (out,)
    return shapes, {key: kind}, texts


@cache
def _vit() -> Path:
    from tests.models.tiny import save

    folder = Path(tempfile.mkdtemp()) / "model"
    save(folder, "vit")
    rule = {"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8},
            "do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
            "do_rescale": True, "rescale_factor": 1 / 255, "resample": 2,
            "crop_size": 8, "do_center_crop": False}  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(rule))
    return folder


@cache
def _llava() -> Path:
    from tests.tasks.image_text_models import save

    folder = Path(tempfile.mkdtemp()) / "model"
    save(folder, "llava")
    return folder


@cache
def whole_gguf() -> bytes:
    """A model with its tokenizer."""
    from tests.models.test_gguf_file import write
    from tests.models.tiny import MODELS

    path = Path(tempfile.mkdtemp()) / "x.gguf"
    write(path, MODELS["llama"]())
    return path.read_bytes()


def read_gguf(path: Path) -> Any:
    of_words(path)
    return whole(path)


def model_forms() -> dict[str, Form]:
    generation = {"eos_token_id": [0, 1], "bos_token_id": 0, "pad_token_id": 1, "max_length": 20,
                  "decoder_start_token_id": 1, "do_sample": False}  # fmt: skip
    tensors = (model() / "model.safetensors").read_bytes()
    return {
        "model config": of_table("config.json", config, LLAMA),
        "config of a whole model": in_folder(model, "config.json", whole),
        "weights of a whole model": of_header(
            "model.safetensors", within(model, whole), tensors),
        "four bits": of_shapes(
            "model.safetensors", within(model, whole), *_packed(("U8", "nf4"))),
        "eight bits": of_shapes("model.safetensors", within(model, whole), *_packed(("I8", ""))),
        "generation config": of_table("generation_config.json", within(model, whole), generation),
        "index of shards": in_folder(_shards, "model.safetensors.index.json", whole),
        "gguf model": Form("x.gguf", whole_gguf, read_gguf),
        "image rules": in_folder(_vit, "preprocessor_config.json", rules),
        "processor": in_folder(_llava, "processor_config.json", of_pictures),
        "tokenizer": in_folder(model, "tokenizer.json", of_tokenizer, BESIDE, STEPS),
        "tokenizer config": in_folder(model, "tokenizer_config.json", of_tokenizer, SETTINGS),
        "chat template": Form("tokenizer_config.json", lambda: templated(TEMPLATE),
                              within(model, of_tokenizer), templated, lambda: TEMPLATE, PIECES),
        "template beside": Form("chat_template.jinja", lambda: "".join(TEMPLATE).encode(),
                                within(model, of_tokenizer)),
        "word pieces": Form("vocab.txt", lambda: (_word_pieces() / "vocab.txt").read_bytes(),
                            within(_word_pieces, of_words)),
        "table of pieces": in_folder(_pairs, "vocab.json", of_words),
        "pairs of pieces": Form("merges.txt", lambda: (_pairs() / "merges.txt").read_bytes(),
                                within(_pairs, of_words)),
        "special tokens": in_folder(_pairs, "special_tokens_map.json", of_words, SETTINGS),
        "added tokens": in_folder(_pairs, "added_tokens.json", of_words),
    }  # fmt: skip
