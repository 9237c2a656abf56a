"""Adapters of experts answer as PEFT's target_parameters do, and are edited like others."""

import copy
import warnings

import pytest
import torch

from lora_lab.adapters.experts import expert_matrices
from lora_lab.adapters.inject import adapter_layers, inject, remove, switched
from lora_lab.adapters.merging import merge, merge_and_unload, unmerge
from lora_lab.adapters.resize import resize
from lora_lab.adapters.targets import find_targets, held_by_experts
from lora_lab.adapters.weights import ExpertName
from lora_lab.errors import AdapterError
from tests.mixtures import TOKENS, learned, logits, mixture, same

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import LoraConfig, get_peft_model

BY_PEFT = ("mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss")


@pytest.mark.parametrize("family", BY_PEFT)
def test_logits_and_gradients_are_those_of_peft(family):
    base = mixture(family)
    ours, layers = learned(base, targets=["experts"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_peft_model(
            copy.deepcopy(base),
            LoraConfig(r=2, lora_alpha=3, target_modules=[],
                       target_parameters=["experts.gate_up_proj", "experts.down_proj"]),
        )  # fmt: skip
    pairs = []
    for name, layer in layers.items():
        owner, parameter, number = ExpertName.of(name)
        wrapper = theirs.base_model.model.get_submodule(owner)
        while wrapper.parameter_name != parameter:
            wrapper = wrapper.base_layer
        A, B = wrapper.lora_A["default"].weight, wrapper.lora_B["default"].weight
        E = wrapper.num_experts
        A.data.view(E, 2, -1)[number] = layer.lora_A.data
        B.data.view(len(B), 2, E)[:, :, number] = layer.lora_B.data
        pairs.append((layer, A, B, E, number))
    wanted = theirs(TOKENS, use_cache=False).logits
    found = ours(TOKENS, use_cache=False).logits
    assert same(found, wanted)
    assert not same(logits(base), wanted), "the adapter does something"
    wanted.square().mean().backward()
    found.square().mean().backward()
    scale = max(float(B.grad.abs().max()) for _, _, B, _, _ in pairs)
    for layer, A, B, E, number in pairs:
        for mine, its in (
            (layer.lora_A.grad, A.grad.view(E, 2, -1)[number]),
            (layer.lora_B.grad, B.grad.view(len(B), 2, E)[:, :, number]),
        ):
            assert (mine - its).abs().max() <= 1e-5 * scale
    assert scale > 0


@pytest.mark.parametrize("family", ["mixtral", "gpt_oss"])
def test_on_off_merged_and_taken_out(family):
    base = mixture(family)
    ours, layers = learned(base)
    assert list(layers) == list(adapter_layers(ours))
    wanted, plain = logits(ours), logits(base)
    with switched(layers, False):
        assert torch.equal(logits(ours), plain)
    merge(ours)
    assert same(logits(ours), wanted)
    unmerge(ours)
    assert torch.equal(logits(ours), wanted)
    removed = copy.deepcopy(ours)
    remove(removed)
    assert torch.equal(logits(removed), plain)
    merge_and_unload(ours)
    assert same(logits(ours), wanted)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in base.named_parameters()]
    some = next(layer for layer in layers.values() if layer.kind.name.startswith("expert"))
    some.enabled = False  # one alone


def test_one_expert_is_off_and_one_has_a_rank_of_its_own():
    ours, layers = learned(mixture("mixtral"), targets=["experts"])
    wanted = logits(ours)
    name = "model.layers.1.mlp.experts.2.down_proj"
    optimizer = torch.optim.SGD([p for x in layers.values() for p in x.adapter_parameters()])
    resize(layers[name], 5, layers[name].scaling, optimizer, torch.Generator().manual_seed(0))
    assert layers[name].rank == 5
    assert same(logits(ours), wanted), "growing keeps the function"
    layers[name].enabled = False
    off = logits(ours)
    assert not same(off, wanted)
    layers[name].enabled = True
    merge(ours)
    layers[name].enabled = False
    assert same(logits(ours), off)


@pytest.mark.parametrize("init", ["pissa", "olora", "gaussian"])
def test_inits_start_at_the_base(init):
    base = mixture("gpt_oss")
    ours = copy.deepcopy(base)
    layers = inject(ours, rank=2, init=init, targets=["experts"])
    assert same(logits(ours), logits(base))
    logits_of = ours(TOKENS, use_cache=False).logits
    logits_of.square().mean().backward()
    assert any(float(layer.lora_B.grad.abs().max()) > 0 for layer in layers.values())


@pytest.mark.parametrize(
    ("target", "count"),
    {
        "all-linear+experts": 24, "experts": 16, "mlp.experts": 16, "experts.down_proj": 8,
        "gate_up_proj": 8, "layers.1.mlp.experts.3": 2,
        "model.layers.0.mlp.experts.1.down_proj": 1,
    }.items(),
)  # fmt: skip
def test_words_for_experts(target, count):
    found = find_targets(mixture("mixtral"), [target])
    assert len(found) == count


def test_they_are_chosen_never_silently():
    model = mixture("mixtral")
    assert not any("experts" in name for name in find_targets(model))
    matrices, numbers, share = held_by_experts(model)
    own = [p for n, p in model.named_parameters() if "experts" in n]
    assert matrices == len(expert_matrices(model)) == sum(map(len, own))
    assert numbers == sum(p.numel() for p in own)
    assert share == numbers / sum(p.numel() for p in model.parameters())


def test_a_model_without_experts_says_so():
    with pytest.raises(AdapterError, match="has no experts whose matrices are one parameter"):
        find_targets(mixture("llama"), ["all-linear+experts"])


@pytest.mark.parametrize("variant", ["dora", "full"])
def test_variants_that_peft_has_not_of_experts_are_refused(variant):
    model = mixture("mixtral")
    before = logits(model)
    with pytest.raises(AdapterError, match=r"there is no .* of experts: choose lora or rslora"):
        inject(model, variant=variant, rank=2, targets=["all-linear+experts"])
    assert torch.equal(logits(model), before)


def test_what_reads_the_parameters_sees_them_changed():
    ours, layers = learned(mixture("mixtral"), targets=["experts"])
    owner = ours.model.layers[0].mlp.experts
    first = layers["model.layers.0.mlp.experts.0.down_proj"]
    stack = owner.down_proj
    assert torch.allclose(stack[0], first.matrix + first.delta_weight())
    assert not first.layer_weights().called, "PEFT's would be as they were"
    assert owner.num_experts == 4
