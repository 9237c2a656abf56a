"""Which of several processes this one is, as torchrun says by the environment; torch-free."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lora_lab.device_name import KINDS, split
from lora_lab.errors import ConfigError

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    """One of `processes`; the first, number 0, keeps the run."""

    number: int
    processes: int
    local: int  # its number on its own machine: that of its device
    meeting: str = ""  # the file by which those that one process has started find each other

    def device(self, name: str) -> str:
        """The device of this process for the run's device `name`; raises ConfigError."""
        processes, kind = split(name)
        if processes not in (1, self.processes):
            raise ConfigError(
                f"torchrun has started {self.processes} processes, and the device {name} is "
                f"{processes} of them. Leave that to torchrun: --device {kind}."
            )
        if kind not in KINDS:
            raise ConfigError(
                f"Each of {self.processes} processes takes a device of its own, so --device names "
                f"none of them: give {' or '.join(KINDS)}, not {name}."
            )
        return f"cuda:{self.local}" if kind == "cuda" else kind


def place_here() -> Place | None:
    """This process among those of one run; None where it is the only one. Raises ConfigError."""
    if not all(os.environ.get(name) for name in NEEDED):
        return None
    try:
        number, processes = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local = int(os.environ.get("LOCAL_RANK", "0"))
    except ValueError as error:
        raise ConfigError(
            f"RANK, WORLD_SIZE and LOCAL_RANK of the environment are no numbers: {error}."
        ) from None
    if not 0 <= number < processes:
        raise ConfigError(f"RANK {number} is not below WORLD_SIZE {processes}.")
    return Place(number, processes, local) if processes > 1 else None
