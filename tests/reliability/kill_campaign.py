"""kill -9 at random moments of a run, resumed until it is done, against one that was left alone.

    python tests/reliability/kill_campaign.py [--kills 100] [--steps 200000] [--interval 0.05]

Each process is forked from one that has the libraries loaded, so that a kill takes no longer than a
second. The run saves every 50 ms, so that many of the kills fall into a save; `--interval 5` is
what a run does by itself. After every kill the run must open again, have lost no more than the
interval (or 5 seconds where that is shorter than what a busy disk takes), and in the end every loss
and every factor must be that of the run that was left alone, bit for bit.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from lora_lab.__main__ import main as main_of_the_lab
from lora_lab.formats import FORMATS
from lora_lab.runs.checkpoints import STATE, latest, listed
from lora_lab.runs.listing import summary_of
from lora_lab.runs.metrics import read_metrics

INTERVAL = 0.05  # seconds between two saves
DISK = 5.0  # seconds that a machine may take for a save that is busy with other things
LOADING = 600  # seconds until it trains
LONGEST = 0.4, 1.2  # seconds of training until it is killed at the latest, and in intervals
CONTEXT = multiprocessing.get_context("forkserver")
TRAIN = ("train", "--preset", "known-rank", "--rank", "4", "--alpha", "8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100, help="at most, if the run lasts")
    parser.add_argument("--steps", type=int, default=200_000, help="of the run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--interval", type=float, default=INTERVAL, help="seconds between saves")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = campaign(Path(folder), **vars(arguments))
    print(f"A run that was killed and resumed, seed {arguments.seed}:")
    for name, value in figures.items():
        print(f"  {name:<44} {value}")
    print("passed: every loss and every factor is that of the run that was left alone")


def campaign(
    folder: Path, kills: int, steps: int, seed: int, interval: float = INTERVAL
) -> dict[str, Any]:
    """The figures; raises AssertionError where a run did not survive."""
    clock = random.Random(seed)
    longest = max(LONGEST[0], LONGEST[1] * interval)
    reference, survivor = folder / "reference", folder / "survivor"
    finish(lab(folder, *TRAIN, "--steps", steps, "--out", reference))
    done, lost, killed, saving = False, [], 0, 0
    process = lab(folder, *TRAIN, "--steps", steps, "--autosave", interval, "--out", survivor)
    while killed < kills:
        if killed:
            process = lab(folder, "resume", survivor)
        wait_for_training(process, survivor)
        time.sleep(clock.uniform(0.0, longest))
        if process.exitcode is not None:
            assert process.exitcode == 0, (folder / "lab.log").read_text()[-2000:]
            done = True
            break
        process.kill()
        process.join()
        killed, now = killed + 1, time.time()
        about = summary_of(survivor)
        if done := about.state == "finished":  # in its very last moment
            break
        assert about.interrupted, about
        found = latest(survivor)  # a whole one is always there
        lost.append(now - (found.path / STATE).stat().st_mtime)
        assert lost[-1] <= max(interval, DISK), f"{lost[-1]:.2f} s were lost at kill {killed}"
        saving += any(path.name.endswith(".tmp") for path in (survivor / "checkpoints").iterdir())
    if not done:
        finish(lab(folder, "resume", survivor))
    wanted, got = losses(reference), losses(survivor)
    assert [step for step, _ in got] == list(range(1, steps + 1)), "a step is missing"
    assert got == wanted, "the resumed run is another one"
    a, b = (FORMATS["peft"].load(run / "adapter").layers for run in (reference, survivor))
    pairs = zip(a, b, strict=True)
    same = all((x.lora_A == y.lora_A).all() and (x.lora_B == y.lora_B).all() for x, y in pairs)
    assert same, "the resumed run ends with other factors"
    return {
        "kills": killed,
        "of these in the middle of a save": saving,
        "steps": f"{len(got):,}",
        "seconds lost, in the middle": f"{statistics.median(lost):.3f}",
        "seconds lost, at most": f"{max(lost):.3f}",
    }


def wait_for_training(process: BaseProcess, run: Path) -> None:
    """Until it makes steps, the first of which it saves at once; a busy machine loads slowly."""
    before, until = listed(run), time.monotonic() + LOADING
    while process.exitcode is None:
        if (now := listed(run)) and now != before:
            return
        assert time.monotonic() < until, f"it did not train within {LOADING} s"
        time.sleep(0.01)


def lab(folder: Path, *arguments: object) -> BaseProcess:
    os.environ |= {"LORA_LAB_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    CONTEXT.set_forkserver_preload(["lora_lab.cli.headless", "lora_lab.tasks.known_rank"])
    process = CONTEXT.Process(target=work, args=(folder / "lab.log", [*map(str, arguments)]))
    process.start()
    return process


def work(log: Path, arguments: list[str]) -> None:
    """The command line of its own process."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    sys.argv = ["lora-lab", *arguments]
    main_of_the_lab()


def finish(process: BaseProcess) -> None:
    process.join(timeout=900)
    assert process.exitcode == 0, process


def losses(run: Path) -> list[tuple[int, float]]:
    records = read_metrics(run / "metrics.jsonl")
    return [(r["step"], r["loss"]) for r in records if r["record"] == "StepRecord"]


if __name__ == "__main__":
    main()
