"""The runs of a queue without a window: one after another, each to its end, whatever its result.

A run that fails is noted and the next one begins. An interruption ends the current run at its step,
which is saved, and leaves it waiting: the next time it continues from there.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from lora_lab import inits, variants
from lora_lab.cli.headless import drive
from lora_lab.cli.interrupts import stop_on_signals
from lora_lab.cli.queue_apart import drive_apart
from lora_lab.config import RunConfig, changed
from lora_lab.device_name import first
from lora_lab.engine.places import live_place
from lora_lab.errors import Interrupted, LabError
from lora_lab.opening_records import TargetInfo
from lora_lab.runs.grid import describe
from lora_lab.runs.listing import name_run
from lora_lab.runs.queue import FAILED, RUNNING, WAITING, Item, Queue, new_folder, reached
from lora_lab.runs.searches import Searches
from lora_lab.training.opening import New, Resume


def layers_of(config: RunConfig) -> tuple[TargetInfo, ...]:
    """The layers of the model that `config` opens, with adapters of rank 1 as a probe.

    Raises LabError where it cannot be opened.
    """
    from lora_lab.training.experiment import Experiment

    hyper = changed(config.hyper, rank=1, layer_ranks=(), frozen_layers=())
    plain = {
        "variant": variants.PLAIN,
        "init": inits.PLAIN,
        "targets": (),
        "adapter": None,
        "device": first(config.device),
        "hyper": hyper.model_dump(),
    }
    return Experiment.build(changed(config, **plain)).loaded().adaptable


Wanted = Callable[[], str]  # what the queue is asked for by another: GIVE, STOP, or ""


def run_queue(
    queue: Queue, searches: Searches, console: Console, wanted: Wanted | None = None
) -> int:
    """Train every waiting item in order, and what the queue's searches choose behind them.

    With `wanted` each trains in a process of its own, until the queue is wanted elsewhere; one that
    does so already is followed. Returns the number of the signal that ended it early, or 0.

    A run that fails as the signal comes has failed, and the next one is not begun all the same.
    Raises LabError where the queue itself cannot be kept.
    """
    with stop_on_signals() as signals:
        _run_all(queue, searches, console, signals, wanted)
    return signals[0] if signals else 0


def _run_all(
    queue: Queue, searches: Searches, console: Console, signals: list[int], wanted: Wanted | None
) -> None:
    number, total = 0, len(queue.waiting) + searches.left
    while (
        not signals
        and not (wanted is not None and wanted())
        and (item := searches.next()) is not None
    ):
        number += 1
        console.print(f"run {number} of {total}: {describe(item.config)}")
        going, resumes = is_apart(item), item.resumes
        folder = Path(item.run) if going or resumes else new_folder(item)
        queue.note(item.id, state=RUNNING, run=str(folder), message="")
        parameters = item.parameters
        try:
            opening = Resume.at(folder) if resumes and not going else New(item.config, folder)
            searches.begin(item)
            if wanted is not None:
                state, parameters = drive_apart(opening, searches, signals, wanted)
            else:
                facts = drive(opening, console, signals=signals, unpromising=searches.unpromising)
                parameters = facts["parameters"]["adapter"]
                state = WAITING if facts["interrupted"] else searches.end_state
            message = ""
        except Interrupted as error:
            state, message = WAITING, ""
            console.print(str(error))
        except KeyboardInterrupt:  # a second signal, which did not wait for the step
            state, message = WAITING, ""
        except LabError as error:
            state, message = FAILED, str(error)
        except Exception as error:  # noqa: BLE001 - the runs behind it are not to blame
            console.print(traceback.format_exc())
            state, message = FAILED, f"{type(error).__name__}: {error}"
        if message:
            console.print(message, style="red")
        queue.note(
            item.id,
            state=state,
            message=message,
            parameters=parameters,
            **_reached(folder, describe(item.config)),
        )
        searches.tell(item.id)


def is_apart(item: Item) -> bool:
    """Whether it trains in a process of its own now."""
    return bool(item.run) and live_place(item.run) is not None


def _reached(folder: Path, name: str) -> dict[str, Any]:
    """How far the run in `folder` has come, as its own summary says; it is given a name."""
    try:
        facts = reached(folder)
        name_run(folder, name)
        return facts
    except LabError:  # it could not be opened, so there is none; or it is being opened
        return {"run": ""} if live_place(folder) is None else {}
