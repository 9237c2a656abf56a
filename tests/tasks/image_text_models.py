"""Tiny models of images with text, each with a processor of its own family made of its parts."""

from pathlib import Path

import torch
from transformers import AutoProcessor, PreTrainedTokenizerFast
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from tests.models.tiny import tokenizer

SIDE, PATCH = 16, 8
# The template of a chat whose images are written as `{}`, with the content as parts or as text.
TEMPLATE = (
    "{{% for m in messages %}}<|{{{{ m['role'] }}}}|>{{% if m['content'] is string %}}"
    "{{{{ m['content'] }}}}{{% else %}}{{% for part in m['content'] %}}"
    "{{% if part['type'] == 'image' %}}{}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
    "{{% endfor %}}{{% endif %}}<|end|>"
    "{{% endfor %}}{{% if add_generation_prompt %}}<|assistant|>{{% endif %}}"
)
PARTS_ONLY = TEMPLATE.replace(
    "{{% if m['content'] is string %}}{{{{ m['content'] }}}}{{% else %}}", ""
).replace("{{% endfor %}}{{% endif %}}<|end|>", "{{% endfor %}}<|end|>")
TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "bos_token_id": None, "max_position_embeddings": 320,
    "pad_token_id": 1, "eos_token_id": 0,
}  # fmt: skip
VISION = {
    "hidden_size": 32, "embed_dim": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "depth": 2, "num_attention_heads": 4, "num_heads": 4, "image_size": SIDE, "patch_size": PATCH,
    "out_hidden_size": 32, "fullatt_block_indexes": [1], "deepstack_visual_indexes": [0],
    "mlp_ratio": 2, "projection_dim": 32, "spatial_merge_size": 2, "temporal_patch_size": 2,
    "num_position_embeddings": 16, "vision_output_dim": 32, "projector_input_dim": 32,
    "projector_output_dim": 32, "pixel_shuffle_ratio": 0.5,
}  # fmt: skip


def words(*marks: str, template: str = TEMPLATE, image: str = "<image>", **named: str):
    """The tiny tokenizer with these marks of images, and a template that writes `image` for one."""
    made = tokenizer()
    made.add_special_tokens({"additional_special_tokens": list(marks)})
    found = PreTrainedTokenizerFast(
        tokenizer_object=made.backend_tokenizer, eos_token="<|end|>", pad_token="<|pad|>",
        model_max_length=320, extra_special_tokens=named,
    )  # fmt: skip
    found.chat_template = template.format(image)
    return found


def _llava():
    from transformers import LlavaImageProcessorPil, LlavaProcessor

    size = {"height": SIDE, "width": SIDE}
    images = LlavaImageProcessorPil(size=size, crop_size=size, do_center_crop=False)
    made = words("<image>")
    return LlavaProcessor(
        images, made, patch_size=PATCH, vision_feature_select_strategy="default",
        chat_template=made.chat_template, num_additional_image_tokens=1,
    )  # fmt: skip


def _gemma3():
    from transformers import Gemma3ImageProcessorPil, Gemma3Processor

    marks = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"}
    made = words(*marks.values(), image="<boi>", **marks)
    images = Gemma3ImageProcessorPil(size={"height": SIDE, "width": SIDE})
    return Gemma3Processor(images, made, chat_template=made.chat_template, image_seq_length=4)


def _idefics3():
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor

    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    made = words("<image>", template=PARTS_ONLY)
    return Idefics3Processor(images, made, image_seq_len=1, chat_template=made.chat_template)


def _qwen(name, images="Qwen2VLImageProcessorPil"):
    def make():
        import transformers

        video = getattr(transformers, name.replace("Processor", "VideoProcessor"), None)
        video = video or transformers.Qwen2VLVideoProcessor
        size = {"shortest_edge": 4 * PATCH * PATCH, "longest_edge": 16 * PATCH * PATCH}
        how = {"patch_size": PATCH, "merge_size": 2, "temporal_patch_size": 2, "size": size}
        pads = {
            "image_token": "<|image_pad|>", "video_token": "<|video_pad|>",
            "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
        }  # fmt: skip
        made = words(*pads.values(), image="<|vision_start|><|image_pad|><|vision_end|>", **pads)
        return getattr(transformers, name)(
            getattr(transformers, images)(**how), made, video(**how),
            chat_template=made.chat_template,
        )  # fmt: skip

    return make


def _pixtral():
    from transformers import PixtralImageProcessorPil, PixtralProcessor

    images = PixtralImageProcessorPil(size={"longest_edge": 6 * PATCH}, patch_size=PATCH)
    made = words("[IMG]", "[IMG_BREAK]", "[IMG_END]", image="[IMG]")
    return PixtralProcessor(
        image_processor=images, tokenizer=made, patch_size=PATCH, spatial_merge_size=2,
        chat_template=made.chat_template,
    )  # fmt: skip


# Family → its processor; of those in TORCHVISION, transformers has none without torchvision.
PROCESSORS = {"llava": _llava, "gemma3": _gemma3, "idefics3": _idefics3}
TORCHVISION = {
    "qwen2_vl": _qwen("Qwen2VLProcessor"), "qwen2_5_vl": _qwen("Qwen2_5_VLProcessor"),
    "qwen3_vl": _qwen("Qwen3VLProcessor"), "qwen3_5": _qwen("Qwen3VLProcessor"),
    "mistral3": _pixtral,
}  # fmt: skip
OWN = {  # settings of a whole model
    "gemma3": {"mm_tokens_per_image": 4}, "idefics3": {"scale_factor": 2},
    "mistral3": {"spatial_merge_size": 2},
}  # fmt: skip
# What configs call the token of an image and those around it → what processors call them.
MARKS = {
    "image_token_id": "image_token", "image_token_index": "image_token",
    "video_token_id": "video_token", "vision_start_token_id": "vision_bos_token",
    "vision_end_token_id": "vision_eos_token", "boi_token_index": "boi_token",
    "eoi_token_index": "eoi_token",
}  # fmt: skip


def save(folder: Path, kind: str):
    """Write a tiny model of this family with its processor; both, the latter as it is read."""
    processor = {**PROCESSORS, **TORCHVISION}[kind]()
    ids = processor.tokenizer.convert_tokens_to_ids
    made, known = CONFIG_MAPPING[kind], CONFIG_MAPPING[kind]()

    def part(name, values):
        config = type(getattr(known, name))
        return config(**{k: v for k, v in values.items() if hasattr(config(), k)})

    text = part("text_config", {**TEXT, "vocab_size": len(processor.tokenizer)})
    if kind.startswith("qwen"):
        text.rope_parameters = {
            "rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2],
            **({"partial_rotary_factor": 1.0} if kind == "qwen3_5" else {}),
        }  # fmt: skip
    named = {n: getattr(processor.tokenizer, w, None) or getattr(processor, w, None)
             for n, w in MARKS.items() if hasattr(known, n)}  # fmt: skip
    marks = {name: ids(word) for name, word in named.items() if word}
    config = made(text_config=text, vision_config=part("vision_config", VISION), **marks,
                  **OWN.get(kind, {}), tie_word_embeddings=False)  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[made](config)
        for parameter in model.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return model, AutoProcessor.from_pretrained(folder)
