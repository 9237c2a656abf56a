"""XLabs' names of FLUX adapters, as diffusers and ComfyUI read them: q, k and v share their down.

`double_blocks.N.processor.qkv_lora1.down.weight` is of the image's stream, `…lora2` of the text's;
`single_blocks.N.processor.qkv_lora` has no number. There is no α, so s = 1.
"""

from __future__ import annotations

import re

import torch

KEY = re.compile(
    r"(?:diffusion_model\.)?(double|single)_blocks\.(\d+)\.processor\.(qkv|proj)_lora([12]?)"
    r"\.(down|up)\.weight"
)
TO = {
    ("double", "qkv", "1"): ("attn.to_q", "attn.to_k", "attn.to_v"),
    ("double", "qkv", "2"): ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    ("double", "proj", "1"): ("attn.to_out.0",),
    ("double", "proj", "2"): ("attn.to_add_out",),
    ("single", "qkv", ""): ("attn.to_q", "attn.to_k", "attn.to_v"),
    ("single", "proj", ""): ("proj_out",),
}


def translated(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under diffusers' names; others, and what is not understood, as they are."""
    result: dict[str, torch.Tensor] = {}
    for key, tensor in tensors.items():
        found = KEY.fullmatch(key)
        ends = TO.get((found[1], found[3], found[4]), ()) if found else ()
        if not found or not ends or (found[5] == "up" and tensor.shape[0] % len(ends)):
            result[key] = tensor
            continue
        block = "single_transformer_blocks" if found[1] == "single" else "transformer_blocks"
        parts = tensor.chunk(len(ends)) if found[5] == "up" else [tensor] * len(ends)
        for end, part in zip(ends, parts, strict=True):
            side = "A" if found[5] == "down" else "B"
            result[f"transformer.{block}.{found[2]}.{end}.lora_{side}.weight"] = part.clone()
    return result
