"""Layers whose names PEFT changes on loading, so that it misses their factors, are refused."""

import json
import warnings
from dataclasses import replace

import pytest
import torch
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

from lora_lab.adapters.experts import stacks
from lora_lab.adapters.kinds import kind_or_none
from lora_lab.adapters.targets import find_targets, left_out
from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.beyond_peft import renamed, renames
from lora_lab.errors import AdapterError, ExportError
from lora_lab.formats import peft
from lora_lab.formats.peft_limits import limits
from lora_lab.formats.verify import export
from tests.families.tiny_configs import shrunk
from tests.mixtures import in_peft, learned, logits, same, weights_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import LoraConfig
    from peft.utils import transformers_weight_conversion as conversion

CAUSAL, IMAGES = "MODEL_FOR_CAUSAL_LM_MAPPING", "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING"
WORDS = ("gate_proj", "up_proj", "down_proj")
SHARED = tuple(f"mlp.shared_experts.{word}" for word in WORDS)
HIT = {  # of all families: what of a layer's name is met by a renaming that is not meant for it
    "inkling2_text": ("k_sconv.weight_proj", "v_sconv.weight_proj"),
    "laguna": SHARED,
    "mistral_large4": ("mlp.experts", *SHARED),
    "mistral_large4_text": ("mlp.experts", *SHARED),
    "pi0": ("action_in_proj", "state_proj", "action_time_mlp_in", "action_time_mlp_out"),
    "tipsv2": ("text_model.embeddings.token_embedding",),
    "unlimited_ocr": (
        "embed_tokens", "mlp.experts", *(f"self_attn.{x}_proj" for x in "qkvo"),
        *(f"mlp.{word}" for word in WORDS), *SHARED,
    ),
}  # fmt: skip


def classes(family, tables):
    """The classes of a family in these tables of transformers."""
    found = {}
    for table in tables:
        mapping, kind = getattr(modeling_auto, table), CONFIG_MAPPING[family]
        named = mapping[kind] if kind in mapping else ()  # noqa: SIM401, it has no get
        found |= dict.fromkeys(named if isinstance(named, tuple) else (named,))
    return list(found)


def tiny(family, cls, device="cpu"):
    torch.manual_seed(0)
    config = shrunk(CONFIG_MAPPING[family], family)
    if not isinstance(config, cls.config_class):
        config = config.get_text_config()
    with torch.device(device):
        return cls(config).float().eval()


def lost(model):
    """The modules with a place for factors of which the lab says that PEFT drops them, after a
    look at what PEFT's own function makes of their keys."""
    names = {
        name for name, module in model.named_modules()
        if name and (kind_or_none(module) is not None or stacks(module))
    }  # fmt: skip
    keys = {name: f"base_model.model.{name}.lora_A.weight" for name in names}
    state = {key: torch.empty(2, 3, device="meta") for key in keys.values()}
    found = conversion.convert_peft_adapter_state_dict_for_transformers(model, LoraConfig(), state)
    ours = renamed(names, model.config.model_type, model).keys()
    assert ours == {name for name, key in keys.items() if key not in found}
    assert ours & {n for n, m in model.named_modules() if not stacks(m)} <= left_out(model).keys()
    return ours


def are(names, ends):
    return {end for name in names for end in ends if name.endswith(end)} == {*ends} and all(
        name.endswith(tuple(ends)) for name in names
    )


@pytest.mark.parametrize(
    ("family", "table"),
    [("laguna", CAUSAL), ("inkling2_text", CAUSAL), ("unlimited_ocr", IMAGES), ("pi0", IMAGES),
     ("qwen2_moe", CAUSAL), ("deepseek_v3", CAUSAL), ("minimax_m3_vl", "MODEL_MAPPING"),
     ("llama", CAUSAL)],
)  # fmt: skip
def test_the_lab_says_so_of_what_peft_s_own_function_moves(family, table):
    (cls,) = classes(family, [table])
    assert are(lost(tiny(family, cls, "meta")), HIT.get(family, ()))


@pytest.mark.slow
def test_no_other_family_of_transformers_is_met():
    tables = [
        x for x in vars(modeling_auto) if x.startswith("MODEL_") and x.endswith("MAPPING")
    ]  # fmt: skip
    found, seen = {}, set()
    for family in filter(renames, sorted(CONFIG_MAPPING)):
        for cls in classes(family, tables):
            try:
                model = tiny(family, cls, "meta")
            except Exception:  # noqa: BLE001, some cannot be made tiny, or want a library
                continue
            seen.add(family)
            if names := lost(model):
                found.setdefault(family, set()).update(names)
    assert len(seen) > 100
    assert found.keys() == HIT.keys()
    assert [x for x in HIT if not are(found[x], HIT[x])] == []


@pytest.mark.parametrize(
    ("family", "table", "lost", "kept"),
    [("laguna", CAUSAL, SHARED, "all-linear"),
     pytest.param("unlimited_ocr", IMAGES, ("q_proj",), "lm_head", marks=pytest.mark.slow),
     pytest.param("mistral_large4", IMAGES, SHARED, "all-linear", marks=pytest.mark.slow)],
)  # fmt: skip
def test_peft_answers_without_them_as_the_lab_does(family, table, lost, kept, tmp_path):
    model = tiny(family, *classes(family, [table]))
    model.config.save_pretrained(tmp_path / "base")
    for name, targets in (("kept", [kept]), ("all", [kept, *lost])):
        adapted, layers = learned(model, targets=targets)
        weights, wanted = weights_of(layers, tmp_path / "base"), logits(adapted)
        refused = name == "all"
        assert bool(limits(weights)) == refused
        peft.save(weights, tmp_path / name)
        assert same(in_peft(model, tmp_path / name), wanted) != refused
    with pytest.raises(ExportError, match=r"drops them\. Write a merged checkpoint instead"):
        export(weights, tmp_path / "refused")


def test_experts_that_are_met_are_refused(tmp_path):
    (cls,) = classes("mistral_large4_text", ["MODEL_MAPPING"])
    model = tiny("mistral_large4_text", cls)
    model.config.save_pretrained(tmp_path / "base")
    experts = [name for name in left_out(model) if ".mlp.experts." in name]
    assert experts
    _, layers = learned(model, targets=experts)
    weights = weights_of(layers, tmp_path / "base")
    assert len([x for x in limits(weights) if "drops them" in x]) == len(experts)
    alone = replace(weights, base="", extra={"model_type": "mistral_large4_text"})
    assert len(limits(alone)) == len(limits(weights)), "the family is enough"


@pytest.mark.parametrize("settings", [{"num_hidden_layers": "two"}, {"head_dim": -1}])
def test_a_base_that_cannot_be_built_still_has_its_family(settings, tmp_path):
    values = json.dumps({"model_type": "laguna", **settings})
    (tmp_path / "config.json").write_text(values)
    rows = [
        LayerWeights(f"model.layers.1.{name}", torch.ones(1, 4), torch.ones(4, 1), 1.0, 1.0)
        for name in ("self_attn.q_proj", *SHARED)
    ]
    told = limits(AdapterWeights("lora", tuple(rows), base=str(tmp_path)))
    assert [x.partition(":")[0] for x in told] == [layer.name for layer in rows[1:]]


def test_names_of_an_earlier_transformers_are_what_renamings_are_for():
    (cls,) = classes("unlimited_ocr", [IMAGES])
    model = tiny("unlimited_ocr", cls, "meta")
    assert not renamed(["model.layers.0.self_attn.q_proj"], "unlimited_ocr", model)


def test_a_model_of_which_all_is_met_says_so_before_it_is_trained():
    (cls,) = classes("unlimited_ocr", [IMAGES])
    with pytest.raises(AdapterError, match=r"q_proj and \d+ more are no part of all-linear, since"):
        find_targets(tiny("unlimited_ocr", cls, "meta"))
