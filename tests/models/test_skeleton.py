"""What transformers would build of a config and a file's names, asked without a number."""

import pytest
import torch
import transformers as T
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models import frame, skeleton
from lora_lab.models.key_map import converted, restored
from lora_lab.models.skeleton import config_of, own_skeleton, skeletons
from tests.mixtures import mixture
from tests.workshop.families import MODELS, saved


@pytest.mark.parametrize("name", MODELS)
def test_each_tensor_goes_where_loading_puts_it(name, tmp_path):
    """Against from_pretrained itself: the numbers that it puts into each parameter."""
    model = saved(tmp_path, name)
    state = {**_file(tmp_path)}
    values = model.config.to_dict() | {"architectures": [type(model).__name__]}
    skeleton = own_skeleton(values, state)
    assert skeleton.name == type(model).__name__
    assert skeleton.unplaced == ()
    loaded = model.state_dict()
    for parameter, source in skeleton.sources.items():
        if source.converter is None:
            found = state[source.keys[0]]
        else:
            found = converted(skeleton.model, source, state)[parameter]
        assert torch.equal(found, loaded[parameter]), parameter
    missing = {n for n in skeleton.parameters if n not in skeleton.sources}
    assert missing <= {n for group in skeleton.ties() for n in group}
    for group in skeleton.ties():
        assert len({loaded[n].data_ptr() for n in group}) == 1


@pytest.mark.parametrize("name", ["dinov2", "nomic"])
def test_what_loading_splits_leads_back_to_the_file(name, tmp_path):
    model = saved(tmp_path, name)
    state = _file(tmp_path)
    skeleton = own_skeleton(model.config.to_dict(), state)
    joined = {id(s): s for s in skeleton.sources.values() if s.converter is not None}
    assert joined
    for source in joined.values():
        again = restored(skeleton.model, source, converted(skeleton.model, source, state))
        assert set(again) == set(source.keys)
        assert all(torch.equal(again[key], state[key]) for key in again)


def test_a_state_is_made_once_for_all_tensors_that_are_joined(tmp_path, monkeypatch):
    model = mixture("mixtral")
    model.save_pretrained(tmp_path)
    state = _file(tmp_path)
    skeleton = own_skeleton(model.config.to_dict(), state)
    source = next(s for s in skeleton.sources.values() if len(s.keys) > 1)
    made, asked = type(skeleton.model).state_dict, []
    monkeypatch.setattr(
        type(skeleton.model), "state_dict", lambda self: asked.append(1) or made(self)
    )
    converted(skeleton.model, source, state)
    assert len(asked) == 1


class Normed(nn.Embedding):
    def forward(self, x):
        return nn.functional.normalize(super().forward(x), dim=-1)


class Scaled(nn.Embedding):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("embed_scale", torch.tensor(3.0))

    def forward(self, x):
        return super().forward(x) * self.embed_scale


class Spelled(nn.Linear):
    def forward(self, x):
        return x @ self.weight.T + (0 if self.bias is None else self.bias)


class Normal(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(nn.functional.normalize(x, dim=-1), self.weight)


@pytest.mark.parametrize(
    ("module", "more"),
    [(nn.Linear(4, 3), False), (nn.Embedding(5, 4), False), (Spelled(4, 3), False),
     (Spelled(4, 3, bias=False), False), (Scaled(5, 4), False), (Normed(5, 4), True),
     (Normal(4, 3), True)],
)  # fmt: skip
def test_a_module_that_does_more_than_multiply_is_found_by_a_try(module, more):
    config = T.LlamaConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1,
                           num_attention_heads=2, vocab_size=8)  # fmt: skip
    skeleton = next(skeletons({**config.to_dict(), "model_type": "llama"}, ()))
    skeleton.model.tried = module.to("meta")
    assert skeleton.does_more("tried") is more
    assert skeleton.does_more("tried") is more, "asked again"


def test_infinity_in_a_config_is_read():
    values = {"model_type": "mamba2", "time_step_limit": [0.0, {"__float__": "Infinity"}]}
    assert config_of(values).time_step_limit[1] == float("inf")


def _file(folder):
    import safetensors.torch

    return safetensors.torch.load_file(folder / "model.safetensors")


SMALL = {"vocab_size": 8, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1,
         "num_key_value_heads": 1}  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "llama", **SMALL, "num_hidden_layers": 500},
        {"model_type": "llava", "text_config": {**SMALL, "num_hidden_layers": 500}},
    ],
    ids=["a model of text", "a part of a model"],
)
@pytest.mark.parametrize("keys", [["a", "b"], []], ids=["few tensors", "tensors unknown"])
def test_more_layers_than_tensors_are_not_laid_out(values, keys, monkeypatch):
    if not keys:
        monkeypatch.setattr(skeleton, "DEEPEST", 400)
    with pytest.raises(CheckpointError, match=r"num_hidden_layers is 500, and there are"):
        next(skeletons(values, keys))


def test_what_takes_far_too_long_to_lay_out_is_given_up_and_no_other_class_is_tried(monkeypatch):
    monkeypatch.setattr(frame, "SECONDS", 0.0)
    values = {"model_type": "llama", **SMALL, "num_hidden_layers": 300}
    with pytest.raises(CheckpointError, match=r"^the model would take far too long"):
        next(skeletons(values, ["x"] * 900))
