"""The doors by which strangers' files come in: what is wrong with one is always a `LabError`.

What is known to be wrong with files is refused where it is looked for, with its own reason and way
out. A door is for the rest: a library or the lab itself stumbles over something that nobody
foresaw, and whoever goes on after a refusal, as a list with one bad member, goes on after that too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from lora_lab.errors import LabError, system_reason
from lora_lab.names import MOST, legible

SHORT = ("out of memory", "can't allocate memory", "cannot allocate memory")
Reader = TypeVar("Reader", bound=Callable[..., Any])


def door(kind: type[LabError]) -> Callable[[Reader], Reader]:
    """Have what reads a file, its first argument, raise `kind` where it stumbles.

    Of a generator that holds as long as it gives.
    """

    def of(read: Reader) -> Reader:
        if inspect.isgeneratorfunction(read):

            @functools.wraps(read)
            def given(*arguments: Any, **more: Any) -> Iterator[Any]:
                with reading(_name(arguments, more), kind):
                    return (yield from read(*arguments, **more))

            return cast(Reader, given)

        @functools.wraps(read)
        def found(*arguments: Any, **more: Any) -> Any:
            with reading(_name(arguments, more), kind):
                return read(*arguments, **more)

        return cast(Reader, found)

    return of


def _name(arguments: tuple[Any, ...], more: dict[str, Any]) -> str:
    """The files' names: of the first argument, and of another that is a path as well."""
    first, *others = arguments or tuple(more.values())[:1] or ("",)
    files = [first, *(one for one in others if isinstance(one, Path) or hasattr(one, "path"))]
    paths = [one for one in (getattr(f, "path", f) for f in files) if isinstance(one, str | Path)]
    return " and ".join(Path(path).name or str(path) for path in paths) or "The file"


@contextmanager
def reading(name: str, kind: type[LabError]) -> Iterator[None]:
    """Whatever goes wrong in this block, where `name` is read, is a `LabError`.

    Without a name nothing of a stranger's is read, and what goes wrong is the lab's own fault.
    """
    try:
        yield
    except LabError:
        raise
    except Exception as error:
        if not name:
            raise
        name = legible(name)[:MOST]
        if is_out_of_memory(error):
            raise kind(
                f"{name}: does not fit into memory ({first_line(error)}). Close what else takes of "
                "it, or take a smaller one or another device."
            ) from error
        if isinstance(error, OSError):
            raise kind(f"{name}: cannot be read ({system_reason(error)}).") from error
        raise kind(
            f"{name}: cannot be read ({type(error).__name__}: {first_line(error)}). It may be "
            "damaged, made by hand, or of a kind that is not known here. If other programs read "
            "it, report it with the details."
        ) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short: CUDA has an exception for it, others only words."""
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return named or any(word in str(error).lower() for word in SHORT)


def first_line(error: BaseException) -> str:
    lines = legible(str(error)).splitlines()
    return lines[0][:MOST] if lines else "no more is said"
