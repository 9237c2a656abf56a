"""What happens in a run, said aloud by a screen reader: applied edits, ends and errors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QWidget

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import AppliedRecord, State
from lora_lab.setting import setting_of
from lora_lab.ui.notices.notices import Notice, Notices
from lora_lab.ui.session.sessions import Sessions
from lora_lab.ui.style.figures import in_words, setting_words, state_words
from lora_lab.ui.widgets.spoken import announce

REST_MS = 600  # a slider that is dragged edits at each notch: they are one announcement
SAID = (State.RUNNING, State.PAUSED, State.FINISHED, State.STOPPED, State.FAILED)


class Announcer(QObject):
    """Listens to the session and to the notices. Costs nothing while no screen reader runs."""

    def __init__(self, sessions: Sessions, notices: Notices, window: QWidget) -> None:
        super().__init__(window)
        self._window, self._sessions = window, sessions
        self._state = State.LOADING
        self._edits: dict[str, tuple[Any, Any]] = {}  # field → as it was, as it is
        self._step = 0
        self._rest = QTimer(self, singleShot=True, interval=REST_MS, timeout=self._say_edits)
        sessions.on(AppliedRecord, self._note)
        sessions.state_changed.connect(self._on_state)
        notices.posted.connect(self._on_notice)

    def _note(self, record: AppliedRecord) -> None:
        for field, old, new in record.changes:
            self._edits[field] = (self._edits.get(field, (old, old))[0], new)
        self._step = record.step
        self._rest.start()

    def _say_edits(self) -> None:
        edits, self._edits = self._edits, {}
        words = [
            self.tr("{} from {} to {}").format(
                in_words(setting_of(Hyperparameters, field).name),
                setting_words(old),
                setting_words(new),
            )
            for field, (old, new) in edits.items()
            if old != new
        ]
        if words:
            said = self.tr("Applied at step {:,}: {}").format(self._step, ", ".join(words))
            announce(self._window, said)

    def _on_state(self) -> None:
        state, step = self._sessions.state, self._sessions.step
        if state is not self._state and state in SAID:
            words = self.tr("{}, step {:,}").format(state_words(state, step), step)
            announce(self._window, words)
        self._state = state

    def _on_notice(self, notice: Notice) -> None:
        if notice.severity != "news":
            announce(self._window, notice.message)
