"""A run that is pushed about at random for half an hour, against a replay of its own record.

    python tests/reliability/soak.py [--minutes 30] [--seed 0] [--preset digits]

The session trains flat out in its thread while edits, pauses, saves, exports, switches of the
adapter, freezes and returns to earlier steps rain on it. Afterwards a fresh run on the command
line's own loop is told nothing but what metrics.jsonl says was applied, at the step where it was,
and must end with the very same losses.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from lora_lab.config import Hyperparameters, changed, checked
from lora_lab.presets import get_preset
from lora_lab.records import AppliedRecord, ErrorRecord, State, StateRecord, StepRecord
from lora_lab.runs.metrics import read_metrics
from lora_lab.training.commands import Evaluate, Export, GoBack, MergePreview, Save
from lora_lab.training.controls import Controls
from lora_lab.training.session import Session

STEPS = 1_000_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", default="digits")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(soak(Path(folder), **vars(arguments))))


def soak(folder: Path, minutes: float, seed: int, preset: str = "digits") -> dict[str, Any]:
    """The figures; raises AssertionError where the replay is another run."""
    import torch

    base = get_preset(preset).config
    config = changed(base, max_steps=STEPS, schedule="constant", autosave_seconds=1.0)
    threads = torch.get_num_threads()
    acts = pushed_about(Session(config, paused=False, run_folder=folder / "run"), minutes, seed)
    rows = read_metrics(folder / "run" / "metrics.jsonl")
    wanted = [(r["step"], r["loss"]) for r in rows if r["record"] == "StepRecord"]
    assert [step for step, _ in wanted] == list(range(1, len(wanted) + 1)), "a step is missing"
    torch.set_num_threads(threads)
    got = replayed(config, rows, len(wanted))
    assert got == wanted, "the replay is another run"
    edits = sum(r["record"] == "AppliedRecord" and bool(r["changes"]) for r in rows)
    return {"minutes": minutes, "steps": len(wanted), "edits_that_hold": edits, "acts": dict(acts)}


def pushed_about(session: Session, minutes: float, seed: int) -> Counter[str]:
    """Do at random what a person may do, until the time is up; what was done how often."""
    clock, acts = random.Random(seed), Counter[str]()
    controls = session.controls
    folder = Path(str(session._run_folder)).parent
    session.start()
    ends, step = time.monotonic() + 60 * minutes, 0
    errors: list[str] = []
    while time.monotonic() < ends:
        time.sleep(clock.expovariate(8))
        for record in session.drain():
            if isinstance(record, StepRecord):
                step = record.step
            elif isinstance(record, AppliedRecord):
                acts["applied"] += 1
            elif isinstance(record, ErrorRecord):
                errors.append(record.message)
            elif isinstance(record, StateRecord):
                assert record.state is not State.FAILED, record.message
        if not step:
            continue
        act = clock.choice(
            [*EDITS, "pause", "pause", "save", "export", "evaluate", "merge", "back"]
        )
        acts[act] += 1
        if act in EDITS:
            wish = EDITS[act](clock, controls.hyper)
            controls.set_hyper(changed(controls.hyper, **wish))
        elif act == "pause":
            controls.resume() if controls.paused else controls.pause()
        elif act == "save":
            controls.request(Save())
        elif act == "export":
            where = folder / f"export-{acts[act]}"
            controls.request(Export(str(where), clock.choice(["peft", "peft", "kohya"])))
        elif act == "evaluate":
            controls.request(Evaluate())
        elif act == "merge":
            controls.request(MergePreview())
        elif act == "back" and clock.random() < 0.3:
            controls.request(GoBack(max(1, step - clock.randrange(2000))))
        if controls.paused and clock.random() < 0.5:
            controls.resume()
    session.close()
    assert not any(t.name.startswith("lora-lab") for t in threading.enumerate()), "a thread is left"
    acts["errors"] = len(errors)
    return acts


def replayed(config: Any, rows: list[dict[str, Any]], steps: int) -> list[tuple[int, float]]:
    """The losses of a run that is left alone but for what was applied, in order."""
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train

    edits: dict[int, list[Hyperparameters]] = {}
    for row in rows:
        if row["record"] == "AppliedRecord" and row["changes"]:
            hyper = checked(Hyperparameters, row["hyper"])
            edits.setdefault(row["step"], []).append(hyper)
    experiment, controls, found = Experiment(config), Controls(config.hyper), []
    waiting: list[Hyperparameters] = edits.pop(0, [])

    def next_edit() -> None:
        if waiting:
            controls.pause()  # until all that was applied here has been
            controls.set_hyper(waiting.pop(0))
        else:
            controls.resume()

    next_edit()
    for record in train(experiment, controls, linger=True):
        if isinstance(record, StepRecord):
            found.append((record.step, record.loss))
            if record.step == steps:
                controls.stop()
            elif record.step in edits:
                waiting = edits.pop(record.step)
                next_edit()
        elif isinstance(record, AppliedRecord):
            next_edit()
    return found


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
