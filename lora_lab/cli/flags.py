"""Flags made from the declarations of `config.py`: a verb that takes a model's settings gets them.

`with_flags(fixed=RunConfig)` puts one option per declared flag in the place of the verb's parameter
`fixed`; the verb is called with a dict of those that were given, as `checked` takes them.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from lora_lab.setting import Setting, setting_of, settings_of

Verb = Callable[..., None]


def with_flags(
    only: Sequence[str] = (), panel: str = "", **kinds: type[BaseModel]
) -> Callable[[Verb], Verb]:
    """Give a verb the flags of `kinds`, by name of the parameter that takes their values.

    Of each model all fields with a group, or `only` those named; `panel` of the help in place of
    their groups.
    """

    def decorate(verb: Verb) -> Verb:
        taken = {name: _flagged(kind, only) for name, kind in kinds.items()}
        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(verb, eval_str=True).parameters.values():
            if own.name in kinds:
                kind = kinds[own.name]
                parameters += [_option(kind, f, s, panel) for f, s in taken[own.name].items()]
            else:
                parameters.append(own.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @functools.wraps(verb)
        def called(**values: Any) -> None:
            for name, kind in kinds.items():
                raw = {field: values.pop(field) for field in taken[name]}
                values[name] = {
                    field: _parsed(kind, field, taken[name][field], value)
                    for field, value in raw.items()
                    if value not in (None, [])
                }
            verb(**values)

        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        return called

    return decorate


def _flagged(kind: type[BaseModel], only: Sequence[str]) -> dict[str, Setting]:
    if only:
        return {field: setting_of(kind, field) for field in only}
    return {field: setting for field, setting in settings_of(kind).items() if setting.group}


def _option(
    kind: type[BaseModel], field: str, setting: Setting, panel: str = ""
) -> inspect.Parameter:
    """The parameter that typer makes an option of; None where the flag is not given."""
    plain = _plain_type(kind.model_fields[field].annotation)
    flags = setting.flags
    if plain is bool:
        flags = tuple(f"{flag}/--no-{flag.removeprefix('--')}" for flag in flags)
    words = [setting.help]
    if setting.choices:
        words.append(f"{', '.join(setting.choices)}.")
    if plain == list[str]:
        words.append("Repeat it, or use commas." if setting.commas else "Repeat it for more.")
    option = typer.Option(
        *flags,
        help=" ".join(words),
        metavar=setting.metavar or None,
        show_default=False,
        rich_help_panel=panel or setting.group,
    )
    annotation = Annotated[plain | None, option]
    return inspect.Parameter(
        field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _plain_type(annotation: Any) -> Any:
    """What typer is to read: a type of Python, text for a choice, texts for a tuple."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
        origin = get_origin(annotation)
    if origin is Literal:
        return str
    return list[str] if origin is tuple else annotation


def _parsed(kind: type[BaseModel], field: str, setting: Setting, value: Any) -> Any:
    """The value of a flag as the model's field takes it; raises BadParameter for no pair."""
    if not isinstance(value, list):
        return value
    if setting.commas:
        return [name for text in value for part in text.split(",") if (name := part.strip())]
    item = get_args(kind.model_fields[field].annotation)[0]
    if get_origin(item) is not tuple:
        return value
    return [_pair(text, setting, whole=get_args(item)[1] is int) for text in value]


def _pair(text: str, setting: Setting, whole: bool) -> tuple[str, str]:
    """NAME=VALUE; a whole value stands behind the last "=", since a name may hold one."""
    name, _, value = text.rpartition("=") if whole else text.partition("=")
    if not (name and value) or (whole and not (value.isascii() and value.isdecimal())):
        raise typer.BadParameter(
            f"write {setting.metavar}, as in {setting.example}", param_hint=setting.flags[0]
        )
    return name, value
