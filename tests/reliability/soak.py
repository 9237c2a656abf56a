"""A run that is pushed about at random for half an hour, against a replay of its own record.

    python tests/reliability/soak.py [--minutes 30] [--seed 0] [--preset digits] [--folder FOLDER]

The session trains flat out in its thread while edits, pauses, saves, exports, switches of the
adapter, freezes and returns to earlier steps rain on it; now and then it is closed and resumed.
Afterwards a fresh run on the command line's own loop is told nothing but what metrics.jsonl says
was applied, at the step where it was, and must end with the very same losses and factors.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import torch

from lora_lab.config import changed, checked
from lora_lab.formats import FORMATS
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, ErrorRecord, State, StateRecord, StepRecord
from lora_lab.runs.metrics import read_metrics
from lora_lab.training.commands import Evaluate, Export, GoBack, MergePreview, Save
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New, Resume
from lora_lab.training.session import Session

STEPS = 1_000_000_000
ACTS_A_SECOND = 8


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="of training; the replay is more")
    parser.add_argument("--seed", type=int, default=0, help="of what is done and when")
    parser.add_argument("--preset", default="digits", help="what is trained")
    parser.add_argument("--folder", type=Path, help="new one that stays; none: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        figures = soak(folder, arguments.minutes, arguments.seed, arguments.preset)
    print(f"A soak of {arguments.minutes:g} minutes, seed {arguments.seed}:")
    for name, value in figures.items():
        print(f"  {name:<36} {value}")
    print("passed: the replay of its record ends with the same losses and factors, to the bit")


def soak(folder: Path, minutes: float, seed: int, preset: str = "digits") -> dict[str, Any]:
    """The figures; raises AssertionError where the replay is another run."""
    base = get_preset(preset).config
    config = changed(base, max_steps=STEPS, schedule="constant", autosave_seconds=1.0)
    acts, (early, late) = pushed_about(config, folder, minutes, seed)
    rows = read_metrics(folder / "run" / "metrics.jsonl")
    wanted = [(r["step"], r["loss"]) for r in rows if r["record"] == "StepRecord"]
    edits = [r for r in rows if r["record"] == "AppliedRecord" and r["changes"]]
    made = (folder / "run" / "metrics.jsonl").read_bytes().count(b'{"record":"StepRecord"')
    del rows
    assert [step for step, _ in wanted] == list(range(1, len(wanted) + 1)), "a step is missing"
    say(f"replaying {len(wanted):,} steps and {len(edits):,} edits")
    torch.set_num_threads(1)  # as the session had
    experiment, got = replayed(config, edits, len(wanted))
    first = next((a for a, b in zip(wanted, got, strict=True) if a != b), None)
    assert first is None, f"the replay is another run from step {first} on"
    saved, again = FORMATS["peft"].load(folder / "run" / "adapter"), experiment.weights()
    for kept, layer in zip(saved.layers, again.layers, strict=True):
        same = torch.equal(kept.lora_A, layer.lora_A) and torch.equal(kept.lora_B, layer.lora_B)
        assert same, f"the replay has other factors in {layer.name}"
    return {
        "steps made": f"{made:,}",
        "steps that hold": f"{len(wanted):,}",
        "edits that hold": f"{len(edits):,}",
        "last loss, of both": repr(wanted[-1][1]),
        "megabytes after a tenth and at the end": f"{early:.0f}, {late:.0f}",
        **{f"acts: {name}": count for name, count in sorted(acts.items())},
    }


def pushed_about(
    config: Any, folder: Path, minutes: float, seed: int
) -> tuple[Counter[str], tuple[float, float]]:
    """Do at random what a person may do, until the time is up.

    What was done how often, and the megabytes of the process after a tenth of the time and then.
    """
    clock, acts, early = random.Random(seed), Counter[str](), 0.0
    session = Session(New(config, folder / "run"), paused=False, threads=1)
    session.start()
    began, step, told = time.monotonic(), 0, 0
    while (spent := time.monotonic() - began) < 60 * minutes:
        time.sleep(clock.expovariate(ACTS_A_SECOND))
        for record in session.drain():
            if isinstance(record, StepRecord):
                step = record.step
            elif isinstance(record, AppliedRecord):
                acts["applied by the loop"] += 1
            elif isinstance(record, ErrorRecord):
                acts["refused by the loop"] += 1
                say(record.message)
            elif isinstance(record, StateRecord):
                assert record.state is not State.FAILED, record.message
        if spent > 60 * minutes / 10 and not early:
            early = resident()
        if spent // 60 > told:
            told = spent // 60
            say(f"{told:.0f} min: step {step:,}, {sum(acts.values()):,} acts, {resident():.0f} MB")
        if not step:
            continue
        if clock.random() < 0.005:
            acts["close and resume"] += 1
            session.close()
            session = Session(Resume.at(folder / "run"), paused=False, threads=1)
            session.start()
            step = 0
            continue
        act(clock, session.controls, step, folder, acts)
    session.close()
    assert not any(t.name.startswith("lora-lab") for t in threading.enumerate()), "a thread is left"
    return acts, (early, resident())


def act(
    clock: random.Random, controls: Controls, step: int, folder: Path, acts: Counter[str]
) -> None:
    """One thing that a person may do."""
    name = clock.choice([*EDITS, "pause", "pause", "save", "export", "evaluate", "merge", "back"])
    acts[name] += 1
    if name in EDITS:
        request = EDITS[name](clock, controls.hyper)
        controls.set_hyper(changed(controls.hyper, **request))
    elif name == "pause":
        controls.resume() if controls.paused else controls.pause()
    elif name == "save":
        controls.request(Save())
    elif name == "export":
        where = folder / f"export-{acts[name]}"
        form = clock.choice(["peft", "peft", "kohya"])
        controls.request(Export(str(where), form, component="unet" if form == "kohya" else ""))
    elif name == "evaluate":
        controls.request(Evaluate())
    elif name == "merge":
        controls.request(MergePreview())
    elif name == "back" and clock.random() < 0.3:
        acts["back, of these in earnest"] += 1
        controls.request(GoBack(max(1, step - clock.randrange(500))))
    if controls.paused and clock.random() < 0.5:
        controls.resume()


def resident() -> float:
    """Megabytes that this process has in memory."""
    return psutil.Process().memory_info().rss / 1e6


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {words}", file=sys.stderr, flush=True)


def replayed(
    config: Any, rows: list[dict[str, Any]], steps: int
) -> tuple[Experiment, list[tuple[int, float]]]:
    """A run that is left alone but for the edits of these `rows`, and its losses in order."""
    edits: dict[int, list[Hyperparameters]] = {}
    for row in rows:
        edits.setdefault(row["step"], []).append(checked(Hyperparameters, row["hyper"]))
    experiment, controls, found = Experiment.build(config), Controls(config.hyper), []
    waiting: list[Hyperparameters] = edits.pop(0, [])

    def next_edit() -> None:
        if waiting:
            controls.pause()  # until all that was applied here has been
            controls.set_hyper(waiting.pop(0))
        elif len(found) == steps:  # what was edited after the last step has been applied as well
            controls.stop()
        else:
            controls.resume()

    next_edit()
    for record in train(experiment, controls, serve_after_training=True):
        if isinstance(record, StepRecord):
            found.append((record.step, record.loss))
            if record.step == steps or record.step in edits:
                waiting = edits.pop(record.step, [])
                next_edit()
        elif isinstance(record, AppliedRecord):
            next_edit()
    return experiment, found


EDITS = {
    "rank": lambda clock, hyper: {"rank": clock.choice([1, 2, 3, 4, 6, 8, 12])},
    "alpha": lambda clock, hyper: {"alpha": clock.uniform(1, 16)},
    "keep": lambda clock, hyper: {"alpha_mode": clock.choice(["keep_function", "scale_effect"])},
    "rate": lambda clock, hyper: {"learning_rate": 10 ** clock.uniform(-4, -2.7)},
    "decay": lambda clock, hyper: {"weight_decay": clock.choice([0.0, 0.01, 0.1])},
    "dropout": lambda clock, hyper: {"dropout": clock.choice([0.0, 0.1, 0.3])},
    "switch": lambda clock, hyper: {"enabled": not hyper.enabled},
    "clip": lambda clock, hyper: {"max_grad_norm": clock.choice([None, 0.5, 1.0])},
    "freeze": lambda clock, hyper: {"frozen_layers": clock.choice([(), ("fc1",), ("fc2",)])},
    "own": lambda clock, hyper: {"layer_ranks": clock.choice([(), (("fc2", 5),)])},
}


if __name__ == "__main__":
    main()
