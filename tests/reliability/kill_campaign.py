"""kill -9 at random moments of a run, resumed until it is done, against one that was left alone.

    python tests/reliability/kill_campaign.py [--kills 100] [--steps 200000] [--seed 0]

The run saves every 50 ms, so that many of the kills fall into a save. After every kill the run must
open again, have lost no more than the interval (and what the disk takes), and in the end every loss
must be that of the run that was left alone, bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lora_lab.runs.checkpoints import latest, listed
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics

INTERVAL = 0.05
TRAIN = ("train", "--preset", "known-rank", "--rank", "4", "--alpha", "8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(campaign(Path(folder), **vars(arguments))))


def campaign(folder: Path, kills: int, steps: int, seed: int) -> dict[str, float]:
    """The figures; raises AssertionError where a run did not survive."""
    clock = random.Random(seed)
    reference, survivor = folder / "reference", folder / "survivor"
    finish(lab(folder, *TRAIN, "--steps", steps, "--out", reference))
    done, lost, killed = False, 0.0, 0
    process = lab(folder, *TRAIN, "--steps", steps, "--autosave", INTERVAL, "--out", survivor)
    while not done and killed < kills:
        if killed:
            process = lab(folder, "resume", survivor)
        before = (survivor / "metrics.jsonl").stat().st_size if killed else 0
        waited = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < waited:  # until it trains
            if listed(survivor) and (survivor / "metrics.jsonl").stat().st_size > before:
                break
            time.sleep(0.01)
        time.sleep(clock.uniform(0.0, 0.4))
        if process.poll() is not None:
            assert process.returncode == 0, process.args
            done = True
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        run = summary_of(survivor)
        assert run.interrupted, run
        found = latest(survivor)  # a whole one is always there
        seen = [r for r in read_metrics(survivor / "metrics.jsonl") if r["record"] == "StepRecord"]
        lost = max(lost, seen[-1]["seconds"] - found.facts["seconds"])
    if not done:
        finish(lab(folder, "resume", survivor))
    wanted, got = losses(reference), losses(survivor)
    assert got == wanted, "the resumed run is another one"
    return {"kills": killed, "steps": len(got), "lost_seconds": round(lost, 3)}


def lab(folder: Path, *arguments: object) -> subprocess.Popen[bytes]:
    settings = {**os.environ, "LORA_LAB_HOME": str(folder / "home")}
    with (folder / "lab.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "lora_lab", *map(str, arguments)],
            env=settings, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


def finish(process: subprocess.Popen[bytes]) -> None:
    assert process.wait(timeout=600) == 0, process.args


def losses(run: Path) -> list[tuple[int, float]]:
    records = read_metrics(run / "metrics.jsonl")
    return [(r["step"], r["loss"]) for r in records if r["record"] == "StepRecord"]


if __name__ == "__main__":
    main()
