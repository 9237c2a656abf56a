"""While a run trains in the window the machine stays awake; its end is a note of the desktop."""

from __future__ import annotations

from time import monotonic

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from lora_lab.awake import Awake
from lora_lab.desktop_note import LONG, notify
from lora_lab.records import State, StateRecord
from lora_lab.ui.notices.notices import Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.figures import state_words
from lora_lab.ui.style.settings import keep, kept
from lora_lab.ui.widgets.background import Works

NOTE = "end_note"
ENDS = (State.FINISHED, State.STOPPED, State.FAILED)


class EndNote(QObject):
    """Follows the shown run. A process of its own keeps itself awake."""

    shown = Signal(str, str)  # title and text of a note that was shown

    def __init__(self, sessions: Sessions, notices: Notices, window: QWidget) -> None:
        super().__init__(window)
        self._sessions, self._window = sessions, window
        self._awake = Awake(notices.news)
        self._works = Works(self)
        self._tray: QSystemTrayIcon | None = None
        self._since: float | None = None  # when it began to train
        sessions.on(StateRecord, self._on_state)

    @property
    def on(self) -> bool:
        """Whether the end of a long run is a note of the desktop."""
        return kept(NOTE, "on") == "on"

    def choose(self, on: bool) -> None:
        keep(NOTE, "on" if on else "off")

    def close(self) -> None:
        """Let the machine sleep again."""
        self._awake.close()
        self._works.finish()
        if self._tray is not None:
            self._tray.hide()

    def _on_state(self, record: StateRecord) -> None:
        running = record.state is State.RUNNING
        self._awake.want(running and not self._sessions.apart)
        if running:
            self._since = self._since if self._since is not None else monotonic()
            return
        ended = record.state in ENDS or (record.state is State.PAUSED and bool(record.message))
        since, self._since = self._since, None
        if ended and since is not None and monotonic() - since >= LONG and self.on:
            self._note(record)

    def _note(self, record: StateRecord) -> None:
        """Nothing that the person sees happen is told them."""
        if self._window.isActiveWindow():
            return
        loaded = self._sessions.standing.loaded
        title = loaded.title if loaded is not None else "LoRA Lab"
        words = state_words(record.state, record.step)
        text = self.tr("{} at step {:,}").format(words, record.step)
        if record.message:
            text = f"{text}. {record.message}"
        self.shown.emit(title, text)
        if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
            if self._tray is None:
                self._tray = QSystemTrayIcon(self._window.windowIcon(), self)
            self._tray.show()
            self._tray.showMessage(title, text, self._window.windowIcon())
        else:
            self._works.start(lambda _: notify(title, text), lambda _: None, lambda _: None)
