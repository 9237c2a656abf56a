"""What other programs would make of an adapter as it is: noted in advance."""

from __future__ import annotations

import math

from lora_lab.adapters.weights import AdapterWeights


def elsewhere(weights: AdapterWeights) -> tuple[str, ...]:
    """Sentences on loaders that drop or misread a part of it, each with what helps."""
    notes = []
    layers = weights.layers
    if any(layer.magnitude is not None for layer in layers):
        notes.append("DoRA: vLLM and llama.cpp refuse it, sd-scripts leaves it out; merge it there")
    plain = all(math.isclose(x.scaling, x.alpha / x.rank) for x in layers)
    root = all(math.isclose(x.scaling, x.alpha / math.sqrt(x.rank)) for x in layers)
    if root and not plain:
        notes.append(
            "rsLoRA: llama.cpp's converter takes α/r for the scale, which is √r too small; write "
            "gguf or peft-portable here"
        )
    own = {(x.rank, float(f"{x.scaling:.6g}")) for x in layers}
    if len(own) > 1:
        notes.append(
            "ranks or scales differ by layer: vLLM and llama.cpp's converter apply one α/r to all; "
            "write gguf or peft-portable here"
        )
    if saved := [layer.name for layer in weights.whole if layer.saved]:
        names = ", ".join(saved[:3])
        notes.append(f"{names} fully trained: vLLM and llama.cpp refuse modules_to_save")
    if odd := [x.name for x in layers if x.kind in ("conv", "embedding")]:
        notes.append(
            f"{odd[0]}: convolutions and embeddings are adapted in PEFT only (llama.cpp: token "
            "embeddings too)"
        )
    return tuple(notes)
