"""What PEFT computes otherwise is refused, and only that: shown by PEFT on the real modules."""

import copy
import json
import time
import warnings
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, load_model, save_model
from torch import nn
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

from lora_lab.adapters.inject import inject
from lora_lab.adapters.kinds import kind_or_none
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.beyond_peft import REFUSED, STATE_SPACE
from lora_lab.errors import ExportError
from lora_lab.formats import peft, peft_limits
from lora_lab.formats.peft_limits import (
    EXPERTS,
    FUSED,
    STACKED,
    by_weight,
    limits,
    model_type,
)
from lora_lab.formats.verify import export
from lora_lab.workshop.merge_base import write_merged
from tests.mixtures import FAMILIES as MIXTURES
from tests.mixtures import SMALL, in_peft, learned, logits, mixture, same, weights_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import PeftModel
    from peft.utils import transformers_weight_conversion as conversion

STATES = {"state_size": 8, "conv_kernel": 3, "expand": 2, "time_step_rank": 4}
FAMILIES = {"llama": {}, "phi3": {}, "mamba": STATES, "falcon_mamba": STATES}
# Families with gate_proj and the like outside of their fused experts.
DENSE = [x for x in MIXTURES if EXPERTS.get(x) is FUSED and x not in ("olmoe", "flex_olmo")]


def adapted(model, leave_out=()):
    """An adapter of every layer that the lab adapts, and what the adapted model answers."""
    names = [
        name for name, module in model.named_modules()
        if kind_or_none(module) is not None and not name.endswith(("lm_head", "embed_tokens"))
        and "embeddings" not in name and getattr(module, "groups", 1) == 1
        and name.rpartition(".")[2] not in leave_out
    ]  # fmt: skip
    model, layers = learned(model, targets=names)
    answers = logits(model)  # which shows what of a layer is called
    return weights_of(layers), answers


@pytest.mark.parametrize("family", FAMILIES)
def test_peft_answers_as_the_lab_does_or_the_export_is_refused(family, tmp_path):
    model = mixture(family, **FAMILIES[family])
    model.config.save_pretrained(tmp_path / "base")
    weights, wanted = adapted(model)
    weights = replace(weights, base=str(tmp_path / "base"))
    assert not same(logits(model), wanted), "the adapter does something"
    refused = family in STATE_SPACE
    assert bool(limits(weights)) == refused
    if refused:
        for to in ("peft", "peft-portable"):
            with pytest.raises(ExportError, match="Write a merged checkpoint instead"):
                export(weights, tmp_path / "a", to)
        peft.save(weights, tmp_path / "told")
        assert not same(in_peft(model, tmp_path / "told"), wanted), "refused without need"
        assert limits(replace(peft.load(tmp_path / "told"), base="")), "the file knows its family"
        left_out = (*REFUSED, "dt_proj")  # Mamba reads the weight of dt_proj
        weights, wanted = adapted(model, left_out)
        weights = replace(weights, base=str(tmp_path / "base"))
    export(weights, tmp_path / "b")
    assert same(in_peft(model, tmp_path / "b"), wanted)


@pytest.mark.parametrize("family", DENSE)
def test_dora_of_what_peft_reaches_by_parameters_alone_is_refused(family, tmp_path):
    model = mixture(family)
    model.config.save_pretrained(tmp_path / "base")
    _, layers = learned(model, targets=["all-linear"], variant="dora")
    weights = weights_of(layers, tmp_path / "base", variant="dora")
    with pytest.raises(ExportError, match=r"has no DoRA of those\. Write a merged checkpoint"):
        export(weights, tmp_path / "a")


def test_the_table_is_that_of_the_library():
    types = {
        name: conversion._MOE_TARGET_MODULE_MAPPING[base]
        for name, base in conversion._MODEL_TO_CONVERSION_PATTERN.items()
        if base in conversion._MOE_TARGET_MODULE_MAPPING
        and conversion.get_checkpoint_conversion_mapping(name) is not None
    }
    ours = {name: {**table, "gate": "gate.weight"} for name, table in EXPERTS.items()}
    assert ours == types
    known = {*conversion._MODEL_TO_CONVERSION_PATTERN, *CONFIG_MAPPING}
    stacked = {
        name
        for name in known - set(types)
        for entry in conversion.get_checkpoint_conversion_mapping(name) or ()
        for step in getattr(entry, "operations", ())
        if isinstance(step, conversion.MergeModulelist)
    }
    assert set(STACKED) == stacked


def experts(number, rank=2, words=tuple(FUSED), scale=1.0):
    """Factors of every projection of `number` experts in two layers, and one of the attention."""
    generator = torch.Generator().manual_seed(3)
    sizes = {"gate_proj": (8, 16), "up_proj": (8, 16), "down_proj": (16, 8), "q_proj": (16, 16)}
    names = [
        f"model.layers.{i}.mlp.experts.{n}.{word}"
        for i in (0, 1) for n in range(number) for word in words
    ]  # fmt: skip
    rows = []
    for name in ["model.layers.0.self_attn.q_proj", *names]:
        out, inputs = sizes[name.rpartition(".")[2]]
        A = torch.randn(rank, inputs, generator=generator)
        B = 0.3 * torch.randn(out, rank, generator=generator)
        rows.append(LayerWeights(name, A, B, scale * rank, scale))
    return AdapterWeights("lora", tuple(rows), extra={"model_type": "qwen3_moe"})


def without(weights, name):
    return replace(weights, layers=tuple(x for x in weights.layers if not x.name.endswith(name)))


def another_scale(weights, name):
    rows = [replace(x, alpha=5.0, scaling=2.5) if name in x.name else x for x in weights.layers]
    return replace(weights, layers=tuple(rows))


PER_EXPERT = {
    "all": (experts(4), ""),
    "scaled": (experts(4, scale=1.5), ""),
    "down alone": (experts(4, words=("down_proj",)), ""),
    "no down": (experts(4, words=("gate_proj", "up_proj")), "without their down_proj"),
    "another family": (
        replace(experts(4), extra={"model_type": "qwen2_moe"}),
        "leaves factors of single ones out",
    ),
    "no up": (experts(4, words=("gate_proj", "down_proj")), "some have no factors"),
    "one expert less": (without(experts(4), "1.mlp.experts.2.down_proj"), "some have no factors"),
    "another scale": (another_scale(experts(4), "1.mlp.experts.2.down"), "rank and alpha that"),
}


@pytest.mark.parametrize("case", PER_EXPERT)
def test_factors_of_single_experts(case, tmp_path):
    """They are stacked by PEFT: told beforehand where it would not make the same of them."""
    weights, reason = PER_EXPERT[case]
    torch.manual_seed(0)
    config = AutoConfig.for_model(weights.extra["model_type"], **SMALL)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    changed = copy.deepcopy(model)
    for layer in weights.layers:
        parts = layer.name.split(".")
        delta = layer.delta_weight().float()
        if "experts" in parts:
            held = changed.get_submodule(".".join(parts[:5]))
            number, word = int(parts[5]), parts[6]
            rows = {"gate_proj": slice(0, 8), "up_proj": slice(8, 16), "down_proj": slice(None)}
            parameter = held.down_proj if word == "down_proj" else held.gate_up_proj
            parameter.data[number, rows[word]] += delta
        else:
            changed.get_submodule(layer.name).weight.data += delta
    wanted = logits(changed)
    peft.save(weights, tmp_path / "told")
    assert same(in_peft_or_none(model, tmp_path / "told"), wanted) == (not reason)
    if reason:
        with pytest.raises(ExportError, match=reason):
            export(weights, tmp_path / "a")
    else:
        export(weights, tmp_path / "a")
    if case == "another scale":
        export(weights, tmp_path / "portable", "peft-portable")
        assert same(in_peft(model, tmp_path / "portable"), wanted)


def in_peft_or_none(model, folder):
    try:
        return in_peft(model, folder)
    except (RuntimeError, KeyError):
        return None


class Attending(nn.Module):
    """PyTorch's own attention reads out_proj.weight and never calls out_proj."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        return self.out(self.attention(x, x, x, need_weights=False)[0])


def test_a_layer_whose_weight_is_read_and_that_is_not_called(tmp_path):
    class Reading(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.read, self.called = nn.Linear(6, 6), nn.Linear(6, 4)

        def forward(self, x):
            x = nn.functional.linear(x, self.read.weight, self.read.bias)
            return self.called(x)

    x = torch.randn(3, 6)
    base = Reading()
    net = copy.deepcopy(base)
    layers = inject(net, rank=2, targets=["read", "called"])
    for layer in layers.values():
        layer.lora_B.data += 0.5
    wanted = net(x)
    weights = AdapterWeights("lora", tuple(layer.layer_weights() for layer in layers.values()))
    assert [layer.called for layer in weights.layers] == [False, True]
    with pytest.raises(ExportError, match="read: its network does not only call the layer"):
        export(weights, tmp_path / "a")
    peft.save(weights, tmp_path / "run")
    again = peft.load(tmp_path / "run")
    assert [(x.name, x.called) for x in again.layers] == [("called", True), ("read", False)]
    assert len(limits(again)) == 1
    theirs = PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path / "run"))
    assert (theirs(x) - wanted).abs().max() > 0.05, "PEFT leaves the change of `read` out"
    # What follows patches weights, as a merge does.
    export(weights, tmp_path / "k.safetensors", "kohya", component="unet")


class Twice(nn.Module):
    """One layer under two names, as weight sharing is often written."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.out = nn.Linear(6, 6), nn.Linear(6, 4)
        self.two = self.one

    def forward(self, x):
        return self.out(self.two(torch.tanh(self.one(x))))


class AlsoRead(Twice):
    """A layer that is called, and whose weight is used once more."""

    def forward(self, x):
        return self.out(torch.tanh(self.one(x)) @ self.one.weight)


class DtypeRead(Twice):
    """As T5 does: what is asked of the weight has no part in the answer."""

    def __init__(self):
        super().__init__()
        del self.two

    def forward(self, x):
        return self.out(self.one(x.to(self.one.weight.dtype)))


@pytest.mark.parametrize(("kind", "right"), [(Twice, False), (AlsoRead, False), (DtypeRead, True)])
def test_a_layer_that_peft_reaches_in_part_is_refused_and_no_other(tmp_path, kind, right):
    base, x = kind(), torch.randn(3, 6)
    net = copy.deepcopy(base)
    layers = inject(net, rank=2, targets=["one", "out"])
    for layer in layers.values():
        layer.lora_B.data += 0.5
    wanted = net(x)
    wanted.sum().backward()
    weights = AdapterWeights("lora", tuple(layer.layer_weights() for layer in layers.values()))
    peft.save(weights, tmp_path / "run")
    theirs = PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path / "run"))
    assert ((theirs(x) - wanted).abs().max() < 1e-5) == right
    assert [line.partition(":")[0] for line in limits(weights)] == ([] if right else ["one"])
    again = {layer.name: layer.also for layer in peft.load(tmp_path / "run").layers}
    assert again["one"] == (("two",) if hasattr(base, "two") else ())
    torch.save(base.state_dict(), tmp_path / "a.pt")
    save_model(base, str(tmp_path / "a.safetensors"))  # which leaves a second name out
    for name in ("a.pt", "a.safetensors"):
        merged, other = tmp_path / f"merged.{name}", copy.deepcopy(base)
        write_merged(peft.load(tmp_path / "run"), tmp_path / name, merged)
        if name == "a.pt":
            other.load_state_dict(load_file(merged))
        else:
            load_model(other, str(merged))
        assert (other(x) - wanted).abs().max() < 1e-5


def test_torchs_own_attention_is_such_a_network():
    net = Attending()
    layers = inject(net, rank=2, targets=["attention.out_proj", "out"])
    net(torch.randn(2, 3, 8))
    rows = {name: layer.layer_weights().called for name, layer in layers.items()}
    assert rows == {"attention.out_proj": False, "out": True}
    for layer in layers.values():
        layer.merge()
    fresh = inject(Attending(), rank=2, targets=["out"])["out"]
    fresh.merge()
    assert fresh.layer_weights().called, "a merge reads the weight too, which says nothing"


@pytest.mark.parametrize(
    "more",
    [
        {"num_hidden_layers": 20_000},
        {"attn_implementation": "some/kernel"},
        {"text_config": {"trust_remote_code": True}},
    ],
    ids=["layers", "kernel", "code"],
)
def test_a_base_that_an_adapter_names_is_checked_before_it_is_laid_out(tmp_path, monkeypatch, more):
    laid_out = []
    monkeypatch.setattr(peft_limits, "skeletons", lambda *asked: laid_out.append(asked) or ())
    told = {"model_type": "mixtral", "hidden_size": 8, "num_hidden_layers": 1}
    layer = LayerWeights(
        "model.layers.0.self_attn.q_proj", torch.ones(2, 4), torch.ones(4, 2), 2.0, 1.0
    )
    weights = AdapterWeights("lora", (layer,), base=str(tmp_path))
    for values in (told, {**told, **more}):
        (tmp_path / "config.json").write_text(json.dumps(values))
        assert not limits(weights)
    assert len(laid_out) == 1


CODE = {"auto_map": {"AutoModel": "theirs.Model"}}


@pytest.mark.parametrize(
    "more",
    [CODE, {"text_config": CODE}, {"attn_implementation": "some/kernel"}],
    ids=["code", "code of a part", "kernel"],
)
@pytest.mark.parametrize("kind", ["deepseek_v3", "minimax_m2", "phimoe"])
def test_a_base_that_would_not_be_opened_has_the_limits_of_its_family(tmp_path, kind, more):
    """Many bases name code of their author although transformers has their class."""
    words = EXPERTS.get(kind, FUSED)
    names = [f"mlp.experts.0.{next(iter(words))}", "mlp.gate", "self_attn.q_proj"]
    layers = [
        LayerWeights(f"model.layers.0.{name}", torch.ones(2, 4), torch.ones(4, 2), 2.0, 1.0)
        for name in names
    ]
    weights = AdapterWeights("lora", tuple(layers), base=str(tmp_path))
    found = []
    told = {"model_type": kind, "num_hidden_layers": 1}
    for values in (told, {**told, **more}):
        (tmp_path / "config.json").write_text(json.dumps(values))
        found.append((limits(weights), by_weight(weights), model_type(weights)))
    assert found[1] == found[0]
    assert any("experts" in reason for reason in found[0][0])
    assert bool(found[0][1]) == (kind in EXPERTS)
    assert found[0][2] == kind


@pytest.mark.parametrize("where", ["beside", "in a part"])
def test_a_base_with_code_of_its_author_is_laid_out_without_it(tmp_path, monkeypatch, where):
    laid_out = []
    monkeypatch.setattr(peft_limits, "skeletons", lambda *asked: laid_out.append(asked[0]) or ())
    told = {"model_type": "mixtral", "hidden_size": 8, "num_hidden_layers": 1, "text_config": {}}
    layer = LayerWeights(
        "model.layers.0.self_attn.q_proj", torch.ones(2, 4), torch.ones(4, 2), 2.0, 1.0
    )
    values = {**told, **CODE} if where == "beside" else {**told, "text_config": CODE}
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert not limits(AdapterWeights("lora", (layer,), base=str(tmp_path)))
    assert laid_out == [told]


@pytest.mark.parametrize("kind", [None, 3, ["mixtral"]], ids=str)
def test_what_is_no_word_is_no_family(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    weights = AdapterWeights("lora", experts(2).layers, base=str(tmp_path))
    assert model_type(weights) == ""
    assert limits(weights) == ()


def test_a_number_of_an_expert_is_counted_up_to_by_nobody():
    """A name says any number, and nobody goes through as many to find that some are missing."""
    weights, began = experts(3), time.process_time()
    rows = [replace(x, name=x.name.replace(".2.", f".{10**500}.")) for x in weights.layers]
    assert all(
        "some have no factors" in why for why in limits(replace(weights, layers=tuple(rows)))
    )
    assert time.process_time() - began < 1
