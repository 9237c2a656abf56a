"""The status bar: state in words, progress, step, speed, time left, and the device."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from lora_lab.opening_records import LoadedRecord, OpeningRecord
from lora_lab.records import ResumedRecord, State, StepRecord
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style.figures import clock, in_words, plain_tip, state_words
from lora_lab.ui.widgets.labels import TextLabel

WINDOW = 3.0  # seconds of training that the speed is taken over


class StatusStrip(QStatusBar):
    """What the run is doing, in one line; while something is opened, how far that is."""

    cancel_requested = Signal()  # cancel what is being opened
    skip_requested = Signal()  # leave what is measured before the first step

    def __init__(self, parent: QWidget | None = None, standing: Standing | None = None) -> None:
        super().__init__(parent)
        self.standing = standing or Standing(self)
        self._recent: deque[tuple[int, float]] = deque()
        self._stage = ""  # what the loading is at

        self.state_label = self._label(self.tr("State"), state_words(State.LOADING, 0))
        self.state_label.setProperty("role", "title")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress of the run"))
        self._bar.setFixedHeight(max(6, self.fontMetrics().height() // 3))
        self._step_label = self._label(self.tr("Step"), self.tr("step 000,000 / 000,000"))
        self._speed_label = self._label(self.tr("Speed"), self.tr("00,000 steps/s"))
        self._left_label = self._label(self.tr("Time left"), self.tr("0:00:00 left"))
        self._device_label = self._label(self.tr("Device"), "")
        self._device_label.setProperty("role", "muted")
        self.cancel_button = QToolButton()
        self.cancel_button.setText(self.tr("Cancel"))
        self.cancel_button.setToolTip(self.tr("Cancel opening; the current run stays open"))
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.cancel_button.hide()
        self.skip_button = QToolButton()
        self.skip_button.setText(self.tr("Skip"))
        self.skip_button.setToolTip(self.tr("Train without it; “Evaluate now” measures it later"))
        self.skip_button.clicked.connect(self.skip_requested)
        self.skip_button.hide()
        self.setSizeGripEnabled(False)
        self.setContentsMargins(8, 0, 8, 0)
        self.addWidget(self.state_label)
        self.addWidget(self._bar, 1)
        for label in (self._step_label, self._speed_label, self._left_label, self._device_label):
            self.addPermanentWidget(label)
        self.addPermanentWidget(self.skip_button)
        self.addPermanentWidget(self.cancel_button)
        self.show_state()

    def reset(self, loaded: LoadedRecord) -> None:
        """Begin at step 0 of a freshly loaded run (or of its next stage)."""
        self._recent.clear()
        self._device_label.setText(loaded.device)
        self._device_label.setToolTip(plain_tip(f"{loaded.device}, {loaded.dtype}"))
        self._show()

    def show_state(self) -> None:
        """Say what the run is doing now."""
        if self.standing.state is not State.RUNNING:
            self._recent.clear()  # the next speed is not averaged over a pause
        if not self._loading:
            self._stage = ""
            self.skip_button.hide()
        state = State.LOADING if self._loading else self.standing.state
        self.say(self._stage or state_words(state, self.standing.step))
        self._show()

    @property
    def _loading(self) -> bool:
        """Whether no model stands ready yet."""
        return self.standing.state in (State.LOADING, State.CLOSED)

    def set_opening(self, opening: bool) -> None:
        """Whether something is being opened, which may be cancelled."""
        self.cancel_button.setVisible(opening)
        if not opening:
            self._show()

    def show_opening(self, record: OpeningRecord) -> None:
        """What is being done for the opening, and how far it is."""
        known = record.share >= 0
        what = in_words(record.what)
        words = f"{what}, {record.share:.0%}" if known else f"{what}…"
        if self._loading:
            self._stage = words
        # A model stands ready, and nothing else is being opened: this is a measurement.
        measuring = self._loading and self.standing.loaded is not None
        self.skip_button.setVisible(measuring and self.cancel_button.isHidden())
        self.say(words)
        self._bar.setRange(0, 1000 if known else 0)
        self._bar.setValue(round(1000 * max(record.share, 0)))

    def say(self, words: str) -> None:
        """Other words in the state's place, such as “Stopping…”."""
        self.state_label.setText(words)

    def set_step(self, record: StepRecord) -> None:
        self._recent.append((record.step, record.seconds))
        while len(self._recent) > 2 and record.seconds - self._recent[0][1] > WINDOW:
            self._recent.popleft()
        self._show()

    def set_back(self, record: ResumedRecord) -> None:
        """The run stands at an earlier step again."""
        self._recent.clear()
        self._show()

    @property
    def speed(self) -> float:
        """Steps per second of training over the last few seconds; 0 while unknown."""
        if len(self._recent) < 2:
            return 0.0
        (first, began), (last, ended) = self._recent[0], self._recent[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def _show(self) -> None:
        step, goal = self.standing.step, self.standing.goal
        at = self.tr("step {:,} / {:,}").format(step, goal)
        if self._loading and self._stage:
            self._bar.setRange(0, 0)  # how long what is told there takes is not known
            self._step_label.setText(at if goal else "")
        elif goal:
            # In thousandths: a bar of a billion steps would overflow the widget's range.
            self._bar.setRange(0, 1000)
            self._bar.setValue(min(1000, round(1000 * step / goal)))
            self._step_label.setText(at)
        else:
            self._bar.setRange(0, 0 if self._loading else 1)
            self._step_label.setText("")
        speed = self.speed
        running = self.standing.state is State.RUNNING and speed > 0
        shown = f"{speed:,.0f}" if speed >= 10 else f"{speed:.2g}"
        self._speed_label.setText(self.tr("{} steps/s").format(shown) if running else "")
        left = (goal - step) / speed if running else 0.0
        text = self.tr("{} left").format(clock(left)) if left > 0 else self.tr("measuring…")
        self._left_label.setText(text if running else "")

    def _label(self, name: str, widest: str) -> QLabel:
        label = TextLabel()
        label.setAccessibleName(name)
        # As wide as it may become, so that moving figures do not push their neighbours about.
        label.setMinimumWidth(label.fontMetrics().horizontalAdvance(widest) + 6)
        return label
