"""The errors that a person can act on: each message says what happened, where, and what to do."""

from __future__ import annotations

import errno

from lora_lab.names import brief

SAID = 10_000  # characters of one message: more of what a file says is quoted nowhere


class LabError(Exception):
    """Something the user can mend; `str(error)` is shown as it is, so it reads as a sentence."""

    def __str__(self) -> str:
        return brief(super().__str__(), SAID)


class ConfigError(LabError):
    """A setting is outside its limits, unknown, or contradicts another one."""


class CheckpointError(LabError):
    """A model file is missing, damaged, unsafe, or does not fit the network it is meant for."""


class DataError(LabError):
    """A data file is missing, damaged, or not what the task needs."""


class AdapterError(LabError):
    """An adapter cannot be injected, resized, merged or read as asked."""


class Cancelled(LabError):
    """The person cancelled what was being opened; nothing has changed."""


class Interrupted(Cancelled):
    """A signal ended it before there was anything to keep; `number` is the signal's."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class ExportError(LabError):
    """An adapter was not delivered: it could not be written, or the file did not prove itself."""


def system_reason(error: Exception) -> str:
    """Why the system refused, as the middle of a sentence: "the disk is full"."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{text[:1].lower()}{text[1:].rstrip('.')}"


def not_written(path: object, error: Exception) -> LabError:
    """What to raise where the system refused to write `path`."""
    return LabError(f"{path} was not written: {system_reason(error)}.")
