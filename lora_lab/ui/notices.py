"""The one place where errors and news are shown: a bar over the foot of the window, never modal.

`Notices` gathers from any thread: what the window says itself, uncaught exceptions of the GUI
thread and of plain threads, and Qt's critical messages. `NoticeBar` shows one after the other.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import deque
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any, Literal

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.ui.widgets.notice_chip import NoticeChip

log = logging.getLogger("lora_lab.ui")

Severity = Literal["news", "warning", "error"]

SAME_FOR = 10.0  # seconds in which an equal notice is counted instead of shown again
BURST = 8  # different notices in one second; a storm beyond that is only counted
WAITING_LIMIT = 20  # notices that wait behind the one that is shown
NEWS_MS = 9_000  # news leaves by itself
STAY_MS = 20_000  # warnings and errors then fold into the status strip, until they are dismissed


@dataclass(frozen=True)
class Notice:
    """One thing to say; `details` is a traceback or a path, shown when asked for."""

    severity: Severity
    message: str
    details: str = ""
    times: int = 1
    actions: tuple[tuple[str, str], ...] = ()  # (key, words) of what can be done at once


class Notices(QObject):
    """Gathers notices from any thread and lets each equal one through once in a while."""

    posted = Signal(object)  # Notice; emitted in any thread, so it is connected as queued
    shown = Signal(object)  # Notice; in the GUI thread, after the rate limit
    repeated = Signal(object)  # Notice that stands already, with `times` counted up

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recent: dict[tuple[str, str], tuple[float, Notice]] = {}
        self._burst: deque[float] = deque()
        self._before: tuple[Any, Any, Any] | None = None
        self.posted.connect(self._let_through, Qt.ConnectionType.QueuedConnection)

    def news(self, message: str, details: str = "") -> None:
        self.posted.emit(Notice("news", message, details))

    def warning(
        self, message: str, details: str = "", actions: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.posted.emit(Notice("warning", message, details, actions=actions))

    def error(
        self, message: str, details: str = "", actions: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.posted.emit(Notice("error", message, details, actions=actions))

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


class NoticeBar(QFrame):
    """Shows one notice: message, how many more wait, Details, dismiss. Hidden when all is said.

    It floats over the foot of its parent, so that no plot and no control moves when something is
    said. What is not dismissed gives the room back after a while: it folds into `chip`, a button
    for the status strip that unfolds it again. News waits while a warning or an error is read.
    """

    acted = Signal(str)  # key of the action that was chosen; the notice leaves

    def __init__(self, notices: Notices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._actions = QHBoxLayout()
        self._actions.setSpacing(6)
        self._waiting: deque[Notice] = deque()  # warnings and errors
        self._later: deque[Notice] = deque(maxlen=WAITING_LIMIT)  # news
        self._notice: Notice | None = None
        self._folded = False  # what waits does so in the chip

        self._message = QLabel()
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._more = QLabel()
        self._more.setObjectName("notice_more")
        self._details_button = self._button(self.tr("&Details"), self._toggle_details)
        self._details_button.setCheckable(True)
        self._copy_button = self._button(self.tr("&Copy"), self._copy)
        self._dismiss_button = self._button(self.tr("Dis&miss"), self.dismiss)

        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setAccessibleName(self.tr("Details of the notice"))
        self._details.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._details.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._details.hide()

        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self._message, 1)
        for widget in (self._more, self._details_button, self._copy_button, self._dismiss_button):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 8, 6)
        column.addLayout(row)
        column.addLayout(self._actions)
        column.addWidget(self._details)

        self.chip = NoticeChip()
        self.chip.clicked.connect(self.unfold)
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.timeout.connect(self._make_room)
        notices.shown.connect(self._on_shown)
        notices.repeated.connect(self._on_repeated)
        self._tones: dict[Severity, str] = {}
        self.hide()

    @property
    def notice(self) -> Notice | None:
        """What is shown now."""
        return self._notice

    def restyle(self, tones: dict[Severity, str], text: str, surface: str) -> None:
        """Colour the bar: a stripe in the severity's tone beside a quiet surface."""
        rules = [f"#notice_bar QLabel {{ color: {text}; background: transparent; }}"]
        rules += [
            f'#notice_bar[severity="{severity}"] {{ background: {surface}; border: none;'
            f" border-top: 1px solid {tone}; border-left: 4px solid {tone}; }}"
            for severity, tone in tones.items()
        ]
        self.setStyleSheet("\n".join(rules))
        self._tones = tones
        self._show_chip()

    def dismiss(self) -> None:
        """Put the shown notice away; the next one that waits takes its place."""
        self._leave.stop()
        self._notice = None
        self._offer(())
        if self._waiting and not self._folded:
            self._show(self._waiting.popleft())
        elif self._later:
            self._show(self._later.popleft())
        else:
            self.hide()
        self._show_chip()

    def fold(self) -> None:
        """Keep the shown warning or error in the chip; the room is free again."""
        if self._notice is not None and self._notice.severity != "news":
            self._waiting.appendleft(self._notice)
            self._folded = True
            self.dismiss()

    def unfold(self) -> None:
        """Show what the chip holds."""
        self._folded = False
        self.dismiss()  # of news, which has been seen; what waits comes next

    def _make_room(self) -> None:
        """It was shown for long enough, unless somebody reads it just now."""
        at_it = self.underMouse() or self.isAncestorOf(QApplication.focusWidget())
        if at_it or self._details_button.isChecked():
            self._leave.start()
        elif self._notice is not None and self._notice.severity == "news":
            self.dismiss()
        else:
            self.fold()

    def _on_shown(self, notice: Notice) -> None:
        now = self._notice
        if now is not None and now.message == notice.message:
            self._on_repeated(replace(notice, times=now.times + notice.times))
        elif notice.severity == "news":
            if now is None or now.severity == "news":
                self._show(notice)
            else:
                self._later.append(notice)
        elif place := self._place(notice):
            times = self._waiting[place - 1].times + notice.times
            self._waiting[place - 1] = replace(notice, times=times)
        elif now is None or now.severity == "news":
            if now is not None and self._leave.remainingTime() > NEWS_MS // 2:
                self._later.appendleft(now)  # it was not read yet
            self._folded = False
            self._show(notice)
            self._show_chip()
        elif len(self._waiting) < WAITING_LIMIT:
            self._waiting.append(notice)
            self._count_waiting()

    def _on_repeated(self, notice: Notice) -> None:
        if self._notice is not None and self._notice.message == notice.message:
            self._notice = notice
            self._message.setText(f"{notice.message}  (×{notice.times})")
        elif notice.severity != "news" and not self._place(notice):
            self._on_shown(notice)  # it was put away, and has happened again

    def _place(self, notice: Notice) -> int:
        """Which of those that wait says the same, counted from 1; 0 for none."""
        said = [waits.message for waits in self._waiting]
        return said.index(notice.message) + 1 if notice.message in said else 0

    def _show_chip(self) -> None:
        """In the strip: what is folded."""
        if self._folded and self._waiting:
            first, *more = self._waiting
            self.chip.hold(self._said(first), len(more), self._tones.get(first.severity, ""))
        else:
            self.chip.hide()

    def _said(self, notice: Notice) -> str:
        """The message, and how grave it is."""
        words = {
            "news": self.tr("News: {}"),
            "warning": self.tr("Warning: {}"),
            "error": self.tr("Error: {}"),
        }
        return words[notice.severity].format(notice.message)

    def _show(self, notice: Notice) -> None:
        self._notice = notice
        repeated = f"  (×{notice.times})" if notice.times > 1 else ""
        self._message.setText(notice.message + repeated)
        self.setAccessibleName(self._said(notice))
        self._offer(notice.actions)
        self._details.setPlainText(notice.details)
        lines = min(10, notice.details.count("\n") + 2)
        self._details.setFixedHeight(self._details.fontMetrics().lineSpacing() * lines + 12)
        self._details.hide()
        self._details_button.setChecked(False)
        self._details_button.setVisible(bool(notice.details))
        self._copy_button.setVisible(notice.severity == "error")
        self._count_waiting()
        if self.property("severity") != notice.severity:
            self.setProperty("severity", notice.severity)
            self.style().unpolish(self)
            self.style().polish(self)
        self._leave.start(NEWS_MS if notice.severity == "news" else STAY_MS)
        self.show()
        self._lie()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _lie(self) -> None:
        """Over the foot of what is around, as tall as the words need."""
        around = self.parentWidget()
        if around is None:
            return
        around.installEventFilter(self)
        self.layout().activate()
        height = self.layout().totalHeightForWidth(around.width())
        height = max(height, self.minimumSizeHint().height())
        self.setGeometry(0, around.height() - height, around.width(), height)
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        around = self.parentWidget()
        if watched is around and event.type() == QEvent.Type.Resize and self.isVisible():
            self._lie()
        return super().eventFilter(watched, event)

    def _offer(self, actions: tuple[tuple[str, str], ...]) -> None:
        """A button for each thing that can be done about it."""
        while self._actions.count():
            if widget := self._actions.takeAt(0).widget():
                widget.deleteLater()
        for key, words in actions:
            button = QToolButton()
            button.setText(words)
            button.clicked.connect(lambda _=False, chosen=key: self._act(chosen))
            self._actions.addWidget(button)
        if actions:
            self._actions.addStretch(1)

    def _act(self, key: str) -> None:
        self.dismiss()
        self.acted.emit(key)

    def _count_waiting(self) -> None:
        count = 0 if self._folded else len(self._waiting)
        self._more.setText(self.tr("{} more").format(count) if count else "")
        self._more.setVisible(count > 0)

    def _toggle_details(self) -> None:
        self._details.setVisible(self._details_button.isChecked())
        self._lie()

    def _copy(self) -> None:
        if self._notice is not None:
            text = f"{self._notice.message}\n\n{self._notice.details}".strip()
            QGuiApplication.clipboard().setText(text)

    def _button(self, text: str, pressed) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setProperty("role", "quiet")
        button.clicked.connect(pressed)
        return button
