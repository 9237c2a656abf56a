"""What all pages of the workshop share: work on a thread of its own, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QLabel, QWidget

from lora_lab.progress import Report
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.labels import TextLabel


class Page(QWidget):
    """One page; `run` starts work, and a newer one of the same sort takes its place."""

    def __init__(self) -> None:
        super().__init__()
        self._works = Works(self)

    def run(
        self,
        work: Callable[[Report], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
        progress: Callable[[str, float], None] | None = None,
    ) -> None:
        """`work(report)` beside the window; one of `done` and `failed` is called here.

        `failed` also where it ended early: what is shown as busy is to end.
        """
        self.cancel()
        self._works.start(work, done, failed, failed, progress)

    def cancel(self) -> None:
        """Cancel what runs; it ends where it reports next."""
        self._works.cancel()

    def finish(self) -> None:
        """Cancel what runs, and wait for it."""
        self._works.finish()

    def label(self, role: str = "muted") -> QLabel:
        """A line of words that wraps."""
        line = TextLabel()
        line.setWordWrap(True)
        line.setProperty("role", role)
        return line
