"""What happens in the runs, told line by line in the job's log: the cluster's end of the wire.

Ray gives a log whole each time it is asked for, so a run has a share of it that grows with its
steps: of losses and spectra as many rows pass as fit into that, evenly over the run.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_lab.cluster.order import Order
from lora_lab.cluster.trial import GOING, RUNS, Outcome, outcome_of
from lora_lab.errors import LabError
from lora_lab.runs.lines import open_lines, parsed, whole_lines
from lora_lab.runs.listing import METRICS, SUMMARY
from lora_lab.runs.own_files import read_table

MARK = "@lora-lab "  # before what is told; whatever else stands in a log is let go
ROWS = 1_000_000  # bytes of all rows that come by the thousand
FULL = 8_000_000  # bytes of all that is told; after that only ends are
SHARES = {"StepRecord": 0.5, "SpectrumRecord": 0.35, "PaceRecord": 0.15}
UNTOLD = {"CheckpointRecord", "SavedRecord"}  # of files that are not where the rows go
LINE = 100_000  # bytes of rows in one line, about


def told(**facts: Any) -> str:
    """A line of the log."""
    return MARK + json.dumps(facts, separators=(",", ":")) + "\n"


class Relay:
    """Looks into the folders of an order's runs, and tells what is new."""

    def __init__(self, order: Order, write: Callable[[str], object]) -> None:
        self._order, self._write = order, write
        share = ROWS / len(order.runs)
        self._tails = {id: _Tail(config.max_steps, share) for id, config in order.runs}
        self._sent, self._capped = 0, False
        self._ended: set[str] = set()

    def look(self) -> None:
        """Tell what is new since the last time."""
        for id, _ in self._order.runs:
            if id in self._ended:
                continue
            try:
                outcome = outcome_of(self._order.place, id)
            except LabError:  # a shared disk may be away for a moment
                continue
            if outcome is not None:
                self._tell(id, outcome)

    def fail(self, id: str, message: str) -> None:
        """Tell that a run is given up, unless its end was told."""
        if id not in self._ended:
            try:
                known = outcome_of(self._order.place, id)
            except LabError as error:
                known, message = None, str(error)
            run = known.run if known else f"{id}-0"
            self._tell(id, Outcome(run=run, state="failed", message=message[:10_000]))

    def _tell(self, id: str, outcome: Outcome) -> None:
        folder = self._order.place / RUNS / outcome.run
        ended = outcome.state != GOING
        rows = deque(self._tails[id].new(folder, ended))
        while rows and not self._capped:
            part, size = [], 0
            while rows and size < LINE:
                size += len(rows[0])
                part.append(json.loads(rows.popleft()))
            self._say(told(item=id, run=outcome.run, rows=part))
        if ended:
            self._ended.add(id)
            facts = outcome.model_dump() | {"summary": _summary(folder)}
            self._write(told(item=id, **facts))

    def _say(self, line: str) -> None:
        self._sent += len(line)
        if self._sent > FULL:
            self._capped = True
            line = told(capped=str(self._order.place))
        self._write(line)


class _Tail:
    """The rows of one run, from where they were read to last."""

    def __init__(self, goal: int, share: float) -> None:
        self._goal, self._share = goal, share
        self._run, self._at = "", 0
        self._spent = dict.fromkeys(SHARES, 0)
        self._held: dict[str, bytes] = {}  # the newest of its kind that found no room

    def new(self, folder: Path, ended: bool) -> list[bytes]:
        """What passes of the whole lines that were written since; at the end the last of each."""
        if folder.name != self._run:
            self._run, self._at = folder.name, 0
        rows: list[bytes] = []
        try:
            with open_lines(folder / METRICS) as file:
                file.seek(self._at)
                for raw in whole_lines(file):
                    self._at += len(raw)
                    if self._passes(raw):
                        rows.append(raw)
        except OSError:
            return []  # not there yet, or not to be read now
        if ended:
            rows += self._held.values()
            self._held.clear()
        return rows

    def _passes(self, raw: bytes) -> bool:
        row = parsed(raw)
        kind = row.get("record") if row else None
        if row is None or not isinstance(kind, str) or kind in UNTOLD:
            return False
        if kind == "LoadedRecord" and isinstance(row.get("goal"), int):
            self._goal = max(1, row["goal"])
        if kind == "StateRecord" and row.get("goal"):
            self._goal = max(1, row["goal"])
        if kind not in SHARES:
            return True
        room = self._share * SHARES[kind] * min(1.0, row.get("step", 0) / self._goal)
        if self._spent[kind] + len(raw) > room:
            self._held[kind] = raw
            return False
        self._held.pop(kind, None)
        self._spent[kind] += len(raw)
        return True


def _summary(folder: Path) -> dict[str, Any]:
    """How far the run in a folder is, by its own word; {} where it has none."""
    try:
        return read_table(folder / SUMMARY)
    except (OSError, LabError):
        return {}
