"""Adapters of picture models on the bases that people have: a UNet's folder, one file of all."""

import pytest
import safetensors.torch
import torch

from lora_lab.errors import LabError
from lora_lab.formats.recognise import base_names, open_adapter
from lora_lab.formats.verify import export
from lora_lab.models.ldm_names import TEXT, UNET
from lora_lab.workshop.merge_base import write_merged
from lora_lab.workshop.one_world import settled
from tests.models.test_ldm_names import modules

diffusers = pytest.importorskip("diffusers", reason="the UNet and its loader are diffusers'")
pytestmark = pytest.mark.oracle
SIZES = {
    "block_out_channels": (8, 16), "layers_per_block": 1, "cross_attention_dim": 8,
    "attention_head_dim": 4, "norm_num_groups": 4, "sample_size": 8,
    "down_block_types": ("CrossAttnDownBlock2D",) * 2,
    "up_block_types": ("CrossAttnUpBlock2D",) * 2,
}  # fmt: skip


def answer(unet):
    generator = torch.Generator().manual_seed(0)
    sizes = (1, 4, 8, 8), (1, 3, 8)
    x, text = (torch.randn(*size, generator=generator) for size in sizes)
    with torch.no_grad():
        return unet(x, 3, text).sample


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A UNet in a folder, an adapter of it as kohya's file of others, and what both answer."""
    from diffusers.loaders import StableDiffusionLoraLoaderMixin as Loader
    from peft import LoraConfig, get_peft_model_state_dict

    place = tmp_path_factory.mktemp("unet")
    torch.manual_seed(0)
    unet = diffusers.UNet2DConditionModel(**SIZES).eval()
    unet.save_pretrained(place / "unet")
    targets = ["to_q", "to_out.0", "proj_in", "conv1", "time_emb_proj", "conv_shortcut"]
    unet.add_adapter(LoraConfig(r=2, lora_alpha=4, target_modules=targets))
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    Loader.save_lora_weights(place / "lora", get_peft_model_state_dict(unet))
    fresh = diffusers.UNet2DConditionModel.from_pretrained(place / "unet").eval()
    lora, alphas = Loader.lora_state_dict(place / "lora", unet_config=fresh.config)[:2]
    Loader.load_lora_into_unet(lora, network_alphas=alphas, unet=fresh)
    wanted = answer(fresh)
    export(open_adapter(place / "lora", alpha=None), place / "k.safetensors", "kohya")
    state = safetensors.torch.load_file(place / "k.safetensors")
    safetensors.torch.save_file(state, place / "k.safetensors")  # without its table of names
    return place, wanted


def merged(place, adapter, base, out):
    weights = open_adapter(place / adapter, names=base_names(base), base=str(base))
    return write_merged(settled(weights, base), base, out)


@pytest.mark.parametrize("adapter", ["lora", "k.safetensors"])
def test_a_folder_of_a_unet_is_a_base(world, adapter, tmp_path):
    place, wanted = world
    merged(place, adapter, place / "unet", tmp_path / "out")
    found = answer(diffusers.UNet2DConditionModel.from_pretrained(tmp_path / "out").eval())
    scale = wanted.abs().max()
    assert (answer(diffusers.UNet2DConditionModel(**SIZES)) - wanted).abs().max() > 0.01 * scale
    assert (found - wanted).abs().max() <= 1e-5 * scale


@pytest.mark.parametrize("adapter", ["lora", "k.safetensors"])
def test_a_single_file_takes_adapters_under_diffusers_names(world, adapter, tmp_path):
    """The same UNet as CompVis named it, between a text model and an autoencoder."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    place, wanted = world
    ours = safetensors.torch.load_file(place / "unet" / "diffusion_pytorch_model.safetensors")
    everything = _named_as_compvis(ours, convert_ldm_unet_checkpoint)
    beside = {f"{TEXT[0]}text_model.q_proj.weight": torch.randn(4, 4)}
    safetensors.torch.save_file({**everything, **beside}, tmp_path / "sd.safetensors")
    report = merged(place, adapter, tmp_path / "sd.safetensors", tmp_path / "out.safetensors")
    assert len(report.layers) == len(open_adapter(place / adapter).layers)
    after = safetensors.torch.load_file(tmp_path / "out.safetensors")
    assert all(torch.equal(after[key], tensor) for key, tensor in beside.items())
    unet = diffusers.UNet2DConditionModel(**SIZES).eval()
    unet.load_state_dict(convert_ldm_unet_checkpoint(after, _config()))
    assert (answer(unet) - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_a_pipeline_is_asked_for_one_of_its_models(world, tmp_path):
    place, _ = world
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(LabError, match="pipeline of several models"):
        merged(place, "lora", tmp_path, tmp_path / "out")


def _config():
    return {"layers_per_block": 1, "class_embed_type": None, "addition_embed_type": None}


def _named_as_compvis(ours, convert):
    """diffusers' state under the old names, by diffusers' own conversion asked name by name."""
    found = {}
    names = [f"{UNET}{n}.{x}" for n in _all_modules(ours) for x in ("weight", "bias")]
    tags = {name: torch.tensor(float(i)) for i, name in enumerate(names)}
    for new, tag in convert(dict(tags), _config()).items():
        if new in ours:
            found[names[int(tag)]] = ours[new]
    assert len(found) == len(ours)
    return found


def _all_modules(ours):
    """Paths of the old layout for every layer that the state has, attention's whole inside too."""
    inside = {
        name.split("attentions.0.")[1].rpartition(".")[0]
        for name in ours
        if "attentions.0." in name
    }
    found = []
    for name in modules(1, 2):
        stem, _, last = name.rpartition(".norm")
        if last == "" and stem.count(".") and "transformer_blocks" not in name and stem:
            found += [f"{stem}.{part}" for part in sorted(inside)]
        found.append(name)
    return list(dict.fromkeys(found))
