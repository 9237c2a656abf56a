"""Targets by path, by end of path and as all-linear; ties, shared layers, and what is refused."""

import copy
import time

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import adapter_layers, inject, remove
from lora_lab.adapters.merging import merge, merge_and_unload, ties
from lora_lab.adapters.targets import (
    adaptable_layers,
    find_targets,
    left_out,
    numbered_modules,
)
from lora_lab.errors import AdapterError


def small(model: str) -> nn.Module:
    """A tiny transformers model with random weights."""
    import transformers as t

    torch.manual_seed(0)
    size = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    if model == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**size, intermediate_size=24)).eval()
    if model == "gpt2":
        config = t.GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32)
        return t.GPT2LMHeadModel(config).eval()
    if model == "bert":
        config = t.BertConfig(**size, intermediate_size=24, num_labels=3)
        return t.BertForSequenceClassification(config).eval()
    config = t.ViTConfig(
        **{k: v for k, v in size.items() if k != "vocab_size"},
        intermediate_size=24, image_size=8, patch_size=4, num_labels=3,
    )  # fmt: skip
    return t.ViTForImageClassification(config).eval()


def run(model: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if "vit" in type(model).__name__.lower():
        return model(torch.randn(2, 3, 8, 8, generator=generator)).logits
    return model(torch.randint(0, 40, (2, 6), generator=generator)).logits


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.", "ignore:fan_in_fan_out")
@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit"])
def test_all_linear_is_what_peft_means(name):
    import peft

    model = small(name)
    theirs = peft.get_peft_model(
        copy.deepcopy(model), peft.LoraConfig(target_modules="all-linear", r=2)
    )
    wanted = {
        n.removeprefix("base_model.model.")
        for n, m in theirs.named_modules()
        if isinstance(m, peft.tuners.lora.LoraLayer)
    }
    assert set(find_targets(model, ("all-linear",))) == wanted
    assert set(find_targets(model)) == wanted
    count = sum(
        p.numel() for layer in inject(model, rank=2).values() for p in layer.adapter_parameters()
    )
    assert count == theirs.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize("variant", ["lora", "rslora", "dora", "full"])
@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit"])
def test_real_architectures_train_switch_and_merge(name, variant):
    base = small(name)
    model = copy.deepcopy(base)
    every = tuple(n for n, (kind, _) in adaptable_layers(model).items())
    layers = inject(model, variant=variant, rank=2, targets=every)
    assert torch.equal(run(model), run(base))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        run(model).square().mean().backward()
        optimizer.step()
    trained = run(model)
    assert not torch.allclose(trained, run(base), atol=1e-3)
    merge_and_unload(model, untie=True)
    torch.testing.assert_close(run(model), trained, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(a.base_layer.weight, base.get_submodule(n).weight)
               for n, a in layers.items())  # fmt: skip


def test_a_merge_that_would_change_both_ends_is_refused():
    model = small("gpt2")
    assert model.lm_head.weight is model.transformer.wte.weight
    layer = inject(model, rank=2, targets=("wte",))["transformer.wte"]
    with torch.no_grad():
        layer.lora_A.normal_()
    trained = run(model)
    assert ties(model) == {"transformer.wte": "lm_head"}
    for call in (merge, merge_and_unload):
        with pytest.raises(AdapterError, match="shares its weight with lm_head"):
            call(model)
    assert layer.merged is None
    torch.testing.assert_close(run(model), trained)
    merge_and_unload(model, untie=True)
    torch.testing.assert_close(run(model), trained)
    assert model.lm_head.weight is not model.transformer.wte.weight
    assert model.config.tie_word_embeddings is False


def test_a_tied_weight_is_counted_and_kept_once():
    model = small("gpt2")
    before = sum(p.numel() for p in model.parameters())
    inject(model, rank=2, targets=("wte", "lm_head"))
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    assert frozen == before
    assert model.lm_head.base_layer.weight is model.transformer.wte.base_layer.weight


def test_a_layer_that_stands_at_two_places_gets_one_adapter():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(6, 6)
            self.second = self.first

        def forward(self, x):
            return self.second(self.first(x).relu())

    model = Twice()
    layers = inject(model, rank=2)
    assert list(layers) == ["first"]
    assert model.first is model.second is layers["first"]
    remove(model)
    assert type(model.first) is type(model.second) is nn.Linear


def test_code_that_reads_the_weight_sees_the_adapter():
    """nn.MultiheadAttention never calls its out_proj; it uses weight and bias."""
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    model = nn.ModuleDict({"attention": attention})
    layer = inject(model, rank=2, targets=("out_proj",))["attention.out_proj"]
    x = torch.randn(3, 4, 8)
    before = attention(x, x, x)[0]
    with torch.no_grad():
        layer.lora_B.normal_()
    after = attention(x, x, x)[0]
    assert not torch.allclose(after, before)
    after.sum().backward()
    assert layer.lora_A.grad.any()
    merge_and_unload(model)
    torch.testing.assert_close(attention(x, x, x)[0], after)


def test_all_linear_leaves_out_what_torchs_attention_only_reads():
    model = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2), "out": nn.Linear(8, 4)})
    assert list(find_targets(model)) == ["out"]
    assert "without calling" in left_out(model)["attention.out_proj"]
    assert list(find_targets(model, ("out_proj",))) == ["attention.out_proj"]


def net() -> nn.Module:
    return nn.ModuleDict(
        {
            "blocks": nn.ModuleList(
                nn.ModuleDict({"q_proj": nn.Linear(4, 4), "k_proj": nn.Linear(4, 4)})
                for _ in range(2)
            ),
            "embed": nn.Embedding(9, 4),
            "norm": nn.LayerNorm(4),
            "conv": nn.Conv2d(1, 2, 3),
            "three": nn.Conv3d(1, 2, 3),
        }
    )


def test_paths_ends_of_paths_and_everything_linear():
    assert list(find_targets(net(), ("q_proj",))) == ["blocks.0.q_proj", "blocks.1.q_proj"]
    assert list(find_targets(net(), ("blocks.1.q_proj", "embed"))) == ["blocks.1.q_proj", "embed"]
    assert len(find_targets(net(), ("all-linear", "conv"))) == 5
    assert len(find_targets(net())) == 4
    assert list(adaptable_layers(net()))[-2:] == ["embed", "conv"]
    assert adaptable_layers(net())["conv"] == ("conv", (2, 9))
    assert adaptable_layers(net())["embed"] == ("embedding", (4, 9))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("q_prj", "No layer is called 'q_prj'. Near it: q_proj"),
        ("proj", "No layer is called 'proj'"),
        (".*_proj", r"No layer is called '\.\*_proj'"),
        ("norm", "Layer norm is a LayerNorm; only linear"),
        ("three", "Layer three is a Conv3d"),
        ("blocks", "Layer blocks is a ModuleList"),
        ("", "No layer is called ''"),
    ],
)
def test_a_target_that_cannot_be_is_named(target, words):
    model = net()
    with pytest.raises(AdapterError, match=words):
        inject(model, targets=(target,), rank=2)
    assert not adapter_layers(model)
    assert all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize(
    ("layer", "rank", "words"),
    [
        (
            nn.Linear(4, 6),
            5,
            "Rank 5 is above what any layer can use: the largest, layer, is 6 × 4",
        ),
        (nn.Conv2d(4, 8, 3, groups=4), 6, "Layer layer is a convolution in 4 groups"),
        (nn.Embedding(9, 4, max_norm=1.0), 2, "Layer layer is an embedding that changes"),
        (nn.Embedding(9, 4, sparse=True), 2, "Layer layer is an embedding"),
        (nn.Linear(4, 6, device="meta"), 2, "Layer layer has no data yet"),
    ],
)
def test_a_layer_that_cannot_be_is_named(layer, rank, words):
    model = nn.ModuleDict({"layer": layer})
    with pytest.raises(AdapterError, match=words):
        inject(model, targets=("layer",), rank=rank)
    assert model["layer"] is layer
    assert layer.weight.requires_grad


def test_a_subclass_with_a_forward_of_its_own_is_not_guessed_at():
    class Scaled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(AdapterError, match="is a Scaled"):
        inject(nn.ModuleDict({"layer": Scaled(4, 4)}), targets=("layer",), rank=2)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "vit"])
def test_modules_with_numbers_add_up_to_the_model(name):
    model = small(name)
    found = numbered_modules(model)
    assert sum(count for _, _, count in found.values()) == sum(
        p.numel() for p in model.parameters()
    )
    modules = dict(model.named_modules())
    assert list(found) == [n for n in modules if n in found]  # in the model's order
    for path, (kind, shape, _) in found.items():
        assert kind == type(modules[path]).__name__
        weight = getattr(modules[path], "weight", None)
        assert shape == (() if weight is None else tuple(weight.shape))
    assert adaptable_layers(model).keys() <= found.keys()
    assert not any(list(modules[path].parameters()) for path in modules.keys() - found.keys()
                   if not list(modules[path].children()))  # fmt: skip


def test_a_shared_weight_counts_once_and_stands_at_both_places():
    model = nn.ModuleDict({"a": nn.Linear(3, 2, bias=False), "b": nn.Linear(3, 2, bias=True)})
    model["b"].weight = model["a"].weight
    assert numbered_modules(model) == {"a": ("Linear", (2, 3), 6), "b": ("Linear", (2, 3), 2)}


class Times(nn.Linear):
    """Computes what nn.Linear does in its own words, as transformers' FalconLinear."""

    def forward(self, input):
        hidden = input @ self.weight.T
        return hidden if self.bias is None else hidden + self.bias


class Scaled(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


class Router(nn.Linear):
    def forward(self, input):
        return super().forward(input).topk(2, dim=-1)


class Masked(nn.Linear):
    def forward(self, input, mask):
        return super().forward(input) * mask


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "adapted"), [(Times, True), (Scaled, False), (Router, False), (Masked, False)]
)
def test_a_linear_layer_of_another_class_is_one_if_it_computes_as_one(kind, adapted, bias):
    model = nn.Sequential(nn.Linear(6, 5), kind(5, 4, bias=bias))
    assert (list(find_targets(model)) == ["0", "1"]) == adapted
    if not adapted:
        with pytest.raises(AdapterError, match=f"is a {kind.__name__}"):
            find_targets(model, ("1",))
        return
    layers = inject(model, rank=2)
    x = torch.randn(3, 6)
    before = model(x)
    layers["1"].lora_B.data.normal_()
    W = layers["1"].weight
    torch.testing.assert_close(model(x), nn.functional.linear(model[0](x), W, model[1].bias))
    assert not torch.equal(model(x), before)


@pytest.mark.parametrize("names", [["all-linear"], ["all-linear+conv"], ["query", "output.dense"]])
def test_a_target_that_stands_many_times_is_looked_for_once(names):
    model = small("bert")
    began = time.process_time()
    assert find_targets(model, names * 30_000).keys() == find_targets(model, names).keys()
    assert time.process_time() - began < 1


def test_many_targets_are_found_in_one_walk():
    model = nn.ModuleDict({f"n{n}": nn.Linear(1, 1) for n in range(4000)})
    began = time.process_time()
    assert len(find_targets(model, [f"n{n}" for n in range(4000)])) == 4000
    assert time.process_time() - began < 1
