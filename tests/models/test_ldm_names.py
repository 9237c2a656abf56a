"""Names of Stable Diffusion's single files against diffusers' own conversion of them."""

import pytest
import torch

from lora_lab.models.ldm_names import TEXT, UNET, aliases

RESNET = ("in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3")
ATTENTION = (
    "norm", "proj_in", "proj_out", "transformer_blocks.0.attn1.to_q",
    "transformer_blocks.0.attn2.to_out.0", "transformer_blocks.0.ff.net.0.proj",
)  # fmt: skip


def modules(per_block: int, levels: int) -> list[str]:
    """The layers of a UNet as CompVis' openaimodel.py numbers them, attention at every level."""
    names = ["time_embed.0", "time_embed.2", "input_blocks.0.0", "out.0", "out.2"]
    number = 1
    for level in range(levels):
        for _ in range(per_block):
            names += [f"input_blocks.{number}.0.{x}" for x in (*RESNET, "skip_connection")]
            names += [f"input_blocks.{number}.1.{x}" for x in ATTENTION]
            number += 1
        if level < levels - 1:
            names.append(f"input_blocks.{number}.0.op")
            number += 1
    names += [f"middle_block.{i}.{x}" for i in (0, 2) for x in RESNET]
    names += [f"middle_block.1.{x}" for x in ATTENTION]
    number = 0
    for level in range(levels):
        for place in range(per_block + 1):
            names += [f"output_blocks.{number}.0.{x}" for x in (*RESNET, "skip_connection")]
            names += [f"output_blocks.{number}.1.{x}" for x in ATTENTION]
            if level < levels - 1 and place == per_block:
                names.append(f"output_blocks.{number}.2.conv")
            number += 1
    return names


@pytest.mark.oracle
@pytest.mark.parametrize(("per_block", "levels"), [(2, 4), (1, 2), (2, 3), (3, 2)])
def test_each_layer_is_what_diffusers_makes_of_it(per_block, levels):
    files = pytest.importorskip("diffusers.loaders.single_file_utils")
    ours = modules(per_block, levels)
    state = {f"{UNET}{n}.{x}": torch.tensor(float(i)) for i, n in enumerate(ours)
             for x in ("bias", "weight")}  # fmt: skip
    config = {"layers_per_block": per_block, "class_embed_type": None, "addition_embed_type": None}
    theirs = files.convert_ldm_unet_checkpoint(dict(state), config)
    by_number = {float(t): name.rpartition(".")[0] for name, t in theirs.items()}
    found = aliases(UNET + name for name in ours)
    for i, name in enumerate(ours):
        assert found[by_number[float(i)]] == UNET + name
        assert found[name] == UNET + name


def test_text_models_and_other_files():
    inner = "text_model.encoder.layers.0.self_attn.q_proj"
    for prefix in TEXT:
        assert aliases([prefix + inner]) == {inner: prefix + inner}
    assert aliases(["model.layers.0.self_attn.q_proj"]) == {}


@pytest.mark.parametrize(
    "name",
    ["middle_block", "input_blocks", "input_blocks.x.0", "input_blocks.1", "output_blocks.-1.0",
     f"input_blocks.{'1' * 5000}.0.op", "input_blocks.0.0.op", "output_blocks.0.0"],
)  # fmt: skip
def test_a_name_that_compvis_does_not_give_is_a_name_all_the_same(name):
    assert aliases([UNET + name])[name] == UNET + name
