"""The one place where errors and news are shown: a bar at the top of the window, never modal.

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
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

log = logging.getLogger("lora_lab.ui")

Severity = Literal["news", "warning", "error"]

SAME_FOR = 10.0  # seconds in which an equal notice is counted instead of shown again
BURST = 8  # different notices in one second; a storm beyond that is only counted
WAITING_LIMIT = 20  # notices that wait behind the one that is shown
NEWS_MS = 9_000  # news leaves by itself; warnings and errors stay until dismissed


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

    News floats over the foot of the window, so that nothing moves under the mouse for its few
    seconds; what stays takes its place at the top.
    """

    acted = Signal(str)  # key of the action that was chosen; the notice leaves

    def __init__(self, notices: Notices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._actions = QHBoxLayout()
        self._actions.setSpacing(6)
        self._waiting: deque[Notice] = deque()
        self._notice: Notice | None = None

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

        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(NEWS_MS)
        self._leave.timeout.connect(self.dismiss)
        notices.shown.connect(self._on_shown)
        notices.repeated.connect(self._on_repeated)
        self.hide()

    @property
    def notice(self) -> Notice | None:
        """What is shown now."""
        return self._notice

    def restyle(self, tones: dict[Severity, str], text: str, surface: str) -> None:
        """Colour the bar: a stripe in the severity's tone beside a quiet surface."""
        rules = [
            f"#notice_bar {{ background: {surface}; border: none; }}",
            f"#notice_bar QLabel {{ color: {text}; background: transparent; }}",
        ]
        rules += [
            f'#notice_bar[severity="{severity}"] {{ border-left: 4px solid {tone}; }}'
            for severity, tone in tones.items()
        ]
        rules.append(f'#notice_bar[severity="news"] {{ border-top: 1px solid {tones["news"]}; }}')
        self.setStyleSheet("\n".join(rules))

    def dismiss(self) -> None:
        """Put the shown notice away; the next one that waits takes its place."""
        self._leave.stop()
        self._notice = None
        self._offer(())
        if self._waiting:
            self._show(self._waiting.popleft())
        else:
            self.hide()

    def _on_shown(self, notice: Notice) -> None:
        if self._notice is None or self._notice.severity == "news":
            self._show(notice)
        elif notice.severity != "news" and len(self._waiting) < WAITING_LIMIT:
            self._waiting.append(notice)
            self._count_waiting()

    def _on_repeated(self, notice: Notice) -> None:
        if self._notice is not None and self._notice.message == notice.message:
            self._notice = notice
            self._message.setText(f"{notice.message}  (×{notice.times})")
        elif notice.severity != "news" and all(
            waiting.message != notice.message for waiting in self._waiting
        ):  # it was put away, and has happened again
            self._on_shown(notice)

    def _show(self, notice: Notice) -> None:
        self._notice = notice
        repeated = f"  (×{notice.times})" if notice.times > 1 else ""
        self._message.setText(notice.message + repeated)
        said = {
            "news": self.tr("News: {}"),
            "warning": self.tr("Warning: {}"),
            "error": self.tr("Error: {}"),
        }
        self.setAccessibleName(said[notice.severity].format(notice.message))
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
        if notice.severity == "news":
            self._leave.start()
        else:
            self._leave.stop()
        self.show()
        self._float(notice.severity == "news")
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _float(self, floating: bool) -> None:
        """Lie over the foot of what the layout holds, or stand above it."""
        around = self.parentWidget()
        column = around.layout() if around is not None else None
        if column is None:
            return
        if not floating:
            if column.indexOf(self) < 0:
                column.insertWidget(0, self)
            return
        if column.indexOf(self) >= 0:
            column.removeWidget(self)
            around.installEventFilter(self)
        self.layout().activate()
        height = self.layout().totalHeightForWidth(around.width())
        height = max(height, self.minimumSizeHint().height())
        self.setGeometry(0, around.height() - height, around.width(), height)
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        around = self.parentWidget()
        if watched is around and event.type() == QEvent.Type.Resize and self.isVisible():
            self._float(around.layout().indexOf(self) < 0)
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
        count = len(self._waiting)
        self._more.setText(self.tr("{} more").format(count) if count else "")
        self._more.setVisible(count > 0)

    def _toggle_details(self) -> None:
        self._leave.stop()  # whoever reads the details wants the bar to stay
        self._float(False)
        self._details.setVisible(self._details_button.isChecked())

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
