"""What the lines of a search's journal may say, as far as a search of the lab writes them.

Optuna believes its journal: it makes an array of a range that is a lie, and a traceback of a number
that is none. So each line is checked before it sees any, and what was chosen from is compared with
the search's own plan.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from lora_lab.errors import LabError
from lora_lab.runs.own_files import Door, checked, plain_json

LARGEST = 2**26  # bytes
TRIALS = 2**13  # also those that came to be no run; a search of a thousand runs ends before it
# Of one trial; for each of these lines Optuna looks at all trials, or copies all that it was told.
MEASURED = 2**15  # validations; a search notes no more of a run
NOTED = {5: 2**7, 6: 2**3, 7: MEASURED, 8: 2**3, 9: 2**6}
Number = Annotated[int, Field(ge=0, lt=2**53)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Time = Annotated[str, Field(max_length=40)] | None
Nothing = Annotated[dict[str, Any], Field(max_length=0)]


class Begun(Door):
    """The study itself, which is the only one; Optuna notes it again whenever it is opened."""

    study_name: Literal["search"]
    directions: Annotated[list[Literal[1]], Field(min_length=1, max_length=1)]  # to be lowered


class Trial(Door):
    study_id: Literal[0]
    datetime_start: Time = None
    state: Literal[0, 4] = 0  # running, or waiting with what it has to be
    value: None = None
    values: None = None
    distributions: Nothing = Field(default_factory=dict)
    params: Nothing = Field(default_factory=dict)
    user_attrs: Nothing = Field(default_factory=dict)
    intermediate_values: Nothing = Field(default_factory=dict)
    system_attrs: dict[str, Any] = Field(default_factory=dict)


class OfTrial(Door):
    trial_id: Number


class Chosen(OfTrial):
    param_name: str
    param_value_internal: Real
    distribution: str


class Ended(OfTrial):
    state: Annotated[int, Field(ge=0, le=4)]
    values: Annotated[list[Real], Field(min_length=1, max_length=1)] | None = None
    datetime_start: Time = None
    datetime_complete: Time = None


class Measured(OfTrial):
    step: Number
    intermediate_value: Real


class Config(Door):
    config: dict[str, Any]


class Noted(OfTrial):
    user_attr: Config


class Kept(OfTrial):
    system_attr: dict[str, Any]


KINDS: dict[Any, type[Door]] = {
    0: Begun, 4: Trial, 5: Chosen, 6: Ended, 7: Measured, 8: Noted, 9: Kept,
}  # fmt: skip


def check_lines(path: Path, data: bytes, wanted: Mapping[str, Any]) -> None:
    """Raise LabError naming the first line that no search writes which chooses from `wanted`."""
    trials = 0
    noted: Counter[tuple[int, int]] = Counter()  # of a trial's number and what is said of it
    for number, raw in enumerate(io.BytesIO(data)):
        place = path.with_name(f"{path.name}, line {number + 1}")
        try:
            table = plain_json(raw)
        except ValueError as error:
            raise LabError(f"{place} is not valid JSON: {error}.") from None
        code = table.get("op_code") if isinstance(table, dict) else None
        kind = KINDS.get(code) if type(code) is int else None
        if kind is None or (not number and kind is not Begun):
            raise LabError(f"{place} is damaged: it is nothing that a search notes there.")
        line = checked(kind, table, place)
        trials += kind is Trial
        if trials > TRIALS or (isinstance(line, OfTrial) and line.trial_id >= trials):
            raise LabError(f"{place} is damaged: it is of no trial, or there are too many.")
        if isinstance(line, OfTrial):
            noted[line.trial_id, code] += 1
            if noted[line.trial_id, code] > NOTED[code]:
                raise LabError(f"{place} is damaged: more is noted of one trial than there is.")
        if isinstance(line, Chosen) and not _may_be(line, wanted.get(line.param_name)):
            raise LabError(f"{place} is damaged: what it chose from is not in the search's plan.")


def _may_be(line: Chosen, wanted: Any) -> bool:
    from optuna.distributions import CategoricalDistribution, json_to_distribution

    if wanted is None:
        return False
    ends = (0, len(wanted.choices) - 1) if isinstance(wanted, CategoricalDistribution) else ()
    low, high = ends or (wanted.low, wanted.high)
    try:
        return json_to_distribution(line.distribution) == wanted and (
            low <= line.param_value_internal <= high
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
