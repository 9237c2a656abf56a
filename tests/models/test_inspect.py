"""The card of a model tells what is in its files, and the spectrum of each weight on request."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_lab.errors import CheckpointError
from lora_lab.models.inspect import describe, read_tensor, singular_values
from tests.models.tiny import save

OF_TEXTS = ("text_classification", "regression", "multi_label", "token_classification")
TASKS = {
    "llama": ("causal_lm", "preference", *OF_TEXTS),
    "gpt2": ("causal_lm", "preference", *OF_TEXTS),
    "bert": OF_TEXTS,
    "bert_masked": ("masked_lm", *OF_TEXTS),
    "bert_classifier": OF_TEXTS,
    "vit": ("image_classification",),
}


@pytest.mark.parametrize("kind", TASKS)
def test_a_folder_tells_what_it_is(tmp_path, kind):
    save(tmp_path, kind)
    state = load_file(tmp_path / "model.safetensors")
    card = describe(tmp_path)
    assert card.tasks == TASKS[kind]
    assert {t.name: t.shape for t in card.tensors} == {n: tuple(t.shape) for n, t in state.items()}
    assert card.parameters == sum(t.numel() for t in state.values())
    assert card.bytes == sum(t.numel() * t.element_size() for t in state.values())
    assert dict(card.details)["layers"] == "2"
    assert card.notes == ()


def test_a_folder_without_tokenizer_says_so(tmp_path):
    save(tmp_path, "llama")
    for path in tmp_path.glob("tokenizer*"):
        path.unlink()
    assert any("tokenizer" in note for note in describe(tmp_path).notes)


def test_only_headers_are_read(tmp_path, monkeypatch):
    save(tmp_path, "llama")
    monkeypatch.setattr("lora_lab.models.inspect.read_state", lambda *_: pytest.fail("read"))
    assert describe(tmp_path).parameters


@pytest.mark.parametrize("name", ["net.safetensors", "net.pt"])
def test_a_single_file_is_listed_and_measured(tmp_path, name):
    state = {"a.weight": torch.randn(5, 7), "k.weight": torch.randn(4, 3, 2, 2), "b": torch.ones(3)}
    path = tmp_path / name
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    card = describe(path)
    assert sorted(t.name for t in card.tensors) == ["a.weight", "b", "k.weight"]
    assert card.tasks == ("image_classification",)
    for weight in ("a.weight", "k.weight"):
        wanted = torch.linalg.svdvals(state[weight].flatten(1).double()).numpy()
        assert np.allclose(singular_values(path, weight), wanted, rtol=1e-12)
    assert torch.equal(read_tensor(path, "b"), state["b"])
    with pytest.raises(CheckpointError, match="no matrix"):
        singular_values(path, "b")
    with pytest.raises(CheckpointError, match="no tensor 'c'"):
        singular_values(path, "c")


def test_a_tensor_of_a_folder_is_found_in_its_shard(tmp_path):
    module = save(tmp_path, "llama")
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(read_tensor(tmp_path, name), module.state_dict()[name])


def test_numbers_that_are_none_are_counted(tmp_path):
    weight = torch.ones(3, 3)
    weight[0, 1] = float("nan")
    save_file({"w": weight}, tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match="1 values"):
        singular_values(tmp_path / "net.safetensors", "w")
