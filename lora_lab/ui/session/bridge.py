"""The one door of the window: a timer that drains the session and hands its records on, in order.

Nothing is drawn per record. A tick swaps the waiting list, lets every panel collect, hands the
records on one by one (of steps that follow each other the newest), and then redraws the visible
dirty panels until its time is spent; the others get their turn on the next tick, so that mouse and
keyboard never wait for a plot.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from lora_lab.opening_records import LoadedRecord
from lora_lab.records import Record, State, StateRecord, StepRecord
from lora_lab.ui.session.dispatch import guarded

if TYPE_CHECKING:
    from lora_lab.training.session import Session

TICK_MS = 33
PATIENCE = 6.0  # seconds in which an opening that is cancelled may end, before it is given up
DRAW_BUDGET = 0.012  # seconds of drawing in one tick; a 16 ms heartbeat must fit beside it


class Collector(Protocol):
    """What a panel is to the bridge: it collects what arrives, and draws when it is asked to."""

    key: str
    dirty: bool  # whether there is something to draw

    def receive(self, records: Sequence[Record]) -> None: ...
    def redraw(self) -> None: ...
    def isVisible(self) -> bool: ...


@dataclass
class Tick:
    """What one tick carried, and the seconds that it took."""

    records: int = 0
    seconds: float = 0.0  # all of it
    delivering: float = 0.0  # to panels and listeners
    collecting: float = 0.0  # the panels' part of that
    drawing: dict[str, float] = field(default_factory=dict)  # by the panel's key


class SessionBridge(QObject):
    """Carries the records of one session into the window, from its start until it is closed."""

    arrived = Signal(object)  # each record in the order it was said; of steps in a row the newest
    ticked = Signal(object)  # Tick, at the end of each
    closed = Signal()  # as `ended`; nothing comes after this

    def __init__(self, session: Session, parent: QObject | None = None, id: int = 0) -> None:
        super().__init__(parent)
        self.session = session
        self.id = id  # of the session, among all that were opened
        self.closing = False  # a stop was asked for, or the thread is on its way out
        self.ended = False  # the thread is joined, or an opening that does not end was given up
        self._asked = math.inf  # when it was asked to close
        self._panels: list[Collector] = []
        self._next = 0  # whose turn it is to be drawn first
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.poll)

    @property
    def paused(self) -> bool:
        """Whether the session was asked to pause, or has not been asked to train yet."""
        return self.session.controls.paused

    def start(self) -> None:
        """Start the session's thread and the timer that empties its list."""
        self.session.start()
        self._timer.start()

    def show_on(self, panels: Iterable[Collector]) -> None:
        """From now on these panels collect and draw what arrives."""
        self._panels = list(panels)

    def request_close(self, *, save: bool = True, let_go: bool = False) -> None:
        """Ask the session to finish its step, save and end, or let it go; `closed` says when."""
        if not self.closing:
            self.closing, self._asked = True, perf_counter()
            self.session.let_go() if let_go else self.session.request_close(save=save)

    def poll(self) -> None:
        """One tick: drain, deliver, draw."""
        tick, began = Tick(), perf_counter()
        # Asked before draining: a thread that has ended by now has said all that it will say.
        ended = self.closing and self.session.join(0)
        if self.closing and self.session.state is State.LOADING:  # perhaps in one long call of C
            ended = ended or perf_counter() - self._asked > PATIENCE
        records = self.session.drain()
        if records:
            tick.records, delivered = len(records), perf_counter()
            self._deliver(records, tick)
            tick.delivering = perf_counter() - delivered
        if ended:
            self._finish()
        elif self._panels:
            self._redraw(tick)
        tick.seconds = perf_counter() - began
        self.ticked.emit(tick)

    def _deliver(self, records: list[Record], tick: Tick) -> None:
        start = 0
        for index, record in enumerate(records):
            if isinstance(record, LoadedRecord):
                self._hand_over(records[start:index], tick)
                start = index + 1
                self.arrived.emit(record)  # the window adopts this bridge here, and panels start
        self._hand_over(records[start:], tick)

    def _hand_over(self, records: list[Record], tick: Tick) -> None:
        if not records:
            return
        began = perf_counter()
        for panel in self._panels:
            guarded(panel.receive, records)
        tick.collecting += perf_counter() - began
        for record, following in zip_longest(records, records[1:]):
            if type(record) is StepRecord and type(following) is StepRecord:
                continue  # thousands a second: only the newest of a row is worth a call
            self.arrived.emit(record)
            if isinstance(record, StateRecord) and record.state is State.CLOSED:
                self.closing = True  # the thread is on its way out: the next tick joins it

    def _redraw(self, tick: Tick) -> None:
        count = len(self._panels)
        now = perf_counter()
        end = now + DRAW_BUDGET
        for offset in range(count):
            panel = self._panels[(self._next + offset) % count]
            if panel.dirty and panel.isVisible():
                began = now
                guarded(panel.redraw)
                now = perf_counter()
                tick.drawing[panel.key] = now - began
                if now >= end:
                    self._next = (self._next + offset + 1) % count
                    return
        self._next = 0

    def _finish(self) -> None:
        self._timer.stop()
        self.ended = True
        self.closed.emit()
