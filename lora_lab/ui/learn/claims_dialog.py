"""Without regret: what papers claim of LoRA, tried on the model at hand, with a verdict each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from lora_lab.config import RunConfig
from lora_lab.progress import Report
from lora_lab.studies.claim_list import AGREES, CLAIMS
from lora_lab.ui.learn.learn_page import LearnPage
from lora_lab.ui.style.figures import duration, in_words
from lora_lab.ui.widgets.form import muted
from lora_lab.ui.widgets.labels import TextLabel

if TYPE_CHECKING:
    from lora_lab.studies.base import StudyBase
    from lora_lab.studies.claims import ClaimStanding

PAGE = "without-regret"
LOOK_MS = 2000  # between two looks, while queued runs are to come


class ClaimsDialog(LearnPage):
    """A list of claims, and one of them in words; the runs that judge are those of the queue."""

    queue_requested = Signal(object)  # configs to train, at once

    def __init__(
        self, config: Callable[[], RunConfig | None], parent: QWidget | None = None
    ) -> None:
        """`config`: the model and data at hand, with the settings of the docks."""
        tr = self.tr
        super().__init__(tr("Without regret"), tr("&Queue its runs"), PAGE, config, parent)
        self._base: StudyBase | None = None
        self._opened: RunConfig | None = None  # what the base is of, or is being opened for
        self._busy, self._again = False, False
        self.standings: dict[str, ClaimStanding] = {}
        # A run is told to have ended before its folder says so.
        self._looks = QTimer(self, interval=LOOK_MS)
        self._looks.timeout.connect(self.refresh)
        self.names = tuple(CLAIMS)
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Claims"))
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        for claim in CLAIMS.values():
            item = QListWidgetItem(in_words(claim.title))
            item.setSizeHint(QSize(0, self.fontMetrics().height() + 12))
            self.list.addItem(item)
        self.says, self.expected, self.verdict, self.measured = (
            TextLabel(wordWrap=True) for _ in range(4)
        )
        self.source = TextLabel(wordWrap=True)
        self.says.setProperty("role", "title")
        self.verdict.setProperty("role", "figure")
        self.source.setProperty("role", "muted")
        self._lay_out(((self._middle(), 1),), (), (48, 28))
        self.list.currentRowChanged.connect(self._on_chosen)
        self.list.setCurrentRow(0)

    def _middle(self) -> QHBoxLayout:
        words = QVBoxLayout(spacing=8)
        words.addWidget(self.says)
        words.addWidget(self.source)
        for title, label in (
            (self.tr("Expected"), self.expected), (self.tr("Measured here"), self.measured),
        ):  # fmt: skip
            words.addSpacing(8)
            words.addWidget(muted(title, label))
            words.addWidget(label)
        words.addWidget(self.verdict)
        words.addStretch(1)
        middle = QHBoxLayout(spacing=18)
        middle.addWidget(self.list, 2)
        middle.addLayout(words, 3)
        return middle

    @property
    def name(self) -> str:
        """The claim that is shown."""
        return self.names[max(0, self.list.currentRow())]

    def stop(self) -> None:
        """Look no more, and read no more."""
        self._looks.stop()
        self._works.cancel()
        self._busy, self._opened = False, None

    def prepare(self) -> None:
        """Open the model and data at hand where others were, and look which runs have ended."""
        config = self._config()
        if config is not None and config == self._opened:
            self.refresh()
            return
        self._works.cancel()
        self._busy, self._base, self._opened = False, None, config
        self.standings = {}
        self._show()
        if config is None:
            self._say(self.tr("Open a model first."), "error")
            return
        self._say(self.tr("Opening the model to say what it costs…"))
        self._start(partial(_opened, config), self._on_opened)

    def refresh(self) -> None:
        """Look at the runs of the claim that is shown."""
        if self._base is None:
            return
        self._again = self._busy
        if not self._busy:
            self._start(partial(_looked, self._base, self.name), self._on_looked)

    def _start(self, work: Callable[[Report], Any], done: Callable[[Any], None]) -> None:
        self._busy = True

        def ended(found: Any) -> None:
            self._busy = False
            done(found)
            if self._again:
                self.refresh()

        def refused(message: str) -> None:
            self._busy = False
            self._say(message, "error")

        self._works.start(work, ended, refused, refused)

    def _on_opened(self, base: StudyBase) -> None:
        self._base = base
        self.refresh()

    def _on_looked(self, standing: ClaimStanding) -> None:
        self.standings[standing.name] = standing
        if not standing.todo:
            self._looks.stop()
        self._show()

    def _on_chosen(self) -> None:
        self._show()
        self.refresh()

    def _show(self) -> None:
        """The claim, and what is known of it."""
        tr, claim = self.tr, CLAIMS[self.name]
        self.says.setText(in_words(claim.says))
        self.source.setText(in_words(claim.source))
        self.expected.setText(in_words(claim.expected))
        for row, name in enumerate(self.names):
            title = in_words(CLAIMS[name].title)
            known = self.standings.get(name)
            if known is not None and known.verdict is not None:
                title = f"{'✓' if known.verdict.word == AGREES else '≠'} {title}"
            if item := self.list.item(row):  # they go one by one with the window
                item.setText(title)
        standing = self.standings.get(self.name)
        verdict = standing.verdict if standing is not None else None
        self.verdict.setText(in_words(verdict.word) if verdict is not None else "")
        measured = "—"
        if verdict is not None:
            why = f" {in_words(verdict.why)[:1].upper()}{in_words(verdict.why)[1:]}."
            measured = in_words(verdict.measured) + (why if verdict.why else "")
        self.measured.setText(measured)
        self.button.setEnabled(standing is not None and bool(standing.todo))
        if standing is None:
            if self._base is not None:
                self._say("")  # what was said is of another claim
            return
        if standing.refused:
            self._say(in_words(standing.refused), "error")
        elif standing.todo:
            there = standing.wanted - len(standing.todo)
            words = tr("{} of {} runs are there. About {} for the others.")
            self._say(words.format(there, standing.wanted, duration(standing.seconds)))
        else:
            self._say(tr("All {} runs are there.").format(standing.wanted))

    def _on_button(self) -> None:
        standing = self.standings.get(self.name)
        if standing is not None:
            self.queue_requested.emit(standing.todo)
            self._looks.start()
            self.button.setEnabled(False)
            self._say(self.tr("Queued. The verdict appears here when the last run has ended."))


def _opened(config: RunConfig, report: Report) -> StudyBase:
    from lora_lab.studies.base import StudyBase

    return StudyBase(config, report=report)


def _looked(base: StudyBase, name: str, report: Report) -> ClaimStanding:
    from lora_lab.studies.claims import ClaimReading

    del report
    return ClaimReading(name, base).look()
