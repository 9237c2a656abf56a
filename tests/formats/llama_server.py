"""Tiny bases as files of llama.cpp, and what llama.cpp itself answers with an adapter on them."""

import gguf
import numpy as np
import torch

LAYOUTS = {
    "gemma3": 1.0,
    "gemma3_text": 1.0,
    "gemma": 1.0,
    "gemma2": 1.0,
    "nemotron": 1.0,
}  # what is added to the weights of norms
EPS = {"layer_norm_eps": "add_layer_norm_eps", "norm_eps": "add_layer_norm_eps",
       "norm_epsilon": "add_layer_norm_eps", "rms_norm_eps": "add_layer_norm_rms_eps"}  # fmt: skip


def turned(W, heads):
    """Rows of each head as llama.cpp's `permute` puts them."""
    halves = W.reshape(heads, 2, W.shape[0] // heads // 2, *W.shape[1:])
    return halves.swapaxes(1, 2).reshape(W.shape)


def write_base(model, path, architecture, permutes):
    """The model in llama.cpp's names and order, with a vocabulary of made-up words."""
    config = model.config.get_text_config()
    writer = gguf.GGUFWriter(str(path), architecture)
    _settings(writer, config, architecture, any("experts" in key for key in model.state_dict()))
    kind = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    tied = config.tie_word_embeddings
    for key, W in model.state_dict().items():
        key = key.replace("language_model.", "")
        if key.startswith(("model.vision", "model.multi_modal")) or (tied and "lm_head" in key):
            continue
        if permutes and ".q_proj." in key:
            W = turned(W, config.num_attention_heads)
        if permutes and ".k_proj." in key:
            W = turned(W, config.num_key_value_heads)
        if key.endswith("norm.weight"):
            W = W + LAYOUTS.get(config.model_type, 0.0)
        for name, part in _parts(key, W):
            found = names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert found, f"llama.cpp has no {name}"
            writer.add_tensor(found, np.ascontiguousarray(part.float().numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _parts(key, W):
    """What transformers holds in one parameter and llama.cpp in two: gate and up of experts."""
    if key.endswith("experts.gate_up_proj"):
        gate, up = W.chunk(2, dim=-2)
        stem = key.removesuffix("gate_up_proj")
        return [(f"{stem}gate_proj.weight", gate), (f"{stem}up_proj.weight", up)]
    return [(f"{key}.weight" if key.endswith("experts.down_proj") else key, W)]


def _settings(writer, config, architecture, mixture):
    size = config.vocab_size
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = getattr(config, "rope_parameters", None) or {}
    rope = rope.get("full_attention", rope)
    writer.add_context_length(64)
    writer.add_vocab_size(size)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", None) or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(int(width * rope.get("partial_rotary_factor", 1.0)))
    writer.add_rope_freq_base(rope.get("rope_theta", 10000.0))
    for name, how in EPS.items():
        if getattr(config, name, None):
            getattr(writer, how)(getattr(config, name))
    if architecture == "olmo":
        writer.add_layer_norm_eps(1e-5)
    if architecture == "granite":
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_logit_scale(config.logits_scaling)
    if architecture in ("command-r", "cohere2"):
        writer.add_logit_scale(config.logit_scale)
    if architecture == "phi3":
        writer.add_rope_scaling_orig_ctx_len(64)
    if architecture in ("gemma2", "gemma3", "cohere2", "phi3", "olmo2") and getattr(
        config, "sliding_window", None
    ):
        writer.add_sliding_window(config.sliding_window)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    for name in ("num_experts", "num_local_experts"):
        if mixture and getattr(config, name, None):
            writer.add_expert_count(getattr(config, name))
            writer.add_expert_used_count(config.num_experts_per_tok)
            break
    if mixture and getattr(config, "moe_intermediate_size", None):
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if getattr(config, "shared_expert_intermediate_size", None):
        writer.add_expert_shared_feed_forward_length(config.shared_expert_intermediate_size)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([f"w{n}" for n in range(size)])
    writer.add_token_scores([0.0] * size)
    writer.add_token_types([1] * size)
    writer.add_file_type(0)


def log_probabilities(base, tokens, adapter=None):
    """Of the token that follows `tokens`, by llama.cpp (vocabulary,)."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(base)
    params.n_ctx, params.n_gpu_layers, params.n_parallel, params.warmup = 64, 0, 1, False
    params.verbosity = -1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    off = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.flash_attn_type = off
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    server = xllamacpp.Server(params)
    answer = server.handle_completions(
        {"prompt": list(tokens), "n_predict": 1, "n_probs": 10**4, "temperature": 0.0,
         "cache_prompt": False}
    )  # fmt: skip
    rows = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    found = torch.full((len(rows),), float("nan"))
    for row in rows:
        found[row["id"]] = row["logprob"]
    return found
