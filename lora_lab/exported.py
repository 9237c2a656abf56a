"""What an export reports: how far it is, and what the written file proved to be.

These leave the session thread as all records do: frozen, plain, serialisable.
"""

from __future__ import annotations

from dataclasses import dataclass

from lora_lab.records import Record


@dataclass(frozen=True)
class LayerCheck:
    """Relative error ‖ΔW_file − ΔW‖_F/‖ΔW‖_F of one layer after re-reading the file."""

    name: str
    rank: int
    error: float


@dataclass(frozen=True)
class ExportReport:
    """What the independent re-reading of an exported file measured.

    Of a merged checkpoint there is a row for each layer with what rounding to the base's dtype lost
    of ΔW, rank 0, and neither keys nor a checksum.
    """

    format: str
    path: str
    layers: tuple[LayerCheck, ...]
    keys: int
    bytes: int
    sha256: str
    notes: tuple[str, ...] = ()
    base_fingerprint: str = ""  # of the base that the adapter was trained on
    proved: str = ""  # the library that loaded it as well, and the largest error there
    of_step: int = -1  # of the run that the adapter is from; -1: not told
    validation_loss: float | None = None  # of that adapter, where it is known

    @property
    def largest_error(self) -> float:
        return max(layer.error for layer in self.layers)

    @property
    def mean_error(self) -> float:
        return sum(layer.error for layer in self.layers) / len(self.layers)


@dataclass(frozen=True)
class ExportingRecord(Record):
    """What an export is doing, and how far it is; it can be cancelled here."""

    step: int
    what: str
    share: float  # 0 to 1; negative where it cannot be told


@dataclass(frozen=True)
class ExportedRecord(Record):
    """An adapter file was written, re-read, compared, and moved into place."""

    step: int
    report: ExportReport
