"""Adapters under the names of transformers 4 load in PEFT as before, whatever was done to them.

PEFT finds their layers by suffixes and renames their tensors; a folder with full names instead
would be found by nothing, and a pattern with one would leave its layer at another scale.
"""

from dataclasses import replace

import pytest
import safetensors.torch
import torch

from lora_lab.formats.peft import TENSORS
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.ranks import by_rank, measured
from lora_lab.workshop.resize import resized
from tests.workshop.families import MODELS

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore")  # of layers whose adapter is not in the file

OLD = {  # of the text model in a vision-language one: since transformers 5, and before
    "gemma3": ("model.language_model.", "language_model.model."),
    "llava": ("model.language_model.", "language_model.model."),
}


def as_another_scale(weights):
    first, *rest = weights.layers
    return replace(weights, layers=(replace(first, alpha=9.0, scaling=9.0 / first.rank), *rest))


DONE = {
    "converted": lambda w: w,
    "cut": lambda w: resized(w, by_rank(measured(w), 2))[0],
    "a rank for every layer": lambda w: resized(w, [1 + i % 3 for i in range(len(w.layers))])[0],
    "another scale of one": as_another_scale,
}


@pytest.fixture(scope="module", params=OLD)
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    torch.manual_seed(0)
    model = MODELS[request.param]()
    model.save_pretrained(folder / "base")
    new, old = OLD[request.param]
    config = peft.LoraConfig(r=3, lora_alpha=4, target_modules=["q_proj", "v_proj"])
    adapted = peft.get_peft_model(model, config)
    for key, value in adapted.state_dict().items():
        if "lora_" in key:
            value += 0.2
    adapted.save_pretrained(folder / "adapter")
    tensors = safetensors.torch.load_file(folder / "adapter" / TENSORS)
    renamed = {k.replace(new, old): v for k, v in tensors.items() if new in k}
    safetensors.torch.save_file(renamed, folder / "adapter" / TENSORS, {"format": "pt"})
    return folder, type(model), old


@pytest.mark.parametrize("case", DONE)
def test_peft_finds_every_layer_with_its_delta(made, case, tmp_path):
    folder, cls, old = made
    weights = DONE[case](open_adapter(folder / "adapter"))
    assert all(layer.name.startswith(old) for layer in weights.layers)
    export(weights, tmp_path / "ours")
    base = cls.from_pretrained(folder / "base")
    theirs = peft.PeftModel.from_pretrained(base, str(tmp_path / "ours"))
    found = {
        name.partition("language_model.")[2]: module.get_delta_weight("default")
        for name, module in theirs.named_modules()
        if hasattr(module, "get_delta_weight") and "language_model." in name
    }
    assert len(found) == len(weights.layers)
    for layer in weights.layers:
        delta = found[layer.name.removeprefix(old)]
        torch.testing.assert_close(delta, layer.delta_weight().float(), rtol=1e-5, atol=1e-6)
