"""What config.json of a run says: its settings, where it comes from, and what it was begun with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from lora_lab.config import Origin, RunConfig, checked
from lora_lab.errors import ConfigError, LabError
from lora_lab.runs.listing import CONFIG, Parent
from lora_lab.runs.own_files import Door, read_table
from lora_lab.runs.own_files import checked as door


class Beside(Door):
    """What config.json says beside the settings."""

    started: Annotated[str, Field(max_length=100)] = ""
    versions: dict[str, str | None] = Field({}, max_length=100)
    base_fingerprint: str = ""
    data_fingerprint: str = ""
    inputs: dict[str, str] | None = None


@dataclass(frozen=True)
class SavedConfig:
    """It is written when the run is begun, and read once by whoever opens it again."""

    config: RunConfig
    origin: Origin | None  # where the run branched off from another; None: it did not
    about: dict[str, Any]  # all of it: started, versions, fingerprints

    @classmethod
    def read(cls, run: Path) -> SavedConfig:
        """Raises LabError where `run` is no run, ConfigError naming every field that is wrong."""
        path = run / CONFIG
        try:
            about = read_table(path)
        except FileNotFoundError:
            raise LabError(f"{run} is not a run folder: it has no {CONFIG}.") from None
        except LabError as error:
            raise ConfigError(str(error)) from error
        if not isinstance(about.get("config"), dict):
            raise ConfigError(f"{path} does not hold the settings of a run.")
        try:
            about |= dict(door(Beside, about, path))
        except LabError as error:
            raise ConfigError(str(error)) from error
        stored = {"rules": 1, **about["config"]}  # a run of before there were rules keeps its own
        return cls(checked(RunConfig, stored, str(path)), _origin(about), about)


def _origin(about: dict[str, Any]) -> Origin | None:
    """None of what is no run beside this one: its settings are read, and told of in a recipe."""
    try:
        parent = Parent.model_validate(about.get("origin"))
    except ValidationError:
        return None
    return Origin(parent.run, parent.step) if parent.run.strip(".") else None
