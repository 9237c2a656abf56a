"""The door into the engine: requests go in as one frozen snapshot, commands as a queue.

Any thread may call these; the loop reads them once per step. A dragged slider replaces the snapshot
many times between two steps and only the newest is applied; commands are never dropped.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from lora_lab.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    from lora_lab.training.commands import Command


class Controls:
    """What the person requests: hyperparameters, pause, stop, and commands between two steps."""

    def __init__(self, hyper: Hyperparameters, *, paused: bool = False) -> None:
        self._hyper = hyper
        self._paused = paused
        self._finishing = False
        self._stopping = False
        self._further = 0  # steps that training on after the end is to make
        self.skipping = False  # what is measured before the first step is to be left out
        self._cancelled: list[Command] = []
        self._commands: deque[tuple[Command, Hyperparameters]] = deque()
        self._news = threading.Condition()

    @property
    def hyper(self) -> Hyperparameters:
        """The newest snapshot; compare with `is` to see whether it changed."""
        return self._hyper

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def stopping(self) -> bool:
        return self._stopping

    def set_hyper(self, hyper: Hyperparameters) -> None:
        with self._news:
            self._hyper = hyper
            self._news.notify()

    def settle(self, requested: Hyperparameters, applied: Hyperparameters) -> None:
        """Replace what was requested by what became of it, unless newer settings have come."""
        with self._news:
            if self._hyper is requested:
                self._hyper = applied

    def request(self, command: Command) -> None:
        """Queue a command; it runs on the session thread between two steps, paused or not."""
        with self._news:
            self._commands.append((command, self._hyper))
            self._news.notify()

    def cancel(self, command: Command) -> None:
        """End this very command, which was requested, where it can be left next."""
        self._cancelled.append(command)

    def is_cancelled(self, command: Command) -> bool:
        """Whether just this command is to end, not one that asks for the same."""
        return any(command is one for one in self._cancelled)

    def pause(self) -> None:
        with self._news:
            self._paused = True
            self._news.notify()

    def resume(self, further: int = 0) -> None:
        """Go on training; after the last step for `further` steps, 0: as many as the run's own."""
        with self._news:
            self._paused, self._further = False, further
            self._news.notify()

    def take_further(self) -> int:
        """How many steps were asked for beyond the end, 0: none were named; once."""
        further, self._further = self._further, 0
        return further

    def finish(self) -> None:
        """End the run at the step in hand; the model stays loaded, and `resume` trains on."""
        with self._news:
            self._finishing = True
            self._news.notify()

    def take_finish(self) -> bool:
        """Whether the end of the run was asked for since this was asked last."""
        if not self._finishing:
            return False
        self._finishing = False
        return True

    def stop(self) -> None:
        """Finish the step in hand, then leave the loop."""
        with self._news:
            self._stopping = True
            self._news.notify()

    def take_commands(self) -> list[tuple[Command, Hyperparameters]]:
        """What was asked for since, each with the newest snapshot of when it was asked."""
        if not self._commands:  # read without the lock: a step must not pay for it
            return []
        with self._news:
            taken = list(self._commands)
            self._commands.clear()
            return taken

    def anything_new(self, applied: Hyperparameters, *, paused: bool) -> bool:
        """Whether something was requested that should not wait for a long measurement."""
        return (
            self._stopping
            or self._finishing
            or bool(self._commands)
            or self._hyper is not applied
            or self._paused is not paused
        )

    def wait_for_turn(self, applied: Hyperparameters, *, resting: bool) -> bool:
        """Sleep while paused and nothing is asked for; False once stop is asked.

        `resting`: the loop has said that it pauses; before that there is no sleep. While paused
        this still returns True for a new snapshot or a command, so that edits and exports are
        served with the model loaded.
        """
        if not (self._paused and resting):
            return not self._stopping
        with self._news:
            self._news.wait_for(
                lambda: (
                    self._stopping
                    or not self._paused
                    or self._finishing
                    or bool(self._commands)
                    or self._hyper is not applied
                )
            )
            return not self._stopping
