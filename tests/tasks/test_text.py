"""How long a row may be, in the spellings of configs, and tokens that a model has no row for."""

import json

import pytest

from lora_lab.errors import CheckpointError
from lora_lab.presets import starting_config
from lora_lab.rules import data_report
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


@pytest.mark.parametrize("value", ["", "512", None, [512], True, 0, -1, float("nan")])
def test_a_longest_row_that_is_no_number_is_named(tmp_path, value):
    (tmp_path / "config.json").write_text('{"model_type": "bloom"}')
    words = tokenizer()
    words.model_max_length = value
    config = starting_config("causal_lm", model=str(tmp_path), data="x")
    with pytest.raises(CheckpointError, match="model_max_length"):
        longest(config, str(tmp_path), words)


@pytest.mark.parametrize("value", ["1", [1], {}, 1.5, True])
def test_a_padding_token_that_is_none_is_named(tmp_path, value):
    settings = {"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": value}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    config = starting_config("causal_lm", model=str(tmp_path), data="x")
    with pytest.raises(CheckpointError, match=r"pad_token_id is .* no token"):
        longest(config, str(tmp_path), tokenizer())


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


def test_runs_of_other_seeds_hold_out_the_same_rows(tmp_path):
    save(tmp_path / "m", "llama")
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": f"a film {i}"}) for i in range(40)))

    def held_out(**settings):
        config = starting_config(
            "causal_lm", model=str(tmp_path / "m"), data=str(path), validation=0.3, **settings
        )
        return [e.number for e in CausalLmTask.open(config).held_out.examples]

    assert held_out(seed=1) == held_out(seed=2)
    assert held_out(data_seed=1) != held_out(data_seed=2)
    assert held_out(seed=5, data_seed=None) == held_out(data_seed=5), "as runs of old have it"


def test_what_is_trained_and_what_is_not_is_one_report(tmp_path):
    save(tmp_path / "m", "llama")
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"a film {i % 30} " + "very " * (i % 2 * 60), "id": i} for i in range(40)]
    path.write_text("\n".join(map(json.dumps, rows)))
    config = starting_config(
        "causal_lm", model=str(tmp_path / "m"), data=str(path), validation=0.25
    )
    report = data_report(CausalLmTask.open(config).data)
    assert report[0] == "data: 30 training and 10 validation rows, read as text (text from text)"
    assert "label tokens" in report[1]
    assert "rows are cut at 64 tokens" in report[2]
    assert "columns not used: id" not in report
    assert "column not used: id" in report
    assert any("validation rows are trained on as well" in line for line in report)
