"""From the list of runs back into a run, beside another one, or to the trash.

Interrupted runs are a notice when the window opens. Whatever takes time is done beside the window.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDockWidget, QWidget

from lora_lab import paths
from lora_lab.engine.mirrored import MirroredRun
from lora_lab.engine.places import live_place, live_places
from lora_lab.engine.remote import attach, end
from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.records import FolderRecord, StateRecord
from lora_lab.runs.listing import ENDED, GOING, RunSummary, is_mirror, list_runs, set_label
from lora_lab.runs.saves import resumable
from lora_lab.training.opening import Opening, Resume
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.runs.compare_dialog import CompareRunsDialog
from lora_lab.ui.runs.dock import RunsDock
from lora_lab.ui.runs.files_flow import FilesFlow
from lora_lab.ui.runs.trash import discard
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Background, Works
from lora_lab.ui.widgets.consent import agrees_to_run
from lora_lab.ui.widgets.dialogs import ask

OTHERS_MS = 5_000  # between two looks at runs of other windows
REFRESH_MS = 300  # events that follow each other closely are one reading of the folder


class RunsFlow(QObject):
    """Reads the folder of runs for the dock, and does what is requested there."""

    adapter_requested = Signal(str)

    def __init__(
        self,
        sessions: Sessions,
        notices: Notices,
        dock: RunsDock,
        bring_up: Callable[[QDockWidget], None],
        open: Callable[[Opening], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._sessions, self._notices, self._dock = sessions, notices, dock
        self._bring_up = bring_up
        self._open, self._window = open, window
        self._works = Works(self)
        self.files = FilesFlow(self._do, dock, notices, window)
        self.files.unpacked.connect(self._refresh)
        self.files.unpacking.connect(self.start)
        self._reading = self._reading_again = False  # the list of runs
        self._opening: Background | None = None  # the reading of the run that is to be opened
        self.agrees: Callable[[list[RunSummary]], bool] = self._ask_to_discard
        self.may_run: Callable[[str], bool] = partial(agrees_to_run, window)
        self._soon = QTimer(self, singleShot=True, interval=REFRESH_MS, timeout=self._refresh)
        dock.open_requested.connect(self.open_run)
        dock.adapter_requested.connect(self.adapter_requested)
        dock.keep_requested.connect(self._on_keep)
        dock.stop_requested.connect(self._on_stop)
        dock.label_requested.connect(self._on_label)
        dock.compare_requested.connect(self._on_compare)
        dock.discard_requested.connect(self._on_discard)
        dock.refresh_requested.connect(self._refresh)
        dock.cancelled.connect(self._on_cancelled)
        dock.visibilityChanged.connect(lambda seen: self._soon.start() if seen else None)
        self._others = QTimer(self, interval=OTHERS_MS, timeout=self._look_at_others)
        self._others.start()
        sessions.state_changed.connect(self._follow)
        sessions.on(FolderRecord, lambda _: self._follow())
        sessions.on(StateRecord, self._on_state)

    def look_for_interrupted(self) -> None:
        """Show which runs a crash or a power cut has ended, once, when the window opens."""
        self._do(lambda _: list_runs(paths.runs()), self._show_interrupted)

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
        self._others.stop()
        self._sessions.state_changed.disconnect(self._follow)
        self._dock.visibilityChanged.disconnect()
        self._works.finish()

    def _follow(self) -> None:
        folder = self._sessions.folder
        self._dock.set_current(str(folder) if folder is not None else "")
        if self._dock.isVisible():
            self._soon.start()

    def _look_at_others(self) -> None:
        """While a run is listed that another window trains, or that has ended here and is still
        being saved, look again: neither says here when it is done."""
        dock, ended = self._dock, self._sessions.state in ENDED
        going = [run.path for run in dock.model.runs if run.state in GOING]
        told = dock.model.current if not ended else None
        if dock.isVisible() and not self._reading and any(path != told for path in going):
            self._refresh()

    def _refresh(self) -> None:
        """Read the list anew; requests that come while it is read are one more reading after it."""
        if self._reading:
            self._reading_again = True
            return
        self._reading, self._reading_again = True, False
        reading = self._do(lambda _: _read(), lambda read: self._dock.show_runs(*read))
        for over in (reading.done, reading.failed, reading.broke):
            over.connect(lambda _: self._on_read())

    def _on_read(self) -> None:
        self._reading = False
        if self._reading_again:
            self._refresh()

    def open_run(self, path: str) -> None:
        """Resume the run at `path`, or look at it; a message says what is wrong with it.

        One that trains in the background, or elsewhere, is shown as it does. One that ended before
        its first checkpoint is begun again, in a folder of its own.
        """
        run = Path(path)
        if self._opening is not None:
            self._opening.cancel()  # what was asked for last is opened
            self._dock.busy.end(self._opening)
        if is_mirror(run):
            self._opening = self._read_run(lambda: MirroredRun(run), self._sessions.show)
        elif live_place(run) is not None:
            self._opening = self._read_run(lambda: attach(run), self._sessions.show)
        else:
            self._opening = self._read_agreed(run, self._open)

    def _read_run(self, read: Callable[[], Any], then: Callable[..., Any]) -> Background:
        """Its files may be anybody's, and long: they are read beside the window."""
        return self._do(lambda _: read(), then, self.tr("Opening the run"))

    def _read_agreed(self, run: Path, then: Callable[[Opening], object]) -> Background:
        """Hand over how to open a run, unless it cannot be read or brings code that may not run.

        One without a checkpoint is begun again.
        """

        def read() -> Opening:
            opening = Resume.at(run)
            return opening if resumable(run) is not None else opening.anew()

        def asked(opening: Opening) -> None:
            try:
                if self.may_run(opening.config.factory):
                    then(opening)
            except LabError as error:
                self._notices.error(str(error))

        return self._read_run(read, asked)

    def _on_state(self, record: StateRecord) -> None:
        """A run of a cluster that was watched may have come back with all that is its."""
        shown = self._sessions.shown
        if record.state in ENDED and shown is not None and isinstance(shown.session, MirroredRun):
            run = shown.session.run
            if not is_mirror(run):
                words = self.tr("{} has come back whole, and can be trained on.").format(run.name)
                again = (self.tr("Open it"), partial(self.open_run, str(run)))
                self._notices.warning(words, actions=(again,))

    def _on_keep(self, path: str) -> None:
        self._read_agreed(Path(path), lambda _: self._keep(path))

    def _keep(self, path: str) -> None:
        def work(report: Report) -> int:
            from lora_lab.training.saving.keep import keep_adapter

            return keep_adapter(Path(path), report)

        def done(step: int) -> None:
            adapter = Path(path) / "adapter"
            self._notices.news(
                self.tr("The adapter of step {:,} is saved in {}").format(step, adapter)
            )
            self._refresh()

        self._do(work, done, self.tr("Opening the run"))

    def _on_stop(self, path: str) -> None:
        def work(report: Report) -> int:
            def gives_up() -> bool:
                report("Saving", -1.0)  # raises where it is cancelled
                return False

            return end(Path(path), gives_up).step

        def done(step: int) -> None:
            self._notices.news(self.tr("The run was stopped and saved at step {:,}.").format(step))
            self._refresh()

        self._do(work, done, self.tr("Saving"))

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

    def _on_discard(self, runs: list[RunSummary]) -> None:
        if not self.agrees(runs):
            return

        moving = self._do(
            partial(discard, runs), lambda _: self._refresh(), self.tr("Moving to the trash")
        )
        for ended in (moving.failed, moving.broke):  # what came before it has gone
            ended.connect(lambda _: self._refresh())

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
        self, work: Callable[[Report], Any], done: Callable[..., None], words: str = ""
    ) -> Background:
        """Do `work` beside the window; the dock shows `words` for it, and cancels it."""
        background = self._works.start(work, done, self._notices.error)
        if words:
            self._dock.busy.watch(background, words)
        return background

    def _on_cancelled(self) -> None:
        left = self._works.cancel()
        self._reading = False  # that one is cancelled as well
        for work in left:
            self._dock.busy.end(work)

        def look(_: Report) -> tuple[list[RunSummary], set[str]]:
            for work in left:  # what each is in the midst of is still done
                work.join()
            return _read()

        self._do(look, lambda read: self._dock.show_runs(*read))

    def _show_interrupted(self, runs: list[RunSummary]) -> None:
        interrupted = [run for run in runs if run.interrupted and run.step]
        if not interrupted:
            return
        newest, tr = interrupted[0], self.tr
        message = tr("{} was interrupted at step {:,}.").format(
            newest.label or newest.name, newest.step
        )
        if len(interrupted) > 1:
            message += tr(" Also interrupted: {}.").format(len(interrupted) - 1)
        self._notices.warning(
            message,
            "\n".join(tr("{}: step {:,}").format(run.path, run.step) for run in interrupted),
            (
                (tr("Resume it"), partial(self.open_run, newest.path)),
                (tr("Save its adapter"), partial(self._show_and_keep, newest.path)),
                (tr("Move it to trash"), partial(self._on_discard, [newest])),
                (tr("Show all runs"), self.start),
            ),
        )

    def _show_and_keep(self, path: str) -> None:
        self.start()
        self._on_keep(path)


def _read() -> tuple[list[RunSummary], set[str]]:
    """The runs, and which of them train in the background."""
    return list_runs(paths.runs()), set(live_places())
