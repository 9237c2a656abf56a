"""Every bad checkpoint gets one CheckpointError that names file and reason; good ones are read."""

import collections
import io
import json
import os
import random
import struct
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models import npz_file, torch_file
from lora_lab.models.checkpoint import read_state
from lora_lab.models.torch_file import NESTED

GOOD = {"fc1.weight": torch.arange(12.0).reshape(3, 4), "fc1.bias": torch.zeros(3)}


def container(header, data: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def saved(value) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def rezipped(raw: bytes, change, compress=zipfile.ZIP_STORED) -> bytes:
    """A copy of the archive with `change(name, data)` for each member; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", compress) as new:
        for name in old.namelist():
            if (data := change(name, old.read(name))) is not None:
                new.writestr(name, data)
    return out.getvalue()


class Runs:
    """A pickle that would run a program."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def flipped(raw: bytes) -> bytes:
    at = raw.index(GOOD["fc1.weight"].numpy().tobytes())
    return raw[: at + 4] + bytes([raw[at + 4] ^ 0xFF]) + raw[at + 5 :]


def torchscript() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02}.")
        archive.writestr("net/constants.pkl", b"\x80\x02).")
    return out.getvalue()


def short_storage() -> bytes:
    """The pickle speaks of 12 numbers, and 2 are there."""
    return rezipped(saved(GOOD), lambda name, data: data[:8] if name.endswith("data/0") else data)


def out_of_bounds() -> bytes:
    """Shape (3, 4) becomes (3, 200) in the pickle, over the same storage."""
    return rezipped(
        saved(GOOD),
        lambda name, data: data.replace(b"K\x03K\x04", b"K\x03K\xc8") if "pkl" in name else data,
    )


def nested(depth: int) -> bytes:
    pickled = b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."
    return rezipped(saved(GOOD), lambda name, data: pickled if name.endswith("data.pkl") else data)


def program(pickled: bytes) -> bytes:
    """An archive whose table of contents is made by these instructions."""
    return rezipped(saved(GOOD), lambda name, data: pickled if name.endswith("data.pkl") else data)


def nested_tensor() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return saved({"w": torch.nested.nested_tensor([torch.ones(2, 2), torch.ones(3, 3)])})


def within_itself() -> bytes:
    table: dict = {}
    table["model"] = table
    return saved(table)


def tables_of_tables() -> bytes:
    """14 ⁹ ways to the innermost one."""
    table: dict = {"x": 1}
    for _ in range(9):
        table = dict.fromkeys(NESTED, table)
    return saved(table)


def many_tables() -> bytes:
    """Tables of 4,000 names for the same table, three deep, beside the weights."""
    table = numbers = {"best": torch.ones(())}
    for _ in range(3):
        table = {"model": numbers, **{f"{n}": table for n in range(4000)}}
    return saved({"model": {"w": torch.ones(2)}, "more": table})


def shared() -> bytes:
    """1,500 views of the same 4 MB."""
    numbers = torch.zeros(2**20)
    return saved({f"{n}": numbers[n:] for n in range(1500)})


def doubled_member() -> bytes:
    out = io.BytesIO(saved(GOOD))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"\x80\x02}.")
    return out.getvalue()


BAD = {
    # safetensors
    "empty.safetensors": (b"", "is empty"),
    "seven.safetensors": (b"1234567", "only 7 bytes"),
    "length-2^63.safetensors": (container({}, length=2**63), "header would be"),
    "length-101MB.safetensors": (container({}, length=101_000_000), "header would be"),
    "length-past-end.safetensors": (container({"a": entry()}, length=5000), "incomplete download"),
    "not-json.safetensors": (container(b"{hello}"), "not valid JSON"),
    "not-utf8.safetensors": (container(b'{"\xff\xfe":1}'), "not UTF-8"),
    "not-a-table.safetensors": (container(b"[1, 2]"), "not a table"),
    "doubled.safetensors": (
        container(b'{"a":%s,"a":%s}' % ((json.dumps(entry()).encode(),) * 2), bytes(8)),
        "'a' is given twice",
    ),
    "overlap.safetensors": (
        container({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
        "'b' overlaps",
    ),
    "hole.safetensors": (
        container({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
        "'b' overlaps .* leaves a hole",
    ),
    "trailing.safetensors": (container({"a": entry()}, bytes(9)), "bytes follow the last tensor"),
    "truncated.safetensors": (save(GOOD)[:-10], r"have [\d,]+ of [\d,]+ bytes"),
    "overflow.safetensors": (
        container({"a": entry(shape=[2**30, 2**30, 2**30])}, bytes(8)),
        "does not fit its data",
    ),
    "negative-shape.safetensors": (
        container({"a": entry(shape=[-2])}, bytes(8)),
        "impossible shape",
    ),
    "float-shape.safetensors": (container({"a": entry(shape=[2.0])}, bytes(8)), "list of integers"),
    "no-shape.safetensors": (container({"a": {"dtype": "F32"}}), "not described"),
    "unknown-dtype.safetensors": (
        container({"a": entry(dtype="F13")}, bytes(8)),
        "unknown type 'F13'",
    ),
    "negative-offset.safetensors": (container({"a": entry(offsets=(-8, 0))}), "impossible offsets"),
    "reversed-offsets.safetensors": (container({"a": entry(offsets=(8, 0))}), "impossible offsets"),
    "metadata.safetensors": (
        container({"__metadata__": {"a": 1}, "a": entry()}, bytes(8)),
        "something else than strings",
    ),
    "empty-huge-shape.safetensors": (
        container({"a": entry(shape=[0, 2**62, 8], offsets=(0, 0))}),
        "impossible shape",
    ),
    "long-name.safetensors": (
        container({f"layers.{'1' * 5000}.weight": entry()}, bytes(8)),
        "has a name of 5,014 characters",
    ),
    "long-name.pt": (saved({f"layers.{'1' * 5000}.weight": torch.zeros(2)}), "5,014 characters"),
    "infinite.safetensors": (container(b'{"a":NaN}'), "NaN is not a number"),
    "deep.safetensors": (container(b'{"a":' + b"[" * 200_000), "nested too deeply"),
    "many.safetensors": (
        container(
            b'{"x":%s}' % b",".join([b'{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'] * 100_001)
        ),
        "more than 100,000 tensors",
    ),
    "nan.safetensors": (
        save({"w": torch.tensor([1.0, float("nan"), float("inf")])}),
        "'w' has 2 of 3 values",
    ),
    "complex.safetensors": (save({"w": torch.zeros(2, dtype=torch.complex64)}), "complex64"),
    "float8.safetensors": (save({"w": torch.zeros(2).to(torch.float8_e4m3fn)}), "float8"),
    "no-tensors.safetensors": (container({}), "no tensor"),
    # not checkpoints
    "pointer.safetensors": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "Git LFS pointer",
    ),
    "page.safetensors": (b"\n<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "page.pt": (b"<html>Not found</html>", "web page"),
    "model.gguf": (b"GGUF" + bytes(60), "GGUF"),
    "zeros.pt": (bytes(4096), "neither safetensors nor"),
    "random.pt": (bytes(range(7, 250)) * 9, "neither safetensors nor"),
    "short.bin": (b"abc", "only 3 bytes"),
    # PyTorch
    "empty.pt": (b"", "is empty"),
    "runs-system.pt": (saved(Runs(os.system, "true")), r"would run \w+\.system"),
    "runs-eval.pt": (saved({"a": Runs(eval, "1")}), r"would run builtins\.eval"),
    "plain-pickle.pt": (b"\x80\x04}\x94.", "bare pickle"),
    "whole-module.pt": (saved(nn.Linear(2, 2)), "whole module"),
    "script.pt": (torchscript(), "TorchScript"),
    "truncated.pt": (saved(GOOD)[:-200], "cut off or damaged"),
    "head-only.pt": (saved(GOOD)[:100], "cut off or damaged"),
    "bit-flip.pt": (flipped(saved(GOOD)), "CRC"),
    "compressed.pt": (
        rezipped(saved(GOOD), lambda name, data: data, zipfile.ZIP_DEFLATED),
        "compressed",
    ),
    "other.zip": (
        rezipped(saved(GOOD), lambda n, d: None if n.endswith("data.pkl") else d),
        "not a PyTorch checkpoint",
    ),
    "short-storage.pt": (short_storage(), "cannot be built"),
    "out-of-bounds.pt": (out_of_bounds(), "cannot be built|not in the file"),
    "expanded.pt": (
        saved({"w": torch.zeros(1).expand(1_000_000, 1_000_000)}),
        "claims 1,000,000,000,000 numbers",
    ),
    "nested.pt": (nested(100_000), "too many for named tensors"),
    "nested-far.pt": (nested(500_000), "too much for named tensors"),
    "list.pt": (saved([torch.zeros(2)]), "a list, not a table"),
    "int-keys.pt": (saved({1: torch.zeros(2)}), "a key of int names a tensor"),
    "sparse.pt": (saved({"w": torch.eye(3).to_sparse()}), "sparse_coo"),
    "meta.pt": (saved({"w": torch.zeros(3, device="meta")}), "meta|cannot be built|would run"),
    "complex.pt": (saved({"w": torch.zeros(2, dtype=torch.complex64)}), "complex64"),
    "table-in-table.pt": (saved({"w": torch.zeros(2), "more": {"v": 1}}), "is a dict"),
    "nested-tensor.pt": (nested_tensor(), "'w' is nested, not dense"),
    "within-itself.pt": (within_itself(), "'model' is a dict, not a tensor"),
    "14-tables-9-deep.pt": (tables_of_tables(), "'state_dict' is a dict, not a tensor"),
    "tables-5000-deep.pt": (
        program(b"\x80\x02" + (b"}X\x05\0\0\0model") * 5000 + b"}" + b"s" * 5000 + b"."),
        "'model' is a dict, not a tensor",
    ),
    "long-key.pt": (
        program(b"\x80\x02}(X\xa0\x86\x01\0" + b"a" * 100_000 + b"q\0" + b"h\0" * 8999 + b"t}s."),
        "a key of tuple names a tensor",
    ),
    "shared.pt": (shared(), "the same numbers many times"),
    "only-numbers.pt": (saved({"epoch": 3}), "no tensor"),
    "nan.pt": (saved({"w": torch.tensor([float("nan")])}), "1 of 1 values"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_file_is_refused_in_one_sentence(name, tmp_path):
    raw, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match=reason) as caught:
        read_state(path)
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 300


def test_each_table_beside_the_weights_is_asked_once(tmp_path):
    (tmp_path / "x.pt").write_bytes(many_tables())
    began = time.process_time()
    assert list(read_state(tmp_path / "x.pt")) == ["w"]
    assert time.process_time() - began < 2


def test_legacy_format_is_refused(tmp_path):
    torch.save(GOOD, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="bare pickle"):
        read_state(tmp_path / "old.pt")


def test_doubled_member_is_refused(tmp_path):
    (tmp_path / "x.pt").write_bytes(doubled_member())
    with pytest.raises(CheckpointError, match="two members of one name"):
        read_state(tmp_path / "x.pt")


def test_missing_folder_and_fifo(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_state(tmp_path / "none.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="is a folder"):
        read_state(tmp_path / "folder.safetensors")
    with pytest.raises(CheckpointError, match="not a path"):
        read_state("a\0b.pt")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.pt")
        with pytest.raises(CheckpointError, match="not a regular file"):
            read_state(tmp_path / "pipe.pt")


def test_a_program_is_never_run(tmp_path):
    target = tmp_path / "made"
    (tmp_path / "x.pt").write_bytes(saved({"w": Runs(Path.touch, target)}))
    with pytest.raises(CheckpointError):
        read_state(tmp_path / "x.pt")
    assert not target.exists()


@pytest.mark.parametrize("name", ["good.safetensors", "named-wrong.bin"])
def test_good_safetensors(name, tmp_path):
    (tmp_path / name).write_bytes(save(GOOD, metadata={"format": "pt"}))
    state = read_state(tmp_path / name)
    assert {k: v.tolist() for k, v in state.items()} == {k: v.tolist() for k, v in GOOD.items()}


def test_good_archives(tmp_path):
    tied = torch.randn(3, 4)
    net = nn.Linear(4, 3)
    for value in (
        GOOD,
        collections.OrderedDict(GOOD),
        {**GOOD, "epoch": 3, "note": "x", "none": None},
        {"state_dict": GOOD, "epoch": 3},
        {"model": GOOD, "optimizer": {"state": {}}},
        net.state_dict(),
        dict(net.named_parameters()),
        {"a": tied, "b": tied},
        {"half": tied.half(), "brain": tied.bfloat16(), "whole": torch.arange(3)},
        {"view": torch.arange(12.0).reshape(3, 4).T},
    ):
        path = tmp_path / "x.pt"
        path.write_bytes(saved(value))
        state = read_state(path)
        assert state
        assert all(type(v) is torch.Tensor and not v.requires_grad for v in state.values())
    (tmp_path / "tied.pt").write_bytes(saved({"a": tied, "b": tied}))
    state = read_state(tmp_path / "tied.pt")
    assert state["a"].data_ptr() == state["b"].data_ptr()
    assert torch.equal(state["a"], tied)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_never_escapes_as_another_error(seed, tmp_path):
    dice = random.Random(seed)
    path = tmp_path / "x.bin"

    def damaged(raw):
        raw = bytearray(raw)
        for _ in range(dice.choice([1, 2, 8])):
            raw[dice.randrange(min(len(raw), 400))] = dice.randrange(256)
        return bytes(raw)

    def damaged_pickle(raw):  # with a CRC that fits
        return rezipped(raw, lambda name, data: damaged(data) if name.endswith("pkl") else data)

    messages = []
    for _ in range(100):
        change = dice.choice([damaged, damaged_pickle])
        raw = saved(GOOD) if change is damaged_pickle else dice.choice([saved, save])(GOOD)
        path.write_bytes(change(raw))
        try:
            read_state(path)
        except CheckpointError as error:
            messages.append(str(error))
    assert messages
    assert all(message.isprintable() and len(message) < 300 for message in messages)


def test_odd_names_are_read_and_shown_escaped(tmp_path):
    odd = "../../etc/x\n\u202e<b>" + "y" * 900
    (tmp_path / "x.safetensors").write_bytes(save({odd: torch.zeros(2)}))
    assert list(read_state(tmp_path / "x.safetensors")) == [odd]
    (tmp_path / "y.safetensors").write_bytes(save({odd: torch.full((2,), float("nan"))}))
    with pytest.raises(CheckpointError) as caught:
        read_state(tmp_path / "y.safetensors")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


class Counted(io.FileIO):
    """A file that counts the bytes that are read of it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


def test_an_archive_of_much_nothing_is_not_gone_through(tmp_path):
    path = tmp_path / "sparse.pt"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(2**27)
    with Counted(path) as file:
        with pytest.raises(CheckpointError, match="cut off or damaged"):
            torch_file.read_torch(file, 2**27)
        assert 0 < file.count < 2**20


@pytest.mark.parametrize("module", [torch_file, npz_file], ids=["pt", "npz"])
@pytest.mark.parametrize("limit", ["MAX_MEMBERS", "DIRECTORY"])
def test_a_directory_of_too_many_members_is_refused_before_a_list_is_made_of_it(
    module, limit, tmp_path, monkeypatch
):
    if module is torch_file:
        path = tmp_path / "many.pt"
        torch.save({f"a{n}": torch.ones(1) for n in range(30)}, path)
    else:
        path = tmp_path / "many.npz"
        np.savez(path, **{f"a{n}": np.ones(1) for n in range(30)})
    assert len(read_state(path)) == 30
    monkeypatch.setattr(module, limit, 20)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("an entry was read"))
    with pytest.raises(CheckpointError, match=r"more than|too many"):
        read_state(path)


def test_a_tensor_has_no_hundred_dimensions(tmp_path):
    for many, whole in ((64, True), (65, False)):
        entry = {"dtype": "F32", "shape": [1] * many, "data_offsets": [0, 4]}
        (tmp_path / "x.safetensors").write_bytes(container({"a": entry}, bytes(4)))
        if whole:
            assert read_state(tmp_path / "x.safetensors")["a"].dim() == many
        else:
            with pytest.raises(CheckpointError, match="impossible shape"):
                read_state(tmp_path / "x.safetensors")
