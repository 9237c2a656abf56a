"""Queues, their searches and logs of clusters that once froze the lab, with who opens each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.reliability.hostile_inputs import Hostile


def lined_up(folder: Path, ask: bool = False) -> Any:
    """A queue with its searches, of which the next run may be asked for."""
    from lora_lab.runs.queue import Queue
    from lora_lab.runs.searches import Searches

    held = Queue(folder)
    try:
        searches = Searches(held)
        return searches.next() if ask else searches.left
    finally:
        held.close()


def suggested(folder: Path) -> Any:
    return lined_up(folder, ask=True)


def followed(path: Path) -> Any:
    """A cluster's log, of a sweep of one run."""
    from lora_lab.cluster.mirror import Mirror
    from lora_lab.presets import starting_config
    from lora_lab.runs.queue import Queue, new_item

    held = Queue(path.parent / "sweep")
    try:
        held.put_back([replace(new_item(starting_config("digits")), id="a")])
        mirror = Mirror(held, "sweep", "there")
        mirror.take(path.read_text())
        mirror.close()
    finally:
        held.close()


def searching(folder: Path, targets: list[list[str]], layers: int, name: str = "{}") -> None:
    """A queue with a search for these targets among so many layers."""
    known = [{"name": name.format(n), "kind": "linear", "shape": [1, 1], "all_linear": True}
             for n in range(layers)]  # fmt: skip
    plan = {"schema": 1, "base": {"task": "digits"}, "space": {"targets": targets, "rank": [1, 2]},
            "sampler": "random", "trials": 5, "pruner": "none", "adaptable": known}  # fmt: skip
    (folder / "searches" / "a").mkdir(parents=True)
    (folder / "searches" / "a" / "search.json").write_text(json.dumps(plan))


def ended(folder: Path, count: int, **facts: Any) -> None:
    """A queue of runs that have ended, beside a search."""
    searching(folder, [["1"]], 2)
    told = {"state": "done", "run": "", "max_steps": 0, "step": 0, "best": None, "parameters": 0,
            "seconds": 0.0, "message": "", "config": {"task": "digits"}, **facts}  # fmt: skip
    items = [{"id": f"{n:x}", **told} for n in range(count)]
    (folder / "queue.json").write_text(json.dumps({"schema": 1, "items": items}))


def never_told(folder: Path, count: int = 8000) -> None:
    """A search whose trials all go on by its journal, and have ended by the queue."""
    ended(folder, count, search="a")
    told = json.loads((folder / "queue.json").read_text())
    for number, item in enumerate(told["items"]):
        item["trial"] = number
    (folder / "queue.json").write_text(json.dumps(told))
    study = {"op_code": 0, "worker_id": "a", "study_name": "search", "directions": [1]}
    begun = {"op_code": 4, "worker_id": "a", "study_id": 0,
             "datetime_start": "2026-11-30T23:52:12+00:00"}  # fmt: skip
    lines = "\n".join(map(json.dumps, [study, *[begun] * count]))
    (folder / "searches" / "a" / "study.log").write_text(lines + "\n")


def waiting_for_one(folder: Path) -> None:
    """A queue whose runs all wait to go on in one folder, where nothing is a checkpoint."""
    from lora_lab import paths
    from tests.runs.sample_run import write_sample

    run = write_sample(paths.runs(), "one")
    for step in range(1, 201):
        (run / "checkpoints" / f"step-{step:09}" / "x").mkdir(parents=True)
    ended(folder, 1500, state="waiting", run=str(run))


def begun_anew(**facts: Any) -> Callable[[Path], Any]:
    """A log that tells of a run under another name in each line."""

    def write(path: Path) -> None:
        from lora_lab.cluster.relay import told

        lines = (told(item="a", run=f"r-{n}", rows=[], **facts) for n in range(3000))
        path.write_text("".join(lines))

    return write


def hostile_queues() -> dict[str, Hostile]:
    """Every input by its name."""
    searches = {
        "targets and layers of a queue": Hostile(
            lambda p: searching(p, [[str(n) for n in range(3000)]], 6000), suggested, ""),
        "targets of a queue that mean no layer": Hostile(
            lambda p: searching(p, [[f"x{n}"] for n in range(1000)], 20_000), suggested, ""),
        "long names of layers of a queue": Hostile(
            lambda p: searching(p, [["1"], ["x"], ["1", "x"]], 1500, "a." * 480 + "{}"),
            suggested, ""),
        "ended runs of a queue": Hostile(lambda p: ended(p, 30_000), lined_up, ""),
        "ended runs of a queue and its search": Hostile(
            lambda p: ended(p, 30_000, search="a", trial=0), lined_up, ""),
        "ends of a queue that its search was never told": Hostile(never_told, lined_up, ""),
        "ends of a queue that its search tells": Hostile(
            lambda p: never_told(p, 1800), suggested, ""),
        "one folder of all runs of a queue": Hostile(waiting_for_one, lined_up, ""),
    }  # fmt: skip
    return {name: Hostile(*case[:3], needs="optuna") for name, case in searches.items()} | {
        "runs begun anew.log": Hostile(begun_anew(), followed, ""),
        "runs that end.log": Hostile(begun_anew(state="failed", message=""), followed, ""),
    }  # fmt: skip
