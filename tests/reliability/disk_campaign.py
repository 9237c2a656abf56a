"""A disk that is full at each write in turn: no file damaged, nothing called saved that is not.

    python tests/reliability/disk_campaign.py [--steps 40] [--stride 1]
    python tests/reliability/disk_campaign.py --mount FOLDER

Every call of the system that writes (write, fsync, rename, mkdir, truncate) is counted. The k-th
one fails with ENOSPC, alone or with all that follow it, for k = 1, 2, 3 … until a run gets by
without reaching it; so does a run that is resumed and has files to lose. Each time the training
itself must be untouched, whatever was said to be saved must be whole, what is not must have been
said, and where anything was saved the run must resume to the very losses of one that was left
alone. With --mount a small file system of one's own (tmpfs of 2 MB, a loop) is filled for real.
"""

from __future__ import annotations

import argparse
import errno
import itertools
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.presets import get_preset
from lora_lab.records import (
    CheckpointRecord,
    ErrorRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import latest, tidy
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.saves import listed
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from lora_lab.training.saving import autosave
from lora_lab.training.time_budget import TimeBudget

CALLS = ("write", "fsync", "replace", "rename", "mkdir", "ftruncate")
GRAIN = 2**13  # bytes that a mount has more from one filling to the next


@dataclass
class Told:
    """What a run said of itself."""

    losses: list[float] = field(default_factory=list)
    saved: list[Record] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=40, help="of each run")
    parser.add_argument("--stride", type=int, default=1, help="every how many calls one fails")
    parser.add_argument("--mount", type=Path, help="a small file system that may be filled")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.mount:
        figures = filled(arguments.mount, arguments.steps)
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures = campaign(Path(folder), arguments.steps, arguments.stride)
    print("Runs on a disk that was full:")
    for name, value in figures.items():
        print(f"  {name:<44} {value}")
    print("passed: no file was damaged, and nothing was called saved that was not")


def campaign(folder: Path, steps: int, stride: int = 1) -> dict[str, int]:
    """Fail at each write in turn; the figures. Raises AssertionError where a file was damaged."""
    with saving_often():
        reference, old = folder / "reference", folder / "old"
        wanted = trained(reference, steps).losses
        trained(old, steps, stop=steps // 2)
        figures: dict[str, int] = {}
        for begun, lasting in itertools.product((False, True), (True, False)):
            what = f"{'resumed' if begun else 'new'}, full {'from then on' if lasting else 'once'}"
            count = resumed = 0
            for at in itertools.count(1, stride):
                where = folder / "run"
                shutil.rmtree(where, ignore_errors=True)
                if begun:
                    shutil.copytree(old, where)
                with refusing(at, where, lasting) as reached:
                    told = trained(where, steps, resume=begun)
                try:
                    resumed += inspected(where, told, wanted, reference)
                except AssertionError as error:
                    raise AssertionError(f"{what}, at call {at}: {error}") from error
                if not reached():
                    break
                count += 1
            figures[f"{what}: runs"] = count
            figures[f"{what}: resumed to the bit"] = resumed
    return figures


def filled(mount: Path, steps: int) -> dict[str, int]:
    """The same on a real file system that is full but for more and more, and may have room later.

    Raises AssertionError where a file was damaged.
    """
    with saving_often(), tempfile.TemporaryDirectory() as elsewhere:
        reference, count, resumed = Path(elsewhere) / "reference", 0, 0
        wanted = trained(reference, steps).losses
        space = os.statvfs(mount)
        room, where, ballast = space.f_bavail * space.f_frsize, mount / "run", mount / "ballast"
        for left, relieved in itertools.product(range(0, room, GRAIN), (False, True)):
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                file.write(b"\0" * (room - left))
            try:
                told = trained(where, steps, relief=ballast if relieved else None)
                ballast.unlink(missing_ok=True)
                resumed += inspected(where, told, wanted, reference)
            except AssertionError as error:
                raise AssertionError(f"{left} bytes left: {error}") from error
            finally:
                ballast.unlink(missing_ok=True)
                shutil.rmtree(where, ignore_errors=True)
            count += 1
            if not (relieved or told.errors):
                break  # all of it has room
    return {"runs": count, "resumed to the bit": resumed}


def config_of(steps: int) -> RunConfig:
    return changed(get_preset("digits").config, max_steps=steps, autosave_seconds=0.001)


def trained(
    where: Path, steps: int, resume: bool = False, stop: int = 0, relief: Path | None = None
) -> Told:
    """Train, and listen. Half way `relief` is removed, to make room."""
    told, config = Told(), config_of(steps)
    controls = Controls(config.hyper)
    past = resume  # a run that is resumed tells its past first
    try:
        opening = Resume.at(where) if resume else New(config, where)
        with closing(run(opening, controls)) as records:
            for record in records:
                if isinstance(record, StepRecord):
                    told.losses.append(record.loss)
                    if record.step == stop and not past:
                        controls.stop()
                    if record.step == steps // 2 and relief is not None:
                        relief.unlink()
                elif isinstance(record, ResumedRecord):
                    past = False
                elif isinstance(record, CheckpointRecord | SavedRecord):
                    told.saved.append(record)
                elif isinstance(record, ErrorRecord):
                    told.errors.append(record.message)
    except LabError as error:  # it cannot begin, or says at its end what is lost
        told.errors.append(str(error))
    return told


def inspected(where: Path, told: Told, wanted: list[float], reference: Path) -> bool:
    """Whether there was a run to resume; nothing in it may be damaged, nothing said untrue."""
    assert told.losses in (wanted, []), "the training itself was touched"
    assert told.losses or told.errors, "it did not train, and did not say why"
    for name in ("config.json", "state.json"):
        if (where / name).exists():
            json.loads((where / name).read_text())
    if (where / "metrics.jsonl").exists():
        rows = read_metrics(where / "metrics.jsonl")
        steps = [r["loss"] for r in rows if r["record"] == "StepRecord"]
        assert steps == wanted[: len(steps)], "a line of the record is missing"
        assert len(steps) == len(wanted) or told.errors, "steps are not on record, which is unsaid"
    done = [r.step for r in told.saved if isinstance(r, SavedRecord)]
    if (where / "adapter").is_dir():
        same = alike(where / "adapter", reference / "adapter")  # raises where it is not whole
        assert same or len(wanted) not in done, "the adapter is not the one that was saved"
        assert same or told.errors, "the adapter is an old one, which is unsaid"
    else:
        assert not done, "an adapter was said to be saved, and is not there"
    tidy(where)  # as whoever resumes it does
    said = [r.step for r in told.saved if isinstance(r, CheckpointRecord)]
    if not listed(where):
        assert not said, "a checkpoint was said to be saved, and is not there"
        assert told.errors, "nothing was saved, which is unsaid"
        return False
    found = latest(where)
    assert found.path == listed(where)[-1][1], "a damaged checkpoint lies about"
    assert found.step >= max(said, default=0), "a checkpoint that was said to be saved is gone"
    assert found.step == len(wanted) or told.errors, "the end is not saved, which is unsaid"
    if found.step < len(wanted):
        again = trained(where, len(wanted), resume=True)
        assert again.losses == wanted, "the resumed run is another one"
        assert not again.errors, again.errors
        assert alike(where / "adapter", reference / "adapter"), "the resumed run ends elsewhere"
    return True


def alike(one: Path, other: Path) -> bool:
    """Whether two adapters are the same to the bit; raises LabError where one is damaged."""
    a, b = (FORMATS["peft"].load(path) for path in (one, other))
    pairs = zip(a.layers, b.layers, strict=True)
    return all(
        torch.equal(x.lora_A, y.lora_A) and torch.equal(x.lora_B, y.lora_B) for x, y in pairs
    )


@contextmanager
def saving_often() -> Iterator[None]:
    """Save whenever the last save is done, whatever share of the time that takes."""
    usual = autosave.TimeBudget
    autosave.TimeBudget = lambda share, interval: TimeBudget(1.0, interval)  # type: ignore[assignment, misc]
    try:
        yield
    finally:
        autosave.TimeBudget = usual  # type: ignore[misc]


@contextmanager
def refusing(first: int, under: Path, lasting: bool) -> Iterator[Callable[[], bool]]:
    """The `first` call that writes finds a full disk, and all later ones where that is `lasting`.

    Yields whether it came to that.
    """
    lock, seen = threading.Lock(), 0
    real = {name: getattr(os, name) for name in CALLS}

    def wrapped(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal seen
            elsewhere = isinstance(arguments[0], str | Path) and str(under) not in str(arguments[0])
            if not elsewhere:
                with lock:
                    seen += 1
                    full = seen >= first if lasting else seen == first
                if full:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real[name](*arguments, **named)

        return call

    for name in CALLS:
        setattr(os, name, wrapped(name))
    try:
        yield lambda: seen >= first
    finally:
        for name, function in real.items():
            setattr(os, name, function)


if __name__ == "__main__":
    main()
