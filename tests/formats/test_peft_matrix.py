"""Every option of PEFT's LoraConfig and each of its other methods: the same ΔW, or a true refusal.

The files are made by peft; what is compared is peft's own ΔW and its own logits, of the folder as
it was and of the folder that is written from it.
"""

import copy
import dataclasses
import json
import warnings

import pytest
import safetensors.torch
import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaModel,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from lora_lab.errors import AdapterError
from lora_lab.formats.peft import CONFIG, TENSORS, load
from lora_lab.formats.peft_config import MERGE, MERGE_BIASES, PLAIN_LORA, WITHOUT_DELTA
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import peft
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING as METHODS

pytestmark = pytest.mark.filterwarnings("ignore")  # what peft says of the odd settings of a case

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
         "num_attention_heads": 2, "vocab_size": 23}  # fmt: skip
TOKENS = torch.arange(20).reshape(2, 10) % 13


def llama(tied=False, kind=LlamaForCausalLM):
    return kind(LlamaConfig(**SIZES, pad_token_id=0, tie_word_embeddings=tied, num_labels=3))


class Normed(nn.Module):
    """A net of no library, with a normalisation that keeps running means."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(23, 8)
        self.line = nn.Linear(8, 6)
        self.norm = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.norm(self.line(self.table(x)).transpose(1, 2)).transpose(1, 2))


MODELS = {
    "llama": llama,
    "tied": lambda: llama(tied=True),
    "headless": lambda: llama(kind=LlamaModel),
    "llama classifier": lambda: llama(kind=LlamaForSequenceClassification),
    "roberta classifier": lambda: RobertaForSequenceClassification(
        RobertaConfig(**SIZES, num_labels=3, max_position_embeddings=32)
    ),
    "bert tagger": lambda: BertForTokenClassification(BertConfig(**SIZES, num_labels=3)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=23, n_positions=12)
    ),
    "t5": lambda: T5ForConditionalGeneration(
        T5Config(d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, vocab_size=23,
                 decoder_start_token_id=0)
    ),
    "normed": Normed,
}  # fmt: skip
QV = ["q_proj", "v_proj"]
# model, what LoraConfig gets beside QV
SAME = {
    "nothing": ("llama", {}),
    "task_type": ("llama", {"task_type": "CAUSAL_LM"}),
    "auto_mapping": ("llama", {}),
    "revision": ("llama", {"revision": "v1"}),
    "inference_mode": ("llama", {"inference_mode": True}),
    "of features": ("headless", {"task_type": "FEATURE_EXTRACTION"}),
    "two heads named": ("llama classifier", {"task_type": "SEQ_CLS"}),
    "a head of layers": ("roberta classifier",
                         {"task_type": "SEQ_CLS", "target_modules": ["query", "value"]}),
    "a tagger": ("bert tagger", {"task_type": "TOKEN_CLS", "target_modules": ["query"]}),
    "from text to text": ("t5", {"task_type": "SEQ_2_SEQ_LM", "target_modules": ["q", "wo"]}),
    "r": ("llama", {"r": 5}),
    "lora_alpha": ("llama", {"lora_alpha": 3.5}),
    "negative alpha": ("llama", {"lora_alpha": -4}),
    "lora_dropout": ("llama", {"lora_dropout": 0.25}),
    "use_rslora": ("llama", {"use_rslora": True, "rank_pattern": {"q_proj": 3}}),
    "use_dora": ("llama", {"use_dora": True}),
    "DoRA of an embedding": ("llama", {"use_dora": True, "target_modules": ["embed_tokens"]}),
    "target_modules": ("llama", {"target_modules": ["model.layers.1.mlp.up_proj", "o_proj"]}),
    "unmatched targets": ("llama", {"target_modules": [*QV, "c_attn", "query"]}),
    "a pattern of targets": ("llama", {"target_modules": r".*\.(q|down)_proj"}),
    "a pattern that looks ahead": ("llama", {"target_modules": r"(?!.*mlp).*_proj"}),
    "all-linear": ("llama", {"target_modules": "all-linear"}),
    "exclude_modules": ("llama", {"exclude_modules": ["layers.0.self_attn.q_proj"]}),
    "an excluded pattern": ("llama", {"exclude_modules": r".*\.0\..*"}),
    "layers_to_transform": ("llama", {"layers_to_transform": [1]}),
    "one layer": ("llama", {"layers_to_transform": 0}),
    "layers_pattern": ("llama", {"layers_to_transform": [1], "layers_pattern": "layers"}),
    "fan_in_fan_out": ("gpt2", {"fan_in_fan_out": True, "target_modules": ["c_attn", "c_proj"]}),
    "rank_pattern": ("llama", {"rank_pattern": {r"layers\.[01]\..*q_proj": 3, "v_proj|x": 5}}),
    "alpha_pattern": ("llama", {"alpha_pattern": {r"layers.(0|2).*": 3, "^.*v_proj": 5}}),
    "a rank that looks ahead": ("llama", {"rank_pattern": {r"(?=.*1.*q_).*": 3}}),
    "a pattern of one layer": ("llama", {"rank_pattern": {"model.layers.1.self_attn.q_proj": 7}}),
    "modules_to_save": ("llama", {"modules_to_save": ["lm_head", "embed_tokens"]}),
    "every norm": ("llama", {"modules_to_save": ["norm"]}),
    "running means": ("normed", {"target_modules": ["line"], "modules_to_save": ["norm", "head"]}),
    "an embedding": ("llama", {"target_modules": [*QV, "embed_tokens"]}),
    "embedding and head": ("llama", {"target_modules": ["embed_tokens", "lm_head"]}),
    "ensure_weight_tying": ("tied", {"target_modules": [*QV, "embed_tokens"],
                                     "ensure_weight_tying": True}),
    "both ends of a tie": ("tied", {"target_modules": ["embed_tokens", "lm_head"],
                                    "ensure_weight_tying": True}),
    "a tie saved whole": ("tied", {"modules_to_save": ["embed_tokens"],
                                   "ensure_weight_tying": True}),
    "init False": ("llama", {"init_lora_weights": False}),
    "init gaussian": ("llama", {"init_lora_weights": "gaussian"}),
    "init orthogonal": ("llama", {"init_lora_weights": "orthogonal", "r": 4}),
    "init mica": ("llama", {"init_lora_weights": "mica"}),
    "velora_config": ("llama", {"velora_config": peft.VeloraConfig(num_groups=4)}),
    "runtime_config": ("llama", {"runtime_config": peft.LoraRuntimeConfig()}),
}  # fmt: skip
# What the config says that changes no number, of which the file is made from the plain one.
SAID_ALONE = {
    "init_lora_weights": {"init_lora_weights": "eva"},
    "eva_config": {"init_lora_weights": "eva", "eva_config": peft.EvaConfig()},
    "megatron_config": {"megatron_config": {"tensor_model_parallel_size": 2}},
    "megatron_core": {"megatron_core": "megatron.core"},
    "loftq_config": {"loftq_config": {}},
    "qalora_group_size": {"qalora_group_size": 8},
    "base_model_name_or_path": {"base_model_name_or_path": "somebody/a-base"},
    "peft_version": {"peft_version": "0.9.0"},
}
# field → settings, and what the refusal has to say
REFUSED = {
    "pissa": ({"init_lora_weights": "pissa"}, PLAIN_LORA),
    "pissa_niter_4": ({"init_lora_weights": "pissa_niter_4"}, PLAIN_LORA),
    "olora": ({"init_lora_weights": "olora"}, PLAIN_LORA),
    "corda_config": ({"init_lora_weights": "corda"}, PLAIN_LORA),
    "lora_ga_config": ({"init_lora_weights": "lora_ga"}, PLAIN_LORA),
    "loftq": ({"init_lora_weights": "loftq", "loftq_config": {"loftq_bits": 4}}, MERGE),
    "bias": ({"bias": "all"}, MERGE_BIASES),
    "bias of LoRA layers": ({"bias": "lora_only"}, MERGE_BIASES),
    "lora_bias": ({"lora_bias": True}, MERGE_BIASES),
    "trainable_token_indices": ({"trainable_token_indices": [1, 2]}, "rows of the embedding"),
    "layer_replication": ({"layer_replication": [[0, 2], [1, 2]]}, "repeated layers"),
    "alora_invocation_tokens": ({"alora_invocation_tokens": [3]}, "only after certain tokens"),
    "use_qalora": ({"use_qalora": True}, "pools its inputs"),
    "use_bdlora": ({"use_bdlora": peft.BdLoraConfig(nblocks=2)}, MERGE),
    "arrow_config": ({"arrow_config": peft.ArrowConfig()}, "router"),
    "kasa_config": ({"kasa_config": peft.KasaConfig()}, MERGE),
    "monteclora_config": ({"monteclora_config": peft.MontecloraConfig()}, "samples"),
}
ELSEWHERE = {"peft_type", "target_parameters", *SAID_ALONE}  # fields with a test of their own


def model_of(name):
    torch.manual_seed(0)
    return MODELS[name]().eval()


def logits(model):
    more = {"decoder_input_ids": TOKENS} if "T5" in type(model.get_base_model()).__name__ else {}
    with torch.no_grad():
        found = model(TOKENS, **more)
    return next(
        value
        for value in (getattr(found, "logits", None), getattr(found, "last_hidden_state", None),
                      found)
        if value is not None
    )  # fmt: skip


def made(name, settings, folder):
    """A folder as peft saves it, with numbers that matter."""
    settings = {"r": 2, "lora_alpha": 5, "target_modules": QV, **settings}
    model = peft.get_peft_model(model_of(name), peft.LoraConfig(**settings)).eval()
    generator = torch.Generator().manual_seed(1)
    for key, value in model.state_dict().items():
        if value.is_floating_point() and ("lora_" in key or ".modules_to_save." in key):
            value += 0.2 * torch.randn(value.shape, generator=generator)
    model.save_pretrained(folder)
    return model


def opened(name, folder):
    return peft.PeftModel.from_pretrained(model_of(name), str(folder)).eval()


def config_of(folder):
    return json.loads((folder / CONFIG).read_text())


@pytest.mark.parametrize("case", SAME)
def test_what_peft_makes_has_the_same_delta_and_comes_out_the_same(case, tmp_path):
    name, settings = SAME[case]
    made(name, settings, tmp_path / "theirs")
    theirs = opened(name, tmp_path / "theirs")
    plain = opened(name, tmp_path / "theirs")
    plain.disable_adapter_layers()
    assert (logits(theirs) - logits(plain)).abs().max() > 1e-3, "the adapter does something"

    weights = open_adapter(tmp_path / "theirs")
    deltas = {
        key.removeprefix("base_model.model."): module.get_delta_weight("default")
        for key, module in theirs.named_modules()
        if hasattr(module, "get_delta_weight") and not key.endswith(("lora_A", "lora_B"))
    }
    assert {layer.name for layer in weights.layers} == set(deltas)
    for layer in weights.layers:
        delta = layer.delta_weight().float()
        delta = delta if delta.shape == deltas[layer.name].shape else delta.t()
        if layer.kind in ("embedding", "conv1d_linear") and delta.shape[0] == delta.shape[1]:
            delta = layer.delta_weight().float().t()
        torch.testing.assert_close(delta, deltas[layer.name], rtol=1e-5, atol=1e-6)

    export(weights, tmp_path / "ours")
    again = opened(name, tmp_path / "ours")
    assert (logits(again) - logits(theirs)).abs().max() <= 1e-6 * logits(theirs).abs().max()
    before, after = config_of(tmp_path / "theirs"), config_of(tmp_path / "ours")
    kept = ["task_type", "revision", "auto_mapping", "base_model_name_or_path"]
    if not settings.get("ensure_weight_tying"):
        kept += ["exclude_modules", "layers_to_transform", "layers_pattern"]
    assert {field: after[field] for field in kept} == {field: before[field] for field in kept}
    if not settings.get("ensure_weight_tying"):
        one, two = before["target_modules"], after["target_modules"]
        assert set(one) == set(two) if isinstance(one, list) else one == two


@pytest.mark.parametrize("case", SAID_ALONE)
def test_what_is_only_said_changes_nothing(case, tmp_path):
    made("llama", {}, tmp_path)
    wanted = {layer.name: layer for layer in open_adapter(tmp_path).layers}
    values = {"r": 2, "lora_alpha": 5, "target_modules": QV, **SAID_ALONE[case]}
    peft.LoraConfig(**values).save_pretrained(tmp_path)
    found = open_adapter(tmp_path).layers
    assert all(torch.equal(x.delta_weight(), wanted[x.name].delta_weight()) for x in found)
    assert len(found) == 4


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_named_with_the_way_out(case, tmp_path):
    settings, reason = REFUSED[case]
    made("llama", {}, tmp_path)
    peft.LoraConfig(**{"target_modules": QV, **settings}).save_pretrained(tmp_path)
    with pytest.raises(AdapterError) as refused:
        open_adapter(tmp_path)
    field = next(iter(settings))
    assert f"{field} is " in str(refused.value)
    assert reason in str(refused.value)


def test_no_option_is_left_out():
    fields = {field.name for field in dataclasses.fields(peft.LoraConfig)}
    tried = {key for _, settings in SAME.values() for key in settings}
    tried |= {key for settings, _ in REFUSED.values() for key in settings}
    tried |= {*ELSEWHERE, *(case for case in (*SAME, *REFUSED) if case in fields)}
    assert fields <= tried


def method(kind):
    """The config of another method, with what it has to be given."""
    cls = METHODS[kind]
    fields = {field.name for field in dataclasses.fields(cls)}
    given = {"r": 0 if "oft_block_size" in fields else 2, "oft_block_size": 8, "group_size": 8,
             "block_size": 8, "target_modules": QV, "num_virtual_tokens": 3, "total_step": 10,
             "feedforward_modules": [], "n_frequency": 10, "vector_length": 4,
             "init_weights": False}  # fmt: skip
    return cls(**{key: value for key, value in given.items() if key in fields})


OTHERS = [x.value for x in peft.PeftType if x.value != "LORA"]


@pytest.mark.parametrize("kind", OTHERS)
def test_another_method_is_named_with_what_can_be_done(kind, tmp_path):
    made("llama", {}, tmp_path)
    (tmp_path / CONFIG).write_text(json.dumps({"peft_type": kind}))
    with pytest.raises(AdapterError) as refused:
        load(tmp_path)
    assert f"peft_type is '{kind}'" in str(refused.value)
    assert (MERGE in str(refused.value)) == (kind not in WITHOUT_DELTA)


# They want a library that is not here.
NOT_BUILT = ("ADAMSS",)


@pytest.mark.parametrize("kind", [x for x in OTHERS if x not in (*WITHOUT_DELTA, *NOT_BUILT)])
def test_what_peft_is_said_to_merge_it_merges(kind):
    """Weights of layers change, from which an adapter can be extracted."""
    model = peft.get_peft_model(model_of("llama"), method(kind))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    changed = model.merge_and_unload().state_dict()
    base = model_of("llama").state_dict()
    layers = [k for k in changed if k in base and not torch.equal(base[k], changed[k])]
    assert any("proj" in key for key in layers)


@pytest.mark.parametrize("format", ["peft", "peft-portable", "kohya", "diffusers"])
def test_factors_of_two_types(format, tmp_path):
    made("llama", {}, tmp_path / "a")
    tensors = safetensors.torch.load_file(tmp_path / "a" / TENSORS)
    types = {"lora_A": torch.float16, "lora_B": torch.float32}
    mixed = {key: t.to(types[key.split(".")[-2]]) for key, t in tensors.items()}
    safetensors.torch.save_file(mixed, tmp_path / "a" / TENSORS, {"format": "pt"})
    weights = open_adapter(tmp_path / "a")
    assert {(x.lora_A.dtype, x.lora_B.dtype) for x in weights.layers} == {tuple(types.values())}
    part = "transformer" if format in ("kohya", "diffusers") else ""
    report = export(weights, tmp_path / "b", format, component=part)
    assert report.largest_error <= 1e-6


def test_shards_of_transformers_are_read(tmp_path):
    made("llama", {}, tmp_path)
    whole = {layer.name: layer for layer in open_adapter(tmp_path).layers}
    tensors = safetensors.torch.load_file(tmp_path / TENSORS)
    (tmp_path / TENSORS).unlink()
    keys = sorted(tensors)
    for number, part in enumerate((keys[:3], keys[3:]), 1):
        name = f"adapter_model-0000{number}-of-00002.safetensors"
        safetensors.torch.save_file({key: tensors[key] for key in part}, tmp_path / name)
    found = open_adapter(tmp_path)
    assert any("2 shards" in note for note in found.extra["notes"])
    assert all(torch.equal(x.lora_A, whole[x.name].lora_A) for x in found.layers)
    (tmp_path / name).unlink()
    with pytest.raises(AdapterError, match="1 of 00002 shards"):
        open_adapter(tmp_path)


def test_a_resized_vocabulary_is_named_and_comes_out_the_same(tmp_path):
    model_of("llama").save_pretrained(tmp_path / "base")

    def resized():
        model = LlamaForCausalLM.from_pretrained(tmp_path / "base")
        torch.manual_seed(2)
        model.resize_token_embeddings(27)
        return model.eval()

    model = peft.get_peft_model(resized(), peft.LoraConfig(r=2, target_modules=QV))
    for key, value in model.state_dict().items():
        if "lora_" in key:
            value += 0.2
    model.eval().save_pretrained(tmp_path / "theirs")
    weights = open_adapter(tmp_path / "theirs")
    assert {x.name for x in weights.whole} == {"model.embed_tokens", "lm_head"}
    assert sum("vocabulary was resized" in note for note in weights.extra["notes"]) == 2
    export(weights, tmp_path / "ours")
    assert config_of(tmp_path / "ours")["modules_to_save"] is None
    blank = copy.deepcopy(resized())
    blank.lm_head.weight.data.zero_()
    again = peft.PeftModel.from_pretrained(blank, str(tmp_path / "ours")).eval()
    torch.testing.assert_close(logits(again), logits(model))


def test_auto_classes_open_what_is_written(tmp_path):
    """As the run of a person who converts, cuts and merges goes on."""
    from lora_lab.workshop.combine import combine
    from lora_lab.workshop.ranks import by_rank, measured
    from lora_lab.workshop.resize import resized

    model_of("llama").save_pretrained(tmp_path / "base")
    base = LlamaForCausalLM.from_pretrained(tmp_path / "base")
    config = peft.LoraConfig(r=4, task_type="CAUSAL_LM", target_modules=QV, revision="main")
    model = peft.get_peft_model(base, config)
    for key, value in model.state_dict().items():
        if "lora_" in key:
            value += 0.2 * torch.randn_like(value)
    model.save_pretrained(tmp_path / "theirs")
    weights = open_adapter(tmp_path / "theirs")
    cut, _ = resized(weights, by_rank(measured(weights), 2))
    both = combine([(weights, 0.5), (weights, 0.5)]).weights
    for number, adapter in enumerate((weights, cut, both)):
        export(adapter, tmp_path / str(number))
        found = peft.AutoPeftModelForCausalLM.from_pretrained(tmp_path / str(number)).eval()
        if adapter is not cut:
            torch.testing.assert_close(logits(found), logits(model.eval()), rtol=1e-4, atol=1e-5)
        assert set(config_of(tmp_path / str(number))["target_modules"]) == set(QV)
