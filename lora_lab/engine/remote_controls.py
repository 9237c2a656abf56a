"""The controls of a session in another process: what is requested here is said there.

Each request has a number. What the engine says of settings and pause names the newest request that
it had heard, so that an answer to an older one undoes nothing that was asked for since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from lora_lab.engine.wire import pack_command, settings_of
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.commands import Command

COMMANDS = 1000  # that may be cancelled by what they are


class RemoteControls:
    """The face of `training.controls.Controls`; any thread may call it."""

    def __init__(
        self, hyper: Hyperparameters, paused: bool, say: Callable[[dict[str, Any]], None]
    ) -> None:
        """`say` carries a message to the engine, or drops it where there is none any more."""
        self._hyper, self._paused, self.say = hyper, paused, say
        self._number = 0
        self._commands: OrderedDict[int, Command] = OrderedDict()
        self._lock = threading.RLock()  # numbers go out in their order

    @property
    def hyper(self) -> Hyperparameters:
        return self._hyper

    @property
    def paused(self) -> bool:
        return self._paused

    def set_hyper(self, hyper: Hyperparameters) -> None:
        with self._lock:
            self._hyper = hyper
            self._ask("set", hyper=hyper.model_dump())

    def pause(self) -> None:
        with self._lock:
            self._paused = True
            self._ask("pause")

    def resume(self, further: int = 0) -> None:
        with self._lock:
            self._paused = False
            self._ask("resume", further=further)

    def finish(self) -> None:
        self._ask("finish")

    def request(self, command: Command) -> None:
        with self._lock:
            self._commands[self._number + 1] = command
            while len(self._commands) > COMMANDS:
                self._commands.popitem(last=False)
            self._ask("request", id=self._number + 1, command=pack_command(command))

    def cancel(self, command: Command) -> None:
        """This very command, not one that asks for the same."""
        with self._lock:
            for number, one in self._commands.items():
                if one is command:
                    self._ask("cancel", id=number)

    @property
    def skipping(self) -> bool:
        return False

    @skipping.setter
    def skipping(self, value: bool) -> None:
        if value:
            self._ask("skip")

    def stands(self, table: dict[str, Any]) -> None:
        """What the engine says of settings and pause; raises Strange."""
        hyper = settings_of(table.get("hyper"))
        with self._lock:
            if table.get("number") == self._number:  # it had heard all that was asked for here
                self._hyper = self._hyper if hyper == self._hyper else hyper
                self._paused = table.get("paused") is True

    def _ask(self, what: str, **more: Any) -> None:
        with self._lock:
            self._number += 1
            self.say({"do": what, "number": self._number, **more})
