"""What is written of a run, or read as one: its zip, a script that repeats it, and its report."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.errors import not_written
from lora_lab.progress import Report
from lora_lab.runs.archive import pack, unpack
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.runs.dock import RunsDock


class FilesFlow(QObject):
    """Asks where to, and lets the writing be done beside the window."""

    unpacking = Signal()
    unpacked = Signal()  # the folder of runs has one more

    def __init__(
        self, do: Callable[..., Any], dock: RunsDock, notices: Notices, window: QWidget
    ) -> None:
        """`do` takes work, what is called with its result, and the words for it."""
        super().__init__(window)
        self._do, self._notices, self._window = do, notices, window
        dock.pack_requested.connect(self._on_pack)
        dock.unpack_requested.connect(self._on_unpack)
        dock.recipe_requested.connect(self._on_recipe)
        dock.report_requested.connect(self._on_report)

    def _on_pack(self, path: str) -> None:
        run = Path(path)
        title, start = self.tr("Save the run as a zip"), str(Path.home() / f"{run.name}.zip")
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, start, self.tr("Zip (*.zip)"))
        if chosen:
            target = Path(chosen if chosen.endswith(".zip") else f"{chosen}.zip")
            self._do(partial(pack, run, target), self._on_packed, self.tr("Packing the run"))

    def _on_packed(self, target: Path) -> None:
        self._notices.news(self.tr("The run is in {}").format(target))

    def _on_unpack(self) -> None:
        title = self.tr("Open the zip of a run")
        files = self.tr("Zip (*.zip)")
        chosen, _ = QFileDialog.getOpenFileName(self._window, title, str(Path.home()), files)
        if chosen:
            self.unpack(Path(chosen))

    def unpack(self, archive: Path) -> None:
        """Put the run of a zip into the folder of runs, and show it in the list."""
        self.unpacking.emit()
        work = partial(unpack, archive, paths.runs())
        self._do(work, self._on_unpacked, self.tr("Unpacking the run"))

    def _on_unpacked(self, run: Path) -> None:
        self._notices.news(self.tr("The run is in {}").format(run))
        self.unpacked.emit()

    def _on_recipe(self, path: str) -> None:
        def text_of(run: Path) -> str:
            from lora_lab.runs.recipe import recipe_of

            return recipe_of(run)

        self._write(path, self.tr("Save the script"), ".py", text_of)

    def _on_report(self, path: str) -> None:
        def text_of(run: Path) -> str:
            from lora_lab.runs.report import report_of

            return report_of(run)

        self._write(path, self.tr("Save the report"), ".html", text_of)

    def _write(self, path: str, title: str, ending: str, text_of: Callable[[Path], str]) -> None:
        """Ask for a file, and let it hold what `text_of` the run says."""
        run = Path(path)
        start = str(Path.home() / f"{run.name}{ending}")
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, start, f"*{ending}")
        if not chosen:
            return
        target = Path(chosen if chosen.endswith(ending) else f"{chosen}{ending}")

        def work(report: Report) -> Path:
            report(self.tr("Reading {}").format(run.name), -1)
            text = text_of(run).encode()
            report(self.tr("Writing {}").format(target.name), -1)
            try:
                write_file(target, text)
            except OSError as error:
                raise not_written(target, error) from error
            return target

        def done(where: Path) -> None:
            self._notices.news(self.tr("Written to {}").format(where))

        self._do(work, done, self.tr("Reading the run"))
