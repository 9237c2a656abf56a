"""Session: the thread that owns model, adapters and optimizer from load to close.

The window holds a Session and never a tensor: requests go in through `controls`, records come out
through `drain()`. torch is imported by the thread, so that a window can be painted before it.
"""

from __future__ import annotations

import gc
import math
import os
import sys
import traceback
from collections.abc import Callable

from lora_lab.errors import Cancelled, LabError
from lora_lab.opening_records import OpeningRecord
from lora_lab.records import Record, State, StateRecord, StepRecord
from lora_lab.time_limit import Work, limited
from lora_lab.training.controls import Controls
from lora_lab.training.drained import Drained
from lora_lab.training.opening import Opening

WAITING_LIMIT = 50_000  # step records that may wait for a window that does not drain
PATIENCE = 1.0  # seconds in which an opening that is cancelled may end by itself


def threads_beside_a_person() -> int:
    """torch's, where somebody works at this machine: a core is theirs. Window and engine take the
    same, or the sums of a run that moves from one to the other would differ in their last bits."""
    return max(1, (os.cpu_count() or 2) - 1)


class Session(Drained):
    """One opened experiment on one thread; a new checkpoint or device is a new Session."""

    outlives = False  # it ends with its process

    def __init__(
        self,
        opening: Opening,
        *,
        paused: bool = True,
        threads: int | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`threads`: torch's; None: as they are. `wake` is called after each record but a step."""
        super().__init__("lora-lab-session")
        self.config = opening.config
        self.controls = Controls(self.config.hyper, paused=paused)
        self._opening = opening
        self._threads, self._wake = threads, wake
        self._save_at_end = True
        self._waiting_steps = 0
        self._opened: Work | None = None

    def request_close(self, save: bool = True) -> None:
        """Finish the step in hand, save what was trained, end; CLOSED is the last record."""
        self._save_at_end = save
        self.controls.stop()
        with self._lock:
            if self._state is State.LOADING and self._opened is not None:
                self._opened.end_in(PATIENCE)  # it may be in what reports nothing

    def _run(self) -> None:
        try:
            self._publish(StateRecord(State.LOADING, 0))
            with limited(math.inf, Cancelled) as self._opened:
                self._work()
        except Cancelled:
            pass  # as was asked for: CLOSED is all there is to say
        except LabError as error:
            self._publish(StateRecord(State.FAILED, self._step, str(error), traceback.format_exc()))
        except Exception as error:  # noqa: BLE001 - a failure of any kind becomes a record
            message = f"{type(error).__name__}: {error}"
            self._publish(StateRecord(State.FAILED, self._step, message, traceback.format_exc()))
        finally:
            self._publish(StateRecord(State.CLOSED, self._step))

    def _work(self) -> None:
        first = "torch" not in sys.modules
        import torch

        from lora_lab.training.parallel.launch import together
        from lora_lab.training.run import run

        if first:  # garbage collection through the libraries would hold the window up
            gc.freeze()
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        with together(self._opening.config, self._report) as group:
            for record in run(
                self._opening,
                self.controls,
                serve_after_training=True,
                save_at_end=lambda: self._save_at_end,
                report=self._report,
                group=group,
            ):
                self._publish(record)

    def _report(self, what: str, share: float) -> None:
        """Say how far the opening is, or call it off where a close was asked for."""
        if self.controls.stopping:
            raise Cancelled("Opening was cancelled.")
        self._publish(OpeningRecord(what, share))

    def _publish(self, record: Record) -> None:
        with self._lock:
            if isinstance(record, StepRecord):
                self._step = record.step
                self._waiting_steps += 1
                if self._waiting_steps > WAITING_LIMIT:
                    self._thin()
            elif isinstance(record, StateRecord):
                self._state = record.state
                if record.state is not State.LOADING and self._opened is not None:
                    self._opened.go_on()  # what has begun is saved, however long that takes
            self._records.append(record)
        if not isinstance(record, StepRecord):
            self._wake()

    def _taken(self) -> list[Record]:
        self._waiting_steps = 0
        return super()._taken()

    def _thin(self) -> None:
        """Drop every other waiting step record; the plot loses detail, metrics.jsonl does not."""
        keep = True
        thinned: list[Record] = []
        for record in self._records:
            if isinstance(record, StepRecord):
                keep = not keep
                if not keep:
                    continue
            thinned.append(record)
        self._records = thinned
        self._waiting_steps = sum(isinstance(record, StepRecord) for record in thinned)
