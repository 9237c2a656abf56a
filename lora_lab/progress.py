"""Progress of what takes long before training: said in words and a share, and cancelled there."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

# Called with what is being done and how far it is (0 to 1, negative where it cannot be told), as
# often as a person would look. It raises Cancelled when the person no longer wants it.
Report = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """A report that nobody listens to."""


def to_end(work: Generator[Any, None, None], report: Report) -> Any:
    """Tell `report`, which may raise Cancelled, each stage (what, share); returns the outcome.

    Stages are tuples, and what comes after them is not. Left on the way, the work is closed.
    """
    with closing(work) as stages:
        for stage in stages:
            if not isinstance(stage, tuple):
                return stage
            report(*stage)
    raise AssertionError("work in stages ends in its outcome or in an error")
