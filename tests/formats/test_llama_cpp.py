"""Exported GGUF adapters in llama.cpp itself, against W + ΔW in torch; for where it is installed.

llama-cpp-python compiles for minutes, so that it is no part of the test extra: install it and run
`python -m pytest -m llama_cpp`.
"""

import copy
import ctypes

import gguf
import numpy as np
import pytest
import torch

from lora_lab.formats.gguf_adapter import permuted
from lora_lab.formats.verify import export
from tests.formats.adapters import weights_of
from tests.models import tiny

pytestmark = pytest.mark.llama_cpp
llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")

IDS = list(range(2, 26))
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PARTS = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write_base(model, path):
    """The tiny Llama as llama.cpp wants it, without a tokenizer."""
    config, state = model.config, model.state_dict()
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(0)
    tensors = {"token_embd": state["model.embed_tokens.weight"]}
    tensors["output_norm"] = state["model.norm.weight"]
    for block in range(config.num_hidden_layers):
        for ours, theirs in PARTS.items():
            W = state[f"model.layers.{block}.{ours}.weight"]
            if ours.endswith("q_proj"):
                W = permuted(W, config.num_attention_heads)
            elif ours.endswith("k_proj"):
                W = permuted(W, config.num_key_value_heads)
            tensors[f"blk.{block}.{theirs}"] = W
    for name, tensor in tensors.items():
        writer.add_tensor(f"{name}.weight", np.ascontiguousarray(tensor.float().numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def logits(base, adapter=None):
    """Of every position, by llama.cpp with a KV cache in float32."""
    lib = llama_cpp
    lib.llama_backend_init()
    wanted = lib.llama_model_default_params()
    wanted.n_gpu_layers = 0
    model = lib.llama_model_load_from_file(str(base).encode(), wanted)
    assert model
    settings = lib.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = 64, 64, 64
    settings.type_k = settings.type_v = 0  # GGML_TYPE_F32
    settings.flash_attn_type = 0
    context = lib.llama_init_from_model(model, settings)
    assert context
    if adapter is not None:
        loaded = lib.llama_adapter_lora_init(model, str(adapter).encode())
        assert loaded, "llama.cpp refuses the file"
        many = (lib.llama_adapter_lora_p_ctypes * 1)(loaded)
        scales = (ctypes.c_float * 1)(1.0)
        assert lib.llama_set_adapters_lora(context, many, 1, scales) == 0
    batch = lib.llama_batch_init(len(IDS), 0, 1)
    batch.n_tokens = len(IDS)
    for place, token in enumerate(IDS):
        batch.token[place], batch.pos[place] = token, place
        batch.n_seq_id[place], batch.seq_id[place][0], batch.logits[place] = 1, 0, 1
    assert lib.llama_decode(context, batch) == 0
    found = np.array(
        [
            np.ctypeslib.as_array(lib.llama_get_logits_ith(context, i), shape=(tiny.VOCABULARY,))
            for i in range(len(IDS))
        ]
    )
    lib.llama_batch_free(batch)
    lib.llama_free(context)
    lib.llama_model_free(model)
    return torch.from_numpy(found)


def by_hand(model, weights=None):
    model = copy.deepcopy(model)
    for layer in weights.layers if weights else ():
        W = model.get_submodule(layer.name).weight.data
        delta = layer.delta_weight().float()
        W += delta.t() if layer.kind == "embedding" else delta
    with torch.no_grad():
        return model(torch.tensor([IDS])).logits[0]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llama")
    model = tiny.save(folder / "base", "llama")
    write_base(model, folder / "base.gguf")
    return folder, model


def test_the_base_itself_answers_alike(base):
    folder, model = base
    wanted = by_hand(model)
    assert (logits(folder / "base.gguf") - wanted).abs().max() <= 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("variant", ["lora", "rslora", "ranks"])
def test_llama_cpp_computes_what_was_trained(base, tmp_path, variant):
    folder, model = base
    weights = weights_of(copy.deepcopy(model), variant, base=folder / "base", targets=LINEAR)
    export(weights, tmp_path / "a.gguf", "gguf")
    wanted, plain = by_hand(model, weights), by_hand(model)
    assert (wanted - plain).abs().max() > 0.01 * plain.abs().max()
    found = logits(folder / "base.gguf", tmp_path / "a.gguf")
    assert (found - wanted).abs().max() <= 1e-5 * wanted.abs().max()
