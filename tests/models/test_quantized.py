"""Quantized weights told by their tensors, and undone as the libraries that wrote them do."""

import json
import time
from collections import namedtuple

import pytest
import torch

from lora_lab.errors import CheckpointError
from lora_lab.models.quantized import beside, dequantized, quantization

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


def four_bits(nested=False, text=None, **more):
    """32 × 32 numbers as bitsandbytes writes them; `more` are facts or tensors that are others."""
    facts = {"blocksize": 64, "shape": [32, 32], "nested_blocksize": 256, "nested_offset": 0.1}
    state = {
        "": torch.arange(512, dtype=torch.int32).to(torch.uint8)[:, None],
        ".quant_map": torch.linspace(-1, 1, 16), ".absmax": torch.ones(16),
    }  # fmt: skip
    if nested:
        state[".absmax"] = torch.arange(16, dtype=torch.uint8)
        state |= {".nested_absmax": torch.ones(1), ".nested_quant_map": torch.linspace(0, 1, 256)}
    facts |= {key: value for key, value in more.items() if key in facts}
    state |= {f".{key}": value for key, value in more.items() if key not in facts}
    told = (text or json.dumps(facts)).encode()
    state[".quant_state.bitsandbytes__nf4"] = torch.tensor(list(told), dtype=torch.uint8)
    return {f"a.weight{key}": tensor for key, tensor in state.items()}


def scaled(shape, scale, kind=FLOAT8, name="weight_scale"):
    return {"a.weight": torch.ones(shape).to(kind), f"a.{name}": scale}


@pytest.mark.parametrize("nested", [False, True])
def test_four_bits_stand_for_the_table_times_the_scale_of_their_block(nested):
    state = four_bits(nested)
    codes = state["a.weight"].flatten()
    table = state["a.weight.quant_map"][torch.stack([codes >> 4, codes & 15], 1).flatten().long()]
    largest = torch.linspace(0, 1, 256)[:16] + 0.1 if nested else torch.ones(16)
    assert torch.equal(undone(state), (table.view(16, 64) * largest[:, None]).view(32, 32))


MISFITS = {
    "blocks of 2·10⁸": four_bits(blocksize=2 * 10**8),
    "blocks of 5·10⁹": four_bits(blocksize=5 * 10**9, absmax=torch.ones(2)),
    "blocks of nothing": four_bits(blocksize=0),
    "blocks below nothing": four_bits(blocksize=-64),
    "nested blocks of 3·10⁸": four_bits(True, nested_blocksize=3 * 10**8,
                                        nested_absmax=torch.ones(2)),
    "another shape": four_bits(shape=[32, 31]),
    "a shape of more": four_bits(shape=[2**30, 2**30]),
    "a shape below nothing": four_bits(shape=[-32, -32]),
    "a shape of nothing": four_bits(shape=[0, 32]),
    "no shape": four_bits(shape=[]),
    "an endless shape": four_bits(text='{"blocksize":64,"shape":[1e999,2]}'),
    "an endless block": four_bits(text='{"blocksize":Infinity,"shape":[32,32]}'),
    "a mean of 400 digits": four_bits(True, nested_offset=10**400),
    "no table": four_bits(text="[]"), "a deep table": four_bits(text="[" * 9999),
    "a long table": four_bits(text=" " * 10**6 + "{}"),
    "a mean beyond all floats": four_bits(True, text='{"nested_offset":1e400}'),
    "a map of bytes": four_bits(quant_map=torch.ones(16, dtype=torch.uint8)),
    "a map of nothing": four_bits(quant_map=torch.ones(())),
    "an absmax of nothing": four_bits(absmax=torch.ones(0)),
    "an absmax outside the map": four_bits(True, nested_quant_map=torch.ones(3)),
    "a scale of 0 × 0": scaled((32, 32), torch.ones(0, 0)),
    "a scale of 1 × 0": scaled((32, 32), torch.ones(1, 0)),
    "a scale of more sizes": scaled((32, 32), torch.ones(2, 2, 2)),
    "blocks of one number": scaled((), torch.ones(2, 2)),
    "rows of one number": scaled((), torch.ones(2)),
    "blocks of a row": scaled((32,), torch.ones(2, 2)),
    "scales of exponents": scaled((32, 32), torch.ones(1, 1, dtype=torch.uint8)),
    "complex scales": scaled((32, 32), torch.ones(32, dtype=torch.complex64)),
    "SCB of nothing": scaled((32, 32), torch.ones(0), torch.int8, "SCB"),
    "SCB of 33": scaled((32, 32), torch.ones(33), torch.int8, "SCB"),
    "SCB without sizes": scaled((32, 32), torch.tensor(1.0), torch.int8, "SCB"),
    "SCB of a number": scaled((), torch.ones(1), torch.int8, "SCB"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_what_undoes_it_and_does_not_fit_is_refused(case):
    with pytest.raises(CheckpointError, match=r"not whole|do not fit|exponents") as refused:
        undone(MISFITS[case])
    assert "'a.weight'" in str(refused.value)


def test_scales_are_never_spread_over_more_than_the_weight():
    """A side that is shorter than a block of 128 has one scale, and is not made so long."""
    W = torch.ones(1, 2**20).to(FLOAT8)
    state = {"a.weight": W, "a.weight_scale": torch.full((1, 2**13), 2.0)}
    with torch.profiler.profile(profile_memory=True) as seen:
        assert undone(state).eq(2).all()
    assert max(event.self_cpu_memory_usage for event in seen.key_averages()) < 16 * 2**20


def test_a_hundred_thousand_names_are_looked_through_once():
    kinds = {f"{n}.weight": "uint8" for n in range(50_000)}
    kinds |= {f"{n}.weight.absmax": "uint8" for n in range(50_000)}
    began = time.process_time()
    assert len(beside(kinds)) == 50_000
    with pytest.raises(CheckpointError, match="quantized"):
        dequantized("7.weight", kinds, lambda name: torch.ones(1))
    assert time.process_time() - began < 1
