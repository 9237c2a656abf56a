"""Power cuts at any moment of a run's saving: whatever a disk may have kept of it, it opens.

    python tests/reliability/power_cut.py [--states 2000] [--resumed 50] [--seed 0]

A run is trained whose writes, syncs, renames and removals are recorded. Then the power is cut after
any of them, again and again: what was synced is on the disk, and of all else any part may be, in
any order, torn or as zeros where the length was kept and the bytes were not. Each disk that comes
of it is laid out in a folder. The run there must be listed, read and reported; a checkpoint that
was said to be saved must be there and whole, with every loss up to it on record; and those that are
resumed must end with the losses of the run that was left alone, bit for bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.formats import FORMATS
from lora_lab.records import (
    CheckpointRecord,
    ErrorRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.checkpoints import latest, tidy
from lora_lab.runs.listing import list_runs
from lora_lab.runs.metrics import read_metrics
from lora_lab.runs.report import report_of
from lora_lab.training.commands import GoBack
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New, Resume
from lora_lab.training.run import run
from tests.reliability.disk_campaign import alike, config_of, saving_often, trained
from tests.reliability.recorded_disk import Disk, recording

KINDS = ("nothing more", "names alone", "bytes alone", "any part", "all")


@dataclass
class Story:
    """A run that was recorded: its disk, and what it said after how many changes of it."""

    disk: Disk
    said: list[tuple[int, Record]]
    losses: dict[int, float]  # of each step that holds in the end


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--states", type=int, default=2000, help="of the disk, for each of the two runs"
    )
    parser.add_argument("--resumed", type=int, default=50, help="of these, resumed to the end")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        figures = campaign(Path(folder), **vars(arguments))
    print("Runs on a disk whose power was cut:")
    for name, value in figures.items():
        print(f"  {name:<44} {value:,}")
    print("passed: every run opened, and nothing that was said to be saved was lost")


def campaign(folder: Path, states: int, resumed: int, seed: int, steps: int = 24) -> dict[str, int]:
    """The figures; raises AssertionError where a run does not open or lost what it had saved."""
    chance, figures = random.Random(seed), {}
    for name, turns in (("left alone", False), ("edited and taken back", True)):
        with saving_often():
            story = recorded(folder / name / "whole", steps, turns)
            alone = folder / name / "whole" / "run"
            found = 0
            every = max(1, states // max(resumed, 1))
            for number in range(states):
                count = len(story.disk.changes)  # its end is tried more often
                at = count - chance.randrange(count if number % 4 else min(200, count))
                kind = KINDS[number % len(KINDS)]
                where = folder / name / "cut"
                shutil.rmtree(where, ignore_errors=True)
                story.disk.laid_out(at, where, kind, chance)
                try:
                    there = opened(where / "run", story, at)
                    if there and number % every == 0:
                        continued(where / "run", story, steps, alone, exact=not turns)
                        found += 1
                except (AssertionError, LabError) as error:
                    error.add_note(f"{name}: power cut at change {at}, {kind}, seed {seed}")
                    raise
        figures |= {f"{name}: changes of the disk": len(story.disk.changes),
                    f"{name}: states that opened": states,
                    f"{name}: resumed": found}  # fmt: skip
    return figures


def recorded(parent: Path, steps: int, turns: bool) -> Story:
    """Train in `parent`/run; with `turns` its rank is moved, and the run taken back once."""
    parent.mkdir(parents=True)
    config = config_of(steps)
    controls = Controls(config.hyper)
    said: list[tuple[int, Record]] = []
    losses: dict[int, float] = {}
    requests: dict[int, Callable[[], None]] = {}
    if turns:
        requests = {
            steps // 3: lambda: controls.set_hyper(changed(config.hyper, rank=2)),
            2 * steps // 3: lambda: controls.request(GoBack(steps // 3, before_edit=True)),
        }
    with recording(parent) as disk, closing(run(New(config, parent / "run"), controls)) as records:
        for record in records:
            if isinstance(record, StepRecord):
                losses[record.step] = record.loss
                requests.pop(record.step, lambda: None)()
            elif isinstance(record, CheckpointRecord | SavedRecord | ResumedRecord):
                said.append((len(disk.changes), record))
            elif isinstance(record, StateRecord) and record.state is State.PAUSED:
                controls.resume()  # it waits once it was taken back
            assert not isinstance(record, ErrorRecord), record
    return Story(disk, said, losses)


def opened(path: Path, story: Story, at: int) -> bool:
    """Whether there is a run to resume, after a power cut at a change of the disk."""
    said = [record for moment, record in story.said if moment <= at]
    saved = 0
    for record in said:  # what a run is taken back from counts no more
        back = isinstance(record, ResumedRecord)
        saved = record.step if back else max(saved, record.step)
    coming = next((record for moment, record in story.said if moment > at), None)
    if isinstance(coming, ResumedRecord):  # it is being taken back
        saved = min(saved, coming.step)
    runs = list_runs(path.parent)
    if not runs:
        assert not said, f"step {saved} was said to be saved, and no run is listed"
        return False
    (about,) = runs
    assert not about.flaw, about.flaw
    if about.state == "finished":
        assert FORMATS["peft"].load(path / "adapter").layers
        assert about.step == latest(path).step == about.max_steps
    recorded = (path / "metrics.jsonl").exists()
    rows = read_metrics(path / "metrics.jsonl") if recorded else []
    with nothing_of(saved):
        assert "<html" in report_of(path)
    Resume.at(path)
    tidy(path)  # as whoever resumes it does
    checkpoint = None
    with nothing_of(saved):
        checkpoint = latest(path)
    if checkpoint is None:
        return False
    assert checkpoint.step >= saved, f"{checkpoint.step} is here, and {saved} was said to be saved"
    steps = [row["step"] for row in rows if row["record"] == "StepRecord"]
    known = [step for step in steps if step <= checkpoint.step]
    assert known == list(range(1, checkpoint.step + 1)), f"{known} on record at {checkpoint.step}"
    if any(isinstance(record, SavedRecord) for record in said):
        assert FORMATS["peft"].load(path / "adapter").layers
    return True


@contextmanager
def nothing_of(saved: int) -> Iterator[None]:
    """The lab may refuse, as long as nothing was said to be saved."""
    try:
        yield
    except LabError as error:
        if saved:
            raise AssertionError(f"step {saved} was said to be saved, and: {error}") from error


def continued(path: Path, story: Story, steps: int, alone: Path, exact: bool) -> None:
    """Resume a run to its end; `exact`: to the very losses and factors of the one left alone."""
    done = latest(path).step
    told = trained(path, steps, resume=True) if done < steps else None
    assert told is None or not told.errors, told
    rows = read_metrics(path / "metrics.jsonl")
    got = {row["step"]: row["loss"] for row in rows if row["record"] == "StepRecord"}
    assert sorted(got) == list(range(1, steps + 1)), sorted(got)
    if exact and told is not None:
        assert got == story.losses, "the resumed run is another one"
        assert alike(path / "adapter", alone / "adapter"), "it ends with other factors"


if __name__ == "__main__":
    main()
