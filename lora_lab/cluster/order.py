"""What a cluster is asked to do: the runs of a sweep by their ids, and where they are kept."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import lora_lab
from lora_lab import paths
from lora_lab.config import RunConfig, checked
from lora_lab.errors import ConfigError, LabError
from lora_lab.names import shown
from lora_lab.runs.own_files import Door, plain_json
from lora_lab.runs.own_files import checked as door

VARIABLE = "LORA_LAB_ORDER"  # of the job's environment
MOST = 100_000  # bytes of it: the system lets no variable be much longer
GROWN = 2**24  # bytes of it unpacked; a thousand runs are 2 MB
ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
Name = Annotated[str, Field(pattern=ID)]


class Stored(Door):
    """An order as it is sent."""

    version: Annotated[str, Field(max_length=50)]
    id: Name
    runs: list[tuple[Name, dict[str, Any]]] = Field(min_length=1, max_length=1000)
    storage: Annotated[str, Field(max_length=4096)]
    cpus: Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True)
class Order:
    """The runs of one sweep. `storage`: a folder of the cluster; "": the lab's own over there."""

    id: str
    runs: tuple[tuple[str, RunConfig], ...]
    storage: str = ""
    cpus: int = 1  # of each run
    version: str = lora_lab.__version__

    @property
    def place(self) -> Path:
        """The folder of this sweep, on the cluster."""
        return (Path(self.storage) if self.storage else paths.user_data() / "cluster") / self.id

    def written(self) -> str:
        """It as a text for one variable; raises LabError where it is too long for that."""
        runs = [[name, config.model_dump(mode="json")] for name, config in self.runs]
        table = {"version": self.version, "id": self.id, "runs": runs, "storage": self.storage,
                 "cpus": self.cpus}  # fmt: skip
        # Ray replaces $NAME and ${NAME} in what a variable is to hold; these letters have none.
        text = base64.urlsafe_b64encode(zlib.compress(json.dumps(table).encode(), 9)).decode()
        if len(text) > MOST:
            raise LabError(
                f"The {len(runs):,} runs take {len(text):,} bytes to say, and a job is told "
                f"{MOST:,} at most. Send fewer of them at a time."
            )
        return text

    @classmethod
    def read(cls, text: str) -> Order:
        """What was written; raises LabError."""
        where = Path(VARIABLE)
        try:
            table = plain_json(_inflated(_bytes(text)))
            table["runs"] = [tuple(run) for run in table["runs"]]
        except (ValueError, TypeError, KeyError, zlib.error) as error:
            raise LabError(f"{VARIABLE} holds no order of the lab: {error}.") from error
        stored = door(Stored, table, where)
        runs = tuple(
            (name, checked(RunConfig, c, f"{VARIABLE}: {name}")) for name, c in stored.runs
        )
        return cls(stored.id, runs, stored.storage, stored.cpus, stored.version)


def _inflated(data: bytes) -> bytes:
    """No more of it than an order has; raises ValueError for what grows without end."""
    stream = zlib.decompressobj()
    found = stream.decompress(data, GROWN)
    if stream.unconsumed_tail:
        raise ValueError(f"it grows to over {GROWN:,} bytes")
    return found + stream.flush()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, b"-_", validate=True)
    except ValueError:
        return base64.b85decode(text)  # an order that an earlier lab left in its folder


def check_runs(configs: Sequence[RunConfig]) -> None:
    """Raises ConfigError for what cannot be asked of a cluster."""
    for config in configs:
        if config.device.startswith("cuda:"):
            raise ConfigError(f"Ray chooses the GPU of each run: name cuda as its device, not "
                              f"{config.device}.")  # fmt: skip


def check_storage(storage: str) -> None:
    """Raises ConfigError for a folder that cannot be named to another machine."""
    if storage and not (os.path.isabs(storage) and storage.isprintable()):
        raise ConfigError(
            f"A folder of the cluster is named by its whole path, which {shown(storage)} is not."
        )
