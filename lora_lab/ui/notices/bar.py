"""A bar over the foot of the window that shows one notice after the other, and is never modal."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.ui.notices.chip import NoticeChip
from lora_lab.ui.notices.notices import Action, Notice, Notices, Severity
from lora_lab.ui.widgets.labels import TextLabel

log = logging.getLogger("lora_lab.ui")

WAITING_LIMIT = 20  # notices that wait behind the one that is shown
NEWS_MS = 9_000  # news leaves by itself
STAY_MS = 20_000  # warnings and errors then fold into the status strip, until they are dismissed


class NoticeBar(QFrame):
    """Shows one notice: message, how many more wait, Details, dismiss. Hidden when all is said.

    It floats over the foot of its parent, so that no plot and no control moves when something is
    said. What is not dismissed gives the room back after a while: it folds into `chip`, a button
    for the status strip that unfolds it again. News waits while a warning or an error is read.
    """

    def __init__(self, notices: Notices, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("notice_bar")
        self._actions = QHBoxLayout()
        self._actions.setSpacing(6)
        self._waiting: deque[Notice] = deque()  # warnings and errors
        self._later: deque[Notice] = deque(maxlen=WAITING_LIMIT)  # news
        self._notice: Notice | None = None
        self._folded = False  # what waits does so in the chip

        self._message = TextLabel()
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._message.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._more = TextLabel()
        self._more.setObjectName("notice_more")
        self._details_button = self._button(self.tr("Details"), self._toggle_details)
        self._details_button.setCheckable(True)
        self._copy_button = self._button(self.tr("Copy"), self._copy)
        self._dismiss_button = self._button(self.tr("Dismiss"), self.dismiss)

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
        self._leave = QTimer(self, singleShot=True, timeout=self._make_room)
        notices.shown.connect(self._on_shown)
        notices.repeated.connect(self._on_repeated)
        notices.run_left.connect(self._on_run_left, Qt.ConnectionType.QueuedConnection)
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
            if self.isAncestorOf(QApplication.focusWidget()):
                self.window().setFocus()  # else the next Enter would press what comes after it
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
        by_key = self.chip.hasFocus()
        self._folded = False
        self.dismiss()  # of news, which has been seen; what waits comes next
        if by_key:
            self._dismiss_button.setFocus(Qt.FocusReason.TabFocusReason)

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
        if self._counted(notice):
            return
        if notice.severity == "news":
            if now is None or now.severity == "news":
                self._show(notice)
            else:
                self._later.append(notice)
        elif now is None or now.severity == "news":
            if now is not None and self._leave.remainingTime() > NEWS_MS // 2:
                self._later.appendleft(now)  # it was not read yet
            self._folded = False
            self._show(notice)
            self._show_chip()
        elif len(self._waiting) < WAITING_LIMIT:
            self._waiting.append(notice)
            self._count_waiting()
        else:
            log.warning("too many notices wait; not shown: %s", notice.message)

    def _on_repeated(self, notice: Notice) -> None:
        if not self._counted(notice):
            self._on_shown(notice)  # it was put away, and has happened again

    def _on_run_left(self) -> None:
        later = [notice for notice in self._later if not notice.of_run]
        self._later = deque(later, maxlen=WAITING_LIMIT)
        if self._notice is not None and self._notice.of_run:
            self.dismiss()

    def _counted(self, notice: Notice) -> bool:
        """Whether the same is shown or waits; then it has happened there once more."""
        now = self._notice
        if now is not None and now.message == notice.message:
            self._notice = replace(now, times=now.times + 1)
            self._message.setText(self._words())
            return True
        for queue in (self._waiting, self._later):
            for place, waits in enumerate(queue):
                if waits.message == notice.message:
                    queue[place] = replace(waits, times=waits.times + 1)
                    return True
        return False

    def _words(self) -> str:
        """What is shown, and how often it has happened."""
        message, times = self._notice.message, self._notice.times
        return f"{message}  (×{times})" if times > 1 else message

    def _show_chip(self) -> None:
        """In the strip: what is folded."""
        if self._folded and self._waiting:
            first, *more = self._waiting
            self.chip.hold(self._text_of(first), len(more), self._tones.get(first.severity, ""))
        else:
            self.chip.hide()

    def _text_of(self, notice: Notice) -> str:
        """The message, and how grave it is."""
        words = {
            "news": self.tr("News: {}"),
            "warning": self.tr("Warning: {}"),
            "error": self.tr("Error: {}"),
        }
        return words[notice.severity].format(notice.message)

    def _show(self, notice: Notice) -> None:
        self._notice = notice
        self._message.setText(self._words())
        self.setAccessibleName(self._text_of(notice))
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

    def event(self, event: QEvent) -> bool:
        handled = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest and not self.isHidden():
            self._lie()  # a button has come, or a word: no layout around asks for that
        return handled

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        around = self.parentWidget()
        if watched is around and event.type() == QEvent.Type.Resize and not self.isHidden():
            self._lie()
        return super().eventFilter(watched, event)

    def _offer(self, actions: tuple[Action, ...]) -> None:
        """A button for each thing that can be done about it."""
        while self._actions.count():
            if widget := self._actions.takeAt(0).widget():
                widget.hide()  # at once: it lies in no layout any more
                widget.deleteLater()
        for words, action in actions:
            button = QToolButton()
            button.setText(words)
            button.clicked.connect(partial(self._act, action))
            self._actions.addWidget(button)
        if actions:
            self._actions.addStretch(1)

    def _act(self, action: Callable[[], None], _checked: bool = False) -> None:
        """Put the notice away, and do what was chosen."""
        self.dismiss()
        action()

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
