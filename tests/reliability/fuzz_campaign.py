"""Broken files of every form that the lab reads, made of whole ones by grammar and by byte.

    python tests/reliability/fuzz_campaign.py [--form NAME] [--minutes 30]

Each must be read, or refused by one `LabError`, within two seconds and 200 MB: no other exception,
no hang, no crash. What is found is printed as the edits that made it, on which hypothesis has spent
its best efforts to make them few. Needs hypothesis.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import shutil
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lora_lab.errors import LabError

SECONDS, MEMORY = 2.0, 200 * 2**20
HUGE = 10**400
JUNK = (None, True, -1, 0, 2**31, 2**63, HUGE, 1.5, -1e308, "", "x", "\ud83d", "../x", "<b>",
        "\x1b[2J", [], [1], [[]], {}, {"a": {}}, "a" * 5000)  # fmt: skip
LENGTHS = (0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)


@dataclass(frozen=True)
class Form:
    """One form of files: a whole one, and who reads it."""

    name: str  # of the file
    seed: Callable[[], bytes]
    read: Callable[[Path], Any]
    spell: Callable[[Any], bytes] | None = None  # a table as a whole file, where it has one in it
    table: Callable[[], Any] | None = None


# -- whole files -------------------------------------------------------------------------------


def spelled(table: Any) -> bytes:
    return json.dumps(table).encode("utf-8", "surrogatepass")


def lines(table: Any) -> bytes:
    return b"".join(spelled(row) + b"\n" for row in (table if isinstance(table, list) else [table]))


@cache
def _run() -> Path:
    from tests.runs.sample_run import write_sample

    return write_sample(Path(tempfile.mkdtemp()))


def in_run(name: str, read: Callable[[Path], Any], many: bool = False) -> Form:
    """A file of a run's folder, which is read where all others are whole."""
    path = _run() / name

    def table() -> Any:
        if many:
            return [json.loads(line) for line in path.read_text().splitlines()]
        return json.loads(path.read_text())

    def within(broken: Path) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(shutil.copytree(_run(), Path(folder) / "run"))
            shutil.copy(broken, run / name)
            return read(run)

    return Form(name, path.read_bytes, within, lines if many else spelled, table)


def checkpoint() -> Form:
    """State and manifest agree always: what is fuzzed is what the state says."""
    from lora_lab.runs.checkpoints import read_checkpoint, write_checkpoint
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.saving.state import restore
    from tests.training.saving.test_state import config_of, losses

    experiment = Experiment.build(config_of(eval_steps=2))
    _, (tensors, facts) = losses(experiment, {3: {"rank": 6}}, stop=6)
    fresh = Experiment.build(config_of(eval_steps=2))

    def read(path: Path) -> Any:
        try:
            told = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return None  # bytes are another form's: here what is said is broken
        told = told if isinstance(told, dict) else {}
        with tempfile.TemporaryDirectory() as folder:
            found = read_checkpoint(write_checkpoint(Path(folder), 6, tensors, told))
        return restore(fresh, found.tensors, found.facts)

    plain = json.loads(json.dumps(facts))
    return Form("facts.json", lambda: spelled(plain), read, spelled, lambda: plain)


def picture(kind: str) -> Callable[[], bytes]:
    def made() -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(buffer, kind)
        return buffer.getvalue()

    return made


def archived() -> bytes:
    buffer = io.BytesIO()
    torch.save({"a.weight": torch.ones(3, 2), "a.bias": torch.zeros(3)}, buffer)
    return buffer.getvalue()


def gguf() -> bytes:
    raw = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    raw += struct.pack("<Q", 20) + b"general.architecture" + struct.pack("<IQ", 8, 5) + b"llama"
    raw += struct.pack("<Q", 1) + b"a" + struct.pack("<IQQIQ", 2, 4, 4, 0, 0)
    return raw + bytes(-len(raw) % 32) + bytes(64)


def packed() -> bytes:
    from lora_lab.runs.archive import pack

    with tempfile.TemporaryDirectory() as folder:
        return pack(_run(), Path(folder) / "run.zip").read_bytes()


def unpacked(path: Path) -> Any:
    from lora_lab.runs.archive import unpack

    with tempfile.TemporaryDirectory() as folder:
        return unpack(path, Path(folder))


def config(path: Path) -> Any:
    from lora_lab.models.hf_config import read_config

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "config.json")
        return read_config(folder)


def forms() -> dict[str, Form]:
    """Every form by its name."""
    from lora_lab.data.idx import read_images
    from lora_lab.data.images import Wanted, read_image
    from lora_lab.data.matrix import read_matrix
    from lora_lab.models.checkpoint import read_state
    from lora_lab.models.gguf_file import check_gguf
    from lora_lab.runs.listing import list_runs, summary_of
    from lora_lab.runs.recipe import recipe_of
    from lora_lab.runs.report import report_of
    from lora_lab.runs.saved_config import SavedConfig

    def listed(run: Path) -> Any:
        assert len(list_runs(run.parent)) <= 1
        return summary_of(run), SavedConfig.read(run), report_of(run)

    def told(run: Path) -> Any:
        return report_of(run).encode(), compile(recipe_of(run), "recipe", "exec")

    llama = {"model_type": "llama", "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 9,
             "rope_parameters": {"rope_type": "default"}}  # fmt: skip
    wanted = Wanted((8, 8), 3)
    npy = io.BytesIO()
    np.save(npy, np.ones((3, 2)))
    tensors = safetensors.torch.save({"a": torch.ones(3, 2), "b": torch.zeros(3)})
    idx = struct.pack(">IIII", 0x803, 2, 3, 3) + bytes(18)
    found = {
        "run config": in_run("config.json", listed),
        "run state": in_run("state.json", listed),
        "run label": in_run("label.json", listed),
        "run metrics": in_run("metrics.jsonl", told, many=True),
        "checkpoint": checkpoint(),
        "model config": Form("config.json", lambda: spelled(llama), config, spelled, lambda: llama),
        "run zip": Form("x.zip", packed, unpacked),
        "torch": Form("x.pt", archived, read_state),
        "safetensors": Form("x.safetensors", lambda: tensors, read_state),
        "gguf": Form("x.gguf", gguf, check_gguf),
        "idx": Form("x.idx", lambda: idx, read_images),
        "npy": Form("x.npy", npy.getvalue, read_matrix),
        "matrix": Form("x.csv", lambda: b"1, 2/3; 4e-3\n-1 2 3\n", read_matrix),
    }
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        found[kind.lower()] = Form(
            f"x.{kind.lower()}", picture(kind), lambda path: read_image(path, wanted)
        )
    return found


# -- edits -------------------------------------------------------------------------------------


@st.composite
def broken(draw: st.DrawFn, form: Form) -> bytes:
    """A whole file with a few edits: in what it says where it is a table, then in its bytes."""
    data = form.seed()
    if form.table is not None and form.spell is not None and draw(st.integers(0, 3)):
        table = json.loads(json.dumps(form.table()))
        for _ in range(draw(st.integers(1, 3))):
            table = _moved(draw, table)
        data = form.spell(table)
        if draw(st.integers(0, 3)):
            return data
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.integers(0, 5)):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
            case 2:
                data = data[:at] + data[at + draw(st.integers(1, 64)) :]
            case 3:  # a length that lies
                number = draw(
                    st.sampled_from((0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1))
                )
                size = draw(st.sampled_from((2, 4, 8)))
                order = draw(st.sampled_from(("little", "big")))
                data = (
                    data[:at] + (number % 2 ** (8 * size)).to_bytes(size, order) + data[at + size :]
                )
            case 4:
                data = data[:at] + data[at : at + 64] * draw(st.integers(2, 50)) + data[at:]
            case _:
                data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
    return _crc_again(data) if form.name == "x.png" else data


def _moved(draw: st.DrawFn, table: Any) -> Any:
    """The table with one value, anywhere in it, replaced, removed or put elsewhere."""
    if not isinstance(table, dict | list) or not table or not draw(st.integers(0, 5)):
        return copy.deepcopy(draw(st.sampled_from(JUNK)))
    keys = list(table) if isinstance(table, dict) else list(range(len(table)))
    key = draw(st.sampled_from(keys))
    match draw(st.integers(0, 9)):
        case 0:
            del table[key]
        case 1 if isinstance(table, dict):
            table[draw(st.sampled_from(("", "x", "__class__", "record", "step")))] = table[key]
        case 2 if isinstance(table, list):
            table.insert(key, table[draw(st.sampled_from(keys))])
        case 3:
            deep: Any = table[key]
            for _ in range(draw(st.sampled_from((1, 50, 900)))):
                deep = [deep]
            table[key] = deep
        case _:
            table[key] = _moved(draw, table[key])
    return table


def _crc_again(data: bytes) -> bytes:
    """A PNG whose pieces are whole again: a reader stops at the first that is not."""
    at, made = 8, data[:8]
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        piece = data[at + 4 : at + 8 + size]
        made += data[at : at + 4] + piece + zlib.crc32(piece).to_bytes(4, "big")
        at += 12 + size
    return made


# -- the campaign ------------------------------------------------------------------------------


def try_form(form: Form, examples: int, seed: int | None = None) -> None:
    """Read so many broken files; fails with the smallest that breaks the promise."""
    process = psutil.Process()

    @settings(max_examples=examples, deadline=None, database=None, derandomize=seed is None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.data())
    def read(data: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / form.name
            path.write_bytes(data.draw(broken(form)))
            before, began = process.memory_info().rss, time.process_time()
            try:
                form.read(path)
            except LabError as error:
                str(error).encode()
            took, more = time.process_time() - began, process.memory_info().rss - before
            assert took < SECONDS, f"{took:.1f} s"
            assert more < MEMORY, f"{more / 2**20:.0f} MB"

    read()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--form", choices=sorted(forms()))
    parser.add_argument("--minutes", type=float, default=30, help="for each form")
    arguments = parser.parse_args()
    for name, form in forms().items():
        if arguments.form not in (None, name):
            continue
        until, count = time.monotonic() + 60 * arguments.minutes, 0
        while time.monotonic() < until:
            try_form(form, 500, seed=count)
            count += 500
        print(f"{name}: {count:,} files, each read or refused")


if __name__ == "__main__":
    main()
