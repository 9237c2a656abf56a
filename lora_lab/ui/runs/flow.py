"""From the list of runs back into a run, behind another one, into a zip, or to the trash.

What was cut off is told when the window opens. Whatever takes time is done beside the window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDockWidget, QFileDialog, QWidget

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.records import FolderRecord
from lora_lab.runs.archive import pack, unpack
from lora_lab.runs.listing import RunSummary, list_runs, set_label
from lora_lab.runs.lock import is_live
from lora_lab.ui.notices.bar import NoticeBar
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.runs.compare_dialog import CompareRunsDialog
from lora_lab.ui.runs.dock import RunsDock
from lora_lab.ui.runs.trash import move_to_trash
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Background
from lora_lab.ui.widgets.dialogs import ask

REFRESH_MS = 300  # events that follow each other closely are one reading of the folder
RESUME, KEEP, DISCARD, SHOW = "run:resume", "run:keep", "run:discard", "run:show"


class RunsFlow(QObject):
    """Reads the folder of runs for the dock, and does what is wished there."""

    adapter_wished = Signal(str)

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        bar: NoticeBar,
        dock: RunsDock,
        bring_up: Callable[[QDockWidget], None],
        open: Callable[[RunConfig, Path], None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sessions, self._notices, self._dock = sessions, notices, dock
        self._bring_up = bring_up
        self._open, self._window = open, window
        self._works: list[Background] = []
        self._reading = self._reading_again = False  # the list of runs
        self._cut: RunSummary | None = None  # the run that the start has told of
        self.agrees: Callable[[list[RunSummary]], bool] = self._ask_to_discard
        self.may_run: Callable[[str], bool] = self._ask_to_run
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(REFRESH_MS)
        self._soon.timeout.connect(self._refresh)
        bar.acted.connect(self._on_acted)
        dock.open_wished.connect(self.open_run)
        dock.adapter_wished.connect(self.adapter_wished)
        dock.keep_wished.connect(self._on_keep)
        dock.label_wished.connect(self._on_label)
        dock.compare_wished.connect(self._on_compare)
        dock.pack_wished.connect(self._on_pack)
        dock.unpack_wished.connect(self._on_unpack)
        dock.recipe_wished.connect(self._on_recipe)
        dock.report_wished.connect(self._on_report)
        dock.discard_wished.connect(self._on_discard)
        dock.refresh_wished.connect(self._refresh)
        dock.cancelled.connect(self._on_cancelled)
        dock.visibilityChanged.connect(lambda seen: self._soon.start() if seen else None)
        sessions.state_changed.connect(self._follow)
        sessions.on(FolderRecord, lambda _: self._follow())

    def look_for_interrupted(self) -> None:
        """Tell of runs that a crash or a power cut has ended, once, when the window opens."""
        self._do(lambda _: list_runs(paths.runs()), self._tell)

    def start(self) -> None:
        """Show the list."""
        self._bring_up(self._dock)
        self._dock.table.setFocus()
        self._refresh()

    def show_folder(self) -> None:
        """Show where the runs lie, in the desktop's own way."""
        paths.runs().mkdir(parents=True, exist_ok=True)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(paths.runs())))

    def close(self) -> None:
        """End with the window what is still being done, and begin nothing more."""
        self._soon.stop()
        self._sessions.state_changed.disconnect(self._follow)
        self._dock.visibilityChanged.disconnect()
        for work in self._works:
            work.cancel()
            work.join()

    def _follow(self) -> None:
        folder = self._sessions.folder
        self._dock.set_current(str(folder) if folder is not None else "")
        if self._dock.isVisible():
            self._soon.start()

    def _refresh(self) -> None:
        """Read the list anew; wishes that come while it is read are one more reading after it."""
        if self._reading:
            self._reading_again = True
            return
        self._reading, self._reading_again = True, False
        reading = self._do(lambda _: list_runs(paths.runs()), self._dock.show_runs)
        for over in (reading.done, reading.failed, reading.broke):
            over.connect(lambda _: self._on_read())

    def _on_read(self) -> None:
        self._reading = False
        if self._reading_again:
            self._refresh()

    def open_run(self, path: str) -> None:
        """Resume the run at `path`, or look at it; what is wrong with it is told."""
        if (config := self._agreed(path)) is not None:
            self._open(config, Path(path))

    def _agreed(self, path: str) -> RunConfig | None:
        """The settings of a run; None where it cannot be read, or brings code that may not run."""
        from lora_lab.runs.folder import RunFolder

        try:
            config = RunFolder.at(Path(path)).load_config()
            return config if not config.factory or self.may_run(config.factory) else None
        except LabError as error:
            self._notices.error(str(error))
            return None

    def _ask_to_run(self, factory: str) -> bool:
        from lora_lab.models.factory import describe_factory

        return ask(
            self._window,
            self.tr("Run the code that builds this run's model?"),
            describe_factory(factory),
            self.tr("&Run it"),
            self.tr("Don’t"),
        )

    def _on_keep(self, path: str) -> None:
        if self._agreed(path) is None:
            return

        def work(report: Report) -> int:
            from lora_lab.training.saving.keep import keep_adapter

            return keep_adapter(Path(path), report)

        def done(step: int) -> None:
            adapter = Path(path) / "adapter"
            said = self.tr("The adapter of step {:,} is kept in {}").format(step, adapter)
            self._notices.news(said)
            self._refresh()

        self._do(work, done, self.tr("Opening the run"))

    def _on_label(self, path: str, name: str, note: str) -> None:
        try:
            set_label(Path(path), name, note)
        except LabError as error:
            self._notices.error(str(error))
        self._refresh()

    def _on_compare(self, runs: list[RunSummary]) -> None:
        dialog = CompareRunsDialog(runs, self._window)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show()

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
        self.start()
        work = partial(unpack, archive, paths.runs())
        self._do(work, self._on_unpacked, self.tr("Unpacking the run"))

    def _on_unpacked(self, run: Path) -> None:
        self._notices.news(self.tr("The run stands in {}").format(run))
        self._refresh()

    def _on_recipe(self, path: str) -> None:
        def made(run: Path) -> str:
            from lora_lab.runs.recipe import recipe_of

            return recipe_of(run)

        self._write(path, self.tr("Save the script"), ".py", made)

    def _on_report(self, path: str) -> None:
        def made(run: Path) -> str:
            from lora_lab.runs.report import report_of

            return report_of(run)

        self._write(path, self.tr("Save the page"), ".html", made)

    def _write(self, path: str, title: str, ending: str, made: Callable[[Path], str]) -> None:
        """Ask for a file, and let it hold what is `made` of the run."""
        run = Path(path)
        start = str(Path.home() / f"{run.name}{ending}")
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, start, f"*{ending}")
        if not chosen:
            return
        target = Path(chosen if chosen.endswith(ending) else f"{chosen}{ending}")

        def work(report: Report) -> Path:
            report(self.tr("Reading {}").format(run.name), -1)
            text = made(run).encode()
            report(self.tr("Writing {}").format(target.name), -1)
            try:
                write_file(target, text)
            except OSError as error:
                reason = error.strerror or error
                said = self.tr("{} was not written: {}.").format(target, reason)
                raise LabError(said) from error
            return target

        def done(where: Path) -> None:
            self._notices.news(self.tr("Written to {}").format(where))

        self._do(work, done, self.tr("Reading the run"))

    def _on_discard(self, runs: list[RunSummary]) -> None:
        if not self.agrees(runs):
            return

        def work(report: Report) -> None:
            for number, run in enumerate(runs):
                name = run.label or run.name
                report(self.tr("Moving {} to the trash").format(name), number / len(runs))
                if is_live(Path(run.path)):  # since the list was read, or the start told of it
                    said = self.tr("{} is open, here or in another window. Close it there first.")
                    raise LabError(said.format(name))
                if not move_to_trash(run.path):
                    said = self.tr("{} could not be moved to the trash.")
                    raise LabError(said.format(run.path))

        moving = self._do(work, lambda _: self._refresh(), self.tr("Moving to the trash"))
        for broken in (moving.failed, moving.broke):  # what came before it has gone
            broken.connect(lambda _: self._refresh())

    def _ask_to_discard(self, runs: list[RunSummary]) -> bool:
        return ask(
            self._window,
            self.tr("Move these runs to the trash?") if len(runs) > 1
            else self.tr("Move this run to the trash?"),
            "\n".join(run.path for run in runs[:12]),
            self.tr("&Move"),
            self.tr("Keep"),
        )  # fmt: skip

    def _do(
        self, work: Callable[[Report], Any], heard: Callable[..., None], what: str = ""
    ) -> Background:
        """Do `work` beside the window; the dock says `what` it is, and calls it off."""
        self._works = [old for old in self._works if not old.join(0)]
        background = Background(work, self)
        self._works.append(background)
        if what:
            self._dock.busy.watch(background, what)
        background.done.connect(heard)
        background.failed.connect(self._notices.error)
        background.start()
        return background

    def _on_cancelled(self) -> None:
        left = tuple(self._works)
        self._reading = False  # that one is called off as well
        for work in left:
            work.cancel()
            self._dock.busy.end(work)

        def look(_: Report) -> list[RunSummary]:
            for work in left:  # what each is in the midst of is still done
                work.join()
            return list_runs(paths.runs())

        self._do(look, self._dock.show_runs)

    def _tell(self, runs: list[RunSummary]) -> None:
        cut = [run for run in runs if run.interrupted and run.step]
        if not cut:
            return
        self._cut = newest = cut[0]
        tr = self.tr
        message = tr("{} was interrupted at step {:,}.").format(
            newest.label or newest.name, newest.step
        )
        if len(cut) > 1:
            message += tr(" So were {} others.").format(len(cut) - 1)
        self._notices.warning(
            message,
            "\n".join(tr("{}: step {:,}").format(run.path, run.step) for run in cut),
            ((RESUME, tr("Resume it")), (KEEP, tr("Keep its adapter")),
             (DISCARD, tr("Move it to trash")), (SHOW, tr("Show all runs"))),
        )  # fmt: skip

    def _on_acted(self, key: str) -> None:
        if key == SHOW:
            self.start()
        elif self._cut is not None and key == RESUME:
            self.open_run(self._cut.path)
        elif self._cut is not None and key == KEEP:
            self.start()
            self._on_keep(self._cut.path)
        elif self._cut is not None and key == DISCARD:
            self._on_discard([self._cut])
