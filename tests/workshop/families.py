"""Tiny models of many families, an adapter of PEFT's on each, and what the two answer together."""

from pathlib import Path

import peft
import torch
import transformers as T

SIZES = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32,
}  # fmt: skip
LLAMA = {**SIZES, "num_key_value_heads": 2}
IMAGES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
          "num_attention_heads": 4, "image_size": 16, "patch_size": 8, "num_labels": 3}  # fmt: skip
GPT = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 32}


def gemma3() -> T.PreTrainedModel:
    text = {**LLAMA, "head_dim": 8, "sliding_window": 8}
    vision = {k: v for k, v in IMAGES.items() if k != "num_labels"}
    config = T.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    return T.Gemma3ForConditionalGeneration(config)


def qwen2_vl() -> T.PreTrainedModel:
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = T.Qwen2VLConfig(
        text_config={**LLAMA, "rope_parameters": rope},
        vision_config={"embed_dim": 32, "depth": 1, "num_heads": 4, "hidden_size": 32,
                       "patch_size": 8},
    )  # fmt: skip
    return T.Qwen2VLForConditionalGeneration(config)


def llava() -> T.PreTrainedModel:
    vision = {k: v for k, v in IMAGES.items() if k != "num_labels"}
    text, sight = T.LlamaConfig(**LLAMA), T.CLIPVisionConfig(**vision)
    config = T.LlavaConfig(text_config=text, vision_config=sight)
    return T.LlavaForConditionalGeneration(config)


def bart() -> T.PreTrainedModel:
    sizes = {f"{side}_{what}": n for side in ("encoder", "decoder")
             for what, n in (("layers", 1), ("ffn_dim", 48), ("attention_heads", 4))}  # fmt: skip
    config = T.BartConfig(vocab_size=64, d_model=32, max_position_embeddings=32, **sizes)
    return T.BartForConditionalGeneration(config)


MODELS = {
    "llama": lambda: T.LlamaForCausalLM(T.LlamaConfig(**LLAMA)),
    "llama_tied": lambda: T.LlamaForCausalLM(T.LlamaConfig(**LLAMA, tie_word_embeddings=True)),
    "gemma3": gemma3,
    "qwen2_vl": qwen2_vl,
    "llava": llava,
    "gpt2": lambda: T.GPT2LMHeadModel(T.GPT2Config(**GPT)),
    "openai": lambda: T.OpenAIGPTLMHeadModel(T.OpenAIGPTConfig(**GPT)),
    "imagegpt": lambda: T.ImageGPTForImageClassification(
        T.ImageGPTConfig(**GPT, num_labels=3, tie_word_embeddings=False)
    ),
    "decision": lambda: T.DecisionTransformerModel(
        T.DecisionTransformerConfig(hidden_size=32, n_layer=1, n_head=4, n_positions=32)
    ),
    "bert_mlm": lambda: T.BertForMaskedLM(T.BertConfig(**SIZES)),
    "bert": lambda: T.BertModel(T.BertConfig(**SIZES)),
    "albert": lambda: T.AlbertForMaskedLM(T.AlbertConfig(**SIZES, embedding_size=16)),
    "t5": lambda: T.T5ForConditionalGeneration(
        T.T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4)
    ),
    "bart": bart,
    "vit": lambda: T.ViTForImageClassification(T.ViTConfig(**IMAGES)),
    "swin": lambda: T.SwinForImageClassification(
        T.SwinConfig(image_size=16, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2],
                     window_size=2, num_labels=3)
    ),
    "dinov2": lambda: T.Dinov2ForImageClassification(
        T.Dinov2Config(**IMAGES, use_swiglu_ffn=True)
    ),
    "nomic": lambda: T.NomicBertModel(T.NomicBertConfig(**SIZES)),
    "falcon": lambda: T.FalconForCausalLM(T.FalconConfig(**SIZES, alibi=False)),
}  # fmt: skip


def saved(folder: Path, name: str, **save: object) -> T.PreTrainedModel:
    """The model `name` with weights that matter, in `folder`, as it is read from there."""
    torch.manual_seed(0)
    model = MODELS[name]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.15)
    model.save_pretrained(folder, **save)
    return type(model).from_pretrained(folder).eval()


def adapted(model: T.PreTrainedModel, folder: Path, targets: object, **options: object):
    """PEFT's model with random factors, saved to `folder`, and opened from there again."""
    config = peft.LoraConfig(r=4, lora_alpha=6, target_modules=targets, **options)
    wrapped = peft.get_peft_model(model, config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                noise = 0.3 * torch.randn(parameter.shape, generator=generator)
                own = "magnitude" in name or "modules_to_save" in name  # around what is there
                parameter.copy_(parameter + noise if own else noise)
    wrapped.save_pretrained(folder, save_embedding_layers=False)
    return wrapped.eval()


def answer(model: torch.nn.Module) -> torch.Tensor:
    """What a model says to one fixed input: logits, or the last hidden states."""
    base = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(2, 60, (2, 8), generator=generator)
    if base.main_input_name == "pixel_values" and not hasattr(base.config, "text_config"):
        inputs = {"pixel_values": torch.randn(2, 3, 16, 16, generator=generator)}
    elif isinstance(base, T.DecisionTransformerModel):
        shapes = {"states": 17, "actions": 4, "rewards": 1, "returns_to_go": 1}
        inputs = {k: torch.randn(2, 5, n, generator=generator) for k, n in shapes.items()}
        inputs |= {"timesteps": torch.arange(5)[None].expand(2, 5)}
        inputs |= {"attention_mask": torch.ones(2, 5)}
    else:
        inputs = {"input_ids": ids}
        if getattr(base.config, "is_encoder_decoder", False):
            inputs["decoder_input_ids"] = ids[:, :5]
    with torch.no_grad():
        found = model(**inputs)
    return found.logits if "logits" in found else found[0]


def distance(one: torch.Tensor, two: torch.Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float((one - two).abs().max() / two.abs().max())
