"""Names in Stable Diffusion's single files, and what diffusers and kohya's files call the same.

A checkpoint of one file has `model.diffusion_model.` (the UNet as CompVis built it: input_blocks,
middle_block, output_blocks) and CLIP's text model in `cond_stage_model.transformer.`, in SDXL in
`conditioner.embedders.0.transformer.`. diffusers numbers the blocks by resolution instead; which of
them stand for which follows from where the downsamplers are (diffusers, loaders/single_file_utils).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

UNET = "model.diffusion_model."
TEXT = ("cond_stage_model.transformer.", "conditioner.embedders.0.transformer.")
RESNET = {
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2", "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
FIXED = {
    "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
    "label_emb.0.0": "add_embedding.linear_1", "label_emb.0.2": "add_embedding.linear_2",
    "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out",
}  # fmt: skip
MIDDLE = {"0": "mid_block.resnets.0", "1": "mid_block.attentions.0", "2": "mid_block.resnets.1"}


def aliases(modules: Iterable[str]) -> dict[str, str]:
    """Other names of a single file's modules → the module; none where it is no such file."""
    modules = list(modules)
    unet = [name.removeprefix(UNET) for name in modules if name.startswith(UNET)]
    found = {name: UNET + name for name in unet}
    for module in modules:
        for prefix in TEXT:
            if module.startswith(prefix):
                found[module.removeprefix(prefix)] = module
    for name, other in _diffusers(unet):
        found[other] = UNET + name
    return found


def _diffusers(unet: list[str]) -> Iterator[tuple[str, str]]:
    """(module, diffusers' name of it) of a UNet without its prefix."""
    downs = sorted(
        int(n.split(".")[1]) for n in unet if re.fullmatch(r"input_blocks\.[1-9]\d{0,2}\.0\.op", n)
    )
    per_block = downs[0] if downs else 3  # resnets and the downsampler of one resolution
    present = set(unet)
    for name in unet:
        for theirs, ours in FIXED.items():
            if name == theirs:
                yield name, ours
        parts = name.split(".")
        if len(parts) < 3 or not re.fullmatch("[0-9]{1,3}", parts[1]):
            continue  # no block of CompVis' UNet
        if parts[0] == "middle_block" and parts[1] in MIDDLE:
            yield name, _inner(MIDDLE[parts[1]], parts[2:])
        elif parts[0] == "input_blocks" and int(parts[1]) > 0:
            block, place = divmod(int(parts[1]) - 1, per_block)
            if parts[2:] == ["0", "op"]:
                yield name, f"down_blocks.{block}.downsamplers.0.conv"
            else:
                kind = "resnets" if parts[2] == "0" else "attentions"
                yield name, _inner(f"down_blocks.{block}.{kind}.{place}", parts[3:])
        elif parts[0] == "output_blocks":
            block, place = divmod(int(parts[1]), per_block)
            start = ".".join(parts[:3])
            if f"{start}.conv" in present and parts[3:] == ["conv"]:
                yield name, f"up_blocks.{block}.upsamplers.0.conv"
            else:
                kind = "resnets" if parts[2] == "0" else "attentions"
                yield name, _inner(f"up_blocks.{block}.{kind}.{place}", parts[3:])


def _inner(start: str, rest: list[str]) -> str:
    """A path inside a block: resnets have other names for their layers, attentions the same."""
    inside = ".".join(rest)
    return f"{start}.{RESNET.get(inside, inside) if '.resnets.' in start else inside}"
