"""The one door of the window: a timer that drains the session and hands records to the panels.

Nothing is drawn per record. A tick swaps the waiting list, lets every panel collect, says the rare
news as signals, and then redraws the visible dirty panels until its time is spent; the others get
their turn on the next tick, so that mouse and keyboard never wait for a plot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from time import perf_counter
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from lora_lab.records import (
    AppliedRecord,
    CalledOffRecord,
    CountsRecord,
    CutRecord,
    DataRecord,
    ErrorRecord,
    EvalRecord,
    ExportedRecord,
    ExportingRecord,
    FolderRecord,
    IntruderRecord,
    LoadedRecord,
    MemoryRecord,
    MergeRecord,
    NewsRecord,
    NonFiniteRecord,
    OpeningRecord,
    RankHintRecord,
    RateFoundRecord,
    RatePointRecord,
    Record,
    ResumedRecord,
    SavedRecord,
    SpectrumRecord,
    SpeedRecord,
    State,
    StateRecord,
    StepRecord,
)

if TYPE_CHECKING:
    from lora_lab.training.session import Session
    from lora_lab.ui.panels.panel import Panel

TICK_MS = 33
DRAW_BUDGET = 0.012  # seconds of drawing in one tick; a 16 ms heartbeat must fit beside it


class SessionBridge(QObject):
    """Carries the records of one session into the window, from its start until it is closed."""

    received = Signal(list)  # every record after the last LoadedRecord, in order
    loaded = Signal(object)  # LoadedRecord; before any record that follows it
    opening_told = Signal(object)  # OpeningRecord
    data_read = Signal(object)  # DataRecord
    stepped = Signal(object)  # the newest StepRecord of the tick
    state_changed = Signal(object)
    applied = Signal(object)
    measured = Signal(object)  # SpectrumRecord
    counted = Signal(object)  # CountsRecord
    evaluated = Signal(object)
    saved = Signal(object)
    exporting = Signal(object)  # ExportingRecord
    exported = Signal(object)
    called_off = Signal(object)  # CalledOffRecord
    merge_measured = Signal(object)  # MergeRecord
    cut_measured = Signal(object)  # CutRecord
    intruders_counted = Signal(object)  # IntruderRecord
    memory_estimated = Signal(object)  # MemoryRecord
    speed_measured = Signal(object)  # SpeedRecord
    rate_tried = Signal(object)  # RatePointRecord
    rate_found = Signal(object)  # RateFoundRecord
    rank_hinted = Signal(object)  # RankHintRecord
    told = Signal(object)  # NewsRecord
    broke = Signal(object)  # NonFiniteRecord
    went_back = Signal(object)  # ResumedRecord
    failed = Signal(object)  # ErrorRecord, or the StateRecord of a failed open
    housed = Signal(object)  # FolderRecord
    closed = Signal()  # the thread is joined; nothing comes after this

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.closing = False  # a stop was asked for, or the thread is on its way out
        self.ended = False  # the thread is joined
        self._panels: list[Panel] = []
        self._next = 0  # whose turn it is to be drawn first
        self._signals = {
            StateRecord: self.state_changed,
            OpeningRecord: self.opening_told,
            DataRecord: self.data_read,
            AppliedRecord: self.applied,
            SpectrumRecord: self.measured,
            CountsRecord: self.counted,
            EvalRecord: self.evaluated,
            SavedRecord: self.saved,
            ExportingRecord: self.exporting,
            ExportedRecord: self.exported,
            CalledOffRecord: self.called_off,
            MergeRecord: self.merge_measured,
            CutRecord: self.cut_measured,
            IntruderRecord: self.intruders_counted,
            MemoryRecord: self.memory_estimated,
            SpeedRecord: self.speed_measured,
            RatePointRecord: self.rate_tried,
            RateFoundRecord: self.rate_found,
            RankHintRecord: self.rank_hinted,
            NewsRecord: self.told,
            NonFiniteRecord: self.broke,
            ResumedRecord: self.went_back,
            FolderRecord: self.housed,
            ErrorRecord: self.failed,
        }
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.poll)

    def start(self) -> None:
        """Start the session's thread and the timer that empties its list."""
        self.session.start()
        self._timer.start()

    def show_on(self, panels: Iterable[Panel]) -> None:
        """From now on these panels collect and draw what arrives."""
        self._panels = list(panels)

    def request_close(self, *, save: bool = True) -> None:
        """Ask the session to finish its step, save and end; `closed` says when it has."""
        if not self.closing:
            self.closing = True
            self.session.request_close(save=save)

    def poll(self) -> None:
        """One tick: drain, deliver, draw."""
        # Asked before draining: a thread that has ended by now has said all that it will say.
        ended = self.closing and self.session.join(0)
        records = self.session.drain()
        if records:
            self._deliver(records)
        if ended:
            self._finish()
        elif self._panels:
            self._redraw()

    def _deliver(self, records: list[Record]) -> None:
        start = 0
        for index, record in enumerate(records):
            if isinstance(record, LoadedRecord):
                self._hand_over(records[start:index])
                start = index + 1
                self.loaded.emit(record)  # the window adopts this bridge here: show_on()
                for panel in self._panels:
                    self._guarded(panel.reset, record)
        self._hand_over(records[start:])

    def _hand_over(self, records: list[Record]) -> None:
        if not records:
            return
        for panel in self._panels:
            self._guarded(panel.receive, records)
        self.received.emit(records)
        newest = None
        for record in records:
            kind = type(record)
            if kind is StepRecord:
                newest = record
            elif signal := self._signals.get(kind):
                signal.emit(record)
                if kind is StateRecord:
                    self._heed(record)
        if newest is not None:
            self.stepped.emit(newest)

    def _heed(self, record: StateRecord) -> None:
        if record.state is State.FAILED:
            self.failed.emit(record)
        elif record.state is State.CLOSED:
            self.closing = True  # the thread is on its way out: the next tick joins it

    def _redraw(self) -> None:
        count = len(self._panels)
        spent = perf_counter() + DRAW_BUDGET
        for offset in range(count):
            panel = self._panels[(self._next + offset) % count]
            if panel.dirty and panel.isVisible():
                self._guarded(panel.redraw)
                if perf_counter() >= spent:
                    self._next = (self._next + offset + 1) % count
                    return
        self._next = 0

    def _guarded(self, call, *arguments) -> None:
        """Run a panel's method; what it raises is shown, and the other panels still get theirs."""
        try:
            call(*arguments)
        except Exception:  # noqa: BLE001 - any fault of one panel is reported in the one place
            sys.excepthook(*sys.exc_info())

    def _finish(self) -> None:
        self._timer.stop()
        self.session.join()
        self.ended = True
        self.closed.emit()
