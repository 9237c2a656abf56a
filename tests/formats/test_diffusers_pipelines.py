"""Adapters of diffusion pipelines both ways: diffusers' own files are read, and it loads ours."""

from dataclasses import replace

import pytest
import safetensors.torch
import torch

from lora_lab.errors import ExportError
from lora_lab.formats.recognise import base_names, open_adapter
from lora_lab.formats.verify import export

pytest.importorskip("diffusers", reason="diffusers is not installed")
from tests.formats import pipelines as they

pytestmark = pytest.mark.oracle
OPTIONS = {
    "plain": {},
    "rslora": {"use_rslora": True},
    "ranks": {"rank_pattern": {"to_k": 2}, "alpha_pattern": {"to_v": 3}},
    "dora": {"use_dora": True},
}


def same(found, wanted):
    assert set(found) == set(wanted)
    for name, delta in wanted.items():
        assert (found[name] - delta).norm() <= 2e-6 * delta.norm(), name


def ours(weights, component):
    return {x.name.removeprefix(f"{component}."): x.delta_weight().float() for x in weights.layers}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("name", they.PIPELINES)
def test_what_diffusers_saves_is_read_and_written_back(tmp_path, name, options):
    pipeline = they.PIPELINES[name]
    if options == "dora" and name in ("sd",):
        pytest.skip("PEFT's DoRA of a convolution has other axes of its own; see test_in_peft")
    model = they.trained(pipeline, **OPTIONS[options])
    they.saved(pipeline, model, tmp_path / "theirs", metadata=True)
    found = open_adapter(tmp_path / "theirs")
    wanted = they.deltas(model)
    assert len(wanted) >= 4
    same(ours(found, pipeline.component), wanted)
    assert all(x.name.startswith(f"{pipeline.component}.") for x in found.layers)
    export(found, tmp_path / "ours", "diffusers")
    same(they.loaded(pipeline, tmp_path / "ours"), wanted)


@pytest.mark.parametrize("name", they.PIPELINES)
def test_without_metadata_the_scale_is_1(tmp_path, name):
    pipeline = they.PIPELINES[name]
    they.saved(pipeline, they.trained(pipeline), tmp_path / "theirs", metadata=False)
    wanted = they.loaded(pipeline, tmp_path / "theirs")
    same(ours(open_adapter(tmp_path / "theirs"), pipeline.component), wanted)


@pytest.mark.parametrize("name", they.PIPELINES)
def test_a_peft_folder_of_the_model_alone(tmp_path, name):
    """PEFT names layers inside the model: its component is what only such a model has at its top,
    or it is asked for."""
    pipeline = they.PIPELINES[name]
    model = they.trained(pipeline)
    they.saved(pipeline, model, tmp_path / "theirs", metadata=True)
    export(open_adapter(tmp_path / "theirs"), tmp_path / "peft", "peft")
    alone = open_adapter(tmp_path / "peft")
    assert {x.name for x in alone.layers} == set(they.deltas(model))
    fresh = pipeline.model()
    theirs = they.peft.PeftModel.from_pretrained(fresh, str(tmp_path / "peft"))
    same(they.deltas(theirs.base_model.model), they.deltas(model))
    if name == "wan":  # blocks.0 may be of anything
        with pytest.raises(ExportError, match="--component"):
            export(alone, tmp_path / "ours", "diffusers")
    export(alone, tmp_path / "ours", "diffusers", component=pipeline.component)
    same(they.loaded(pipeline, tmp_path / "ours"), they.deltas(model))


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_a_kohya_file_of_a_unet(tmp_path, name):
    """sd-scripts' names come back by the base, and without one diffusers translates them."""
    pipeline = they.PIPELINES[name]
    model = they.trained(pipeline)
    wanted = they.deltas(model)
    they.saved(pipeline, model, tmp_path / "theirs", metadata=True)
    export(open_adapter(tmp_path / "theirs"), tmp_path / "k.safetensors", "kohya")
    bare = tmp_path / "bare.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(tmp_path / "k.safetensors"), bare)
    same(they.loaded(pipeline, bare), wanted)
    flat = open_adapter(bare)
    export(flat, tmp_path / "flat", "diffusers")
    same(they.loaded(pipeline, tmp_path / "flat"), wanted)
    with pytest.raises(ExportError, match="--base"):
        export(flat, tmp_path / "peft", "peft")
    pipeline.model().save_pretrained(tmp_path / "unet")
    for base in ("unet", "unet/diffusion_pytorch_model.safetensors"):
        put_back = open_adapter(bare, names=base_names(tmp_path / base))
        same(ours(put_back, "unet"), wanted)
        export(put_back, tmp_path / "named", "diffusers", overwrite=True)
        same(they.loaded(pipeline, tmp_path / "named"), wanted)


@pytest.mark.parametrize("name", ["sd", "sdxl"])
def test_flat_names_with_ranks_and_scales_of_their_own(tmp_path, name):
    """diffusers looks an α up by the name of an attention processor there, in vain."""
    pipeline = they.PIPELINES[name]
    model = they.trained(pipeline, rank_pattern={"to_k": 2}, alpha_pattern={"to_v": 3})
    they.saved(pipeline, model, tmp_path / "theirs", metadata=True)
    report = export(open_adapter(tmp_path / "theirs"), tmp_path / "k.safetensors", "kohya")
    assert any("write diffusers for it" in note for note in report.notes)
    bare = tmp_path / "bare.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(tmp_path / "k.safetensors"), bare)
    export(open_adapter(bare), tmp_path / "flat", "diffusers")
    same(they.loaded(pipeline, tmp_path / "flat"), they.deltas(model))


def factors(names, shapes, ends=("lora_A", "lora_B"), alpha=None):
    generator = torch.Generator().manual_seed(2)
    tensors = {}
    for name in names:
        out, inputs = shapes(name)
        tensors[f"{name}.{ends[0]}.weight"] = torch.randn(4, inputs, generator=generator)
        tensors[f"{name}.{ends[1]}.weight"] = torch.randn(out, 4, generator=generator)
        if alpha is not None:
            tensors[f"{name}.alpha"] = torch.tensor(alpha)
    return tensors


WAN = {
    f"diffusion_model.blocks.{i}.{name}": shape
    for i in range(2)
    for name, shape in {
        **{f"{a}.{m}": (24, 24) for a in ("self_attn", "cross_attn") for m in "qkvo"},
        "ffn.0": (32, 24), "ffn.2": (24, 32),
    }.items()
}  # fmt: skip
ENDS = {"A and B": ("lora_A", "lora_B"), "down and up": ("lora_down", "lora_up")}


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("alpha", [None, 8.0])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_the_models_own_names(tmp_path, ends, alpha, prefix):
    """`diffusion_model.` of Wan stays what ComfyUI and diffusers' converter look for."""
    pipeline = they.PIPELINES["wan"]
    tensors = factors(WAN, WAN.__getitem__, ENDS[ends], alpha)
    safetensors.torch.save_file(tensors, tmp_path / "wan.safetensors")
    wanted = they.loaded(pipeline, tmp_path / "wan.safetensors")
    assert len(wanted) == 20
    more = {f"{prefix}{key}": tensor for key, tensor in tensors.items()}
    zero = {"diffusion_model.blocks.0.norm3.diff": torch.zeros(24)} if ends == "down and up" else {}
    safetensors.torch.save_file({**more, **zero}, tmp_path / "wan.safetensors")
    found = open_adapter(tmp_path / "wan.safetensors")
    export(found, tmp_path / "ours", "diffusers")
    same(they.loaded(pipeline, tmp_path / "ours"), wanted)
    export(found, tmp_path / "k.safetensors", "kohya")
    same(they.loaded(pipeline, tmp_path / "k.safetensors"), wanted)
    with pytest.raises(ExportError, match="no component"):
        export(found, tmp_path / "x", "diffusers", component="nonsense")


def test_dotted_names_with_down_and_up(tmp_path):
    pipeline = they.PIPELINES["qwen"]
    names = [f"transformer_blocks.0.attn.{m}" for m in ("to_q", "to_k", "add_q_proj")]
    place = tmp_path / "pytorch_lora_weights.safetensors"
    safetensors.torch.save_file(factors(names, lambda n: (32, 32), ENDS["down and up"], 8.0), place)
    wanted = they.loaded(pipeline, place)
    assert len(wanted) == 3
    found = open_adapter(tmp_path)
    assert {x.scaling for x in found.layers} == {2.0}
    same(ours(found, "transformer"), wanted)
    export(found, tmp_path / "ours", "diffusers")
    same(they.loaded(pipeline, tmp_path / "ours"), wanted)


def test_an_adapters_name_in_the_keys(tmp_path):
    pipeline = they.PIPELINES["qwen"]
    tensors = factors(["transformer_blocks.0.attn.to_q"], lambda n: (32, 32))
    tensors = {k.replace(".weight", ".default.weight"): v for k, v in tensors.items()}
    safetensors.torch.save_file(tensors, tmp_path / "d.safetensors")
    wanted = they.loaded(pipeline, tmp_path / "d.safetensors")
    assert len(wanted) == 1
    same(ours(open_adapter(tmp_path / "d.safetensors"), "transformer"), wanted)


FLUX_BLOCKS = {
    "double_blocks.0.img_attn.qkv": (96, 32), "double_blocks.0.img_attn.proj": (32, 32),
    "double_blocks.0.txt_attn.qkv": (96, 32), "double_blocks.0.img_mlp.0": (128, 32),
    "double_blocks.0.img_mod.lin": (192, 32), "single_blocks.0.linear2": (32, 160),
}  # fmt: skip


@pytest.mark.parametrize("spelling", ["flat", "dotted"])
def test_fluxs_own_blocks(tmp_path, spelling):
    pipeline = they.PIPELINES["flux"]
    names = {
        "flat": [f"lora_unet_{n.replace('.', '_')}" for n in FLUX_BLOCKS],
        "dotted": [f"diffusion_model.{n}" for n in FLUX_BLOCKS],
    }[spelling]
    shapes = dict(zip(names, FLUX_BLOCKS.values(), strict=True))
    tensors = factors(names, shapes.__getitem__, ENDS["down and up"], 8.0)
    safetensors.torch.save_file(tensors, tmp_path / "f.safetensors")
    wanted = they.loaded(pipeline, tmp_path / "f.safetensors")
    assert len(wanted) == 10  # q, k and v stand in one tensor twice
    found = open_adapter(tmp_path / "f.safetensors")
    for format, target in (("diffusers", tmp_path / "ours"), ("kohya", tmp_path / "k.safetensors")):
        export(found, target, format)
        same(they.loaded(pipeline, target), wanted)


def test_xlabs_names(tmp_path):
    pipeline = they.PIPELINES["flux"]
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for name, out in (
        ("double_blocks.0.processor.qkv_lora1", 96), ("double_blocks.0.processor.proj_lora1", 32),
        ("double_blocks.0.processor.qkv_lora2", 96), ("double_blocks.0.processor.proj_lora2", 32),
        ("single_blocks.0.processor.qkv_lora", 96),
    ):  # fmt: skip
        tensors[f"{name}.down.weight"] = torch.randn(4, 32, generator=generator)
        tensors[f"{name}.up.weight"] = torch.randn(out, 4, generator=generator)
    safetensors.torch.save_file(tensors, tmp_path / "x.safetensors")
    wanted = they.loaded(pipeline, tmp_path / "x.safetensors")
    assert len(wanted) == 11
    found = open_adapter(tmp_path / "x.safetensors")
    same(ours(found, "transformer"), wanted)
    export(found, tmp_path / "ours", "diffusers")
    same(they.loaded(pipeline, tmp_path / "ours"), wanted)


def test_onetrainers_names_of_flux(tmp_path):
    pipeline = they.PIPELINES["flux"]
    names = [f"lora_transformer_transformer_blocks_0_attn_{m}" for m in ("to_q", "to_out_0")]
    tensors = factors(names, lambda n: (32, 32), ENDS["down and up"], 8.0)
    safetensors.torch.save_file(tensors, tmp_path / "o.safetensors")
    wanted = they.loaded(pipeline, tmp_path / "o.safetensors")
    assert len(wanted) == 2
    pipeline.model().save_pretrained(tmp_path / "base")
    found = open_adapter(tmp_path / "o.safetensors", names=base_names(tmp_path / "base"))
    same(ours(found, "transformer"), wanted)
    export(open_adapter(tmp_path / "o.safetensors"), tmp_path / "flat", "diffusers")
    same(they.loaded(pipeline, tmp_path / "flat"), wanted)


def test_text_encoders(tmp_path):
    """CLIP's layers lie behind text_model in kohya files, whatever transformers calls them."""
    adapter, wanted = they.trained_encoder()
    they.saved_encoder(adapter, tmp_path / "theirs")
    found = open_adapter(tmp_path / "theirs")
    same(ours(found, "text_encoder"), wanted)
    export(found, tmp_path / "ours", "diffusers")
    same(they.loaded_encoder(tmp_path / "ours"), wanted)
    export(found, tmp_path / "k.safetensors", "kohya")
    tensors = safetensors.torch.load_file(tmp_path / "k.safetensors")
    assert all(key.startswith("lora_te_text_model_encoder_layers_") for key in tensors)
    bare = tmp_path / "bare.safetensors"
    safetensors.torch.save_file(tensors, bare)
    same(they.loaded_encoder(bare), wanted)
    they.encoder().save_pretrained(tmp_path / "base")
    put_back = open_adapter(bare, names=base_names(tmp_path / "base"))
    same(ours(put_back, "text_encoder"), wanted)


def test_an_adapter_of_two_components(tmp_path):
    model = they.trained(they.PIPELINES["sd"])
    they.saved(they.PIPELINES["sd"], model, tmp_path / "unet", metadata=True)
    adapter, wanted = they.trained_encoder()
    they.saved_encoder(adapter, tmp_path / "text")
    unet, text = (open_adapter(tmp_path / name) for name in ("unet", "text"))
    both = replace(unet, layers=(*unet.layers, *text.layers))
    export(both, tmp_path / "both", "diffusers")
    same(they.loaded(they.PIPELINES["sd"], tmp_path / "both"), they.deltas(model))
    same(they.loaded_encoder(tmp_path / "both"), wanted)
    with pytest.raises(ExportError, match=r"several components.*--component"):
        export(both, tmp_path / "x", "peft")
    report = export(both, tmp_path / "x", "peft", component="text_encoder")
    assert len(report.layers) == len(wanted)
    assert "left out" in " ".join(report.notes)
    same({x.name: x.delta_weight().float() for x in open_adapter(tmp_path / "x").layers}, wanted)


def test_flat_names_that_diffusers_does_not_know(tmp_path):
    name = "lycoris_mid_block_attentions_0_proj_in"
    file = tmp_path / "l.safetensors"
    safetensors.torch.save_file(factors([name], lambda n: (8, 8), ENDS["down and up"]), file)
    with pytest.raises(ExportError, match=r"flat names.*--base"):
        export(open_adapter(file), tmp_path / "x", "diffusers")
