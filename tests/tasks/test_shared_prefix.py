"""Rows that begin alike share what they begin with: the losses and gradients of each row alone."""

import json
from itertools import islice

import numpy as np
import pytest
import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM

from lora_lab.config import changed
from lora_lab.data.token_rows import Example
from lora_lab.errors import ConfigError
from lora_lab.presets import starting_config
from lora_lab.tasks.causal_lm import CausalLmTask
from lora_lab.tasks.preference import PreferenceTask
from lora_lab.tasks.shared_prefix import groups
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients
from tests.models.tiny import VOCABULARY, save
from tests.training.driven_run import DrivenRun

SYSTEM = "the sound is clear and the film is good but the end is bad " * 2
WORDS = SYSTEM.split()
FORMS = {
    "prompt": lambda i: {
        "prompt": SYSTEM + " ".join(WORDS[i % 3 : 4 + i % 7]), "completion": f" {WORDS[i % 4]}"
    },
    "text": lambda i: {"text": SYSTEM + " ".join(WORDS[i % 5 : 7 + i % 4])},
}  # fmt: skip


def config_of(tmp_path, kind="llama", form="prompt", **settings):
    save(tmp_path / kind, kind)
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(json.dumps(FORMS[form](i)) for i in range(30)))
    base = {"batch_size": 8, "accumulation": 1, "validation": 0.2, "max_steps": 12}
    return starting_config(
        "causal_lm", model=str(tmp_path / kind), data=str(data), share_prefix=True,
        **{**base, "dtype": "float64", **settings},
    )  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_step_is_the_one_of_rows_side_by_side(tmp_path, monkeypatch, kind, form):
    """Whether the shared tokens are read or learned, in one row or in several."""
    shared = Experiment.build(config_of(tmp_path, kind, form))
    plain = Experiment.build(changed(shared.config, share_prefix=False))
    monkeypatch.setattr("lora_lab.tasks.shared_prefix.MOST", 10)
    for one, other in zip(shared.layers.values(), plain.layers.values(), strict=True):
        torch.nn.init.normal_(one.lora_B, std=0.1)
        with torch.no_grad():
            other.lora_A.copy_(one.lora_A)
            other.lora_B.copy_(one.lora_B)
    for batch in islice(shared.task.batches(8, 0), 2):
        parts = shared.task.parts(batch, 1)
        fed = sum(part.ids.numel() for part, _ in parts)
        assert all(part.seen is not None for part, _ in parts)
        assert fed < 0.8 * shared.task.tokens(batch)
        found, wanted = (gradients(x, batch).loss for x in (shared, plain))
        assert found == pytest.approx(wanted, rel=1e-7)  # a float of 32 bits
        for one, other in zip(shared.layers.values(), plain.layers.values(), strict=True):
            for label in ("lora_A", "lora_B"):
                grad = getattr(other, label).grad
                largest = grad.abs().max()
                assert largest > 0
                assert (getattr(one, label).grad - grad).abs().max() < 1e-6 * largest


def test_a_run_that_shares_resumes_to_the_bit(tmp_path):
    driven = DrivenRun(config_of(tmp_path, dtype="float32", batch_tokens=300))
    driven.steps(1)
    driven.resumed(2)


def test_rows_that_share_little_are_trained_as_ever(tmp_path):
    config = config_of(tmp_path)
    rows = [{"prompt": f"{WORDS[i % 9]} {WORDS[i % 7]}", "completion": " good"} for i in range(30)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task, plain = (CausalLmTask.open(changed(config, share_prefix=x)) for x in (True, False))
    for part, other in zip(
        *([x for x, _ in t.parts(next(t.batches(8, 0)), 1)] for t in (task, plain)), strict=True
    ):
        assert part.seen is None
        assert torch.equal(part.ids, other.ids)


def test_the_memory_of_a_step_is_that_of_rows_that_share_less_than_the_longest(tmp_path):
    config = config_of(tmp_path, validation=0.0)
    rows = [FORMS["prompt"](i) for i in range(8)]
    rows += [{"prompt": " ".join(WORDS[i % 13 :]), "completion": " good"} for i in range(24)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = CausalLmTask.open(config)
    drawn = (task.parts(batch, 1) for batch in islice(task.batches(8, 0), 4))
    largest = max(part.ids.numel() for parts in drawn for part, _ in parts)
    assert largest <= task.heaviest(8, 1).ids.numel()


def test_rows_of_which_no_two_fit_behind_a_prefix_stand_side_by_side():
    def row(own):
        return Example(np.arange(200 + own), np.ones(200 + own, bool), 0, 0)

    texts = [row(600 + i) for i in range(4)]
    for text in texts:
        text.ids[200:] += len(text.ids)
    assert [shared for shared, _ in groups(texts)] == [0]
    assert [len(found) for _, found in groups([*texts[:1], *map(row, (30, 40))])] == [3]


def test_a_window_that_a_mask_does_not_move_is_refused(tmp_path):
    """That of GPT-Neo, which is counted in the row: what is shared would be out of sight."""
    config = config_of(tmp_path)
    torch.manual_seed(0)
    GPTNeoForCausalLM(
        GPTNeoConfig(
            vocab_size=VOCABULARY, hidden_size=32, num_layers=2, num_heads=4, window_size=70,
            attention_types=[[["global", "local"], 1]], max_position_embeddings=2048,
            bos_token_id=0, eos_token_id=0, pad_token_id=1,
        )
    ).save_pretrained(tmp_path / "llama")  # fmt: skip
    task = CausalLmTask.open(config)
    assert task.lengths.max() < 70
    with pytest.raises(ConfigError, match="cannot share what they begin with"):
        task.base_model()


@pytest.mark.parametrize("width", [None, 0, 64])
def test_a_window_that_is_wide_enough_or_none_is_no_reason(tmp_path, width):
    task = CausalLmTask.open(config_of(tmp_path))
    file = tmp_path / "llama" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sliding_window": width}))
    assert task.base_model()


def test_what_cannot_share_is_refused(tmp_path):
    config = config_of(tmp_path)
    with pytest.raises(ConfigError, match="share no prefix"):
        CausalLmTask.open(changed(config, batching="packed")).base_model()
    with pytest.raises(ConfigError, match="share no prefix"):
        PreferenceTask.open(changed(config, task="preference"))
    task = CausalLmTask.open(config)
    task.base_model()
    file = tmp_path / "llama" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "sliding_window": 8}))
    with pytest.raises(ConfigError, match="cannot share what they begin with"):
        task.base_model()
