"""Runs, queues and messages that once froze, filled or ended the lab, with who opens each."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_lab.folders import remove_folder
from tests.reliability.hostile_inputs import Hostile
from tests.reliability.hostile_queues import hostile_queues

MANY = b"[]," * 10_900_000 + b"[]"  # 33 MB of text that take 1.5 GB
HOLE = 2**29  # bytes of a sparse file
DEEP = 1200

# -- who opens ---------------------------------------------------------------------------------


def report(run: Path) -> Any:
    from lora_lab.runs.report import report_of

    return report_of(run)


def listed(run: Path) -> Any:
    from lora_lab.runs.listing import list_runs

    (found,) = list_runs(run.parent)
    remove_folder(run)  # pytest cannot
    assert found.bytes > 0


def opened(run: Path) -> Any:
    from lora_lab.training.opening import Resume

    return Resume.at(run)


def newest(run: Path) -> Any:
    from lora_lab.runs.checkpoints import latest

    return latest(run)


def factors(run: Path) -> Any:
    from lora_lab.runs.snapshots import read_snapshot

    return read_snapshot(run, 7, 10**7)


def behind(run: Path) -> Any:
    """A run that is shown behind another one."""
    from lora_lab.ui.panels.overlays import read_overlay

    return read_overlay(str(run), 0, lambda *_: None)


def watched(run: Path) -> Any:
    """A run that is trained elsewhere, until all that has come was looked at."""
    from lora_lab.engine.mirrored import MirroredRun
    from tests.waiting import wait_until

    session = MirroredRun(run)
    session.start()
    try:
        wait_until(lambda: session.step == 7)
    finally:
        session.close()


def told(run: Path) -> Any:
    """A run of a cluster's job, whose rows go into the job's log."""
    from lora_lab.cluster.relay import _Tail

    return _Tail(10, 1e6).new(run, ended=False)


def queued(folder: Path) -> Any:
    from lora_lab.runs.queue import items_of

    return items_of(folder)


def heard(path: Path) -> Any:
    from lora_lab.engine.wire import parsed

    return parsed(path.read_bytes())


def packed(run: Path) -> Any:
    from lora_lab.runs.archive import pack

    try:
        return pack(run, run.parent / "run.zip")
    finally:
        remove_folder(run)


def unpacked(path: Path) -> Any:
    from lora_lab.runs.archive import unpack

    try:
        return unpack(path, path.parent / "runs")
    finally:
        assert not list((path.parent / "runs").iterdir()), "something is left behind"


# -- who writes --------------------------------------------------------------------------------


def sample(folder: Path) -> Path:
    from tests.runs.sample_run import write_sample

    return write_sample(folder.parent, folder.name)


def lines(*more: bytes, hole: int = 0, after: bytes = b"") -> Callable[[Path], Any]:
    """A run with these lines behind its records, then a hole and what is behind it."""

    def write(folder: Path) -> None:
        with open(sample(folder) / "metrics.jsonl", "ab") as file:
            file.write(b"\n".join(more))
            if hole:
                file.truncate(file.tell() + hole)
                file.seek(0, os.SEEK_END)
            file.write(after)

    return write


def only(*records: bytes, hole: int = 0) -> Callable[[Path], Any]:
    """A run whose records are these, and a hole."""

    def write(folder: Path) -> None:
        with open(sample(folder) / "metrics.jsonl", "wb") as file:
            file.write(b"\n".join(records))
            file.truncate(file.tell() + hole)

    return write


def mirrored(folder: Path) -> None:
    lines(hole=HOLE, after=STEP_7)(folder)
    (folder / "mirror.json").write_text("{}")


def settings(**values: Any) -> Callable[[Path], Any]:
    def write(folder: Path) -> None:
        path = sample(folder) / "config.json"
        told = json.loads(path.read_text())
        told["config"].update(values)
        path.write_text(json.dumps(told))

    return write


def saved(header: Callable[[dict[str, Any]], bytes]) -> Callable[[Path], Any]:
    """A run with a checkpoint whose header is another one, and agrees with its manifest."""

    def write(folder: Path) -> None:
        import torch

        from lora_lab.runs.checkpoints import write_checkpoint

        path = write_checkpoint(sample(folder), 5, {"a": torch.ones(2)}, {"step": 5})
        data = (path / "state.safetensors").read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        said = header(json.loads(data[8:start]))
        data = len(said).to_bytes(8, "little") + said + data[start:]
        (path / "state.safetensors").write_bytes(data)
        told = json.loads((path / "manifest.json").read_text())
        told["files"]["state.safetensors"] = {
            "bytes": len(data), "crc32": f"{zlib.crc32(data):08x}",
        }  # fmt: skip
        (path / "manifest.json").write_text(json.dumps(told))

    return write


def beside(table: dict[str, Any]) -> bytes:
    return json.dumps(table).encode()[:-1] + b',"x":[' + MANY + b"]}"


def in_facts(table: dict[str, Any], text: bytes = MANY) -> bytes:
    said = table["__metadata__"]["facts"][:-1]
    table["__metadata__"]["facts"] = f"""{said},"x":[{text.decode()}]}}"""
    return json.dumps(table).encode()


def snapshot(folder: Path) -> None:
    import safetensors.torch
    import torch

    data = safetensors.torch.save({"a|A": torch.ones(1, 1), "a|B": torch.ones(1, 1)},
                                  {"scaling": '{"a": 1.0}'})  # fmt: skip
    start = 8 + int.from_bytes(data[:8], "little")
    said = beside(json.loads(data[8:start]))
    place = sample(folder) / "snapshots" / "step-000000007.safetensors"
    place.parent.mkdir()
    place.write_bytes(len(said).to_bytes(8, "little") + said + data[start:])


def queue(folder: Path) -> None:
    folder.mkdir()
    (folder / "queue.json").write_bytes(b'{"schema":1,"items":[' + MANY + b"," + MANY + b"]}")


def deep(folder: Path) -> None:
    """Folders within each other, beyond what a path may be as well."""
    here = os.open(sample(folder), os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("abcde", dir_fd=here)
        inner = os.open("abcde", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def deep_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("run/config.json", "{}")
        for depth in range(20, DEEP, 20):
            archive.writestr("run/" + "a/" * depth + "x", "")


STEP_7 = b'\n{"record":"StepRecord","step":7,"loss":1.0,"learning_rate":0.001,"seconds":1.0}\n'
EVAL = b'{"record":"EvalRecord","step":5,"enabled":true,"loss":1.0,"x":['
LOADED = b'{"record":"LoadedRecord","stage":"base"'


def hostile_runs() -> dict[str, Hostile]:
    """Every input by its name."""
    found = {
        "lists of a record": Hostile(lines(EVAL + MANY + b"]}\n"), report, ""),
        "lists of a record behind another": Hostile(
            lines(b'{"record":"SpectrumRecord","layers":[' + MANY + b"]}\n"), behind, ""),
        "lists of the first record": Hostile(only(LOADED + b',"x":[' + MANY + b"]}\n"), opened, ""),
        "a record without an end": Hostile(
            lines(b'{"record":"SpectrumRecord","step":5,"layers":[', hole=HOLE), behind, ""),
        "counts without an end": Hostile(
            lines(b'{"record":"CountsRecord","step":5,"adapter":', hole=HOLE), behind, ""),
        "a base without an end": Hostile(only(LOADED + b"}\n", hole=HOLE), opened, ""),
        "a base of empty lines": Hostile(
            only(LOADED + b"}", b"\n" * 2**27), opened, ""),
        "a base again and again": Hostile(only(*[LOADED + b"}"] * 2**21), opened, ""),
        "nothing without an end": Hostile(only(hole=HOLE), opened, ""),
        "a watched run without an end": Hostile(mirrored, watched, ""),
        "a told run without an end": Hostile(lines(hole=HOLE), told, ""),
        "columns of a run": Hostile(
            settings(columns=[[str(n), ""] for n in range(60_000)]), opened, "at most 64"),
        "unknown settings": Hostile(
            settings(**{f"k{n}": 0 for n in range(70_000)}), opened, "and 69,990 more"),
        "an unknown setting": Hostile(settings(**{"k" * 900_000: 0}), opened, "not a setting"),
        "wrong targets": Hostile(
            settings(targets=list(range(100_000))), opened, "and 99,990 more"),
        "header of a checkpoint": Hostile(saved(beside), newest, "lists and tables"),
        "facts of a checkpoint": Hostile(saved(in_facts), newest, "lists and tables"),
        "long facts of a checkpoint": Hostile(
            saved(lambda table: in_facts(table, b"1" * 2**25)), newest, "before its numbers"),
        "header of a snapshot": Hostile(snapshot, factors, "lists and tables"),
        "lists of a queue": Hostile(queue, queued, "lists and tables"),
        "message of an engine": Hostile(
            lambda path: path.write_bytes(b'{"records":[' + b"[]," * 2**20 + b"[]]}\n"), heard,
            "lists and tables"),
        "depth of a run.zip": Hostile(deep_zip, unpacked, "folders within each other"),
    }  # fmt: skip
    found |= hostile_queues()
    if os.name == "posix":
        found |= {
            "depth of a run": Hostile(deep, listed, ""),
            "depth of a run to pack": Hostile(deep, packed, "folders within each other"),
        }
    return found
