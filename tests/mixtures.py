"""Tiny mixtures of experts of many families, with adapters that have learned something."""

import copy
import warnings

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import AdapterWeights

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from peft import PeftModel

TOKENS = torch.arange(2, 14).reshape(2, 6)
SMALL = {
    "vocab_size": 32, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "pad_token_id": 0,
    "moe_intermediate_size": 8, "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4,
    "num_experts_per_tok": 2, "max_position_embeddings": 32, "tie_word_embeddings": False,
    "bos_token_id": 0, "eos_token_id": 1,
}  # fmt: skip
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
          "v_head_dim": 8, "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1,
          "n_shared_experts": 1}  # fmt: skip
FAMILIES = {
    "mixtral": {},
    "olmoe": {},
    "qwen2_moe": {"shared_expert_intermediate_size": 8},
    "qwen3_moe": {"mlp_only_layers": [0]},
    "qwen3_next": {
        "shared_expert_intermediate_size": 8, "linear_num_value_heads": 2,
        "linear_num_key_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
        "layer_types": ["linear_attention", "full_attention"], "decoder_sparse_step": 1,
    },
    "deepseek_v2": LATENT,
    "deepseek_v3": LATENT,
    "glm4_moe": {"n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    "dots1": {"n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_k": 2, "moe_num_shared_experts": 1,
                     "moe_layer_start_index": 1},
    "exaone_moe": {"first_k_dense_replace": 1, "num_shared_experts": 1, "n_group": 1,
                   "topk_group": 1, "mlp_layer_types": ["dense", "sparse"],
                   "layer_types": ["full_attention", "full_attention"]},
    "flex_olmo": {},
    "hunyuan_v1_moe": {"moe_topk": [2, 2], "num_shared_expert": [1, 1]},
}  # fmt: skip
TURNED = {"gpt_oss": {}}  # its experts are (experts, in, out)


def mixture(family, **settings):
    torch.manual_seed(0)
    own = {**FAMILIES, **TURNED}.get(family, {})
    config = AutoConfig.for_model(family, **{**SMALL, **own, **settings})
    return AutoModelForCausalLM.from_config(config).float().eval()


def logits(model):
    with torch.no_grad():
        return model(TOKENS, use_cache=False).logits


def learned(model, targets=("all-linear+experts",), **settings):
    """A copy of the model with adapters that do something, and these by name."""
    model = copy.deepcopy(model)
    layers = inject(model, **{"rank": 2, "alpha": 3.0, "targets": targets, **settings})
    generator = torch.Generator().manual_seed(1)
    for layer in layers.values():
        layer.lora_B.data.copy_(0.3 * torch.randn(layer.lora_B.shape, generator=generator))
    return model, layers


def weights_of(layers, base="", **fields):
    rows = tuple(layer.layer_weights() for layer in layers.values())
    return AdapterWeights(fields.pop("variant", "lora"), rows, base=str(base), **fields)


def in_peft(model, folder):
    """What PEFT answers with the folder; None where it refuses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return logits(PeftModel.from_pretrained(copy.deepcopy(model), str(folder)).eval())
        except ValueError:
            return None


def same(found, wanted):
    return found is not None and (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
