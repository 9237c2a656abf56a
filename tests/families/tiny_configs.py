"""Any family of transformers made tiny from its own default config, with a tokenizer beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from transformers import PretrainedConfig
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.models.tiny import VOCABULARY, tokenizer

TABLES = {
    "causal_lm": "MODEL_FOR_CAUSAL_LM_MAPPING",
    "text_classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING",
    "image_classification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING",
}
CLASSES = ("neg", "pos")
LARGEST = 4_000_000  # parameters of what still counts as tiny
NOT_SET = (  # by whoever makes a config
    "transformers_version", "dtype", "architectures", "ignore_keys_at_rope_validation",
)  # fmt: skip
WIDTH, LAYERS, HEADS, INNER, PLACES = 32, 2, 4, 48, 72
SMALL: dict[str, Any] = {
    **dict.fromkeys(("vocab_size", "text_vocab_size"), VOCABULARY),
    **dict.fromkeys(
        ("hidden_size", "n_embd", "d_model", "dim", "embed_dim", "embedding_size", "model_dim",
         "d_embed", "emb_dim", "hidden_dim", "word_embed_proj_dim", "lstm_width", "lru_width",
         "projection_dim", "pooler_hidden_size"), WIDTH),
    **dict.fromkeys(
        ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers",
         "decoder_layers", "num_decoder_layers", "num_blocks", "num_encoder_blocks"), LAYERS),
    **dict.fromkeys(
        ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
         "decoder_attention_heads"), HEADS),
    **dict.fromkeys(("num_key_value_heads", "multi_query_group_num", "num_kv_heads"), 2),
    **dict.fromkeys(("head_dim", "d_head", "d_kv", "v_head_dim", "attention_head_dim"), 8),
    **dict.fromkeys(
        ("intermediate_size", "n_inner", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim",
         "ffn_hidden_size", "dim_ff", "hidden_dim_ff", "d_inner", "mlp_dim"), INNER),
    **dict.fromkeys(
        ("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size",
         "shared_intermediate_size", "moe_shared_expert_intermediate_size"), 16),
    **dict.fromkeys(
        ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts",
         "num_routed_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k", "num_experts_per_token"), 2),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length",
         "max_sequence_length", "max_source_positions", "max_target_positions"), PLACES),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "state_size", "mamba_d_state"), 8),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_groups", "n_groups"), 1),
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "qk_head_dim": 16, "first_k_dense_replace": 1,
    "time_step_rank": 4, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_expand": 2,
    "image_size": 64, "patch_size": 16, "num_channels": 3, "rotary_dim": 4, "type_vocab_size": 2,
    "pad_token_id": 1, "eos_token_id": 0, "bos_token_id": 0, "is_decoder": False,
    "sep_token_id": 0, "cls_token_id": 0, "mask_token_id": 4, "decoder_start_token_id": 0,
    "summary_first_dropout": 0.0, "classifier_dropout": 0.0, "scale_embedding": False,
    "mtp_num_layers": 0, "num_nextn_predict_layers": 0, "sliding_window": 16, "use_cache": False,
    "depths": [1, 1, 1, 1], "mlp_ratio": 2.0, "mlp_ratio_list": None,
    "vocab_size_per_layer_input": VOCABULARY, "hidden_size_per_layer_input": 8,
}  # fmt: skip
# What one family needs beside that, by the rules of its own config.
OWN: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1], "mamba_n_groups": 1, "mamba_chunk_size": 16},
    "big_bird": {"attention_type": "original_full"},
    "bigbird_pegasus": {"attention_type": "original_full"},
    "beit": {"vocab_size": 8192, "out_indices": [1, 2]},
    "canine": {"num_hash_buckets": 64, "local_transformer_stride": 16},
    "convbert": {"conv_kernel_size": 3},
    "dinat": {"dilations": [[1], [1], [1], [1]]},
    "resnet": {"hidden_sizes": [8, 16, 24, 32], "embedding_size": 8, "layer_type": "basic"},
    "regnet": {"hidden_sizes": [8, 16, 24, 32], "embedding_size": 8, "groups_width": 4},
    "bit": {"hidden_sizes": [8, 16, 24, 32], "embedding_size": 8, "num_groups": 4},
    "hiera": {"image_size": [64, 64], "depths": [1, 1], "num_heads": [1, 2], "embed_dim": 16,
              "query_stride": [2, 2], "num_query_pool": 1, "masked_unit_size": [8, 8]},
    "nemotron": {"partial_rotary_factor": 0.5, "head_dim": 8, "num_key_value_heads": 2},
    "dots1": {"n_shared_experts": 1, "first_k_dense_replace": 1, "n_routed_experts": 4,
              "num_experts_per_tok": 2},
    "deepseek_v2": {"num_experts_per_tok": 2},
    "esm": {"vocab_size": VOCABULARY}, "esmc": {"num_key_value_heads": HEADS},
    "layoutlmv3": {"coordinate_size": 5, "shape_size": 6},
    "lilt": {"hidden_size": 48, "intermediate_size": 48},
    "luke": {"entity_vocab_size": 16, "entity_emb_size": 8},
    "perceiver": {"num_latents": 8, "d_latents": 32, "d_model": 32, "num_blocks": 1,
                  "num_self_attends_per_block": 1, "num_self_attention_heads": 2,
                  "num_cross_attention_heads": 2},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "roc_bert": {"pronunciation_vocab_size": 16, "shape_vocab_size": 16,
                 "pronunciation_embed_dim": 8, "shape_embed_dim": 8},
    "xlstm": {"embedding_dim": 32, "num_blocks": 2, "num_heads": 4},
    "gemma3n_text": {"num_kv_shared_layers": 0, "activation_sparsity_pattern": [0.0, 0.0],
                     "intermediate_size": [48, 48], "laurel_rank": 4,
                     "layer_types": ["sliding_attention", "full_attention"]},
    "hgnet_v2": {"hidden_sizes": [8, 16, 24, 32], "embedding_size": 8, "stem_channels": [3, 8, 8],
                 "stage_in_channels": [8, 16, 16, 24], "stage_mid_channels": [8, 8, 8, 8],
                 "stage_out_channels": [16, 16, 24, 32], "stage_num_blocks": [1, 1, 1, 1],
                 "stage_numb_of_layers": [2, 2, 2, 2]},
    "textnet": {"hidden_sizes": [8, 8, 8, 8, 8], "stem_out_channels": 8},
    "levit": {"hidden_sizes": [16, 32, 48], "num_attention_heads": [1, 2, 3],
              "depths": [1, 1, 1], "key_dim": [8, 8, 8], "image_size": 64,
              "down_ops": [["Subsample", 8, 2, 2, 2, 2], ["Subsample", 8, 4, 2, 2, 2]]},
    "cvt": {"embed_dim": [8, 16, 24], "num_heads": [1, 2, 3], "depth": [1, 1, 1]},
    "ministral": {"head_dim": 8}, "hunyuan_v1_dense": {"head_dim": 8},
    "hunyuan_v1_moe": {"head_dim": 8},
    "falcon_mamba": {"expand": 2, "conv_kernel": 4},
    "falcon_h1": {"mamba_d_ssm": 64, "mamba_n_groups": 1, "mamba_chunk_size": 16},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"], "mamba_n_groups": 1},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 1, "chunk_size": 16},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "expert_layer_period": 2,
              "expert_layer_offset": 1, "mamba_dt_rank": 4, "use_mamba_kernels": False},
    "funnel": {"block_sizes": [1, 1], "block_repeats": [1, 1], "num_decoder_layers": 1,
               "d_head": 8},
    "longformer": {"attention_window": 8},
    "led": {"attention_window": 8},
    "mobilevit": {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 8, 16, 16, 16, 32]},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 16},
    "mobilebert": {"true_hidden_size": 16, "intra_bottleneck_size": 16, "embedding_size": 32},
    "reformer": {"attn_layers": ["local", "local"], "axial_pos_shape": [8, 9],
                 "axial_pos_embds_dim": [16, 16], "is_decoder": True, "feed_forward_size": 48,
                 "local_attn_chunk_length": 8, "attention_head_size": 8},
    "recurrent_gemma": {"block_types": ["recurrent", "attention"], "attention_window_size": 16},
    "rwkv": {"attention_hidden_size": 32, "context_length": 64},
    "swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2,
             "patch_size": 4},
    "swinv2": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2,
               "patch_size": 4},
    "donut-swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2,
                   "patch_size": 4},
    "segformer": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_encoder_blocks": 2,
                  "num_attention_heads": [1, 2], "sr_ratios": [2, 1], "mlp_ratios": [2, 2],
                  "patch_sizes": [7, 3], "strides": [4, 2], "decoder_hidden_size": 16},
    "pvt": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_encoder_blocks": 2,
            "num_attention_heads": [1, 2], "sequence_reduction_ratios": [2, 1],
            "mlp_ratios": [2, 2], "patch_sizes": [4, 2], "strides": [4, 2]},
    "pvt_v2": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_encoder_blocks": 2,
               "num_attention_heads": [1, 2], "sr_ratios": [2, 1], "mlp_ratios": [2, 2],
               "patch_sizes": [7, 3], "strides": [4, 2], "image_size": 32},
    "marian": {"decoder_vocab_size": VOCABULARY, "share_encoder_decoder_embeddings": True},
    "t5": {"d_kv": 8, "decoder_start_token_id": 1},
    "convnext": {"hidden_sizes": [8, 16, 24, 32], "patch_size": 4},
    "convnextv2": {"hidden_sizes": [8, 16, 24, 32], "patch_size": 4},
    "poolformer": {"depths": [1, 1, 1, 1], "patch_size": 7, "hidden_sizes": [8, 16, 24, 32]},
    "efficientnet": {"width_coefficient": 0.25, "depth_coefficient": 0.1, "hidden_dim": 320,
                     "depth_divisor": 8, "image_size": 64},
    "mobilevitv2": {"width_multiplier": 0.25, "patch_size": 2},
    "xlm": {"emb_dim": 32, "n_heads": 4, "n_layers": 2, "n_langs": 2, "mask_index": 4,
            "causal": True},
    "flaubert": {"emb_dim": 32, "n_heads": 4, "n_layers": 2, "n_langs": 1, "mask_index": 4},
    "xlnet": {"d_model": 32, "n_head": 4, "d_inner": 48, "n_layer": 2, "d_head": 8},
    "mt5": {"d_kv": 8}, "umt5": {"d_kv": 8},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
    "zamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_dt_rank": 4,
              "use_mamba_kernels": False, "attention_hidden_size": 64, "n_mamba_heads": 2},
    "zamba2": {"num_mem_blocks": 1, "mamba_ngroups": 1, "n_mamba_heads": 8, "mamba_headdim": 8,
               "chunk_size": 16, "use_mamba_kernels": False, "adapter_rank": 4,
               "attention_hidden_size": 64, "attention_head_dim": 16,
               "layers_block_type": ["mamba", "hybrid"], "hybrid_layer_ids": [1]},
}  # fmt: skip
AS_DECODER = ("bert", "roberta", "electra", "camembert", "xlm-roberta", "rembert", "ernie",
              "bert-generation", "big_bird", "data2vec-text", "megatron-bert", "roc_bert",
              "roformer", "roberta-prelayernorm", "xlm-roberta-xl", "xmod")  # fmt: skip


class CannotShrinkError(Exception):
    """Its default config with small numbers is no config that transformers builds."""


def shrunk(kind: type[PretrainedConfig], model_type: str, **own: Any) -> PretrainedConfig:
    """A config of the class with small numbers in it and in the configs inside."""
    default = kind()
    values = _smaller(default, model_type)
    values.update(own)
    values.pop("model_type", None)
    if "id2label" in own:
        values["num_labels"] = len(own["id2label"])
    try:
        return kind(**values)
    except Exception:  # noqa: BLE001, each config refuses in its own way
        for lists in ("layer_types", "mlp_layer_types"):  # some make them from other settings
            values.pop(lists, None)
        try:
            return kind(**values)
        except Exception:  # noqa: BLE001
            return kind(**{k: v for k, v in values.items() if k != "rope_parameters"})


def _smaller(config: PretrainedConfig, model_type: str) -> dict[str, Any]:
    before = next((getattr(config, n) for n in ("num_hidden_layers", "n_layer", "num_layers")
                   if isinstance(getattr(config, n, None), int)), 0)  # fmt: skip
    values: dict[str, Any] = {}
    for key, value in config.__dict__.items():
        if key.startswith("_") or key in NOT_SET:
            continue
        if isinstance(value, PretrainedConfig):
            value = _smaller(value, value.model_type)
        elif key in SMALL and (value is None or type(value) is type(SMALL[key])):
            value = SMALL[key] if value is not None or "token_id" in key else None
        elif isinstance(value, list) and before and len(value) == before:
            value = _both_kinds(value)
        elif "drop" in key and isinstance(value, float):
            value = 0.0
        values[key] = value
    if "qk_rope_head_dim" in values:  # of which these make the width of their rotation
        values["head_dim"] = values["qk_rope_head_dim"] = 4
        values["qk_head_dim"] = values.get("qk_nope_head_dim", 8) + 4
        values["num_key_value_heads"] = HEADS  # each has keys of its own
        values.pop("rope_parameters", None)  # of the default width
    values.update(OWN.get(model_type, {}))
    return values


def _both_kinds(rows: list[Any]) -> list[Any]:
    """Two of many layers, of different kinds where there are two."""
    other = next((row for row in rows if row != rows[0]), rows[0])
    return [rows[0], other]


def families(task: str) -> list[str]:
    """Model types that transformers has a class of for this task."""
    names = getattr(modeling_auto, TABLES[task] + "_NAMES")
    return sorted(names)


def write(folder: Path, model_type: str, task: str) -> Any:
    """A tiny checkpoint of a family in `folder`; its class. Raises CannotShrinkError."""
    mapping = getattr(modeling_auto, TABLES[task])
    kind = CONFIG_MAPPING[model_type]
    own: dict[str, Any] = {}
    if task != "causal_lm":
        own = {
            "id2label": dict(enumerate(CLASSES)),
            "label2id": {c: i for i, c in enumerate(CLASSES)},
        }
    elif model_type in AS_DECODER:
        own = {"is_decoder": True}
    try:
        found = mapping[kind]
        cls = found[0] if isinstance(found, tuple) else found
        config = shrunk(kind, model_type, **own)
        if not isinstance(config, cls.config_class):  # of a part of it, as AutoModel opens it
            config = config.get_text_config()
        with torch.device("meta"):
            count = sum(p.numel() for p in cls(config).parameters())
        if count > LARGEST:
            raise CannotShrinkError(f"{count:,} parameters")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = cls(config).eval()
            for parameter in model.parameters():
                if not torch.isfinite(parameter).all() or parameter.abs().max() > 1e4:
                    torch.nn.init.normal_(parameter, 0, 0.02)  # never initialised
                parameter.data += 0.05 * torch.randn_like(parameter)
            _try_out(model, config, task)
        model.save_pretrained(folder)
    except CannotShrinkError:
        raise
    except Exception as error:
        raise CannotShrinkError(f"{type(error).__name__}: {error}"[:200]) from error
    if task == "image_classification":
        size = _edge(config)
        (folder / "preprocessor_config.json").write_text(json.dumps({
            "image_processor_type": "ViTImageProcessor", "do_resize": True, "do_normalize": True,
            "size": {"height": size, "width": size},
            "image_mean": [0.5] * 3, "image_std": [0.5] * 3,
        }))  # fmt: skip
    else:
        made = tokenizer()
        if config.is_encoder_decoder:  # such classifiers look for the end of a text
            made.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single="$A <|end|>", pair="$A <|end|> $B <|end|>", special_tokens=[("<|end|>", 0)]
            )
        made.save_pretrained(folder)
    return cls


def _edge(config: PretrainedConfig) -> int:
    size = getattr(config, "image_size", None)
    size = getattr(getattr(config, "vision_config", None), "image_size", None) or size or 64
    return size if isinstance(size, int) else size[0]


@torch.no_grad()
def _try_out(model: torch.nn.Module, config: PretrainedConfig, task: str) -> None:
    """Raise CannotShrinkError where transformers' own class cannot read a plain input."""
    try:
        if task == "image_classification":
            edge = _edge(config)
            logits = model(pixel_values=torch.randn(2, 3, edge, edge)).logits
        else:
            ids = torch.randint(5, 250, (2, 16))
            ids[:, -1] = 0
            logits = model(input_ids=ids).logits
    except Exception as error:
        reason = f"transformers' class takes no plain input: {type(error).__name__}: {error}"
        raise CannotShrinkError(reason.split("\n")[0][:160]) from error
    if not torch.isfinite(logits).all():
        raise CannotShrinkError("random weights make no finite logits")
