"""Progress of what takes long before training: said in words and a share, and cancelled there."""

from __future__ import annotations

from collections.abc import Callable

# Called with what is being done and how far it is (0 to 1, negative where it cannot be told), as
# often as a person would look. It raises Cancelled when the person no longer wants it.
Report = Callable[[str, float], None]


def silent(what: str, share: float) -> None:
    """A report that nobody listens to."""
