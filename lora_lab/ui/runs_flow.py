"""From the menu to the list of runs, and from there back into a run; what was cut off is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.runs.listing import RunSummary, list_runs
from lora_lab.ui.background import Background
from lora_lab.ui.notices import Notices
from lora_lab.ui.runs_dialog import RunsDialog
from lora_lab.ui.sessions import Sessions


class RunsFlow(QObject):
    """Holds the one list of runs; it is read beside the window."""

    adapter_wished = Signal(str)

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        open: Callable[[RunConfig, Path], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._notices, self._open, self._window = notices, open, window
        self._works: list[Background] = []
        self.dialog: RunsDialog | None = None
        sessions.loaded.connect(lambda _: self._refresh())

    def look_for_interrupted(self) -> None:
        """Tell of runs that a crash or a power cut has ended, once, when the window opens."""
        self._read(self._tell)

    def start(self) -> None:
        """Show the list."""
        if self.dialog is None:
            self.dialog = RunsDialog(self._window)
            self.dialog.resume_wished.connect(self._on_resume)
            self.dialog.adapter_wished.connect(self.adapter_wished)
            self.dialog.refresh_wished.connect(self._refresh)
        self._refresh()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Put the list away with the window."""
        for work in self._works:
            work.cancel()
            work.join()
        if self.dialog is not None:
            self.dialog.close()

    def _on_resume(self, path: str) -> None:
        from lora_lab.runs.folder import RunFolder

        try:
            config = RunFolder.at(Path(path)).load_config()
        except LabError as error:
            self.dialog.refuse(str(error))
            return
        self.dialog.hide()
        self._open(config, Path(path))

    def _refresh(self) -> None:
        if self.dialog is not None:
            self._read(self.dialog.show_runs)

    def _read(self, heard: Callable[[list[RunSummary]], None]) -> None:
        def work(report: Report) -> list[RunSummary]:
            return list_runs(paths.runs())

        self._works = [old for old in self._works if not old.join(0)]
        background = Background(work, self)
        self._works.append(background)
        background.done.connect(heard)
        background.start()

    def _tell(self, runs: list[RunSummary]) -> None:
        cut = [run for run in runs if run.interrupted and run.step]
        if not cut:
            return
        newest = cut[0]
        message = self.tr("{} was interrupted at step {:,}.").format(newest.name, newest.step)
        if len(cut) > 1:
            message += self.tr(" So were {} others.").format(len(cut) - 1)
        keys = self.tr("Ctrl+L")
        self._notices.warning(
            message + self.tr(" File → Runs ({}) resumes it where it was saved.").format(keys),
            "\n".join(f"{run.path}: step {run.step:,}" for run in cut),
        )
