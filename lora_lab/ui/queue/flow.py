"""From the menu to the queue: its file, its runner, the window beside the lab, and old settings."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from lora_lab import paths
from lora_lab.config import RunConfig
from lora_lab.engine.start import start_queue
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.progress import Report
from lora_lab.records import State, StepRecord
from lora_lab.runs.listing import RunSummary, list_runs
from lora_lab.runs.queue import Queue
from lora_lab.runs.queue_kept import GIVE, ask_for, is_kept, withdraw
from lora_lab.runs.saved_config import SavedConfig
from lora_lab.training.opening import New
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.queue.dialog import QueueDialog
from lora_lab.ui.queue.old_runs import OldRunsDialog
from lora_lab.ui.queue.runner import Open, QueueRunner
from lora_lab.ui.runs.overlays_flow import OverlaysFlow
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import bring_to_front

log = logging.getLogger("lora_lab.queue")
SHOW_MS = 200  # between two looks at the figures of the run in hand
LOOK_MS = 50  # between two looks whether the queue was handed over
PATIENCE = 60.0  # seconds in which that is done: a process that starts may be loading libraries
ENOUGH = 5  # steps that must have been made before their speed is believed


class QueueFlow(QObject):
    """Holds the one queue of the window, once it was asked for."""

    ended = Signal()  # a run of the queue has ended, or another one has begun

    def __init__(
        self,
        sessions: Sessions,
        overlays: OverlaysFlow,
        notices: Notices,
        requested: Callable[[RunConfig], RunConfig],
        open: Open,
        window: QWidget,
    ) -> None:
        """`requested` is a config with what the docks say; `open` opens one, or a run to resume."""
        super().__init__(window)
        self._sessions, self._overlays, self._notices = sessions, overlays, notices
        self._folder = paths.user_data() / "queue"
        self._taken: list[Callable[[bool], object]] = []  # what follows a queue handed over
        self._until = 0.0
        self._look = QTimer(self, interval=LOOK_MS, timeout=self._look_for_queue)
        self.continues: Callable[[], bool] = lambda: False  # the window ends, its runs train on
        self._requested, self._open, self._window = requested, open, window
        self._loaded: LoadedRecord | None = None
        self._pace: dict[tuple[object, ...], float] = {}  # seconds per step, by what it depends on
        self._since: tuple[int, float] | None = None  # step and time since when it runs evenly
        self._works = Works(self)
        self.runner: QueueRunner | None = None
        self._behind: list[str] = []  # runs that the queue has put behind the present one
        self.dialog: QueueDialog | None = None
        self.to_cluster: Callable[[], object] = lambda: None  # a person would send runs to one
        self.old_runs: OldRunsDialog | None = None
        self._soon = QTimer(self, singleShot=True, interval=SHOW_MS)
        self._soon.timeout.connect(lambda: self.dialog.isVisible() and self._show())
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(StepRecord, self._on_stepped)
        sessions.state_changed.connect(self._on_state)

    def start(self) -> None:
        """Show the queue; its file is read the first time."""
        if not self._ready(self.start):
            return
        self._show_base()
        self._show()
        self._show_search()
        bring_to_front(self.dialog)

    def train(self, configs: Sequence[RunConfig]) -> None:
        """Put runs at the end that are not there yet, and begin with the first that waits."""
        if not self._ready(lambda: self.train(configs)):
            return
        waiting = [item.config for item in self.runner.queue.items if not item.ended]
        self._add([config for config in configs if config not in waiting])
        self.runner.start()

    def close(self) -> None:
        """Keep what waits; where the window's run continues without it, so does the queue."""
        self._soon.stop()
        if self._look.isActive():  # it is still kept without a window, and stays so
            self._look.stop()
            withdraw(self._folder)
        self._works.finish()
        if self.runner is not None:
            outlives = self.on and self.continues()
            self.runner.close()
            if outlives:
                self._go_on_without()
        for dialog in (self.dialog, self.old_runs):
            if dialog is not None:
                dialog.close()

    def step_seconds(self, config: RunConfig) -> float:
        """What a step of such a run took where one was measured; nan elsewhere."""
        return self._pace.get(_pace_key(config), math.nan)

    @property
    def on(self) -> bool:
        """Whether runs of the queue follow each other now."""
        return self.runner is not None and self.runner.on

    def find_again(self, instead: Callable[[], object]) -> bool:
        """Continue the queue that ran without the window; whether there is one.

        `instead` is done where nothing of it is left to show.
        """
        if self.dialog is not None or not is_kept(self._folder):
            return False

        def taken(read: bool) -> None:
            if read and (self.runner.queue.waiting or self.runner.searches.left):
                self.runner.start()
            else:
                instead()

        self._take_over(taken)
        return True

    def _ready(self, then: Callable[[], object]) -> bool:
        """Whether the queue is read; where it is kept without a window, `then` follows later."""
        if self.dialog is not None or not is_kept(self._folder):
            return self._read()

        def taken(read: bool) -> None:
            if read:
                then()
                self.runner.start()

        self._take_over(taken)
        return False

    def _take_over(self, taken: Callable[[bool], object]) -> None:
        """Ask for the queue, once; `taken` is told whether it was read."""
        self._taken.append(taken)
        if self._look.isActive():
            return
        try:
            ask_for(self._folder, GIVE)
        except LabError as error:
            self._notices.error(str(error))
        self._notices.news(self.tr("Taking over the queue that runs in the background…"))
        self._until = monotonic() + PATIENCE
        self._look.start()

    def _look_for_queue(self) -> None:
        if is_kept(self._folder) and monotonic() < self._until:
            return
        self._look.stop()
        taken, self._taken = self._taken, []
        read = self._read()
        for follow in taken:
            follow(read)

    def _go_on_without(self) -> None:
        """Let a process without a window keep the queue; nobody is there to be told otherwise."""
        factories = self.runner.searches.factories - {""}
        try:
            start_queue(self._folder, all(map(_is_agreed, factories)))
        except LabError:
            log.exception("the queue does not continue")

    def _read(self) -> bool:
        """Whether the queue is read; a message says why not."""
        if self.dialog is not None:
            return True
        try:
            queue = Queue(self._folder)
        except LabError as error:
            self._notices.error(str(error))
            return False
        self.runner = runner = QueueRunner(queue, self._sessions, self._open, self)
        for words in runner.searches.damaged:
            self._notices.error(words)
        self.dialog = dialog = QueueDialog(self.step_seconds, self._window)
        runner.changed.connect(self._on_changed)
        runner.progressed.connect(lambda _: self._soon.isActive() or self._soon.start())
        runner.news.connect(self._notices.news)
        runner.failed.connect(self._notices.error)
        dialog.start_requested.connect(runner.start)
        dialog.pause_requested.connect(runner.pause)
        dialog.abort_requested.connect(runner.abort)
        dialog.remove_requested.connect(lambda ids: self.change(lambda: queue.remove(ids)))
        dialog.move_requested.connect(lambda id, row: self.change(lambda: queue.place(id, row)))
        dialog.reuse_requested.connect(lambda config: self._open(New(config)))
        dialog.old_runs_requested.connect(self._show_old_runs)
        dialog.builder.grid_requested.connect(lambda configs: self._add(configs, self._steps))
        dialog.builder.search_requested.connect(
            lambda plan: self.change(lambda: runner.searches.add(plan))
        )
        dialog.end_search_requested.connect(lambda: self.change(runner.searches.end))
        dialog.builder.docks_requested.connect(self._add_docks)
        dialog.cluster_requested.connect(lambda: self.to_cluster())
        dialog.activated.connect(self._show_base)
        return True

    def change(self, change: Callable[[], None]) -> None:
        """Change the queue; what cannot be written is told, and the queue stays as it was."""
        try:
            change()
        except LabError as error:
            self._notices.error(str(error))
        self._show()
        self._show_search()

    def _add(self, configs: Sequence[RunConfig], max_steps: int = 0) -> None:
        self.change(lambda: self.runner.queue.add(configs, max_steps))

    def _add_docks(self) -> None:
        try:
            self._add([self._docks()], self._steps)
        except LabError as error:
            self._notices.error(str(error))

    def _docks(self) -> RunConfig:
        """What the docks show; raises LabError where nothing is open, or it does not fit."""
        config = self._sessions.config
        if config is None:
            raise LabError(self.tr("Nothing is open."))
        return self._requested(config)

    def _on_changed(self) -> None:
        self.ended.emit()
        running = self.runner.running
        if running is not None and self._sessions.folder is None:  # it stands at its beginning
            for item in self.runner.queue.items:
                if item.ended and item.step and _alike(item.config, running.config):
                    self._put_behind(item.run)
        self._show()
        self._show_search()

    def _put_behind(self, run: str) -> None:
        """Show an ended run behind the present one, in place of the oldest where no more fit."""
        overlays = self._overlays
        if not run or run in self._behind:
            return
        while overlays.full and self._behind:
            overlays.request(self._behind.pop(0), False)
        if not overlays.full:  # of runs that a person has put there
            overlays.request(run, True)
            self._behind.append(run)

    def _on_loaded(self, record: LoadedRecord) -> None:
        if not record.stage:
            self._loaded = record
        if self.dialog is not None:
            self._show_base()

    def _on_stepped(self, record: StepRecord) -> None:
        """Measure the pace by the clock: validations and saves take their time as well."""
        config, now = self._sessions.config, monotonic()
        if self._since is None:
            self._since = (record.step, now)
        elif config is not None and record.step >= self._since[0] + ENOUGH:
            step, began = self._since
            self._pace[_pace_key(config)] = (now - began) / (record.step - step)

    def _on_state(self) -> None:
        if self._sessions.state is not State.RUNNING:
            self._since = None  # a pause is no part of a pace

    @property
    def _steps(self) -> int:
        """Steps that the epochs of the present run make; 0: not known."""
        return self._loaded.max_steps if self._loaded is not None else 0

    def _show_base(self) -> None:
        adaptable = self._loaded.adaptable if self._loaded is not None else ()
        try:
            self.dialog.builder.set_base(self._docks(), adaptable, self._steps)
        except LabError as error:
            self.dialog.builder.set_base(None, (), 0, str(error))

    def _show(self) -> None:
        runner = self.runner
        self.dialog.show_queue(runner.queue.items, runner.running, runner.on)

    def _show_search(self) -> None:
        """What the searches have still to choose, and what they have learned."""
        searches = self.runner.searches
        try:
            self.dialog.show_search(searches.left, searches.importances())
        except LabError as error:
            self._notices.error(str(error))

    # -- old runs ----------------------------------------------------------------------------

    def _show_old_runs(self) -> None:
        if self.old_runs is None:
            self.old_runs = OldRunsDialog(self.dialog)
            reuse = self.dialog.reuse_requested.emit
            self.old_runs.open_requested.connect(lambda path: self._use_old(path, reuse))
            self.old_runs.add_requested.connect(
                lambda path: self._use_old(path, lambda config: self._add([config]))
            )
        self.old_runs.wait()
        bring_to_front(self.old_runs)

        def work(report: Report) -> list[RunSummary]:
            return list_runs(paths.runs())

        def refuse(message: str) -> None:
            self.old_runs.say(message, "error")

        self._works.start(work, self.old_runs.show_runs, refuse, refuse)

    def _use_old(self, path: str, use: Callable[[RunConfig], None]) -> None:
        def read(report: Report) -> RunConfig:
            return SavedConfig.read(Path(path)).config

        def done(config: RunConfig) -> None:
            self.old_runs.hide()
            use(config)

        self._works.start(read, done, lambda words: self.old_runs.say(words, "error"))


def _is_agreed(factory: str) -> bool:
    from lora_lab.models.factory import is_agreed  # torch comes with it

    return is_agreed(factory)


def _alike(one: RunConfig, other: RunConfig) -> bool:
    """Whether the losses of two runs mean the same."""
    return all(getattr(one, name) == getattr(other, name) for name in ("task", "model", "data"))


def _pace_key(config: RunConfig) -> tuple[object, ...]:
    """What the time of a step hangs on most; rank and kind of adapter move it a little."""
    return (
        config.task, config.model, config.data, config.device, config.dtype, config.batch_size,
        config.batch_tokens, config.share_prefix,
    )  # fmt: skip
