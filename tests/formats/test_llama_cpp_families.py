"""GGUF adapters of many families in llama.cpp itself, against W + ΔW in torch."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lora_lab.formats.gguf_adapter import load
from lora_lab.formats.gguf_names import ARCHITECTURES
from lora_lab.formats.verify import export
from tests.formats.llama_server import log_probabilities, write_base
from tests.mixtures import SMALL, learned, weights_of

pytest.importorskip("xllamacpp", reason="xllamacpp (llama.cpp in a wheel) is not installed")
pytestmark = [pytest.mark.llama_cpp, pytest.mark.oracle]

TOKENS = list(range(5, 21))
TINY = {**SMALL, "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
        "num_attention_heads": 4, "head_dim": 8, "num_key_value_heads": 2, "sliding_window": 32,
        "max_position_embeddings": 64, "moe_intermediate_size": 16, "pad_token_id": 1}  # fmt: skip
TIED = {"tie_word_embeddings": True}
OWN = {
    **dict.fromkeys(("gemma", "gemma2", "gemma3", "gemma3_text", "cohere", "cohere2"), TIED),
    **{key: {**TIED, "query_pre_attn_scalar": 8} for key in ("gemma2", "gemma3", "gemma3_text")},
    "qwen2_moe": {"shared_expert_intermediate_size": 16},
    "qwen3_moe": {"mlp_only_layers": [], "norm_topk_prob": True},
    "olmoe": {"num_key_value_heads": 4},
}
FAMILIES = [name for name in ARCHITECTURES if name != "gpt2"]


def model_of(family):
    torch.manual_seed(0)
    settings = {**TINY, **OWN.get(family, {})}
    if family == "gemma3":  # the one that reads images as well
        vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                  "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
        settings = {"text_config": settings, "vision_config": vision, **TIED}
    config = AutoConfig.for_model(family, **settings)
    return AutoModelForCausalLM.from_config(config).float().eval()


def by_torch(model):
    with torch.no_grad():
        rows = model(torch.tensor([TOKENS]), use_cache=False).logits[0, -1]
    return torch.log_softmax(rows.float(), -1)


@pytest.mark.parametrize("family", FAMILIES)
def test_llama_cpp_answers_as_the_lab_does(family, tmp_path):
    model = model_of(family)
    model.save_pretrained(tmp_path / "base")
    architecture, permutes = ARCHITECTURES[family]
    write_base(model, tmp_path / "base.gguf", architecture, permutes)
    plain = by_torch(model)
    assert (log_probabilities(tmp_path / "base.gguf", TOKENS) - plain).abs().max() < 1e-4
    ours, layers = learned(model, targets=["all-linear"])
    wanted = by_torch(ours)
    assert (wanted - plain).abs().max() > 1e-2, "the adapter does something"
    weights = weights_of(layers, tmp_path / "base")
    export(weights, tmp_path / "adapter.gguf", "gguf")
    found = log_probabilities(tmp_path / "base.gguf", TOKENS, tmp_path / "adapter.gguf")
    assert (found - wanted).abs().max() < 1e-4
    again = load(tmp_path / "adapter.gguf", str(tmp_path / "base"))
    assert {x.name for x in again.layers} == set(layers)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("family", ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe"])
def test_experts_in_llama_cpp(family, scaled, tmp_path):
    """A tensor for all experts of a matrix, one of which has a rank and a scale of its own."""
    model = model_of(family)
    model.save_pretrained(tmp_path / "base")
    write_base(model, tmp_path / "base.gguf", *ARCHITECTURES[family])
    ours, layers = learned(model, targets=["all-linear+experts"])
    if scaled:
        layer = layers["model.layers.1.mlp.experts.2.down_proj"]
        layer.lora_A.data = torch.randn(5, layer.shape[1])
        layer.lora_B.data = 0.3 * torch.randn(layer.shape[0], 5)
        layer.scaling = 0.7
    wanted = by_torch(ours)
    weights = weights_of(layers, tmp_path / "base")
    export(weights, tmp_path / "adapter.gguf", "gguf")
    found = log_probabilities(tmp_path / "base.gguf", TOKENS, tmp_path / "adapter.gguf")
    assert (found - wanted).abs().max() < 1e-4
    again = {x.name: x for x in load(tmp_path / "adapter.gguf").layers}
    for layer in weights.layers:
        delta = layer.delta_weight()
        assert (again[layer.name].delta_weight() - delta).norm() <= 1e-6 * delta.norm()
