"""Lets the runs of a queue follow each other in the session that the window shows.

A run of the queue is opened like any other, so that every panel shows it and every control works
on it. When it ends, for whatever reason, that is noted and the next one is opened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from lora_lab.engine.places import live_place
from lora_lab.engine.remote import RemoteSession
from lora_lab.errors import LabError
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    CountsRecord,
    ErrorRecord,
    EvalRecord,
    FolderRecord,
    Record,
    StateRecord,
    StepRecord,
)
from lora_lab.runs.grid import describe
from lora_lab.runs.listing import name_run
from lora_lab.runs.queue import ABORTED, DONE, FAILED, RUNNING, WAITING, Item, Queue
from lora_lab.runs.searches import Searches
from lora_lab.training.opening import New, Opening, Resume
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.widgets.background import Works

Open = Callable[[Opening], int]  # the id of the session, 0: nothing is opened


class QueueRunner(QObject):
    """`on`: whether another run is begun when one ends. At most one item is running."""

    changed = Signal()  # an item has moved to another state, or the queue was switched on or off
    progressed = Signal(str)  # id of the item that runs: its figures have moved
    news = Signal(str)  # what a person should know: the queue has stopped, and why
    failed = Signal(str)  # the queue could not be kept on the disk

    def __init__(
        self, queue: Queue, sessions: Sessions, open: Open, parent: QObject | None = None
    ) -> None:
        """`open` opens settings, or a run that goes on; it may ask the person and do nothing."""
        super().__init__(parent)
        self.queue, self._sessions, self._open = queue, sessions, open
        self.searches = Searches(queue)
        self.on = False
        self._id = ""  # of the item that is opened or runs
        self._session = 0  # id of the session that it was opened in
        self._stands = False  # its model is loaded
        self._stage = False  # its base is being trained first
        self._why = ""  # it could not be opened
        self._cancelled = False  # by `abort`, while it was opened
        self._works = Works(self)
        self._reading = False  # how to resume it
        sessions.on(LoadedRecord, self._on_loaded)
        sessions.on(StepRecord, self._on_stepped)
        sessions.on(CountsRecord, self._on_counted)
        sessions.on(EvalRecord, self._on_evaluated)
        sessions.on(FolderRecord, self._on_folder)
        sessions.on(StateRecord, self._on_state)
        sessions.failed.connect(self._on_failed)
        sessions.opening_failed.connect(self._on_opening_failed)

    @property
    def running(self) -> Item | None:
        """The item that is opened or runs now."""
        return self.queue.find(self._id) if self._id else None

    def start(self) -> None:
        """Begin with the first one that waits, unless one runs already."""
        if not self.on:
            self.on = True
            self.changed.emit()
            self._begin_next()

    def pause(self) -> None:
        """Begin no other run; the one that runs goes on to its end."""
        if self.on:
            self.on = False
            self.changed.emit()

    def abort(self) -> None:
        """End the run at the step in hand, which is saved; the next one begins if the queue is on.

        One that is still being opened is cancelled.
        """
        if not self._id:
            return
        if self._stands:
            self._sessions.stop()
        elif self._reading:
            self._end(ABORTED)
        else:
            self._cancelled = True
            self._sessions.cancel_opening()

    def close(self) -> None:
        """Write down how far the run is and let go of the queue; what waits stays in its file."""
        self.on = False
        self._works.finish()
        if self._id:
            self._note()
            self._id = ""
        self.queue.close()

    def _begin_next(self) -> None:
        if not self.on or self._id or self._sessions.leaving:
            return
        try:
            item = self.searches.next()
        except LabError as error:  # told, and done without the file
            self.failed.emit(str(error))
            item = next(iter(self.queue.waiting), None)
        if item is None:
            self.pause()
            self.news.emit(self._outcome())
            return
        apart = bool(item.run) and live_place(item.run) is not None
        resumes = apart or item.resumes
        begun = {} if resumes else {"run": "", "step": 0, "best": math.nan, "seconds": 0.0}
        self._id, self._session = item.id, 0
        self._stands, self._why, self._cancelled = False, "", False
        self.searches.begin(item)
        self._note(state=RUNNING, message="", **begun)
        self.changed.emit()
        if apart:
            self._follow(item)
        elif resumes:  # its files may be long, and anybody's
            self._reading = True
            self._works.start(lambda _: Resume.at(Path(item.run)), self._open_item,
                              self._fail, self._fail)  # fmt: skip
        else:
            self._open_item(New(item.config))

    def _open_item(self, opening: Opening) -> None:
        self._reading = False
        if self._sessions.leaving:  # it waits for the next window
            return
        self._session = self._open(opening)
        if not self._session:  # the person would not have it
            self._give_back()

    def _fail(self, words: str) -> None:
        self._end(FAILED, words)

    def _follow(self, item: Item) -> None:
        """It trains in a process of its own already: show it, and follow it to its end."""
        sessions, run = self._sessions, Path(item.run)
        if sessions.apart and sessions.folder == run:
            self._session, self._stands = sessions.id, True
            if sessions.paused:
                sessions.toggle()
        else:
            self._session = sessions.show(RemoteSession(run, config=item.config))

    def _give_back(self, words: str = "") -> None:
        """The item waits again and the queue with it."""
        self._note(state=WAITING)
        self._let_go()
        self.pause()
        self.changed.emit()
        if words:
            self.news.emit(words)

    def _end(self, state: str, message: str = "") -> None:
        """The item is over; the next one is opened once everybody has heard of this."""
        self._note(state=state, message=message)
        ended = self._let_go()
        self._try(lambda: self.searches.tell(ended))
        self.changed.emit()
        QTimer.singleShot(0, self, self._begin_next)

    def _let_go(self) -> str:
        """Which item it was that is opened no more."""
        if self._reading:
            self._works.cancel()
        ended, self._id, self._reading = self._id, "", False
        return ended

    def _try(self, work: Callable[[], Any]) -> Any:
        """What a search says; one that cannot be kept is told of, and ends no run."""
        try:
            return work()
        except LabError as error:
            self.failed.emit(str(error))
            return None

    def _look(self, record: Record) -> None:
        """End the run where its search has learned that it promises nothing."""
        if self._id and self._try(lambda: self.searches.unpromising(record)):
            self._sessions.stop()

    def _outcome(self) -> str:
        done = [item for item in self.queue.items if item.state == DONE]
        words = self.tr("Queue finished: {} done.").format(len(done))
        if failed := sum(item.state == FAILED for item in self.queue.items):
            words += self.tr(" {} failed.").format(failed)
        return words

    def _note(self, *, keep: bool = True, **facts: Any) -> None:
        try:
            self.queue.note(self._id, keep=keep, **facts)
        except LabError as error:  # a full disk does not end the queue: it lives in memory
            self.queue.note(self._id, keep=False, **facts)
            self.failed.emit(str(error))

    def _shown_is_ours(self) -> bool:
        return self._session != 0 and self._sessions.id == self._session

    # -- what the sessions say ---------------------------------------------------------------

    def _on_loaded(self, record: LoadedRecord) -> None:
        if not self._id:
            return
        if not self._shown_is_ours():
            began, self._stands = self._stands, False
            words = self.tr("Something else was opened, so the queue is paused.")
            if began:
                self._note(state=ABORTED)
                self._id = ""
                self.pause()
                self.news.emit(words)
            else:
                self._give_back(words)
            return
        self._stage = bool(record.stage)
        self._look(record)
        if not self._stands:
            self._stands = True
            if self._sessions.paused:
                self._sessions.toggle()
        if not self._stage:
            self._note(max_steps=record.goal)
        self.changed.emit()

    def _on_state(self, record: StateRecord) -> None:
        if not self._id or not self._shown_is_ours():
            return
        becomes = self.searches.ended_as(record)
        if becomes is not None:
            self._end(becomes, record.message if becomes == FAILED else "")

    def _on_stepped(self, record: StepRecord) -> None:
        self._move(step=record.step, seconds=record.seconds)

    def _on_counted(self, record: CountsRecord) -> None:
        self._move(parameters=record.adapter)

    def _on_evaluated(self, record: EvalRecord) -> None:
        item = self.running
        if item is not None and record.enabled and not record.loss >= item.best:
            self._move(best=record.loss)
        if item is not None and self._stands and self._shown_is_ours():
            self._look(record)

    def _move(self, **facts: Any) -> None:
        if self._id and self._stands and not self._stage and self._shown_is_ours():
            self._note(keep=False, **facts)
            self.progressed.emit(self._id)

    def _on_folder(self, record: FolderRecord) -> None:
        item = self.running
        if item is not None and self._shown_is_ours():
            self._note(run=record.path)
            try:
                name_run(Path(record.path), describe(item.config))
            except LabError as error:
                self.failed.emit(str(error))

    def _on_failed(self, record: ErrorRecord | StateRecord) -> None:
        begun = self._session and not self._stands
        if self._id and begun and isinstance(record, StateRecord):
            self._why = record.message

    def _on_opening_failed(self) -> None:
        if not (self._id and self._session) or self._stands or self._sessions.leaving:
            return
        if self._why:
            self._end(FAILED, self._why)
        elif self._cancelled:
            self._end(ABORTED)
        else:
            self._note(state=ABORTED)
            self._id = ""
            self.pause()
            self.news.emit(self.tr("Opening was cancelled, so the queue is paused."))
