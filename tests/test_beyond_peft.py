"""What PEFT cannot hold of a family's layers, by its own check and by transformers' own nets."""

from types import CodeType, SimpleNamespace

import pytest
import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
)

from lora_lab.adapters.targets import adaptable_layers
from lora_lab.beyond_peft import READ, REFUSED, STATE_SPACE, beyond_peft
from tests.families.tiny_configs import shrunk

OTHERS = {
    "layoutlmv3": AutoModelForSequenceClassification,
    "mobilebert": AutoModelForMaskedLM,
    "neomme": AutoModelForMaskedLM,
}
SETTINGS = {"neomme": {"head_dim": 16}}
BESIDES = {"gemma3n", "layoutlmv2"}  # built with libraries that are not here
USUAL = {"in_proj", "x_proj", "dt_proj", "q_proj", "o_proj", "dense", "c_proj", "router"}


def words_in(code: CodeType) -> set[str]:
    """Every plain word that a function has as a constant."""
    found = set()
    for value in code.co_consts:
        for word in value if isinstance(value, frozenset | tuple) else (value,):
            found |= {word} if isinstance(word, str) and word.isidentifier() else set()
    return found


def test_refused_is_what_peft_refuses():
    from peft import LoraConfig
    from peft.tuners import tuners_utils

    check = tuners_utils._check_lora_target_modules_mamba

    def refuses(kind, word):
        model = SimpleNamespace(config=SimpleNamespace(model_type=kind))
        try:
            check(LoraConfig(), model, word)
        except ValueError:
            return True
        return False

    named = words_in(check.__code__)
    kinds, words = {*CONFIG_MAPPING, *named}, {*USUAL, *REFUSED, *named}
    theirs = {(kind, word) for kind in kinds for word in words if refuses(kind, word)}
    assert theirs == {(kind, word) for kind in STATE_SPACE for word in REFUSED}
    assert all(beyond_peft(kind, f"layers.0.mixer.{word}") for kind, word in theirs)


@pytest.mark.filterwarnings("ignore")  # of tiny nets, some of whose layers are empty
@pytest.mark.parametrize("family", sorted(READ.keys() - BESIDES))
def test_its_own_network_reads_that_weight_without_a_call(family):
    kind = OTHERS.get(family, AutoModelForCausalLM)
    torch.manual_seed(0)
    config = shrunk(CONFIG_MAPPING[family], family, **SETTINGS.get(family, {}))
    model = kind.from_config(config).float().train()
    called = set()
    for name in adaptable_layers(model):
        if isinstance(module := dict(model.named_modules()).get(name), torch.nn.Linear):
            module.register_forward_pre_hook(lambda *_, name=name: called.add(name))
    model(input_ids=torch.arange(5, 29).reshape(2, 12)).logits.sum().backward()
    linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    ours = {name for name in linear if beyond_peft(family, name).endswith("calling the layer")}
    assert {end for end in READ[family] for name in ours if name.endswith(end)} == {*READ[family]}
    assert not ours & called
    learns = {name for name, layer in linear.items() if layer.weight.grad is not None}
    head = {name for name, layer in linear.items() if layer is model.get_output_embeddings()}
    assert learns - called - head <= ours


@pytest.mark.parametrize(
    ("kind", "name"),
    [("llama", "model.layers.0.out_proj"), ("bamba", "model.layers.0.mamba.out_proj"),
     ("mamba", "backbone.layers.0.mixer.in_proj"), ("mamba2", "backbone.layers.0.mixer.dt_proj"),
     ("longcat_flash", "model.layers.0.classifier"), ("", "out_proj")],
)  # fmt: skip
def test_other_layers_are_peft_s(kind, name):
    assert not beyond_peft(kind, name)
