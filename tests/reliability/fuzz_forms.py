"""Whole files of every form that the lab reads, and who reads each: what a fuzz campaign breaks."""

from __future__ import annotations

import io
import json
import shutil
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from lora_lab.errors import LabError
from tests.reliability.fuzz_adapter_forms import adapter_forms
from tests.reliability.fuzz_data_forms import data_forms
from tests.reliability.fuzz_engine_forms import engine_forms
from tests.reliability.fuzz_form import Form, lines, of_header, of_table, spelled, within
from tests.reliability.fuzz_model_forms import model_forms

# Numbers at the edges, and arrays of other dimensions than a record's.
ARRAYS = (1e308, -1e308, 5e-324, [[1.0]], [[1.0], [2.0]], [[1, 2], [3]], [[[1]]], 2**62)


@cache
def _run() -> Path:
    from tests.runs.sample_run import write_sample

    run = write_sample(Path(tempfile.mkdtemp()))
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    exports = [row["report"] for row in rows if row["record"] == "ExportedRecord"]
    (run / "exports.jsonl").write_bytes(lines(exports))
    return run


def in_run(
    name: str, read: Callable[[Path], Any], many: bool = False, words: tuple[Any, ...] = ()
) -> Form:
    """A file of a run's folder, which is read where all others are whole."""
    path = _run() / name

    def table() -> Any:
        if many:
            return [json.loads(line) for line in path.read_text().splitlines()]
        return json.loads(path.read_text())

    spell = lines if many else spelled
    return Form(name, path.read_bytes, within(_run, read), spell, table, words)


def checkpoints() -> dict[str, Form]:
    """State and manifest agree always: what is fuzzed is what the state says."""
    from lora_lab.runs.checkpoints import read_checkpoint, write_checkpoint
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.saving.state import restore
    from tests.training.saving.test_state import config_of, losses

    found = {}
    for name, settings, edit in (
        ("", {}, {"rank": 6}),
        (" of a subspace", {"variant": "subspace"}, {"dimension": 256}),
    ):
        config = config_of(eval_steps=2, **settings)
        experiment = Experiment.build(config)
        _, (tensors, facts) = losses(experiment, {3: edit}, stop=6)
        fresh = Experiment.build(config)
        shapes = {key: [str(x.dtype)[6:], list(x.shape)] for key, x in tensors.items()}
        plain = json.loads(json.dumps(facts))

        def opened(tensors: Any, facts: Any, fresh: Any = fresh) -> Any:
            with tempfile.TemporaryDirectory() as folder:
                found = read_checkpoint(write_checkpoint(Path(folder), 6, tensors, facts))
            return restore(fresh, found.tensors, found.facts)

        def of_facts(path: Path, tensors: Any = tensors, opened: Any = opened) -> Any:
            told = _told(path)
            return opened(tensors, told if isinstance(told, dict) else {})

        def of_tensors(
            path: Path, facts: Any = facts, tensors: Any = tensors, opened: Any = opened
        ) -> Any:
            return opened(_as_told(_told(path), tensors), facts)

        found[f"checkpoint{name}"] = of_table("facts.json", of_facts, plain)
        found[f"tensors of a checkpoint{name}"] = of_table("tensors.json", of_tensors, shapes)
    return found


def _told(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None  # bytes are another form's: here what is said is broken


def _as_told(told: Any, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of the types and shapes in a table, as far as there are such; others as they were."""
    found = {}
    for key, about in (told if isinstance(told, dict) else {}).items():
        if not key.isprintable():  # no such name comes to be written
            continue
        try:
            dtype, shape = about
            made = torch.ones(shape, dtype=getattr(torch, dtype), device="meta")
            found[key] = torch.ones(shape, dtype=made.dtype) if made.numel() < 10**6 else None
        except (TypeError, ValueError, RuntimeError, AttributeError, OverflowError):
            found[key] = None
        if found[key] is None:
            del found[key]
        elif key in tensors and found[key].shape == tensors[key].shape:
            found[key] = tensors[key].to(found[key].dtype)
    return found


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


def compressed() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{"a.weight": np.ones((3, 2), np.float32)})
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


def queue(path: Path) -> Any:
    from lora_lab.runs.queue import Queue
    from lora_lab.runs.searches import Searches

    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(path, Path(folder) / "queue.json")
        opened = Queue(Path(folder))
        Searches(opened)
        opened.close()
    return opened.items


def queued() -> Any:
    from lora_lab.presets import get_preset
    from lora_lab.runs.queue import Queue

    with tempfile.TemporaryDirectory() as folder:
        opened = Queue(Path(folder))
        opened.add([get_preset("digits").config])
        opened.close()
        return json.loads((Path(folder) / "queue.json").read_text())


def forms() -> dict[str, Form]:
    """Every form by its name."""
    from lora_lab.data.idx import read_images
    from lora_lab.data.images import Wanted, read_image
    from lora_lab.data.matrix import read_matrix
    from lora_lab.models.checkpoint import read_state
    from lora_lab.models.gguf_file import check_gguf
    from lora_lab.runs.event_files import write_events
    from lora_lab.runs.listing import list_runs, summary_of
    from lora_lab.runs.past import last_spectrum
    from lora_lab.runs.recipe import recipe_of
    from lora_lab.runs.report import report_of
    from lora_lab.runs.saved_config import SavedConfig

    def listed(run: Path) -> Any:
        assert len(list_runs(run.parent)) <= 1
        return summary_of(run), SavedConfig.read(run), report_of(run)

    def told(run: Path) -> Any:
        return report_of(run).encode(), compile(recipe_of(run), "recipe", "exec")

    def drawn(run: Path) -> Any:
        try:
            write_events(run, run.parent / "events")
        except LabError:
            assert not (run.parent / "events").exists()
            raise
        return told(run), last_spectrum(run / "metrics.jsonl")

    wanted = Wanted((8, 8), 3)
    npy = io.BytesIO()
    np.save(npy, np.ones((3, 2)))
    tensors = safetensors.torch.save({"a": torch.ones(3, 2), "b": torch.zeros(3)})
    idx = struct.pack(">IIII", 0x803, 2, 3, 3) + bytes(18)
    found = {
        "run config": in_run("config.json", listed),
        "run state": in_run("state.json", listed),
        "run label": in_run("label.json", listed),
        "run metrics": in_run("metrics.jsonl", drawn, True, ARRAYS),
        "run exports": in_run("exports.jsonl", told, many=True),
        **checkpoints(),
        "run zip": Form("x.zip", packed, unpacked),
        "torch": Form("x.pt", archived, read_state),
        "safetensors": Form("x.safetensors", lambda: tensors, read_state),
        "gguf": Form("x.gguf", gguf, check_gguf),
        "idx": Form("x.idx", lambda: idx, read_images),
        "npy": Form("x.npy", npy.getvalue, read_matrix),
        "npz": Form("x.npz", compressed, read_state),
        "safetensors header": of_header("x.safetensors", read_state, tensors),
        "queue": Form("queue.json", lambda: spelled(queued()), queue, spelled, queued),
        **data_forms(),
        **model_forms(),
        **adapter_forms(),
        **engine_forms(),
        "matrix": Form("x.csv", lambda: b"1, 2/3, 4e-3\n-1 2 3\n", read_matrix),
    }
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        found[kind.lower()] = Form(
            f"x.{kind.lower()}", picture(kind), lambda path: read_image(path, wanted)
        )
    return found
