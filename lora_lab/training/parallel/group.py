"""Group: how the processes of one run speak, and how the gradients of their shares become one.

The first process keeps the run, and its controls, commands, measurements and saves are those of a
run in one process. Before each step it says by one small message what the step is; where anything
else has touched the adapter since the last one, an edit or what was put back, all of it is sent
first. Then every process computes its rows of the same batch, and one sum over all processes makes
their gradients that of the whole batch.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from lora_lab.config import changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.training.experiment import Experiment
from lora_lab.training.parallel.place import Place
from lora_lab.training.parallel.sent import pack
from lora_lab.training.parallel.sharding import shard
from lora_lab.training.saving.state import state_of

MEETING = timedelta(minutes=5)  # in which all processes are there
PATIENCE = timedelta(days=30)  # a run may pause for long; whoever dies is noticed at once
LOOPBACK = ("127.0.0.1", "localhost")
PIECE = 2**28  # bytes of one message
WORDS = 600  # bytes that a process may say of why it cannot take part


class Kind(IntEnum):
    """What the first process says to the others."""

    OPEN = 1
    STATE = 2
    STEP = 3
    END = 4
    GATHER = 5  # the block of that number, for what the first computes alone


class NotReady(LabError):
    """A process cannot open the run."""


class LostProcess(LabError):
    """A process of the run has ended, or cannot be reached."""


@dataclass(frozen=True)
class Message:
    """A word of the first process: with STEP the place in the data and the learning rate, with
    GATHER the number of a block."""

    kind: Kind
    taken: int = 0
    rate: float = 0.0
    payload: bytes = b""


@dataclass(frozen=True)
class Share:
    """What one process found on its rows: their mean loss, and what they count in the batch's."""

    loss: float
    weight: float


class Group:
    """The processes of one run, as one of them knows them."""

    def __init__(self, place: Place) -> None:
        """Meet the others; raises LabError where that is not possible."""
        self.place = place
        self.lost = False
        self._on_device: Any = None  # the group that sums there
        self._params: list[nn.Parameter] = []  # that all processes are known to have
        self._versions: list[int] = []
        self._hyper: Any = None
        self._blocks: list[Any] = []  # of a sharded base
        self._alone = place.number == 0  # whether what is computed now is so by this one alone
        if not dist.is_available():
            raise ConfigError("This build of torch has no torch.distributed. Train in one process.")
        near = place.meeting or os.environ.get("MASTER_ADDR") in LOOPBACK
        if sys.platform == "linux" and near:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # nobody else is to reach them
        try:
            if place.meeting:
                dist.init_process_group(
                    "gloo", f"file://{place.meeting}", MEETING, place.processes, place.number
                )
            else:
                dist.init_process_group("gloo", timeout=MEETING)
            self._talk = dist.new_group(backend="gloo", timeout=PATIENCE)
        except (RuntimeError, ValueError, TypeError, OverflowError) as error:
            raise LabError(
                f"The {place.processes} processes of this run did not meet: {_line(error)}. Look "
                "at the address and the port that torchrun was given."
            ) from error

    def close(self, tell: bool = False) -> None:
        """Leave; the first process may `tell` the others to end as well.

        In the middle of a step they do not listen: there this process's own end is theirs.
        """
        try:
            if tell and not self.lost and self._alone:
                self.tell(Kind.END)
        except LostProcess:
            pass  # they have ended already
        finally:
            dist.destroy_process_group()

    # -- the first process -----------------------------------------------------------------------

    def open(self, experiment: Experiment) -> None:
        """Let the others open the same run; raises LabError where one of them cannot."""
        config = experiment.config
        about = {
            "config": config.model_dump(mode="json"), "classes": list(config.classes),
            "rows": experiment.task.rows, "device": config.device, "command": sys.argv[1:],
            "base": experiment.base_fingerprint,
        }  # fmt: skip
        self.tell(Kind.OPEN, payload=json.dumps(about).encode())
        self.agree("", experiment)

    def begin_step(self, experiment: Experiment, rate: float) -> None:
        """Say what the step is, and before it what has changed but by steps."""
        if self._strayed(experiment):
            tensors, facts = state_of(experiment, best=False)
            self.tell(Kind.STATE, payload=pack(tensors, facts))
        self.tell(Kind.STEP, experiment.batches.taken, rate)
        self._alone = False
        for block in self._blocks:  # one may be whole still, of a measurement that was cancelled
            block.reshard()

    def end_step(self, experiment: Experiment) -> None:
        """All have made the step, so that they stand alike."""
        self._params = experiment.parameters()
        self._versions = [p._version for p in self._params]
        self._hyper = experiment.hyper

    def _strayed(self, experiment: Experiment) -> bool:
        hyper, params = experiment.hyper, experiment.parameters()
        if self._hyper is not hyper:
            if self._hyper is None:
                return True
            # The rate alone comes with every step, so that its slider moves nothing else.
            if changed(self._hyper, learning_rate=hyper.learning_rate) != hyper:
                return True
        if len(params) != len(self._params):
            return True
        known = zip(params, self._params, self._versions, strict=True)
        return any(p is not old or p._version != version for p, old, version in known)

    def tell(self, kind: Kind, taken: int = 0, rate: float = 0.0, payload: bytes = b"") -> None:
        (bits,) = struct.unpack("<q", struct.pack("<d", rate))
        with self.together():
            dist.broadcast(torch.tensor([kind, taken, bits, len(payload)]), 0, self._talk)
            for start in range(0, len(payload), PIECE):
                piece = bytearray(payload[start : start + PIECE])
                dist.broadcast(torch.frombuffer(piece, dtype=torch.uint8), 0, self._talk)

    # -- the others ------------------------------------------------------------------------------

    def hear(self) -> Message:
        """Wait for what the first process says."""
        head = torch.empty(4, dtype=torch.int64)
        with self.together():
            dist.broadcast(head, 0, self._talk)
            kind, taken, bits, size = head.tolist()
            payload = torch.empty(size, dtype=torch.uint8)
            for piece in payload.split(PIECE) if size else ():
                dist.broadcast(piece, 0, self._talk)
        (rate,) = struct.unpack("<d", struct.pack("<q", bits))
        return Message(Kind(kind), taken, rate, payload.numpy().tobytes())

    # -- all of them -----------------------------------------------------------------------------

    @contextmanager
    def gathering(self, block: int) -> Iterator[None]:
        """Within, a block of a sharded base is gathered; in a pass of all nobody need say so."""
        if self._alone:
            self.tell(Kind.GATHER, block)
        with self.together():
            yield

    def give(self, block: int) -> None:
        """This process's part of a block, which the first one needs."""
        self._blocks[block].unshard()
        self._blocks[block].reshard()

    def agree(self, problem: str, experiment: Experiment | None) -> None:
        """Wait until every process is ready; raises NotReady with the `problem` of one that is not.

        On the device of `experiment` gradients are summed from now on, and its base is sharded
        where that is asked for.
        """
        mine = problem.encode()[:WORDS].ljust(WORDS, b" ")
        said = [torch.empty(WORDS, dtype=torch.uint8) for _ in range(self.place.processes)]
        with self.together():
            own = torch.frombuffer(bytearray(mine), dtype=torch.uint8)
            dist.all_gather(said, own, self._talk)
        for number, words in enumerate(said):
            text = words.numpy().tobytes().decode(errors="ignore").strip()
            if text:
                raise NotReady(f"Process {number} of {self.place.processes}: {text}")
        assert experiment is not None, "or there was a problem"
        with self.together():
            if experiment.device.type == "cuda":
                self._on_device = dist.new_group(backend="nccl", timeout=PATIENCE)
        if experiment.config.shard_base:
            self._blocks = shard(
                experiment.model, experiment.layers, experiment.device,
                self._on_device or self._talk, self.gathering,
            )  # fmt: skip

    def summed(self, experiment: Experiment, share: Share | None) -> float | None:
        """The mean loss of the whole batch, with its gradient in every trained tensor.

        `share` is what this process found, None where memory was short; the answer is None where
        it was so in any process. The loss is not finite where that of a share is not. Raises
        LabError where no row of the batch counts, and LostProcess.
        """
        params = [p for p in experiment.parameters() if p.requires_grad]
        weight = share.weight if share else 0.0
        flat = _flat(params, share, weight, experiment.device)
        with self.together():
            if self._on_device is not None:  # NCCL waits for one that has ended, gloo does not
                dist.barrier(self._talk)
            dist.all_reduce(flat, group=self._on_device or self._talk)
        self._alone = self.place.number == 0
        loss, total, short = flat[-3:].tolist()
        if short:
            return None
        if not total:
            raise NoTargets
        flat /= total
        there = flat[-3 - len(params) : -3].tolist()
        start = 0
        for p, found in zip(params, there, strict=True):
            piece = flat[start : start + p.numel()]
            start += p.numel()
            p.grad = piece.view_as(p).to(p.dtype) if found else None
        return loss / total

    @contextmanager
    def together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # of gloo and NCCL: somebody has gone
            self.lost = True
            raise LostProcess(
                f"One of the {self.place.processes} processes of this run has ended or cannot be "
                f"reached, so the others end as well ({_line(error)})."
            ) from error


class NoTargets(LabError):
    """A step in which the loss looks at nothing."""

    def __init__(self) -> None:
        super().__init__(
            "No row of this step has a label token, so there is nothing to learn from. Raise the "
            "max length, look at the columns, or take more rows a step."
        )


def _flat(
    params: list[nn.Parameter], share: Share | None, weight: float, device: torch.device
) -> torch.Tensor:
    """One tensor of all gradients times `weight`; then who has one, and loss, weight, shortness.

    A share whose loss is not finite has no whole gradient: it says so by its loss alone.
    """
    wide = any(p.dtype == torch.float64 for p in params)
    dtype = torch.float64 if wide else torch.float32
    whole = share is not None and weight > 0 and math.isfinite(share.loss)
    parts = [
        (p.grad.to(dtype) * weight).flatten() if whole and p.grad is not None
        else torch.zeros(p.numel(), dtype=dtype, device=device)
        for p in params
    ]  # fmt: skip
    there = [float(whole and p.grad is not None) for p in params]
    loss = share.loss * weight if share and weight else 0.0
    tail = torch.tensor([*there, loss, weight, float(share is None)], dtype=dtype, device=device)
    return torch.cat([*parts, tail])


def _line(error: BaseException) -> str:
    """The first line of what a library says, without where in its source it says so."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rpartition("] ")[2][:200].rstrip(".")
