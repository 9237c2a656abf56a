"""A sweep of this machine's queue on a cluster: sent, followed, stopped, restored.

Which job it is stands in a file beside the queue's, so that anybody who opens the queue again can
go on following it. The token does not.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lora_lab.atomic import write_file
from lora_lab.cluster.checking import lacking
from lora_lab.cluster.jobs import (
    SUCCEEDED,
    Cluster,
    ForgottenError,
    RefusedError,
    UnreachableError,
    checked_address,
)
from lora_lab.cluster.mirror import Mirror
from lora_lab.cluster.order import VARIABLE, Name, Order, check_runs, check_storage
from lora_lab.errors import LabError, not_written
from lora_lab.runs.inputs import with_whole_paths
from lora_lab.runs.own_files import Door, checked, read_table
from lora_lab.runs.queue import RUNNING, WAITING, Queue

FILE = "cluster.json"  # in the folder of the queue
COMMAND = "python -m lora_lab.cluster.driver"
SOON, LATE = 1.0, 10.0  # seconds between two questions
SIZE = 500_000  # bytes of a log that are worth another second of waiting


class CutOffError(LabError):
    """A job is over before its runs are, and another can go on where it was."""

    def __init__(self, words: str, way: str) -> None:
        """`way`: how a person goes on, at a shell."""
        super().__init__(f"{words} {way}")
        self.words = words


class Where(Door):
    """Which job a queue's runs are: cluster.json."""

    address: Annotated[str, Field(max_length=1000)]
    sweep: Name
    number: Annotated[int, Field(ge=1, lt=10_000)]  # of its jobs, the newest
    storage: Annotated[str, Field(max_length=4096)]
    cpus: Annotated[int, Field(ge=1, le=4096)]
    place: Annotated[str, Field(max_length=4096)] = ""  # of its files, on the cluster

    @property
    def job(self) -> str:
        return f"{self.sweep}-{self.number}"


def where(folder: Path) -> Where | None:
    """Where the runs of the queue in `folder` are trained; None: here. Raises LabError."""
    try:
        found = checked(Where, read_table(folder / FILE), folder / FILE)
    except FileNotFoundError:
        return None
    checked_address(found.address)  # the file may be somebody else's
    return found


class ClusterSweep:
    """One sweep, followed by one thread that calls `poll` when `wait` seconds have passed."""

    def __init__(self, queue: Queue, cluster: Cluster, known: Where) -> None:
        self._queue, self._cluster, self._known = queue, cluster, known
        self._mirror = Mirror(queue, known.sweep, cluster.address)
        self.wait, self.ended, self.trouble = SOON, False, ""

    @classmethod
    def send(cls, queue: Queue, cluster: Cluster, storage: str = "", cpus: int = 1) -> ClusterSweep:
        """Send the runs of a queue; raises LabError, and then nothing was sent."""
        check_storage(storage)
        check_runs([item.config for item in queue.items])
        cluster.check()
        id = f"{queue.folder.name}-{secrets.token_hex(3)}"
        sweep = cls(queue, cluster, Where(address=cluster.address, sweep=id, number=1,
                                          storage=storage, cpus=cpus))  # fmt: skip
        sweep._submit()
        return sweep

    @classmethod
    def attach(cls, queue: Queue, known: Where, cluster: Cluster) -> ClusterSweep:
        """Follow the job of a queue, at the head's present address; raises LabError."""
        cluster.check()
        sweep = cls(queue, cluster, known.model_copy(update={"address": cluster.address}))
        sweep._keep()
        return sweep

    @property
    def job(self) -> str:
        return self._known.job

    @property
    def complete(self) -> bool:
        """Whether every run has come to an end, and is known here."""
        return all(item.ended for item in self._queue.items)

    @property
    def words(self) -> str:
        """How it stands, in one line."""
        if not self._mirror.place:
            return self.trouble or f"{self.job} has not begun yet"
        return self.trouble or self._mirror.words

    def poll(self) -> None:
        """Ask once, and write down what is new. Raises LabError where it ended other than well.

        A head that does not answer is said in `trouble`, and asked again later.
        """
        try:
            job = self._cluster.look(self.job)  # before the log, which is whole then
            log = self._cluster.log(self.job)
        except ForgottenError:
            if self.complete:
                self.ended = True
                return
            self._let_wait()
            raise self._forgotten() from None
        except (UnreachableError, RefusedError) as error:
            self.trouble, self.wait = f"{error} Asking again.", min(LATE, 2 * self.wait)
            return
        self.trouble = ""
        new = self._mirror.take(log)
        self.wait = SOON + len(log) / SIZE if new else min(LATE, 1.5 * self.wait)
        if self._mirror.place and self._mirror.place != self._known.place:
            self._known = self._known.model_copy(update={"place": self._mirror.place})
            self._keep()
        if job.ended:
            self._finish(job.status, job.message, log)

    def stop(self) -> None:
        """End the job: what was saved of its runs stays, and `restore` continues them."""
        try:
            self._cluster.stop(self.job)
        except ForgottenError:
            raise self._forgotten() from None

    def restore(self) -> None:
        """Begin another job that goes on where the one before was cut off; raises LabError."""
        try:
            if not self._cluster.look(self.job).ended:
                raise LabError(f"{self.job} is still at work. Follow it, or stop it first.")
            self._known = self._known.model_copy(update={"number": self._known.number + 1})
        except ForgottenError:
            pass  # its id is free
        self._mirror.again()
        self.ended = False
        self._submit()

    def close(self) -> None:
        """Let go: the cluster goes on by itself."""
        self._mirror.close()

    def _submit(self) -> None:
        known = self._known
        runs = tuple((item.id, with_whole_paths(item.config)) for item in self._queue.items)
        order = Order(known.sweep, runs, known.storage, known.cpus)
        self._keep()
        about = {"lora_lab": order.version, "sweep": known.sweep}
        self._cluster.submit(known.job, COMMAND, {VARIABLE: order.written()}, about)

    def _keep(self) -> None:
        path = self._queue.folder / FILE
        try:
            write_file(path, json.dumps(self._known.model_dump(), indent=1).encode())
        except OSError as error:
            raise not_written(path, error) from error

    def _finish(self, status: str, message: str, log: str) -> None:
        self.ended = True
        self.close()
        if status == SUCCEEDED and self._mirror.complete:
            return
        self._let_wait()
        if self._mirror.refused:
            raise LabError(self._mirror.refused)
        if status == "STOPPED":
            return
        if words := lacking(log):
            raise LabError(words)
        line = message.strip().splitlines()[0] if message.strip() else status.lower()
        line = line.partition(", last available logs")[0].rstrip(".")[:300]  # Ray's, which follow
        raise CutOffError(f"The job {self.job} has ended early: {line}.", self._again("there"))

    def _let_wait(self) -> None:
        """The runs that were going wait for another job."""
        for item in self._queue.items:
            if item.state == RUNNING:
                self._queue.note(item.id, state=WAITING)

    def _forgotten(self) -> CutOffError:
        place = self._known.place
        files = (
            f"its files are in {place} there" if place else "it had not said where its files are"
        )
        return CutOffError(
            f"The cluster at {self._cluster.address} has forgotten the job {self.job}; {files}.",
            self._again("from them"),
        )

    def _again(self, how: str) -> str:
        folder = self._queue.folder
        return f"To go on {how}: lora-lab sweep --continue {folder} --restore"
