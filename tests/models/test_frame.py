"""A config of which more is made than its weights are for is refused before it is made."""

import json

import psutil
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.frame import BESIDE, FOR_EACH, Endless, bounded
from lora_lab.models.hf_folder import open_model
from tests.spent import processor_seconds

SMALL = {"vocab_size": 32, "num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 1,
         "intermediate_size": 32, "num_labels": 2}  # fmt: skip
MANY = 10**6
# What a config counts beside layers, under the names of as many families.
COUNTED = {
    "swin": ("image_classification", {"depths": [MANY], "num_heads": [1], "embed_dim": 32,
                                      "image_size": 32, "patch_size": 4}),
    "resnet": ("image_classification", {"depths": [MANY], "hidden_sizes": [32]}),
    "efficientnet": ("image_classification", {"num_block_repeats": [MANY] * 7}),
    "funnel": ("sequence_classification", {"block_sizes": [MANY], "d_model": 32, "vocab_size": 32,
                                           "n_head": 1, "d_head": 32, "d_inner": 32}),
    "mobilebert": ("sequence_classification", {**SMALL, "num_feedforward_networks": MANY,
                                               "embedding_size": 32}),
    "perceiver": ("sequence_classification", {"num_self_attends_per_block": MANY, "d_latents": 32,
                                              "num_blocks": 1, "d_model": 32, "vocab_size": 32}),
    "switch_transformers": ("seq2seq", {
        "num_experts": MANY, "d_model": 32, "vocab_size": 32, "num_layers": 1, "d_kv": 32,
        "num_decoder_layers": 1, "num_sparse_encoder_layers": 1, "num_sparse_decoder_layers": 1,
        "num_heads": 1, "d_ff": 32}),
    "nllb-moe": ("seq2seq", {
        "num_experts": MANY, "d_model": 32, "vocab_size": 32, "encoder_layers": 1,
        "decoder_layers": 1, "encoder_sparse_step": 1, "decoder_sparse_step": 1,
        "encoder_attention_heads": 1, "decoder_attention_heads": 1}),
    "xmod": ("sequence_classification", {**SMALL, "languages": [f"l{i}" for i in range(80_000)]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", COUNTED)
def test_a_model_of_more_parts_than_its_weights_have_is_refused_soon(tmp_path, kind):
    purpose, told = COUNTED[kind]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **told}))
    save_file({f"w{i}": torch.ones(32, 32) for i in range(2)}, tmp_path / "model.safetensors",
              {"format": "pt"})  # fmt: skip
    classes = ("a", "b") if "classification" in purpose else ()
    began = processor_seconds()
    with pytest.raises(CheckpointError, match=r"different models|modules than its weights"):
        open_model(tmp_path, purpose, classes=classes)
    assert processor_seconds() - began < 4  # of which importing its family has half


TABLES = {  # for which no checkpoint has weights
    "ctrl": {"n_positions": 2**24, "n_embd": 32, "n_layer": 1, "n_head": 2, "dff": 32},
    "codegen": {"n_positions": 2**23, "rotary_dim": 64, "n_embd": 32, "n_layer": 1, "n_head": 2},
    "gpt_neo": {"max_position_embeddings": 20_000, "hidden_size": 32, "num_layers": 1,
                "num_heads": 2, "attention_types": [[["global"], 1]]},
}  # fmt: skip


@pytest.mark.parametrize("kind", TABLES)
def test_tables_far_larger_than_the_weights_are_refused_soon(tmp_path, kind):
    told = {"model_type": kind, "vocab_size": 32, **TABLES[kind]}
    (tmp_path / "config.json").write_text(json.dumps(told))
    save_file({"w": torch.ones(32, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    before, began = psutil.Process().memory_info().rss, processor_seconds()
    with pytest.raises(CheckpointError, match="bytes of tables, far more than its weights"):
        open_model(tmp_path, "causal_lm")
    assert processor_seconds() - began < 4
    assert psutil.Process().memory_info().rss - before < 200 * 2**20


def test_as_many_modules_as_a_file_may_have_are_let_be():
    with bounded(1):
        nn.Sequential(*(nn.Identity() for _ in range(BESIDE + FOR_EACH - 1)))
    with pytest.raises(Endless), bounded(1):
        nn.Sequential(*(nn.Identity() for _ in range(BESIDE + FOR_EACH + 1)))
    nn.Sequential(*(nn.Identity() for _ in range(BESIDE + FOR_EACH + 1)))  # and no longer counted
