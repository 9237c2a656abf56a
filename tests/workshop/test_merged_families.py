"""Merged checkpoints of many families, opened by transformers, against PEFT on the same base."""

import peft
import pytest
import safetensors.torch
import torch
import transformers as T

from lora_lab.errors import LabError
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop.deliver import deliver
from lora_lab.workshop.extract import extract
from lora_lab.workshop.merge_base import write_merged
from lora_lab.workshop.requests import Delivery
from tests.workshop.families import adapted, answer, distance, saved

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning"),  # PEFT on ties and on fan_in_fan_out
]
PLAIN = {
    "llama": ["q_proj", "o_proj", "embed_tokens", "lm_head"],
    "gemma3": r".*language_model.*(q_proj|down_proj)",
    "qwen2_vl": ["q_proj", "down_proj", "qkv"],
    "llava": ["q_proj", "fc1"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
    "openai": ["c_attn", "c_proj", "c_fc"],
    "imagegpt": ["c_attn", "c_proj", "c_fc", "score"],
    "decision": ["c_attn", "c_proj", "embed_state"],
    "bert_mlm": ["query", "dense"],
    "bert": ["query", "word_embeddings"],
    "albert": ["query", "ffn"],
    "t5": ["q", "wo"],
    "bart": ["q_proj", "fc1"],
    "vit": ["q_proj", "v_proj", "fc1", "classifier"],
    "swin": ["q_proj", "o_proj", "fc1", "reduction"],
    "dinov2": ["gate_proj", "up_proj", "down_proj"],
    "nomic": ["q_proj", "v_proj", "up_proj"],
    "falcon": ["query_key_value", "dense"],
}
TIED = {
    "llama_tied": ["embed_tokens"], "gemma3": r".*language_model.embed_tokens", "gpt2": ["wte"],
    "openai": ["tokens_embed"], "bert_mlm": ["word_embeddings"], "albert": ["word_embeddings"],
    "bart": r"model.decoder.embed_tokens",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_transformers_answers_as_peft_does(name, tmp_path):
    model = saved(tmp_path / "base", name)
    before = answer(model)
    wanted = answer(adapted(model, tmp_path / "adapter", PLAIN[name]))
    assert distance(before, wanted) > 1e-4
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    found = answer(type(model).from_pretrained(tmp_path / "out").eval())
    assert distance(found, wanted) <= 1e-5


@pytest.mark.parametrize("name", [n for n in PLAIN if n not in ("llama", "bert")])
def test_what_is_extracted_does_in_peft_what_the_tuned_model_does(name, tmp_path):
    model = saved(tmp_path / "base", name)
    wanted = answer(adapted(model, tmp_path / "adapter", PLAIN[name]))
    write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "tuned")
    found = extract(tmp_path / "base", tmp_path / "tuned", 4)
    export(found.weights, tmp_path / "found")
    base = type(model).from_pretrained(tmp_path / "base").eval()
    again = peft.PeftModel.from_pretrained(base, str(tmp_path / "found")).eval()
    assert distance(answer(again), wanted) <= 2e-5


@pytest.mark.parametrize("name", TIED)
def test_a_tied_weight_is_refused_or_parted(name, tmp_path):
    model = saved(tmp_path / "base", name)
    wanted = answer(adapted(model, tmp_path / "adapter", TIED[name]))
    weights = open_adapter(tmp_path / "adapter")
    with pytest.raises(LabError, match=r"shares its weight with .*--untie"):
        write_merged(weights, tmp_path / "base", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_merged(weights, tmp_path / "base", tmp_path / "out", untie=True)
    found = answer(type(model).from_pretrained(tmp_path / "out").eval())
    assert distance(found, wanted) <= 1e-5


BESIDE = {  # PEFT saves the head's weight beside its factors, and the base's file has no such name
    "llama_tied": (["embed_tokens", "lm_head"], {}),
    "llama_tied, PEFT ties": (["embed_tokens"], {"ensure_weight_tying": True}),
    "llama_tied, the head alone": (["lm_head"], {}),
    "gpt2": (["wte", "lm_head"], {}),
    "llama_tied, one whole": (["lm_head", "q_proj"], {"modules_to_save": ["embed_tokens"]}),
}


@pytest.mark.parametrize("case", BESIDE)
def test_the_saved_weight_of_a_tied_head_is_known_for_the_bases(case, tmp_path):
    targets, options = BESIDE[case]
    model = saved(tmp_path / "base", case.partition(",")[0])
    wanted = answer(adapted(model, tmp_path / "adapter", targets, **options))
    delivery = Delivery(str(tmp_path / "out"), "merged", base=str(tmp_path / "base"), untie=True)
    deliver(open_adapter(tmp_path / "adapter"), delivery)
    merged = type(model).from_pretrained(tmp_path / "out").eval()
    assert not merged.config.tie_word_embeddings
    assert distance(answer(merged), wanted) <= 1e-5


def test_a_head_that_became_tied_is_extracted_too(tmp_path):
    base = saved(tmp_path / "base", "llama")
    with torch.no_grad():
        base.model.layers[0].self_attn.q_proj.weight += 0.1 * torch.randn(32, 32)
    base.lm_head.weight = base.model.embed_tokens.weight
    base.config.tie_word_embeddings = True
    base.save_pretrained(tmp_path / "tuned")
    wanted = answer(base)
    export(extract(tmp_path / "base", tmp_path / "tuned", 32).weights, tmp_path / "found")
    model = T.LlamaForCausalLM.from_pretrained(tmp_path / "base").eval()
    found = peft.PeftModel.from_pretrained(model, str(tmp_path / "found")).eval()
    assert distance(answer(found), wanted) <= 1e-5


@pytest.mark.parametrize("targets", [["shared"], ["lm_head"], r"decoder.embed_tokens"])
def test_a_family_that_cannot_be_parted_is_refused_by_name(targets, tmp_path):
    adapted(saved(tmp_path / "base", "t5"), tmp_path / "adapter", targets)
    weights = open_adapter(tmp_path / "adapter")
    with pytest.raises(LabError, match="T5ForConditionalGeneration cannot be untied"):
        write_merged(weights, tmp_path / "base", tmp_path / "out", untie=True)
    assert not (tmp_path / "out").exists()


def test_a_head_beside_its_embedding_in_the_file_is_not_tied_any_more(tmp_path):
    """transformers ties two equal tensors; a merge makes them differ."""
    model = saved(tmp_path / "base", "llama_tied")
    state = {**model.state_dict(), "lm_head.weight": model.lm_head.weight.detach().clone()}
    safetensors.torch.save_file(state, tmp_path / "base" / "model.safetensors", {"format": "pt"})
    wanted = answer(adapted(model, tmp_path / "adapter", ["embed_tokens"]))
    report = write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")
    assert "tie_word_embeddings is written as false" in report.notes[0]
    merged = type(model).from_pretrained(tmp_path / "out").eval()
    assert not merged.config.tie_word_embeddings
    assert distance(answer(merged), wanted) <= 1e-5


def test_a_layer_that_does_more_than_multiply_is_not_merged(tmp_path):
    """Inkling norms the rows of its embedding; PEFT adds after the norm, a merge before it."""
    sizes = {"swa_head_dim": 8, "swa_num_attention_heads": 4, "swa_num_key_value_heads": 2,
             "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
             "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
             "layer_types": ["hybrid_sliding", "hybrid"], "pad_token_id": 1,
             "mlp_layer_types": ["sparse", "sparse"]}  # fmt: skip
    model = T.AutoModelForCausalLM.from_config(T.AutoConfig.for_model("inkling_text", **sizes))
    model.save_pretrained(tmp_path / "base")
    adapted(model, tmp_path / "adapter", ["embed_tokens"])
    with pytest.raises(LabError, match="InklingNormedEmbedding, which does more than multiply"):
        write_merged(open_adapter(tmp_path / "adapter"), tmp_path / "base", tmp_path / "out")


@pytest.mark.parametrize("name", ["llama_tied", "gpt2", "bert_mlm"])
def test_both_ends_of_a_tied_weight_each_with_factors_of_its_own(name, tmp_path):
    both = {"llama_tied": ["embed_tokens", "lm_head"], "gpt2": ["wte", "lm_head"],
            "bert_mlm": ["word_embeddings", "cls.predictions.decoder"]}[name]  # fmt: skip
    model = saved(tmp_path / "base", name)
    wanted = answer(adapted(model, tmp_path / "adapter", both))
    weights = open_adapter(tmp_path / "adapter")
    assert len(weights.layers) == 2
    with pytest.raises(LabError, match=r"shares its weight with .*--untie"):
        write_merged(weights, tmp_path / "base", tmp_path / "out")
    write_merged(weights, tmp_path / "base", tmp_path / "out", untie=True)
    merged = type(model).from_pretrained(tmp_path / "out").eval()
    assert not merged.config.tie_word_embeddings
    assert distance(answer(merged), wanted) <= 1e-5
