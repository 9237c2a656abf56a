"""Adapters that are no LoRA, and folders without one, are named for what they are."""

import json

import pytest
import torch
from safetensors.torch import save_file

from lora_lab.cli.inspect import is_model
from lora_lab.errors import AdapterError
from lora_lab.formats.recognise import open_adapter

FILES = {
    "prompt.safetensors": ("prompt_embeddings", "a soft prompt"),
    "llama.pth": ("adapter_query.weight", "a LLaMA-Adapter"),
    "litgpt.pth": ("transformer.h.0.attn.gating_factor", "an adapter of LitGPT"),
    "ip.safetensors": ("ip_adapter.1.to_k_ip.weight", "an IP-Adapter"),
    "cat.safetensors": ("<cat>", "an embedding of textual inversion"),
    "hub.bin": (
        "roberta.encoder.layer.0.output.adapters.sst.adapter_down.0.weight", "bottleneck layers"
    ),
}  # fmt: skip
FOLDERS = {
    "out": ({"checkpoint-500/config.json": {}}, "a folder of several checkpoints"),
    "cache": ({"refs/main": {}, "snapshots/a/config.json": {}}, "of the Hugging Face cache"),
    "saved": ({"saved_model.pb": {}}, "a TensorFlow SavedModel"),
    "pipeline": ({"model_index.json": {}}, "a diffusers pipeline"),
    "sentences": ({"modules.json": []}, "a sentence-transformers folder"),
    "litgpt": ({"lit_config.json": {}}, "a checkpoint of LitGPT"),
    "timm": ({"config.json": {"architecture": "resnet18"}}, "names no model_type"),
    "words": ({"tokenizer.json": {}}, "has a tokenizer and no model"),
    "empty": ({}, "no adapter_config.json"),
}
HUB = {"model_class": "BertModel", "model_type": "bert", "config": {"architecture": None}}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_named(name, tmp_path):
    key, what = FILES[name]
    write = save_file if name.endswith("safetensors") else torch.save
    write({key: torch.ones(4, 4)}, tmp_path / name)
    assert not is_model(tmp_path / name), "no model that could be trained"
    with pytest.raises(AdapterError, match=f"it is {what}.* It has no ΔW of layers"):
        open_adapter(tmp_path / name)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_is_named(name, tmp_path):
    files, what = FOLDERS[name]
    for path, values in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(values))
    assert not is_model(tmp_path)
    with pytest.raises(AdapterError, match=f"there is no adapter here: .*{what}"):
        open_adapter(tmp_path)


@pytest.mark.parametrize(
    ("architecture", "way_out"), [(None, "bottleneck layers"), ("lora", "model.merge_adapter")]
)
def test_an_adapter_of_adapter_hub(architecture, way_out, tmp_path):
    values = {**HUB, "config": {"architecture": architecture}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(values))
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_adapter.bin")
    with pytest.raises(AdapterError, match=f"AdapterHub's library adapters.*{way_out}"):
        open_adapter(tmp_path)
