"""What all pages of the workshop share: work on a thread of its own, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QLabel, QWidget

from lora_lab.progress import Report
from lora_lab.ui.widgets.background import Background


class Page(QWidget):
    """One page; `run` starts work, and a newer one of the same sort takes its place."""

    def __init__(self) -> None:
        super().__init__()
        self._works: list[Background] = []

    def run(
        self,
        work: Callable[[Report], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        told: Callable[[str, float], None] | None = None,
    ) -> None:
        """`work(report)` beside the window; one of `done` and `failed` is called here.

        `failed` also where it broke off: what is shown as busy is to end.
        """
        self.cancel()
        background = Background(work, self)
        self._works.append(background)
        background.done.connect(done)
        background.failed.connect(failed)
        background.broke.connect(failed)
        if told is not None:
            background.told.connect(told)
        background.start()

    def cancel(self) -> None:
        """Call off what runs; it ends where it reports next."""
        for background in self._works:
            background.cancel()
        self._works = [background for background in self._works if not background.join(0)]

    def finish(self) -> None:
        """Call off what runs, and wait for it."""
        self.cancel()
        for background in self._works:
            background.join()
        self._works.clear()

    def label(self, role: str = "muted") -> QLabel:
        """A line of words that wraps."""
        made = QLabel()
        made.setWordWrap(True)
        made.setProperty("role", role)
        return made
