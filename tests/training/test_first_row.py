"""What a model cannot read is said before its run begins, with its family and the way out."""

import json

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, ReformerConfig, ReformerModelWithLMHead

from lora_lab.errors import CheckpointError
from lora_lab.presets import starting_config
from lora_lab.training.experiment import Experiment
from lora_lab.training.first_row import try_first_row
from tests.models.tiny import VOCABULARY, save, tokenizer

TOKENS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}


def config_of(tmp_path, rows=("a good film", "a bad film and a poor sound"), **settings):
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"text": t}) for t in rows * 4))
    return starting_config(
        "causal_lm", model=str(tmp_path / "model"), data=str(tmp_path / "rows.jsonl"),
        hyper={"rank": 2}, **settings,
    )  # fmt: skip


def test_lengths_that_a_model_cannot_train_on_are_said(tmp_path):
    torch.manual_seed(0)
    ReformerModelWithLMHead(
        ReformerConfig(
            vocab_size=VOCABULARY, hidden_size=32, attn_layers=["local", "local"], is_decoder=True,
            num_attention_heads=2, attention_head_size=8, feed_forward_size=32,
            local_attn_chunk_length=8, axial_pos_shape=[8, 8], axial_pos_embds_dim=[16, 16],
            max_position_embeddings=64, **TOKENS,
        )
    ).save_pretrained(tmp_path / "model")  # fmt: skip
    tokenizer().save_pretrained(tmp_path / "model")
    with pytest.raises(
        CheckpointError, match=r"this reformer model cannot be trained on the longest"
    ):
        Experiment.build(config_of(tmp_path))


@pytest.mark.filterwarnings("ignore:Torch was not compiled")
def test_numbers_that_leave_a_short_dtype_are_said_before_the_first_step(tmp_path):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=4, n_positions=64, **TOKENS)
    )
    model.transformer.h[0].mlp.c_fc.weight.data *= 3e6
    model.transformer.h[0].mlp.c_fc.weight.data.clamp_(-6e4, 6e4)
    model.save_pretrained(tmp_path / "model")
    tokenizer().save_pretrained(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"in float16 the loss .* Choose float32 or bfloat16"):
        Experiment.build(config_of(tmp_path, dtype="float16"))
    assert Experiment.build(config_of(tmp_path))


class Task:
    def __init__(self, error):
        self.error = error

    def heaviest(self, batch_size, count):
        return None

    def loss(self, model, part):
        torch.rand(3)
        raise self.error


def test_memory_that_is_short_is_left_to_the_step_and_random_numbers_stay(tmp_path):
    net = nn.Linear(2, 2)
    state = torch.get_rng_state()
    try_first_row(Task(RuntimeError("can't allocate memory: 8 bytes")), net, "net")
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(CheckpointError, match=r"net: this Linear model .*\(index 7 is out\)"):
        try_first_row(Task(IndexError("index 7 is out")), net, "net")


def test_a_model_that_reads_its_rows_is_opened_as_before(tmp_path):
    save(tmp_path / "model", "llama")
    assert Experiment.build(config_of(tmp_path)).step == 0
