"""What other programs would make of an adapter as it is: noted in advance.

Read on 2026-11-29 in the programs' own sources: vLLM (lora/peft_helper.py), llama.cpp
(src/llama-adapter.cpp, convert_lora_to_gguf.py), ComfyUI of October 2025 (comfy/lora.py,
weight_adapter/lora.py), sd-scripts of February 2026 (networks/lora.py), diffusers 0.42.1
(loaders/lora_pipeline.py), PEFT 0.21.2.
"""

from __future__ import annotations

import math

from lora_lab.adapters.weights import AdapterWeights


def elsewhere(weights: AdapterWeights) -> tuple[str, ...]:
    """Sentences on loaders that drop or misread a part of it, each with what helps."""
    notes = []
    layers = weights.layers
    if any(layer.magnitude is not None for layer in layers):
        notes.append(
            "DoRA: vLLM and llama.cpp refuse it, sd-scripts leaves it out, diffusers in kohya "
            "files and text encoders; merge it there"
        )
    plain = all(math.isclose(x.scaling, x.alpha / x.rank) for x in layers)
    root = all(math.isclose(x.scaling, x.alpha / math.sqrt(x.rank)) for x in layers)
    if root and not plain:
        notes.append(
            "rsLoRA: llama.cpp's converter takes α/r for the scale, which is √r too small; write "
            "gguf or peft-portable here"
        )
    scales = {float(f"{x.scaling:.6g}") for x in layers}
    alphas = {float(f"{x.scaling * x.rank:.6g}") for x in layers}
    if len(scales) > 1:
        llama = ", and llama.cpp's converter one α to all" if len(alphas) > 1 else ""
        notes.append(
            f"s differs by layer: vLLM applies the α/r of the settings to all{llama}; write "
            "peft-portable (vLLM) or gguf here"
        )
    elif len(alphas) > 1:
        notes.append(
            "α differs by layer: llama.cpp's converter applies one α to all; write gguf or "
            "peft-portable here"
        )
    if saved := [layer.name for layer in weights.whole if layer.saved]:
        names = ", ".join(saved[:3])
        notes.append(f"{names} fully trained: vLLM and llama.cpp refuse modules_to_save")
    if kernels := [x.name for x in layers if x.kind == "conv"]:
        notes.append(
            f"{kernels[0]}: PEFT, diffusers, sd-scripts and ComfyUI adapt convolutions, vLLM and "
            "llama.cpp do not"
        )
    if tables := [x.name for x in layers if x.kind == "embedding"]:
        notes.append(
            f"{tables[0]}: PEFT and vLLM adapt embeddings, llama.cpp token embeddings; diffusion "
            "programs do not"
        )
    return tuple(notes)
