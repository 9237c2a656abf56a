"""What a file of weights is a net of, in words for its card; told by names and shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.layers import Layers, layers_of
from lora_lab.models.state_names import unwrapped
from lora_lab.models.vision_build import INSTALL, missing
from lora_lab.models.vision_nets import current_names, recognised, said

Details = tuple[tuple[str, str], ...]  # (label, value)
FACTORY = "a model factory of your own, module:function, builds its net"


def net_words(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> tuple[Details, tuple[str, ...]]:
    """What the tensors make, and notes on what stands in the way of opening it."""
    state, _ = unwrapped({n: torch.empty(shape, device="meta") for n, shape in shapes.items()})
    names = current_names(state)
    exact, alike = recognised({names[name]: tuple(t.shape) for name, t in state.items()})
    if alike:
        details = (("net", said(exact or alike)),)
        if not exact:
            return details, (f"its tensors have other shapes or classify no images: {FACTORY}",)
        library = exact[0].library
        lacks = missing(library)
        return details, (f"{lacks}, which builds it: {INSTALL.format(library)}",) if lacks else ()
    try:
        return _plain(layers_of(state)), ()
    except CheckpointError:
        if (path.parent / "config.json").is_file():
            return (), (f"config.json lies beside it: choose the folder {path.parent.name}",)
        return (), (f"no plain net of linear layers or convolutions: {FACTORY}",)


def _plain(layers: Layers) -> Details:
    """Layers of a plain net, what it takes and what it answers with."""
    kinds = (len(layers.convolutions), "convolution"), (len(layers.linears), "linear layer")
    listed = ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in kinds if n)
    order = layers.orders[0]
    first, last = layers.shapes[order[0]], layers.shapes[order[-1]]
    takes = "channels" if len(first) == 4 else "numbers"
    return (
        ("layers", listed),
        ("takes", f"images of {first[1]:,} {takes}"),
        ("tells apart", f"{last[0]:,} classes"),
        ("activation" + " and pooling" * (len(first) == 4), "asked once data is chosen"),
    )
