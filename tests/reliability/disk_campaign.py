"""A disk that is full at each write in turn: no file damaged, nothing called saved that is not.

    python tests/reliability/disk_campaign.py [--steps 400] [--most 100000]

Every call of the system that writes (open, write, fsync, rename, mkdir, truncate) is counted. The
k-th one and all that follow it fail with ENOSPC, for k = 1, 2, 3 … until a whole run gets by
without reaching it. After each of these runs whatever had been said to be saved must be whole, and
where anything was saved the run must resume to the very losses of a run that was left alone.
With --mount FOLDER a small file system of one's own is filled instead, for real.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.presets import get_preset
from lora_lab.records import CheckpointRecord, ErrorRecord, SavedRecord, StepRecord
from lora_lab.runs.checkpoints import latest
from lora_lab.runs.listing import listed
from lora_lab.runs.metrics import read_metrics
from lora_lab.training import journal
from lora_lab.training.controls import Controls
from lora_lab.training.ration import Ration
from lora_lab.training.run import run

CALLS = ("write", "fsync", "replace", "rename", "mkdir", "ftruncate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--mount", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.mount:
            print(json.dumps(filled(arguments.mount, arguments.steps)))
        else:
            figures = campaign(Path(folder), arguments.steps, arguments.most, arguments.stride)
            print(json.dumps(figures))


def campaign(folder: Path, steps: int, most: int, stride: int = 1) -> dict[str, int]:
    """Fail at each write in turn; the figures. Raises AssertionError where a file was damaged."""
    often = journal.Ration
    journal.Ration = lambda share, interval: Ration(1.0, interval)  # save as often as can be
    try:
        config = config_of(steps)
        wanted, _ = trained(config, folder / "reference")
        count, resumed, at = 0, 0, 1
        while at <= most:
            where = folder / f"run-{at}"
            with refusing(at, where) as reached:
                try:
                    losses, said = trained(config, where)
                except LabError:
                    losses, said = wanted, []  # it said at once, or at the end, what was lost
            assert losses == wanted, f"call {at}: the training itself was touched"
            if not reached():
                break
            resumed += inspected(where, said, wanted)
            count, at = count + 1, at + stride
        return {"refused_at": count, "resumed_to_the_bit": resumed}
    finally:
        journal.Ration = often


def filled(mount: Path, steps: int) -> dict[str, int]:
    """The same on a real file system that is full but for less and less."""
    config = config_of(steps)
    wanted, _ = trained(config, Path(tempfile.mkdtemp()) / "reference")
    count = resumed = 0
    free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_frsize
    for left in range(0, min(free, 2**20), 2**13):
        ballast, where = mount / "ballast", mount / f"run-{left}"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            file.write(b"\0" * max(0, free - left))
        try:
            losses, said = trained(config, where)
            assert losses == wanted
        except LabError:
            said = []
        finally:
            ballast.unlink(missing_ok=True)
        if where.is_dir():
            resumed += inspected(where, said, wanted)
            __import__("shutil").rmtree(where)
        count += 1
    return {"fillings": count, "resumed_to_the_bit": resumed}


def config_of(steps: int) -> Any:
    return changed(get_preset("digits").config, max_steps=steps, autosave_seconds=0.01)


def trained(config: Any, where: Path) -> tuple[list[float], list[Any]]:
    """The losses of a run, and what it said was saved."""
    losses, said = [], []
    for record in run(config, Controls(config.hyper), folder=where):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
        elif isinstance(record, CheckpointRecord | SavedRecord | ErrorRecord):
            said.append(record)
    return losses, said


def inspected(where: Path, said: list[Any], wanted: list[float]) -> bool:
    """Whether the run could be resumed; nothing in it may be damaged, nothing said untrue."""
    saved = [r for r in said if not isinstance(r, ErrorRecord)]
    if (where / "adapter").is_dir():
        FORMATS["peft"].load(where / "adapter")  # whole, or it would be refused
    if (where / "metrics.jsonl").exists():
        rows = read_metrics(where / "metrics.jsonl")
        steps = [r["loss"] for r in rows if r["record"] == "StepRecord"]
        assert steps == wanted[: len(steps)], "the record is torn"
    if not listed(where):
        kinds = [r for r in saved if isinstance(r, CheckpointRecord)]
        assert not kinds, "said to be saved, and is not"
        return False
    found = latest(where)
    assert found.step >= max((r.step for r in saved if isinstance(r, CheckpointRecord)), default=0)
    if found.step >= len(wanted):
        return True
    losses, _ = trained_on(where)
    assert losses == wanted[found.step :], "the resumed run is another one"
    return True


def trained_on(where: Path) -> tuple[list[float], list[Any]]:
    controls = Controls(config_of(1).hyper)
    records = list(run(config_of(1), controls, resume=where))
    at = next(i for i, r in enumerate(records) if type(r).__name__ == "ResumedRecord")
    return [r.loss for r in records[at:] if isinstance(r, StepRecord)], []


@contextmanager
def refusing(first: int, under: Path) -> Iterator[Callable[[], bool]]:
    """From the `first` call on that writes, the disk is full; whether it came to that."""
    lock, seen = threading.Lock(), [0]
    real = {name: getattr(os, name) for name in CALLS}

    def wrapped(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if name in ("mkdir", "replace", "rename") and str(under) not in str(arguments[0]):
                return real[name](*arguments, **named)
            with lock:
                seen[0] += 1
                full = seen[0] >= first
            if full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real[name](*arguments, **named)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name))
    try:
        yield lambda: seen[0] >= first
    finally:
        for name, function in real.items():
            setattr(os, name, function)


if __name__ == "__main__":
    main()
