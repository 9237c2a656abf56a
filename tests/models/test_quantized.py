"""Quantized weights told by their tensors, and undone as the libraries that wrote them do."""

from collections import namedtuple

import pytest
import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.quantized import dequantized, quantization

Info = namedtuple("Info", "name dtype")
OUT, IN = 200, 300  # no multiple of 128
FLOAT8 = torch.float8_e4m3fn


def of(state):
    return [Info(name, str(t.dtype).removeprefix("torch.")) for name, t in state.items()]


def undone(state, name="a.weight"):
    return dequantized(name, {x.name: x.dtype for x in of(state)}, state.__getitem__)


def weight():
    return torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0))


def by_number(W):
    scale = W.abs().max() / 448
    return {"a.weight": (W / scale).to(FLOAT8), "a.weight_scale": scale}


def comfy(W):
    scale = W.abs().max() / 448
    return {"a.weight": (W / scale).to(FLOAT8), "a.scale_weight": scale[None]}


def by_row(W):
    scale = W.abs().amax(1, keepdim=True) / 127
    return {"a.weight": (W / scale).round().to(torch.int8), "a.weight_scale": scale}


def by_block(W):
    scale = torch.stack([torch.stack([b.abs().max() for b in row.split(128, 1)]) / 448
                         for row in W.split(128, 0)])  # fmt: skip
    spread = scale.repeat_interleave(128, 0).repeat_interleave(128, 1)[:OUT, :IN]
    return {"a.weight": (W / spread).to(FLOAT8), "a.weight_scale_inv": scale}


def bitsandbytes(W):
    largest = W.abs().amax(1)
    return {"a.weight": (W * 127 / largest[:, None]).round().to(torch.int8), "a.SCB": largest}


FORMULAS = {
    "float8 with a scale": (by_number, comfy, by_block), "int8": (by_row,),
    "bitsandbytes int8": (bitsandbytes,), "float8": (lambda W: {"a.weight": W.to(FLOAT8)},),
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "quantize"), [(what, q) for what, row in FORMULAS.items() for q in row]
)
def test_a_formula_is_undone(what, quantize):
    W = weight()
    state = quantize(W)
    assert quantization(of(state)) == what
    error = (undone(state).float() - W).norm() / W.norm()
    assert error < 0.04, "what float8 and int8 lose"
    raw = (state["a.weight"].float() - W).norm() / W.norm()
    assert what == "float8" or raw > 0.5


def test_blocks_are_undone_as_transformers_does():
    from transformers.integrations.finegrained_fp8 import Fp8Dequantize

    W = torch.randn(256, 384)
    state = {"a.weight": (W / 0.1).to(FLOAT8), "a.weight_scale_inv": torch.rand(2, 3)}
    tensors = {"weight": [state["a.weight"]], "weight_scale_inv": [state["a.weight_scale_inv"]]}
    theirs = Fp8Dequantize(None).convert(tensors)["weight"]
    assert torch.equal(undone(state), theirs.float())


PACKED = {
    "GPTQ or AWQ": {"a.qweight": torch.zeros(4, 4, dtype=torch.int32)},
    "compressed-tensors": {"a.weight_packed": torch.zeros(4, 4, dtype=torch.int32)},
    "MXFP4": {"a.gate_up_proj_blocks": torch.zeros(4, 4, dtype=torch.uint8)},
    "bitsandbytes 4 bit": {
        "a.weight": torch.zeros(8, 1, dtype=torch.uint8), "a.weight.absmax": torch.ones(1),
    },
    "packed uint32": {  # MLX
        "a.weight": torch.zeros(4, 4, dtype=torch.uint32), "a.scales": torch.ones(4, 1),
    },
    "ModelOpt's NVFP4": {
        "a.weight": torch.zeros(4, 4, dtype=torch.uint8), "a.weight_scale_2": torch.ones(1),
    },
    "an asymmetric int8": {
        "a.weight": torch.zeros(4, 4, dtype=torch.int8), "a.weight_scale": torch.ones(4, 1),
        "a.weight_zero_point": torch.ones(4, 1, dtype=torch.int8),
    },
}  # fmt: skip


@pytest.mark.parametrize("what", PACKED)
def test_what_is_packed_is_named_and_not_read_as_numbers(what):
    state = PACKED[what]
    assert quantization(of(state)) == what
    if "a.weight" in state:
        with pytest.raises(CheckpointError, match="quantized"):
            undone(state)


def test_ordinary_weights_are_as_they_are():
    state = {"a.weight": weight(), "b.scale": torch.ones(3), "W_q": torch.ones(2, 2)}
    assert quantization(of(state)) == ""
    assert undone(state) is state["a.weight"]
