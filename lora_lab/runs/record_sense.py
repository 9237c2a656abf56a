"""What no record of a run can say, held to the model that was loaded and to what came before it.

`row_shape` and `engine.wire` hold a record to its types. What comes from a file, another process or
another machine may be of these and still be none that a lab has said: a rank of 0, a layer that
the model does not have, more classes in one list than in its neighbour. A window that computes with
it fails, or stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from lora_lab.exported import ExportingRecord
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import (
    DirectionsRecord,
    InterferenceRecord,
    IntruderRecord,
    MergeRecord,
    RankHintRecord,
    RateFoundRecord,
    TokenLossRecord,
    WrongRecord,
)
from lora_lab.names import LONGEST
from lora_lab.opening_records import DataRecord, DataRow, LoadedRecord, OpeningRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    NonFiniteRecord,
    PaceRecord,
    PastEditRecord,
    Record,
    ResumedRecord,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.runs.lines import damaged
from lora_lab.variants import VARIANTS

MOST = 2**53  # of a whole number: a step, a count or bytes; a float still tells it from the next
SIDE = 2**31  # of a matrix
RANK = 65536  # the most that can be asked for; VeRA's may be greater than its layers
TRUE = 4096  # σ of a ΔW that is known: the lab's own have under a hundred
TOKENS = 100  # that a direction writes: the lab tells eight at either end
PIXELS = 2**24  # of one picture
NAMES = {"name", "layer", "modules", "per_layer"}  # fields that say where in a model something is
Flaw = Callable[[Any], str]


class Sense:
    """Follows the records of one run that come from elsewhere."""

    def __init__(self, source: object) -> None:
        """`source` as it is named where one of them cannot be."""
        self._source, self._told = source, False
        self._loaded: LoadedRecord | None = None
        self._names: list[str] = []
        self._known: dict[str, int] = {}  # the most σ of each layer
        self._last: dict[str, int] = {}  # the newest step of each curve

    def taken(self, record: Record) -> Record | None:
        """The record; of those that cannot be the first becomes an error, and others are none.

        Raises LabError where it is the model that cannot be.
        """
        part = self.flaw(record)
        if not part:
            return record
        row: dict[str, Any] = {"record": type(record).__name__}
        if part != "step" and hasattr(record, "step"):
            row["step"] = record.step
        error = damaged(self._source, row, part)
        if isinstance(record, LoadedRecord):
            raise error
        told, self._told = self._told, True
        return None if told else ErrorRecord(row.get("step", 0), str(error))

    def flaw(self, record: Record) -> str:
        """The part of a record that cannot be so; "" for one that can, which is followed."""
        kind = type(record)
        if kind is StepRecord:
            step = record.step  # type: ignore[attr-defined]
            return "" if 0 <= step <= MOST and self._goes_on("loss", step) else "step"
        part = flaw_alone(record) or self._beside(record)
        if not part and isinstance(record, LoadedRecord):
            self._loaded, self._last = record, {}
            self._known = {layer.name: max(RANK, *layer.shape) for layer in record.layers}
            self._names = list(self._known)
        elif not part and isinstance(record, ResumedRecord):
            self._last = {curve: min(at, record.step) for curve, at in self._last.items()}
        return part

    def _beside(self, record: Record) -> str:
        """The same, of what stands beside the loaded model and the records before."""
        curve = _CURVES.get(type(record))
        if curve is not None and not self._goes_on(curve, record.step):  # type: ignore
            return "step"
        if isinstance(record, SpectrumRecord):
            if [row.name for row in record.layers] != self._names:
                return "layers"
            for row in record.layers:
                most = self._known[row.name]
                if max(row.rank, row.numerical_rank, row.sigma.size) > most:
                    return "layers"
        if isinstance(record, CountsRecord) and any(
            n not in self._known for n, _ in record.per_layer
        ):
            return "per_layer"
        if isinstance(record, EvalRecord) and self._loaded is not None and self._loaded.classes:
            return "" if len(record.total) in (0, len(self._loaded.classes)) else "total"
        return ""

    def _goes_on(self, curve: str, step: int) -> bool:
        """Whether a curve goes on at that step: it never goes back."""
        if step < self._last.get(curve, 0):
            return False
        self._last[curve] = step
        return True


_CURVES: dict[type, str] = {
    NonFiniteRecord: "loss", PaceRecord: "pace", EvalRecord: "validation", AppliedRecord: "edits",
    PastEditRecord: "edits", SpectrumRecord: "spectra",
}  # fmt: skip


# -- one record by itself ------------------------------------------------------------------------


def flaw_alone(record: Record) -> str:
    """The part of a record that cannot be so, whatever was said before; "" for none."""
    kind = type(record)
    return beyond(record) or (_SENSE[kind](record) if kind in _SENSE else "")


def _loaded(record: LoadedRecord) -> str:
    if record.variant not in VARIANTS:
        return "variant"
    for layer in record.layers:
        low, high = sorted(layer.shape)
        if low < 1 or high > SIDE or layer.max_rank > max(RANK, high):
            return "layers"
    if _twice(layer.name for layer in record.layers):
        return "layers"
    if record.max_rank > SIDE:
        return "max_rank"
    floors, true = np.array(record.loss_floor), record.true_sigma
    if floors.size and not _flat(floors, TRUE + 1):
        return "loss_floor"
    if true is not None and not _flat(true, TRUE):
        return "true_sigma"
    return "adaptable" if _twice(layer.name for layer in record.adaptable) else ""


def _spectrum(record: SpectrumRecord) -> str:
    for row in record.layers:
        if min(row.rank, row.sigma.size) < 1 or row.sigma.ndim != 1:
            return "layers"
    return ""


def _evaluation(record: EvalRecord) -> str:
    if len(record.correct) != len(record.total):
        return "correct"
    if any(right > of for right, of in zip(record.correct, record.total, strict=True)):
        return "correct"
    rows, size = record.confusion, len(record.total)
    return "confusion" if rows and {len(rows), *map(len, rows)} != {size} else ""


def _data(record: DataRecord) -> str:
    size = len(record.classes)
    for name in ("class_counts", "validation_counts"):
        if len(getattr(record, name)) not in (0, size):
            return name
    if record.lengths is not None and record.lengths.size and not _flat(record.lengths, SIDE):
        return "lengths"
    return "rows" if any(_row(row) for row in record.rows) else ""


def _row(row: DataRow | None, deep: int = 0) -> bool:
    """Whether a row of the data cannot be one."""
    if row is None:
        return False
    size, image = len(row.tokens), row.image
    return (
        deep > 2
        or len(row.supervised) not in (0, size)
        or len(row.tags) not in (0, size)
        or (image is not None and not is_picture(image))
        or _row(row.rejected, deep + 1)
        or _row(row.target, deep + 1)
    )


def is_picture(image: np.ndarray) -> bool:
    """Whether an array is a picture, grey or of three colours."""
    return (
        image.ndim in (2, 3)
        and 0 < image.size <= PIXELS
        and (image.ndim == 2 or image.shape[2] == 3)
    )


def _share(record: OpeningRecord | ExportingRecord) -> str:
    return "" if record.share <= 1 else "share"


def _directions(record: DirectionsRecord) -> str:
    told = [x.tokens for x in record.directions if x.tokens is not None]
    if any(max(len(tokens.positive), len(tokens.negative)) > TOKENS for tokens in told):
        return "directions"
    pictures = [x.picture for x in record.directions]
    pictures += [place.image for x in record.directions for place in x.excited]
    return "directions" if any(p is not None and not is_picture(p) for p in pictures) else ""


def _merge(record: MergeRecord) -> str:
    size = len(record.dtypes)
    if len(record.loss) != size:
        return "loss"
    return "layers" if any(len(layer.loss) != size for layer in record.layers) else ""


def _interference(record: InterferenceRecord) -> str:
    square = (len(record.paths),) * 2
    if record.cosines.shape != square:
        return "cosines"
    every = [m for x in record.layers for m in (x.cosines, x.reads, x.writes)]
    return "layers" if any(matrix.shape != square for matrix in every) else ""


def _wrong(record: WrongRecord) -> str:
    size = len(record.classes)
    if len(record.counts) != size or len(record.total) != size:
        return "counts"
    if len(record.of) != len(record.rows) or not all(0 <= of < size for of in record.of):
        return "of"
    return "rows" if any(map(_row, record.rows)) else ""


def _found(record: RateFoundRecord) -> str:
    shape = record.rates.shape
    same = shape == record.losses.shape == record.smoothed.shape and len(shape) == 1
    return "" if same else "losses"


def _hints(record: RankHintRecord) -> str:
    return "hints" if any(not hint.ranks for hint in record.hints) else ""


def _intruders(record: IntruderRecord) -> str:
    return "" if len(record.places) == len(record.similarity) else "similarity"


def _token_loss(record: TokenLossRecord) -> str:
    return "" if len(record.off) == len(record.on) else "on"


def _resumed(record: ResumedRecord) -> str:
    return (
        ""
        if len(record.stage) in (0, 2) and list(record.stage) == sorted(record.stage)
        else "stage"
    )


_SENSE: dict[type, Flaw] = {
    OpeningRecord: _share, ExportingRecord: _share, LoadedRecord: _loaded,
    SpectrumRecord: _spectrum, EvalRecord: _evaluation, DataRecord: _data,
    DirectionsRecord: _directions, MergeRecord: _merge, InterferenceRecord: _interference,
    WrongRecord: _wrong, RateFoundRecord: _found, RankHintRecord: _hints,
    IntruderRecord: _intruders, TokenLossRecord: _token_loss, ResumedRecord: _resumed,
}  # fmt: skip


def _twice(names: Iterable[str]) -> bool:
    known = list(names)
    return len(set(known)) < len(known)


def _flat(array: np.ndarray, most: int) -> bool:
    """Whether it is a list of some finite numbers."""
    return array.ndim == 1 and 0 < array.size <= most and bool(np.isfinite(array).all())


# -- bounds of every field -----------------------------------------------------------------------


def beyond(record: Any) -> str:
    """The field of a whole number, an array or a name of a layer that no model or run has."""
    for name, fits in _bounds(type(record)):
        if not fits(getattr(record, name)):
            return name
    return ""


@cache
def _bounds(kind: type) -> tuple[tuple[str, Callable[[Any], bool]], ...]:
    hints = get_type_hints(kind)
    found = ((f.name, _bound(hints[f.name], f.name in NAMES)) for f in fields(kind))
    return tuple((name, fits) for name, fits in found if fits is not None)


def _bound(hint: Any, is_name: bool) -> Callable[[Any], bool] | None:
    """What holds a value of that hint to its bounds; None where it has none."""
    if hint is int:
        return lambda value: -1 <= value <= MOST
    if hint is np.ndarray:
        return lambda value: value.dtype.kind in "biuf"
    if hint is str and is_name:
        return lambda value: len(value) <= LONGEST
    parts = [part for part in get_args(hint) if part not in (Ellipsis, type(None))]
    if get_origin(hint) is tuple:
        inner = [_bound(part, is_name) for part in parts]
        if not any(inner):
            return None
        if Ellipsis in get_args(hint):
            return lambda value: all(map(inner[0], value))  # type: ignore[arg-type]
        return lambda value: all(
            fits is None or fits(item) for fits, item in zip(inner, value, strict=True)
        )
    if get_origin(hint) in (Union, UnionType):
        fits = _bound(parts[0], is_name) if len(parts) == 1 else None
        return fits and (lambda value: value is None or fits(value))
    if isinstance(hint, type) and is_dataclass(hint) and hint is not Hyperparameters:
        return lambda value: not beyond(value)
    return None
