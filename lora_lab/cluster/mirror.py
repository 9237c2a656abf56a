"""What a job's log tells, written into run folders and the queue here, for all that reads those.

The folders are made from the log alone, each time anew: whoever looks again, after a window was
closed or a machine restarted, gets every row once. What was told by a cluster is what a stranger
says: names of files are never taken from it, and a row is read as one of any run's file is.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lora_lab.atomic import replace_folder, temporary_folder, write_file
from lora_lab.cluster.driver import ORDER
from lora_lab.cluster.relay import MARK
from lora_lab.cluster.trial import RUNS, Outcome
from lora_lab.errors import LabError, not_written, system_reason
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.grid import describe
from lora_lab.runs.listing import LABEL, METRICS, MIRROR, Summary, name_run, set_label, summary_of
from lora_lab.runs.own_files import open_own, plain_json, read_own
from lora_lab.runs.queue import DONE, FAILED, RUNNING, Item, Queue, new_folder, reached
from lora_lab.runs.row_shape import flaw, known
from lora_lab.runs.saves import resumable


class Mirror:
    """Follows one log; used by one thread. `close` it when nobody follows any more."""

    def __init__(self, queue: Queue, sweep: str, where: str) -> None:
        """`sweep`: the order's id; `where`: the cluster's address, for notes."""
        self._queue, self._sweep, self._where = queue, sweep, where
        self._at = 0
        self._runs: dict[str, _Run] = {}
        self.place, self.refused, self.complete, self.capped = "", "", False, False

    def take(self, log: str) -> bool:
        """Follow a log that has grown; whether anything was new. Raises LabError."""
        end = log.rfind("\n") + 1
        new, self._at = log[self._at : end], max(self._at, end)
        for line in new.splitlines():
            if line.startswith(MARK):
                try:
                    facts = plain_json(line[len(MARK) :].encode())
                except ValueError:
                    continue
                if isinstance(facts, dict):
                    self._take(facts)
        refused = None
        for id, run in self._runs.items():
            try:
                self._write(id, run)
            except LabError as error:  # one that cannot be written keeps no other from it
                refused = refused or error
        if refused is not None:
            raise refused
        return bool(new)

    def again(self) -> None:
        """Another job continues the sweep, with a log of its own."""
        self._at, self.refused, self.complete, self.capped = 0, "", False, False
        self.close()
        self._runs = {}

    def close(self) -> None:
        """Let go of the runs."""
        for run in self._runs.values():
            run.close()

    @property
    def words(self) -> str:
        """How it stands, in one line."""
        items = self._queue.items
        ended = sum(item.ended for item in items)
        going = [item for item in items if item.state == RUNNING]
        parts = [f"{ended} of {len(items)} ended", f"{len(going)} running"]
        for item in going[:3]:
            run = self._runs.get(item.id)
            best = f" loss {run.best:.4g}" if run and run.best < math.inf else ""
            parts.append(f"{describe(item.config)}: step {run.step if run else 0:,}{best}")
        if self.capped:
            parts.append("the job's log is full: what is new stands on the cluster alone")
        return " · ".join(parts)

    def _take(self, facts: dict[str, Any]) -> None:
        self.complete = self.complete or facts.get("complete") is True
        self.capped = self.capped or "capped" in facts
        for name in ("refused", "place"):
            if isinstance(value := facts.get(name), str):
                setattr(self, name, value[:4096])
        item = self._queue.find(str(facts.get("item")))
        if item is None:
            return
        run = self._runs.get(item.id)
        if run is None or (run.name != facts.get("run") and isinstance(facts.get("rows"), list)):
            if run is not None:  # it was begun anew over there
                run.close()
            run = self._runs[item.id] = _Run(item, str(facts.get("run")), self._where)
        if isinstance(rows := facts.get("rows"), list):
            run.add([row for row in rows if _is_sound(row)])
        if "state" in facts:
            run.told_end = facts

    def _write(self, id: str, run: _Run) -> None:
        """Write what a look has told of a run: once, however often it was begun anew or ended."""
        item = self._queue.find(id)
        if item is None:
            return
        if not run.begun:
            run.begin()
            self._queue.note(id, state=RUNNING, run=str(run.path), message="")
        run.flush()
        facts, run.told_end = run.told_end, None
        if facts is not None:
            self._ended(item, run, facts)
        if (item := self._queue.find(id)) is not None and not item.ended:
            self._queue.note(id, keep=False, **run.reached)

    def _ended(self, item: Item, run: _Run, facts: dict[str, Any]) -> None:
        try:
            outcome = Outcome.model_validate({k: facts.get(k) for k in Outcome.model_fields})
        except ValidationError:
            return
        run.end(facts.get("summary"))
        source = Path(self.place) / RUNS / outcome.run if self.place else None
        here = source is not None and self._is_here() and run.fetch(source)
        known: dict[str, Any] = {"run": ""}
        with suppress(LabError):  # it was never opened
            known = {"run": str(run.path), **reached(run.path)}
            if here:
                name_run(run.path, describe(item.config))
            elif source is not None and _unnoted(run.path, describe(item.config)):
                note = (
                    f"Trained on {self._where}; its checkpoints and adapter are in {source} there."
                )
                set_label(run.path, describe(item.config), note)
        state = FAILED if outcome.state == FAILED else DONE
        self._queue.note(item.id, state=state, message=outcome.message,
                         parameters=run.parameters, **known)  # fmt: skip

    def _is_here(self) -> bool:
        """Whether the cluster's folder can be seen from this machine: it holds our very order."""
        from lora_lab.cluster.order import Order

        if self.place.replace("\\", "/").startswith("//"):  # where Windows would ask that server
            return False
        try:
            order = Order.read(read_own(Path(self.place) / ORDER).decode())
        except (OSError, LabError, ValueError):
            return False
        return order.id == self._sweep and {id for id, _ in order.runs} == {
            item.id for item in self._queue.items
        }


class _Run:
    """The folder here of one run there."""

    def __init__(self, item: Item, name: str, where: str) -> None:
        self.name, self._where = name, where  # over there
        self.told_end: dict[str, Any] | None = None  # that is still to be written
        self.step, self.best, self.parameters = 0, math.inf, 0
        self._loss, self._seconds, self._state = math.nan, 0.0, "running"
        self._config, self._rows, self._goal = item.config, [], item.config.max_steps
        self.path = Path(item.run) if item.run else new_folder(item)
        self.begun = self._left_alone = False
        self._folder: RunFolder | None = None

    def begin(self) -> None:
        """Raises LabError where no folder can be made, or another process trains in it."""
        self._left_alone = resumable(self.path) is not None  # it is whole already, or goes on here
        if not self._left_alone:
            self._make()
        self.begun = True

    def _make(self) -> None:
        known = (self.path / METRICS).exists()
        folder = (
            RunFolder(self.path) if known else RunFolder.create(self.path.parent, self.path.name)
        )
        folder.lock()
        self._folder = folder
        try:
            write_file(self.path / MIRROR, json.dumps({"cluster": self._where}).encode())
            write_file(self.path / METRICS, b"")
        except OSError as error:
            raise not_written(self.path, error) from error
        folder.write_config(self._config)
        name_run(self.path, describe(self._config))

    def add(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            match row:
                case {"record": "StepRecord", "step": int(step), "loss": float(loss)}:
                    self.step, self._loss = step, loss
                    self._seconds = _number(row.get("seconds"), self._seconds)
                case {"record": "EvalRecord", "enabled": True, "loss": float(loss)}:
                    self.best = min(self.best, loss)
                case {"record": "CountsRecord", "adapter": int(count)} if 0 <= count < 2**53:
                    self.parameters = count
                case {"record": "LoadedRecord", "goal": int(goal)}:
                    self._goal = goal
                case {"record": "ResumedRecord", "step": int(step)}:
                    self.step = step
        self._rows += rows

    @property
    def reached(self) -> dict[str, Any]:
        """How far it is, as facts of its item."""
        best = self.best if self.best < math.inf else math.nan
        return {"step": self.step, "max_steps": self._goal or 0, "best": best,
                "parameters": self.parameters, "seconds": self._seconds}  # fmt: skip

    def flush(self) -> None:
        """Write what was added; raises LabError."""
        if self._folder is None or not self._rows:
            self._rows = []
            return
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in self._rows)
        self._rows = []
        try:
            fd = open_own(self.path / METRICS, os.O_WRONLY | os.O_APPEND)
            with open(fd, "ab") as file:
                file.write(text.encode())
        except OSError as error:
            raise not_written(self.path / METRICS, error) from error
        hyper = self._config.hyper
        self._folder.write_summary(
            state=self._state, step=self.step, max_steps=self._goal, loss=self._loss,
            best=self.best if self.best < math.inf else math.nan, seconds=self._seconds,
            hyper={"rank": hyper.rank, "alpha": hyper.alpha},
        )  # fmt: skip

    def end(self, summary: Any) -> None:
        """Write the last of it, with the run's own summary where it is one."""
        self.flush()
        if self._folder is not None and isinstance(summary, dict) and summary:
            try:
                told = Summary.model_validate(summary)
            except ValidationError:
                told = None
            if told is not None:
                self._folder.write_summary(**told.model_dump(exclude_none=True))
        self.close()

    def fetch(self, source: Path) -> bool:
        """Take the run as it lies in `source`, with checkpoints and adapter; whether it is here."""
        if self._left_alone:
            return True
        try:
            with temporary_folder(self.path) as folder:
                shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
                for name in ("lock", "owner.json", MIRROR):
                    (folder / name).unlink(missing_ok=True)
                if (self.path / LABEL).is_file():  # it may be a person's by now
                    shutil.copyfile(self.path / LABEL, folder / LABEL)
                replace_folder(folder, self.path)
        except (OSError, shutil.Error) as error:
            if not isinstance(error, shutil.Error) and not source.exists():
                return False  # it was never opened
            reason = system_reason(error)
            raise LabError(f"The run {source} was not copied to {self.path}: {reason}.") from error
        self._left_alone = True
        return True

    def close(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()


def _unnoted(run: Path, name: str) -> bool:
    """Whether nobody has named the run otherwise, or noted anything; raises LabError."""
    known = summary_of(run)
    return known.label in ("", name) and not known.note


def _is_sound(row: Any) -> bool:
    """Whether a row is as the lab writes them, with steps that a queue and a run can hold.

    What a newer lab there writes besides goes into the file, and nothing is made of it.
    """
    if not isinstance(row, dict):
        return False
    steps = (row.get(name) for name in ("step", "goal"))
    return all(step is None or (type(step) is int and 0 <= step < 2**53) for step in steps) and (
        not known(row) or not flaw(row)
    )


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else otherwise
