"""Works beside the window that share one bar: the newest is shown, and each ends only its own."""

from __future__ import annotations

from collections.abc import Callable

from lora_lab.ui.background import Background


class BusyWorks:
    """Says to `show` what is being done, in words and as a share; "" once nothing is."""

    def __init__(self, show: Callable[[str, float], None]) -> None:
        self._show = show
        self._doing: dict[Background, tuple[str, float]] = {}

    def watch(self, work: Background, words: str = "") -> None:
        """Show a work until it is over; without `words` from where it first tells something."""
        if words:
            self._tell(work, words, -1.0)
        work.told.connect(lambda what, share: self._tell(work, what, share))
        for over in (work.done, work.failed, work.broke):
            over.connect(lambda _: self.end(work))

    def end(self, work: Background) -> None:
        """This work is over, or was called off; what else is done is still shown."""
        if self._doing.pop(work, None) is not None:
            self._show_newest()

    def _tell(self, work: Background, words: str, share: float) -> None:
        self._doing[work] = words, share
        self._show_newest()

    def _show_newest(self) -> None:
        self._show(*next(reversed(self._doing.values()), ("", -1.0)))
