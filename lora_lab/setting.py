"""How a setting is declared beside its field, and how the declaration is read.

A field of `config.py` that a person may set carries one `Setting`, or a `Knob` where a slider
moves it. Form, slider, tooltip, undo, the marks along a curve and the command line are made from
it; type, default and limits are the field's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, Field

Group = Literal["", "Model", "Data", "Adapter", "Training"]
Place = Literal["", "always", "more", "own data"]


class Offered(Protocol):
    """What may be chosen: a `Choice`, or a row of a registry such as VARIANTS."""

    @property
    def title(self) -> str: ...

    @property
    def about(self) -> str: ...


@dataclass(frozen=True)
class Setting:
    """How one field is called and shown."""

    label: str  # beside its control; "&" before the letter that Alt reaches it by
    help: str
    name: str = ""  # in a sentence, as of undo; "": the field's own with blanks
    short: str = ""  # where there is little room, as along a curve; "": `name`
    choices: Mapping[str, Offered] = field(default_factory=dict)
    step: float = 1.0  # between two values of its box
    place: Place = ""  # in the form of the fixed settings; "": it is not there
    group: Group = ""  # in the help of the command line; "": it has no flag
    flags: tuple[str, ...] = ()  # (): "--" and the field's name
    metavar: str = ""  # what a flag's value stands for, where its type does not say it
    example: str = ""  # of such a value, in the error of a wrong one
    commas: bool = False  # whether one flag may hold several values


@dataclass(frozen=True, kw_only=True)
class Knob(Setting):
    """A live field that a slider moves: the slider's ends and scale, and its page."""

    minimum: float
    maximum: float
    scale: Literal["linear", "log", "doubling"]
    page: str  # of resources/help, and its heading: "learning-rate#dropout"
    when: Literal["live", "on_release"] = "live"
    group: Group = "Adapter"


def declared(default: Any, setting: Setting, **limits: Any) -> Any:
    """A field of a model with its default, its declaration and pydantic's limits.

    Of a list, which alone is limited in its length, only the first fault is told.
    """
    return Field(
        default,
        title=setting.label,
        description=setting.help,
        json_schema_extra={"setting": setting},  # type: ignore[dict-item]
        fail_fast="max_length" in limits or None,
        **limits,
    )


def settings_of(kind: type[BaseModel]) -> dict[str, Setting]:
    """Field → its declaration, for every field, in the order of the model."""
    return {field: setting_of(kind, field) for field in kind.model_fields}


def setting_of(kind: type[BaseModel], field: str) -> Setting:
    """The declaration of one field, with the names that follow from the field's own."""
    info = kind.model_fields.get(field)
    name = field.replace("_", " ")
    extra = info.json_schema_extra if info is not None else None
    setting: Any = extra.get("setting") if isinstance(extra, dict) else None
    if setting is None:  # a field that is only kept, or one of an older version
        help = info.description if info is not None else None
        setting = Setting(name.capitalize(), help or "")
    return replace(
        setting,
        name=setting.name or name,
        short=setting.short or setting.name or name,
        flags=setting.flags or ("--" + field.replace("_", "-"),),
    )


def limits_of(kind: type[BaseModel], field: str, resolution: float) -> tuple[float, float]:
    """The least and the largest value of a number; by `resolution` inside of an excluded end."""
    low, high = -math.inf, math.inf
    for limit in kind.model_fields[field].metadata:
        match limit:
            case Ge(ge=end):
                low = end
            case Gt(gt=end):
                low = end + resolution
            case Le(le=end):
                high = end
            case Lt(lt=end):
                high = end - resolution
    return low, high
