"""Names of a run change places with links, pipes and devices while the lab opens them.

    python tests/reliability/swap_campaign.py [--seconds 5]

Another process exchanges a file of a run and a stranger without a pause, so that what was looked at
is often not what is opened. Each time the lab reads or writes its own file or refuses; it never
waits, and what lies elsewhere stays as it was. Needs Linux, whose kernel exchanges two names.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import LabError
from lora_lab.records import StepRecord
from lora_lab.runs.checkpoints import forget_after, latest, tidy, write_checkpoint
from lora_lab.runs.kept_states import NAME as KEPT
from lora_lab.runs.kept_states import KeptStates
from lora_lab.runs.listing import list_runs, set_label
from lora_lab.runs.lock import RunLock, is_live
from lora_lab.runs.metrics import MetricsFile, read_metrics
from lora_lab.runs.snapshots import kept_steps, read_snapshot, write_snapshot

# Two names are exchanged until the process is ended; -100 is AT_FDCWD, 2 is RENAME_EXCHANGE.
SWAP = """
import ctypes, os, sys
kernel, pair = ctypes.CDLL(None), [os.fsencode(name) for name in sys.argv[1:]]
print(kernel.renameat2(-100, pair[0], -100, pair[1], 2), flush=True)
while True:
    kernel.renameat2(-100, pair[0], -100, pair[1], 2)
"""
SLOWEST = 5.0  # seconds of one try on a busy machine; a pipe is waited for without end
OURS = "of somebody else"


def exchanges() -> bool:
    """Whether this system can exchange two names in one step."""
    return sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "renameat2")


def _lock(run: Path) -> None:
    lock = RunLock(run)
    lock.take()
    lock.release()


def _append(run: Path) -> None:
    file = MetricsFile(run / "metrics.jsonl")
    file.append([StepRecord(21, 1.0, 0.1, 0.1)])
    file.close()


def _keep(run: Path) -> None:
    kept = KeptStates(run, "key", 10**6)
    kept.put(os.urandom(16), b"x" * 8)
    kept.close()


def _save(run: Path) -> None:
    import torch

    write_checkpoint(run, time.time_ns() // 10**6 % 10**9, {"a": torch.ones(2)}, {})


def _snapshot(run: Path) -> None:
    import torch

    layer = LayerWeights("a", torch.ones(2, 3), torch.ones(3, 2), alpha=2.0, scaling=1.0)
    write_snapshot(run, 20, [layer])


def _listed(run: Path) -> None:
    assert len(list_runs(run.parent)) == 1


DOORS: tuple[tuple[str, str, Callable[[Path], object]], ...] = (
    ("config.json", "pipe", _listed),
    ("state.json", "device", _listed),
    ("label.json", "link", lambda run: set_label(run, "a", "b")),
    ("label.json", "second name", lambda run: set_label(run, "a", "b")),
    ("lock", "link", _lock),
    ("lock", "second name", _lock),
    ("lock", "second name", is_live),
    ("owner.json", "link", _lock),
    ("metrics.jsonl", "link", _append),
    ("metrics.jsonl", "second name", _append),
    ("metrics.jsonl", "pipe", _append),
    ("metrics.jsonl", "device", lambda run: read_metrics(run / "metrics.jsonl")),
    ("metrics.jsonl", "pipe", lambda run: read_metrics(run / "metrics.jsonl")),
    ("checkpoints", "folder", latest),
    ("checkpoints", "folder", _save),
    ("checkpoints", "folder", tidy),
    ("checkpoints", "folder", lambda run: forget_after(run, 0, 0)),
    ("snapshots", "folder", _snapshot),
    ("snapshots", "folder", lambda run: [read_snapshot(run, step, 99) for step in kept_steps(run)]),
    (KEPT, "link", _keep),
    (KEPT, "second name", _keep),
    (KEPT, "pipe", _keep),
)


def _stranger(kind: str, path: Path, home: Path) -> None:
    victim = home / "elsewhere" / "file"
    match kind:
        case "link":
            path.symlink_to(victim)
        case "second name":
            os.link(victim, path)
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.symlink_to(victim.parent)


def _elsewhere(home: Path) -> dict[str, str]:
    found = (path for path in (home / "elsewhere").rglob("*") if path.is_file())
    return {str(path): path.read_text("utf-8", "replace") for path in found}


def one(name: str, kind: str, work: Callable[[Path], object], seconds: float) -> Counter[str]:
    """What `work` came to on a run whose `name` is exchanged all the while."""
    from tests.runs.sample_run import write_sample

    with tempfile.TemporaryDirectory() as folder:
        home, found = Path(folder), Counter[str]()
        (home / "runs").mkdir()
        run = write_sample(home / "runs")
        for begin in (_save, _snapshot, _keep):
            begin(run)
        (home / "elsewhere" / "step-000000001").mkdir(parents=True)
        for path in ("file", "step-000000001/state.safetensors"):
            (home / "elsewhere" / path).write_text(OURS)
        before = _elsewhere(home)
        if not (run / name).exists():
            (run / name).touch()
        _stranger(kind, home / "stranger", home)
        command = [sys.executable, "-c", SWAP, str(run / name), str(home / "stranger")]
        swapping = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert swapping.stdout is not None
        assert swapping.stdout.readline() == b"0\n", "the names were not exchanged"
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until or not found:
                began = time.monotonic()
                try:
                    work(run)
                    found["done"] += 1
                except (LabError, OSError):
                    found["refused"] += 1
                assert time.monotonic() - began < SLOWEST, (name, kind)
        finally:
            swapping.kill()
            swapping.communicate()
        assert _elsewhere(home) == before, (name, kind)
        shutil.rmtree(run, ignore_errors=True)
    return found


def campaign(seconds: float) -> Counter[str]:
    """All doors, so many seconds each; how often they did their work, and how often they refused.

    Raises AssertionError where something else was written to, or was waited for.
    """
    total = Counter[str]()
    for name, kind, work in DOORS:
        total += one(name, kind, work, seconds)
    return total


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each door")
    print(dict(campaign(parser.parse_args().seconds)))
