"""Models of diffusion pipelines, tiny by their configs, and how diffusers loads into them."""

import contextlib
import io
import logging
import warnings
from typing import NamedTuple

import torch
import transformers

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import diffusers
    import peft
    from diffusers.loaders import lora_pipeline

diffusers.utils.logging.set_verbosity(logging.CRITICAL)

UNET = {
    "block_out_channels": (32, 64), "layers_per_block": 1, "sample_size": 8, "in_channels": 4,
    "out_channels": 4, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 16,
    "attention_head_dim": 8, "norm_num_groups": 8,
}  # fmt: skip
FLUX = {
    "patch_size": 1, "in_channels": 4, "num_layers": 1, "num_single_layers": 1,
    "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 32,
    "pooled_projection_dim": 32, "axes_dims_rope": [4, 4, 8],
}  # fmt: skip


class Pipeline(NamedTuple):
    """A component of a pipeline: its class and config, its loader, and what is adapted."""

    component: str
    made: str
    config: dict
    loader: str
    targets: tuple[str, ...]

    def model(self):
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(diffusers, self.made)(**self.config).eval()

    @property
    def mixin(self):
        return getattr(lora_pipeline, self.loader)


ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
PIPELINES = {
    "sd": Pipeline(
        "unet", "UNet2DConditionModel", UNET, "StableDiffusionLoraLoaderMixin",
        (*ATTENTION, "conv1", "proj_in", "ff.net.2"),
    ),
    "sdxl": Pipeline(
        "unet", "UNet2DConditionModel",
        {**UNET, "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
         "projection_class_embeddings_input_dim": 80, "transformer_layers_per_block": 2,
         "use_linear_projection": True},
        "StableDiffusionXLLoraLoaderMixin", ATTENTION,
    ),
    "sd3": Pipeline(
        "transformer", "SD3Transformer2DModel",
        {"sample_size": 32, "patch_size": 1, "in_channels": 4, "num_layers": 1,
         "attention_head_dim": 8, "num_attention_heads": 4, "caption_projection_dim": 32,
         "joint_attention_dim": 32, "pooled_projection_dim": 64, "out_channels": 4},
        "SD3LoraLoaderMixin", (*ATTENTION, "add_q_proj", "ff.net.2"),
    ),
    "flux": Pipeline(
        "transformer", "FluxTransformer2DModel", FLUX, "FluxLoraLoaderMixin",
        (*ATTENTION, "add_k_proj", "proj_mlp", "norm1.linear"),
    ),
    "wan": Pipeline(
        "transformer", "WanTransformer3DModel",
        {"patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12,
         "in_channels": 16, "out_channels": 16, "text_dim": 32, "freq_dim": 256, "ffn_dim": 32,
         "num_layers": 2, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads",
         "rope_max_seq_len": 32},
        "WanLoraLoaderMixin", (*ATTENTION, "ffn.net.2"),
    ),
    "qwen": Pipeline(
        "transformer", "QwenImageTransformer2DModel",
        {"patch_size": 2, "in_channels": 16, "out_channels": 4, "num_layers": 1,
         "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 16,
         "axes_dims_rope": (8, 4, 4)},
        "QwenImageLoraLoaderMixin", (*ATTENTION, "img_mlp.net.2"),
    ),
}  # fmt: skip


def deltas(model):
    """Module path → ΔW of every layer of PEFT's in a model of diffusers."""
    from peft.tuners.lora import LoraLayer

    found = {}
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            (adapter,) = module.lora_A.keys()
            found[name] = module.get_delta_weight(adapter).detach().flatten(1)
    return found


def trained(pipeline, **options):
    """A model with an adapter of random factors, as a training script of diffusers leaves it."""
    model = pipeline.model()
    config = {"r": 4, "lora_alpha": 6, "target_modules": list(pipeline.targets), **options}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.add_adapter(peft.LoraConfig(**config))
    generator = torch.Generator().manual_seed(1)
    for name, value in model.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            value.data = 0.1 * torch.randn(value.shape, generator=generator)
    return model


def saved(pipeline, model, folder, metadata):
    """The adapter by the pipeline's own save_lora_weights."""
    part = pipeline.component
    given = {f"{part}_lora_layers": peft.get_peft_model_state_dict(model)}
    if metadata:
        config = model.peft_config["default"].to_dict()
        given[f"{part}_lora_adapter_metadata"] = {
            k: list(v) if isinstance(v, set) else v for k, v in config.items()
        }
    with contextlib.redirect_stdout(io.StringIO()):
        pipeline.mixin.save_lora_weights(str(folder), **given)


def loaded(pipeline, place):
    """ΔW by module path, after diffusers loaded a folder or a file into a fresh model."""
    model = pipeline.model()
    tensors, *rest = state_dict(pipeline, model, place)
    alphas = rest[0] if len(rest) > 1 else None
    metadata = rest[-1]
    load = getattr(pipeline.mixin, f"load_lora_into_{pipeline.component}")
    given = {pipeline.component: model, "metadata": metadata, "adapter_name": "one"}
    if len(rest) > 1:
        given["network_alphas"] = alphas
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load(tensors, **given)
    return deltas(model)


def state_dict(pipeline, model, place):
    """What the pipeline's lora_state_dict makes of a folder or file: tensors, …, metadata."""
    given = {"return_lora_metadata": True}
    if pipeline.component == "unet":
        given["unet_config"] = model.config
    elif pipeline.loader.startswith("Flux"):
        given["return_alphas"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if place.is_file():
            given["weight_name"], place = place.name, place.parent
        return pipeline.mixin.lora_state_dict(str(place), **given)


def encoder():
    """CLIP's text model, as a pipeline's text_encoder."""
    torch.manual_seed(0)
    return transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            hidden_size=32, intermediate_size=36, num_attention_heads=4, num_hidden_layers=2,
            vocab_size=100, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        )
    )  # fmt: skip


def trained_encoder():
    """A text encoder with an adapter of random factors, and its ΔW by layer."""
    model = encoder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.add_adapter(
            peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "out_proj", "fc1"])
        )
    generator = torch.Generator().manual_seed(1)
    for name, value in model.named_parameters():
        if "lora_" in name:
            value.data = 0.1 * torch.randn(value.shape, generator=generator)
    return model, deltas(model)


def saved_encoder(model, folder):
    config = model.peft_config["default"].to_dict()
    lora_pipeline.StableDiffusionLoraLoaderMixin.save_lora_weights(
        str(folder),
        text_encoder_lora_layers=diffusers.utils.convert_state_dict_to_diffusers(
            peft.get_peft_model_state_dict(model)
        ),
        text_encoder_lora_adapter_metadata={
            k: list(v) if isinstance(v, set) else v for k, v in config.items()
        },
    )


def loaded_encoder(place):
    """ΔW by module path, after diffusers loaded a folder or a file into a fresh encoder."""
    model, mixin = encoder(), lora_pipeline.StableDiffusionLoraLoaderMixin
    given = {"return_lora_metadata": True}
    if place.is_file():
        given["weight_name"], place = place.name, place.parent
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        tensors, alphas, metadata = mixin.lora_state_dict(str(place), **given)
        mixin.load_lora_into_text_encoder(
            tensors, alphas, model, prefix="text_encoder", metadata=metadata
        )
    return deltas(model)
