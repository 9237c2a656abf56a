"""Who receives which records: callbacks by the type of a record, called in the order of records."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

R = TypeVar("R")


class Dispatcher:
    """One dict from a type to its callbacks; a record without one costs a single look-up."""

    def __init__(self) -> None:
        self._callbacks: defaultdict[type, list[Callable[[Any], object]]] = defaultdict(list)

    def on(self, kind: type[R], callback: Callable[[R], object]) -> None:
        """From now on `callback` receives every record of exactly this type."""
        self._callbacks[kind].append(callback)

    def dispatch(self, record: object) -> None:
        """Hand a record to all who subscribed to its type, in the order they did."""
        for callback in self._callbacks.get(type(record), ()):
            guarded(callback, record)


def guarded(call: Callable[..., object], *arguments: object) -> None:
    """Call one of several listeners; what it raises is reported, and the others get theirs."""
    try:
        call(*arguments)
    except Exception:  # noqa: BLE001 - any fault of one listener is reported in the one place
        sys.excepthook(*sys.exc_info())
