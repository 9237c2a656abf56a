"""The errors that a person can act on: each message says what happened, where, and what to do."""


class LabError(Exception):
    """Something the user can mend; `str(error)` is shown as it is, so it reads as a sentence."""


class ConfigError(LabError):
    """A setting is outside its limits, unknown, or contradicts another one."""


class CheckpointError(LabError):
    """A model file is missing, damaged, unsafe, or does not fit the network it is meant for."""


class DataError(LabError):
    """A data file is missing, damaged, or not what the task needs."""


class AdapterError(LabError):
    """An adapter cannot be injected, resized, merged or read as asked."""


class Cancelled(LabError):
    """The person called off what was being opened; nothing has changed."""


class Interrupted(Cancelled):
    """A signal ended it before there was anything to keep; `number` is the signal's."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class ExportError(LabError):
    """An adapter was not delivered: it could not be written, or the file did not prove itself."""
