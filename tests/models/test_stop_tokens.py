"""The tokens that end an answer, from each of the files that may name them."""

import json

import pytest

from lora_lab.models.stop_tokens import stop_tokens
from tests.models.tiny import tokenizer


@pytest.mark.parametrize(
    ("config", "generation", "stops"),
    [
        ({}, None, {"<|end|>"}),
        ({"eos_token_id": 2}, None, {"<|end|>", "<|user|>"}),
        (
            {"eos_token_id": None},
            {"eos_token_id": [2, 3]},
            {"<|end|>", "<|user|>", "<|assistant|>"},
        ),
        ({}, {"eos_token_id": 10**6}, {"<|end|>"}),
    ],
)
def test_every_file_is_asked(tmp_path, config, generation, stops):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    if generation is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(generation))
    assert stop_tokens(tmp_path, tokenizer()) == stops


def test_a_file_of_a_model_leaves_it_to_the_tokenizer(tmp_path):
    assert stop_tokens(tmp_path / "model.gguf", tokenizer()) == {"<|end|>"}
