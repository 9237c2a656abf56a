"""A folder opened into blocks: the model over them, of which no matrix stood in floats."""

import json

import pytest
import torch
from transformers import MixtralConfig, MixtralForCausalLM

from lora_lab.blocks.forms import dense, packed
from lora_lab.blocks.frozen import FrozenLinear, numbers_of
from lora_lab.errors import CheckpointError
from lora_lab.models.hf_config import read_config
from lora_lab.models.hf_folder import open_model
from lora_lab.models.packed_folder import read_packed
from lora_lab.models.room import FORM_OF_BITS
from tests.models.tiny import save

CASES = {
    "llama": ("causal_lm", (), {"4": 14, "8": 12}),  # 48 numbers are no whole blocks of Q8_0
    "bert": ("sequence_classification", ("a", "b", "c"), {"4": 13, "8": 11}),
    "bert_masked": ("masked_lm", (), {"4": 12, "8": 10}),
    "vit": ("image_classification", ("a", "b"), {"4": 12, "8": 10}),
}


def layers_in_blocks(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, FrozenLinear)}


@pytest.mark.parametrize("bits", FORM_OF_BITS)
@pytest.mark.parametrize("kind", CASES)
def test_it_is_the_model_with_each_matrix_packed_and_undone(tmp_path, kind, bits):
    purpose, classes, count = CASES[kind]
    save(tmp_path, kind)
    how = {"classes": classes, "seed": 3}
    mine = open_model(tmp_path, purpose, bits=bits, **how)
    twin = open_model(tmp_path, purpose, bits="float", **how)
    held = layers_in_blocks(mine.module)
    assert len(held) == count[bits]
    form = FORM_OF_BITS[bits]
    for name, layer in held.items():
        plain = twin.module.get_submodule(name)
        W = plain.weight.detach()
        assert torch.equal(layer.original(), W)
        undone = dense(packed(W, form), form, *W.shape, torch.float32)
        assert layer.rounding == pytest.approx(float((undone - W).norm() / W.norm()), rel=1e-5)
        plain.weight.data = undone
    given = {"pixel_values": torch.randn(2, 3, 8, 8)} if kind == "vit" else {}
    given = given or {"input_ids": torch.arange(2, 14)[None]}
    with torch.no_grad():
        assert torch.equal(mine.module(**given).logits, twin.module(**given).logits)
    assert mine.new_layers == twin.new_layers
    assert numbers_of(mine.module) == numbers_of(twin.module)
    assert type(mine.module) is type(twin.module)
    assert not any(p.shape == m.shape for m in held.values() for p in m.parameters())


def test_no_matrix_that_is_packed_is_among_what_is_loaded(tmp_path):
    save(tmp_path, "llama")
    given = read_packed(tmp_path, read_config(tmp_path), "causal_lm", "nf4", torch.float32)
    assert not [k for k in given.state if k.removesuffix(".weight") in given.blocks]
    assert not [k for k in given.state if k.endswith("_proj.weight")]


def test_one_matrix_at_a_time_stands_in_floats(tmp_path, monkeypatch):
    """What is read is gone before the next is read."""
    import weakref

    from lora_lab.models.base import Base

    save(tmp_path, "llama")
    alive, most, read = [], [0], Base.read

    def watched(base, key):
        tensor = read(base, key)
        if key.endswith("_proj.weight"):
            alive.append(weakref.ref(tensor))
            most[0] = max(most[0], sum(r() is not None for r in alive))
        return tensor

    monkeypatch.setattr(Base, "read", watched)
    open_model(tmp_path, "causal_lm", bits="4")
    assert len(alive) == 14
    assert most[0] <= 2


def test_a_model_without_linear_layers_says_so(tmp_path):
    save(tmp_path, "gpt2")
    with pytest.raises(CheckpointError, match="no linear layer that can be packed"):
        open_model(tmp_path, "causal_lm", bits="4")


def test_experts_that_loading_joins_stay_in_floats(tmp_path):
    config = MixtralConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, num_local_experts=3, num_experts_per_tok=2,
    )  # fmt: skip
    torch.manual_seed(0)
    MixtralForCausalLM(config).save_pretrained(tmp_path)
    mine = open_model(tmp_path, "causal_lm", bits="4").module
    names = layers_in_blocks(mine)
    assert {n.rpartition(".")[2] for n in names} == {"q_proj", "k_proj", "v_proj", "o_proj"}
    twin = open_model(tmp_path, "causal_lm").module
    for name, layer in names.items():
        twin.get_submodule(name).weight.data = layer.dense()
    ids = torch.arange(2, 14)[None]
    with torch.no_grad():
        assert torch.equal(mine(ids).logits, twin(ids).logits)


def test_config_and_weights_of_different_models_are_refused(tmp_path):
    save(tmp_path, "llama")
    config = json.loads((tmp_path / "config.json").read_text())
    config["num_key_value_heads"] = 4
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="different models"):
        open_model(tmp_path, "causal_lm", bits="4")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    module = save(tmp_path, "llama")
    module.model.layers[1].mlp.up_proj.weight.data[0, 0] = float("nan")
    module.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="NaN"):
        open_model(tmp_path, "causal_lm", bits="4")
