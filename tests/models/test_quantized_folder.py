"""Folders that come quantized: opened where a formula undoes them, else refused by their name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from lora_lab.blocks.frozen import FrozenLinear
from lora_lab.errors import CheckpointError
from lora_lab.models.hf_folder import open_model
from lora_lab.models.inspect import describe
from tests.models.tiny import save

pytestmark = pytest.mark.filterwarnings("ignore")
FLOAT8 = torch.float8_e4m3fn


def by_number(key, W):
    scale = W.abs().max() / 448
    q = (W / scale).to(FLOAT8)
    return {key: q, f"{key}_scale": scale}, q.float() * scale


def by_block(key, W):
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    scale = (W.abs().max() / 448).expand(1, 1).contiguous()  # all are smaller than a block of 128
    q = (W / scale).to(FLOAT8)
    tensors = {"weight": [q], "weight_scale_inv": [scale]}
    return {key: q, f"{key}_scale_inv": scale}, Fp8Dequantize(None).convert(tensors)["weight"]


def by_row_in_eight_bits(key, W):
    largest = W.abs().amax(1)
    q = (W * 127 / largest[:, None]).round().to(torch.int8)
    stem = key.removesuffix("weight")
    undone = q.float() * largest[:, None] / 127
    return {key: q, f"{stem}SCB": largest, f"{stem}weight_format": torch.tensor(0)}, undone


def four_bits(nested):
    def pack(key, W):
        library = pytest.importorskip("bitsandbytes.functional", reason="the oracle of its own")
        from bitsandbytes.backends.default.ops import _dequantize_4bit_compute as undo

        codes, state = library.quantize_4bit(
            W, blocksize=64, compress_statistics=nested, quant_type="nf4"
        )
        absmax = state.absmax
        if nested:
            absmax = library.dequantize_blockwise(absmax, state.state2) + state.offset
        tensors = {f"{key}.{k}": v for k, v in state.as_dict(packed=True).items()}
        undone = undo(codes.flatten(), absmax, state.code, 64, W.shape, torch.float32)
        return {key: codes, **tensors}, undone

    return pack


FORMULAS = {
    "fp8": (by_number, "compressed-tensors"), "fp8 in blocks": (by_block, "fp8"),
    "int8": (by_row_in_eight_bits, "bitsandbytes"),
    "4 bit": (four_bits(False), "bitsandbytes"),
    "4 bit, nested": (four_bits(True), "bitsandbytes"),
}  # fmt: skip
NEEDS_LIBRARY = ("4 bit", "4 bit, nested")


def quantized(folder, pack, method):
    """A folder with its matrices quantized; what they stand for by the library's own rule."""
    save(folder, "llama")
    state, wanted = load_file(folder / "model.safetensors"), {}
    for key in [k for k in state if k.endswith("_proj.weight")]:
        tensors, wanted[key] = pack(key, state.pop(key))
        state |= tensors
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, "bits": 4}
    (folder / "config.json").write_text(json.dumps(config))
    return wanted


MARKED = [pytest.param(c, marks=pytest.mark.oracle) if c in NEEDS_LIBRARY else c for c in FORMULAS]


@pytest.mark.parametrize("case", MARKED)
def test_what_a_formula_undoes_is_opened_as_its_library_undoes_it(tmp_path, case):
    wanted = quantized(tmp_path, *FORMULAS[case])
    opened = open_model(tmp_path, "causal_lm")
    for key, W in wanted.items():
        assert torch.equal(opened.module.get_parameter(key), W), key
    assert not opened.new_layers
    assert any("undone by its own rule" in note for note in describe(tmp_path).notes)
    assert any("undone by its own rule" in note for note in opened.notes)
    assert not any("not used" in note for note in opened.notes)
    packed = open_model(tmp_path, "causal_lm", bits="4")
    layer = packed.module.model.layers[1].mlp.up_proj
    assert isinstance(layer, FrozenLinear)
    assert torch.equal(layer.original(), wanted["model.layers.1.mlp.up_proj.weight"])
    assert not any("not used" in note for note in packed.notes)


REFUSED = {
    "gptq": ({"qweight": torch.int32, "scales": torch.float16}, "gptq"),
    "awq": ({"qweight": torch.int32, "qzeros": torch.int32}, "awq"),
    "mxfp4": ({"weight_blocks": torch.uint8}, "mxfp4"),
    "compressed-tensors": ({"weight_packed": torch.int32}, "compressed-tensors"),
    "fp8": ({"weight_scale_2": torch.float32, "weight": torch.uint8}, "NVFP4"),
}


@pytest.mark.parametrize("method", REFUSED)
@pytest.mark.parametrize("bits", ["float", "4"])
def test_the_rest_is_refused_by_name_with_the_way_out(tmp_path, method, bits):
    dtypes, name = REFUSED[method]

    def pack(key, W):
        stem = key.removesuffix("weight")
        return {f"{stem}{end}": torch.zeros(4, 4, dtype=d) for end, d in dtypes.items()}, W

    quantized(tmp_path, pack, method)
    with pytest.raises(CheckpointError, match=rf"quantized \({name}|quantized \(.*{name}") as said:
        open_model(tmp_path, "causal_lm", bits=bits)
    assert "--base-bits 4 packs" in str(said.value)


@pytest.mark.parametrize("damage", ["absmax", "quant_map", "state"])
def test_four_bits_that_are_not_whole_are_refused(tmp_path, damage):
    def pack(key, W):
        state = json.dumps({"quant_type": "nf4", "blocksize": 64, "shape": list(W.shape)}).encode()
        tensors = {
            key: torch.zeros(W.numel() // 2, 1, dtype=torch.uint8),
            f"{key}.absmax": torch.ones(W.numel() // 64),
            f"{key}.quant_map": torch.linspace(-1, 1, 16),
            f"{key}.quant_state.bitsandbytes__nf4": torch.tensor(list(state), dtype=torch.uint8),
        }
        if damage == "state":
            tensors[f"{key}.quant_state.bitsandbytes__nf4"][0] = 0
        elif damage == "absmax":
            tensors[f"{key}.absmax"] = torch.ones(1)
        else:
            tensors[f"{key}.quant_map"] = torch.ones(3)
            tensors[key] += 255
        return tensors, W

    quantized(tmp_path, pack, "bitsandbytes")
    with pytest.raises(CheckpointError, match="not whole"):
        open_model(tmp_path, "causal_lm")
