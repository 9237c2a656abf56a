"""Adapters of experts as PEFT's target_parameters: shown by PEFT's and transformers' logits."""

import copy
import json
import warnings
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError, ExportError
from lora_lab.formats import FORMATS, peft, peft_config, peft_parameters, peft_tensors
from lora_lab.formats.peft_limits import EXPERTS, FUSED
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.merge_base import write_merged
from tests.families.tiny_configs import write
from tests.mixtures import (
    FAMILIES,
    TURNED,
    in_peft,
    learned,
    logits,
    mixture,
    same,
    weights_of,
)
from tests.spent import processor_seconds

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import LoraConfig, get_peft_model

DOWN = "model.layers.1.mlp.experts.2.down_proj"


@pytest.fixture
def base(tmp_path):
    model = mixture("mixtral")
    model.save_pretrained(tmp_path / "base")
    return model


@pytest.mark.parametrize("family", [*FAMILIES, *TURNED])
def test_peft_and_the_merged_checkpoint_answer_as_the_lab_does(family, tmp_path):
    model = mixture(family)
    model.save_pretrained(tmp_path / "base")
    ours, layers = learned(model)
    wanted = logits(ours)
    assert not same(logits(model), wanted)
    weights = weights_of(layers, tmp_path / "base")
    proved = export(weights, tmp_path / "a", ask_library=True)
    assert "largest error" in proved.proved
    assert same(in_peft(model, tmp_path / "a"), wanted)
    again = peft.load(tmp_path / "a")
    assert {x.name: (x.kind, x.weight_shape, x.rank) for x in again.layers} == {
        x.name: (x.kind, x.weight_shape, x.rank) for x in weights.layers
    }
    write_merged(again, tmp_path / "base", tmp_path / "m")
    assert same(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()), wanted)


@pytest.mark.parametrize("family", ["jetmoe", "inkling_text", "aria_text", "llama4_text"])
def test_experts_that_are_held_in_other_ways(family, tmp_path):
    """In parameters called `weight`, in three of one module, as (experts, in, out)."""
    model = write(tmp_path / "base", family, "causal_lm").from_pretrained(tmp_path / "base").eval()
    ours, layers = learned(model)
    export(weights_of(layers, tmp_path / "base"), tmp_path / "a", ask_library=True)
    assert same(in_peft(model, tmp_path / "a"), logits(ours))
    write_merged(peft.load(tmp_path / "a"), tmp_path / "base", tmp_path / "m")
    assert same(logits(type(model).from_pretrained(tmp_path / "m").eval()), logits(ours))


@pytest.mark.parametrize("family", [n for n in FAMILIES if EXPERTS.get(n) is FUSED])
@pytest.mark.parametrize("targets", [("all-linear",), ("experts",)])
def test_with_the_experts_alone_or_without_them(family, targets, tmp_path):
    """Dense layers that PEFT takes for parts of experts by name are named by their weight."""
    model = mixture(family)
    model.config.save_pretrained(tmp_path / "base")
    ours, layers = learned(model, targets=targets)
    export(weights_of(layers, tmp_path / "base"), tmp_path / "a", ask_library=True)
    assert same(in_peft(model, tmp_path / "a"), logits(ours))
    again = peft.load(tmp_path / "a")
    export(replace(again, base=""), tmp_path / "b")  # the file knows its family
    assert same(in_peft(model, tmp_path / "b"), logits(ours))


def grown(layers, name, rank, scaling=None):
    """One layer at another rank, and scaling, that both do something."""
    layer = layers[name]
    generator = torch.Generator().manual_seed(5)
    out, width = layer.shape
    layer.lora_A.data = torch.randn(rank, width, generator=generator)
    layer.lora_B.data = 0.3 * torch.randn(out, rank, generator=generator)
    layer.scaling = scaling or layer.scaling


@pytest.mark.parametrize("variant", ["lora", "rslora"])
@pytest.mark.parametrize("scaling", [None, 0.7])
def test_an_expert_with_a_rank_and_a_scale_of_its_own(variant, scaling, base, tmp_path):
    ours, layers = learned(base, variant=variant)
    grown(layers, DOWN, 5, scaling)
    grown(layers, "model.layers.0.self_attn.q_proj", 3)
    wanted = logits(ours)
    weights = weights_of(layers, tmp_path / "base", variant=variant)
    export(weights, tmp_path / "a", ask_library=True)
    assert same(in_peft(base, tmp_path / "a"), wanted)
    again = {x.name: x for x in peft.load(tmp_path / "a").layers}
    assert again[DOWN].rank == 5
    assert again[DOWN.replace("2", "3")].rank == 2
    for layer in weights.layers:
        delta = layer.delta_weight()
        assert (again[layer.name].delta_weight() - delta).norm() <= 1e-6 * delta.norm()


def test_some_experts_alone(base, tmp_path):
    ours, layers = learned(base, targets=["experts.1", "experts.3.gate_up_proj"])
    export(weights_of(layers, tmp_path / "base"), tmp_path / "a", ask_library=True)
    assert same(in_peft(base, tmp_path / "a"), logits(ours))
    assert [x.name for x in peft.load(tmp_path / "a").layers] == sorted(layers)


@pytest.mark.parametrize("parameters", [
    ["experts.gate_up_proj", "experts.down_proj"], ["down_proj"], ["mlp.experts.gate_up_proj"],
    ["model.layers.1.mlp.experts.down_proj", "gate.weight"],
])  # fmt: skip
def test_a_folder_that_peft_wrote(parameters, base, tmp_path):
    """With its own names of targets and none of our metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_peft_model(
            copy.deepcopy(base),
            LoraConfig(r=2, lora_alpha=3, target_modules=["q_proj"], target_parameters=parameters,
                       rank_pattern={r".*\.down_proj": 3}, alpha_pattern={r".*\.down_proj": 5}),
        ).eval()  # fmt: skip
        torch.manual_seed(2)
        for name, p in theirs.named_parameters():
            if "lora_B" in name:
                p.data.normal_(0, 0.3)
        theirs.save_pretrained(tmp_path / "theirs")
    wanted = logits(theirs)
    weights = peft.load(tmp_path / "theirs")
    write_merged(weights, tmp_path / "base", tmp_path / "m")
    assert same(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()), wanted)
    export(replace(weights, base=str(tmp_path / "base")), tmp_path / "a", ask_library=True)
    assert same(in_peft(base, tmp_path / "a"), wanted)


def test_a_folder_whose_old_targets_peft_converted(base, tmp_path):
    """w1, w2 and w3 are fused by PEFT: the folder says rank 2 r of gate_up_proj."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_peft_model(
            copy.deepcopy(base), LoraConfig(r=2, target_modules=["q_proj", "w1", "w2", "w3"])
        ).eval()
        for name, p in theirs.named_parameters():
            if "lora_B" in name:
                p.data.normal_(0, 0.3)
        theirs.save_pretrained(tmp_path / "theirs")
    weights = peft.load(tmp_path / "theirs")
    assert {x.rank for x in weights.layers if "gate_up" in x.name} == {4}
    write_merged(weights, tmp_path / "base", tmp_path / "m")
    merged = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval())
    assert same(merged, logits(theirs))


@pytest.mark.parametrize("format", [n for n in FORMATS if n not in ("peft", "gguf", "peft-vera")])
def test_other_formats_refuse_them_with_the_reason(format, base, tmp_path):
    _, layers = learned(base)
    weights = weights_of(layers, tmp_path / "base")
    assert any("expert" in reason for reason in FORMATS[format].limits(weights))
    with pytest.raises(ExportError):
        export(weights, tmp_path / "a", format)
    assert not (tmp_path / "a").exists()


def test_a_gguf_file_has_them_where_llama_cpp_knows_their_names(base, tmp_path):
    _, layers = learned(base)
    grown(layers, DOWN, 5, 0.7)
    weights = weights_of(layers, tmp_path / "base")
    export(weights, tmp_path / "a.gguf", "gguf")
    again = {x.name: x for x in open_adapter(tmp_path / "a.gguf").layers}
    assert again.keys() == layers.keys()
    for layer in weights.layers:
        delta = layer.delta_weight()
        assert (again[layer.name].delta_weight() - delta).norm() <= 1e-6 * delta.norm()
        assert again[layer.name].kind == layer.kind
    assert again[DOWN].rank == 5


def test_a_gguf_file_has_none_that_are_stored_as_in_out(tmp_path):
    model = mixture("gpt_oss")
    model.save_pretrained(tmp_path / "base")
    weights = weights_of(learned(model)[1], tmp_path / "base")
    with pytest.raises(ExportError, match="write a merged checkpoint and convert it there"):
        export(weights, tmp_path / "a.gguf", "gguf")


def test_dropout_is_left_out_of_the_file_and_said(base, tmp_path):
    ours, layers = learned(base)
    weights = weights_of(layers, tmp_path / "base", dropout=0.1)
    notes = export(weights, tmp_path / "a").notes
    assert any("lora_dropout is written as 0 in place of 0.1" in note for note in notes)
    assert same(in_peft(base, tmp_path / "a"), logits(ours))


def test_parameters_whose_order_is_not_known_are_refused(tmp_path):
    rows = [
        LayerWeights(f"m.experts.{n}.{p}", torch.ones(1, 4), torch.ones(6, 1), 1, 1, "expert",
                     (2, 6, 4))
        for p in ("fc", "proj") for n in (0, 1)
    ]  # fmt: skip
    weights = replace(weights_of({}), layers=tuple(rows))
    with pytest.raises(ExportError, match="tells its parameters apart by their order"):
        export(weights, tmp_path / "a")


@pytest.mark.parametrize("count", [peft_parameters.MOST_EXPERTS, peft_parameters.MOST_EXPERTS + 1])
def test_no_more_experts_than_any_mixture_has(count, tmp_path):
    owner = f"{peft_tensors.PREFIX}m.experts"
    factors = {f"{owner}{peft_tensors.A_KEY}": torch.ones(count, 1),
               f"{owner}{peft_tensors.B_KEY}": torch.ones(1, count)}  # fmt: skip
    save_file(factors, tmp_path / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [],
              "target_parameters": ["experts.down_proj"]}  # fmt: skip
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    if count > peft_parameters.MOST_EXPERTS:
        with pytest.raises(AdapterError, match=rf"adapter_model.*{count:,} experts.*are read"):
            peft.load(tmp_path)
    else:
        assert len(peft.load(tmp_path).layers) == count


def test_experts_of_all_parameters_are_counted(monkeypatch):
    monkeypatch.setattr(peft_parameters, "MOST_LAYERS", 10)
    peft_parameters.check_experts("x", 4, 6)
    with pytest.raises(AdapterError, match=r"x: .* 4 experts beside 7 other"):
        peft_parameters.check_experts("x", 4, 7)


def test_many_targets_are_gone_through_once(tmp_path):
    """Each owner took 23 ms for as many targets as a file may have."""
    owners = [f"m.{i}.experts" for i in range(300)]
    factors = {f"{peft_tensors.PREFIX}{owner}{key}": torch.ones(1, 1)
               for owner in owners for key in (peft_tensors.A_KEY, peft_tensors.B_KEY)}  # fmt: skip
    save_file(factors, tmp_path / "adapter_model.safetensors")
    named = [f"m.{i}.experts.down_proj" for i in range(peft_config.PARAMETERS)]
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": [],
              "target_parameters": named}  # fmt: skip
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    began = processor_seconds()
    assert len(peft.load(tmp_path).layers) == len(owners)
    assert processor_seconds() - began < 2


DAMAGE = {
    "rank": (lambda c: c.update(r=3), "are not those of experts of rank 3"),
    "parameters": (
        lambda c: c.update(target_parameters=[p for p in c["target_parameters"] if "gate" in p]),
        "has factors of 2 parameters, and target_parameters names 1",
    ),
    "no list": (lambda c: c.update(target_parameters="down_proj"), "must be a list"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_does_not_fit_together_is_refused(case, base, tmp_path):
    change, reason = DAMAGE[case]
    _, layers = learned(base, targets=["experts"])
    peft.save(weights_of(layers, tmp_path / "base"), tmp_path / "a")
    path = tmp_path / "a" / "adapter_config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    with pytest.raises(AdapterError, match=reason):
        peft.load(tmp_path / "a")
