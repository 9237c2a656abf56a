"""The independent reader agrees with the library, and takes no file that is not sound."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lora_lab.errors import AdapterError
from lora_lab.formats.container import read_container


def file(header, data=bytes(8)):
    raw = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BAD = {
    "empty": b"",
    "not JSON": file("{"),
    "not UTF-8": (2).to_bytes(8, "little") + b"\xff{",
    "a list": file("[1]"),
    "doubled": file(f'{{"a": {json.dumps(entry())}, "a": {json.dumps(entry())}}}'),
    "overlap": file({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
    "hole": file({"a": entry(offsets=(8, 16))}, bytes(16)),
    "cut": file({"a": entry()}, bytes(7)),
    "more bytes": file({"a": entry()}, bytes(9)),
    "another shape": file({"a": entry(shape=(3,))}),
    "no shape": file({"a": {"dtype": "F32", "data_offsets": (0, 8)}}),
    "no float": file({"a": entry("I32")}),
    "a shape of text": file({"a": entry(shape=("2",))}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_not_sound_is_refused_by_name(case, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(BAD[case])
    with pytest.raises(AdapterError, match=r"x\.safetensors"):
        read_container(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(AdapterError, match="no such file"):
        read_container(tmp_path / "x.safetensors")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_numbers_are_those_that_the_library_wrote(dtype, tmp_path):
    tensors = {"a": torch.randn(3, 4).to(dtype), "b": torch.full((), -0.1).to(dtype)}
    save_file(tensors, tmp_path / "x.safetensors", {"key": "value"})
    container = read_container(tmp_path / "x.safetensors")
    assert container.metadata == {"key": "value"}
    assert set(container.entries) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(container.array(name), tensor.double().numpy())
