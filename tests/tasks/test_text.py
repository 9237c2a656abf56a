"""How long a row may be, in the spellings of configs, and tokens that a model has no row for."""

import json

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.presets import starting_config
from lora_lab.tasks.causal_lm import CausalLmTask
from lora_lab.tasks.text import longest
from tests.models.tiny import save, tokenizer

SPELLINGS = {
    "llama": ({"model_type": "llama", "max_position_embeddings": 512}, 512),
    "gpt2": ({"model_type": "gpt2", "n_positions": 512}, 512),
    "ctrl": ({"model_type": "ctrl", "n_ctx": 256, "n_positions": 256}, 256),
    "mpt": ({"model_type": "mpt", "max_seq_len": 2048}, 1024),
    "roberta": (
        {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512,
    ),
    "none": ({"model_type": "bloom"}, 1024),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_longest_row_is_what_the_model_has_positions_for(tmp_path, name):
    values, limit = SPELLINGS[name]
    (tmp_path / "config.json").write_text(json.dumps(values))
    words = tokenizer()
    words.model_max_length = 10**30
    config = starting_config("causal_lm", model=str(tmp_path), data="x", max_length=1024)
    assert longest(config, str(tmp_path), words) == limit


def test_a_tokenizer_larger_than_the_model_is_found_before_training(tmp_path):
    save(tmp_path / "m", "llama")
    words = tokenizer()
    words.add_tokens([f"<|more{i}|>" for i in range(320 - len(words))] + ["<|extra|>"])
    words.save_pretrained(tmp_path / "m")
    rows = [{"text": "a film"}, {"text": "a film <|extra|>"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    config = starting_config("causal_lm", model=str(tmp_path / "m"), data=str(path), validation=0.0)
    task = CausalLmTask.open(config)
    with pytest.raises(CheckpointError, match=r"'<\|extra\|>' \(320\) of row 2"):
        task.base_model()
