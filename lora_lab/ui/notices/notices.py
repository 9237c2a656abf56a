"""The one place where errors and news are gathered: from any thread, each equal one once a while.

That is what the window says itself, uncaught exceptions of the GUI thread and of plain threads, and
Qt's critical messages. `notice_bar` shows one after the other.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Literal

from PySide6.QtCore import QObject, Qt, QtMsgType, Signal, qInstallMessageHandler

from lora_lab.names import brief

log = logging.getLogger("lora_lab.ui")

Severity = Literal["news", "warning", "error"]
Action = tuple[str, Callable[[], None]]  # words of a button, and what it does

SAME_FOR = 10.0  # seconds in which an equal notice is counted instead of shown again
LINES, LETTERS = 10, 1000  # of a notice; what a file says may be as long as it likes
DETAILS = 50_000  # letters
BURST = 8  # different notices in one second; a storm beyond that is only counted


@dataclass(frozen=True)
class Notice:
    """One thing to say; `details` is a traceback or a path, shown when asked for."""

    severity: Severity
    message: str
    details: str = ""
    times: int = 1
    actions: tuple[Action, ...] = ()  # what can be done about it at once
    of_run: bool = False  # it says how the shown run stands, and goes with it


class Notices(QObject):
    """Gathers notices from any thread and lets each equal one through once in a while."""

    posted = Signal(object)  # Notice; emitted in any thread, so it is connected as queued
    shown = Signal(object)  # Notice; in the GUI thread, after the rate limit
    repeated = Signal(object)  # Notice that stands already, with `times` counted up
    run_left = Signal()  # what is `of_run` holds no longer; queued, behind what was posted before

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recent: dict[tuple[str, str], tuple[float, Notice]] = {}
        self._burst: deque[float] = deque()
        self._before: tuple[Any, Any, Any] | None = None
        self.posted.connect(self._let_through, Qt.ConnectionType.QueuedConnection)
        self.run_left.connect(self._forget_run, Qt.ConnectionType.QueuedConnection)

    def news(self, message: str, details: str = "", of_run: bool = False) -> None:
        self._post("news", message, details, of_run=of_run)

    def warning(self, message: str, details: str = "", actions: tuple[Action, ...] = ()) -> None:
        self._post("warning", message, details, actions)

    def error(self, message: str, details: str = "", actions: tuple[Action, ...] = ()) -> None:
        self._post("error", message, details, actions)

    def _post(
        self,
        severity: Severity,
        message: str,
        details: str,
        actions: tuple[Action, ...] = (),
        of_run: bool = False,
    ) -> None:
        lines = message.split("\n")
        short = brief("\n".join(lines[:LINES]), LETTERS)
        if len(lines) > LINES or len(short) < len(message):
            details = f"{message}\n\n{details}".strip()
        details = "\n".join(brief(line, LETTERS) for line in brief(details, DETAILS).split("\n"))
        self.posted.emit(Notice(severity, short, details, actions=actions, of_run=of_run))

    def install(self) -> None:
        """Take over the hooks for uncaught exceptions and Qt's messages."""
        if self._before is None:
            previous = qInstallMessageHandler(self._on_qt_message)
            self._before = (sys.excepthook, threading.excepthook, previous)
            sys.excepthook = self._on_exception
            threading.excepthook = self._on_thread_exception

    def uninstall(self) -> None:
        """Give the hooks back as they were found."""
        if self._before is not None:
            sys.excepthook, threading.excepthook, previous = self._before
            qInstallMessageHandler(previous)
            self._before = None

    def _on_exception(self, kind, error, trace) -> None:
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            sys.__excepthook__(kind, error, trace)
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        log.error("%s", text.rstrip())
        self.error(f"{kind.__name__}: {error}", text)

    def _on_thread_exception(self, arguments) -> None:
        if arguments.exc_type is not SystemExit:
            value = arguments.exc_value or arguments.exc_type()
            self._on_exception(arguments.exc_type, value, arguments.exc_traceback)

    def _on_qt_message(self, kind, context, message) -> None:
        # Qt's warnings concern programmers and go to the log; what is critical concerns everybody.
        if kind in (QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg):
            log.error("Qt: %s", message)
            self.error(f"Qt: {message}")
        elif kind == QtMsgType.QtWarningMsg:
            log.warning("Qt: %s", message)

    def _forget_run(self) -> None:
        kept = {key: said for key, said in self._recent.items() if not said[1].of_run}
        self._recent = kept  # the same of the next run is new

    def _let_through(self, notice: Notice) -> None:
        now = monotonic()
        key = (notice.severity, notice.message)
        self._recent = {k: v for k, v in self._recent.items() if now - v[0] < SAME_FOR}
        if standing := self._recent.get(key):
            counted = replace(notice, times=standing[1].times + 1)
            self._recent[key] = (standing[0], counted)
            self.repeated.emit(counted)
            return
        while self._burst and now - self._burst[0] > 1.0:
            self._burst.popleft()
        if len(self._burst) >= BURST:
            log.warning("too many notices at once; not shown: %s", notice.message)
            return
        self._burst.append(now)
        self._recent[key] = (now, notice)
        self.shown.emit(notice)
