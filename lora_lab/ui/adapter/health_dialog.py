"""Hints of the spectra, layer by layer, each with the validation loss at a clip of its σ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from lora_lab.analysis.health import DEAD, SPIKE, Finding
from lora_lab.measured import ClippedRecord, ClipRecord
from lora_lab.training.commands import Clip, MeasureClip
from lora_lab.ui.style.figures import percent
from lora_lab.ui.widgets.ask_dialog import AskDialog
from lora_lab.ui.widgets.dialogs import ask, resize_to_text
from lora_lab.ui.widgets.figure_table import FigureGrid
from lora_lab.ui.widgets.plot import number
from lora_lab.ui.widgets.rows import RIGHT

PAGE = "spectral-health"
MOST = 8  # findings that are listed: each takes two passes over the validation data


class HealthDialog(AskDialog):
    """A line for each finding; the losses come one after the other."""

    clip_requested = Signal(object)  # Clip
    undo_requested = Signal(int)  # the step of the clip

    def __init__(
        self, findings: Callable[[], Sequence[Finding]], parent: QWidget | None = None
    ) -> None:
        """`findings` of now, when it measures."""
        super().__init__(self.tr("Spectral health"), self.tr("&Measure again"), parent, page=PAGE)
        self._findings = findings
        self.confirm: Callable[..., bool] = partial(ask, self)
        self.shown: list[Finding] = []
        self.results: dict[int, ClipRecord] = {}
        self.clip_buttons: list[QPushButton] = []
        self._row = 0
        self.lines = FigureGrid((18, 6))
        self.lines.grid.setColumnStretch(1, 1)
        self.undo_button = QPushButton(self.tr("&Undo the clip"))
        self.undo_button.setAutoDefault(False)
        self.undo_button.hide()
        self._clipped_at = 0
        self.undo_button.clicked.connect(self._undo)
        self.body.addWidget(self.lines)
        self.body.addWidget(self.undo_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addStretch(1)
        resize_to_text(self, 46, 15)

    def ask(self) -> None:
        """Measure the first finding; the others follow. Nothing is asked where there is none."""
        self.shown, self.results, self._row = list(self._findings())[:MOST], {}, 0
        self._list()
        if self.shown:
            super().ask()
        else:
            words = self.tr("No hint: no σ₁ stands alone, no direction is unused, and no effective "
                            "rank is falling.")  # fmt: skip
            self.say("", words, busy=False)

    def command(self) -> MeasureClip:
        finding = self.shown[self._row]
        return MeasureClip(finding.layer, finding.keep, finding.ceiling)

    def begin(self) -> None:
        words = self.tr("Measuring the validation loss at each clip, between two steps…")
        self.say("muted", words, busy=True)

    def show_result(self, record: ClipRecord) -> None:
        self.results[self._row] = record
        self._row += 1
        self._list()
        if self._row < len(self.shown):
            self.requested.emit(self.command())
            return
        words = self.tr("Hints, as of step {:,}: a direction may matter however it looks, so look "
                        "at the loss.")  # fmt: skip
        self.say("", words.format(record.step), busy=False)

    def show_clipped(self, record: ClippedRecord) -> None:
        """It was done; where a checkpoint of before was kept it can be undone."""
        self._clipped_at = record.step
        self.undo_button.setVisible(record.kept)
        words = self.tr("σ of {} clipped at step {:,}.").format(record.layer, record.step)
        self.say("good", words, busy=False)

    def words_of(self, finding: Finding) -> tuple[str, str]:
        """What was found, and what the clip would do."""
        tr, ceiling = self.tr, number(finding.ceiling)
        if finding.kind == DEAD:
            found = tr("{:.0f} of {:.0f} directions are unused")
            return found.format(finding.value, finding.before), tr("keep {}").format(finding.keep)
        clip = tr("σ ≤ {}").format(ceiling)
        if finding.kind == SPIKE:
            found = tr("σ₁ holds {} of ΔW’s energy ({} at step {:,})")
            shares = percent(finding.value), percent(finding.before)
            return found.format(*shares, finding.since), clip
        found = tr("effective rank {:.3g}, from {:.3g} at step {:,}")
        return found.format(finding.value, finding.before, finding.since), clip

    def summary(self) -> str:
        """The rows in words."""
        labels = (self.lines.grid.itemAt(at).widget() for at in range(self.lines.grid.count()))
        return ", ".join(w.text() for w in labels if isinstance(w, QLabel) and w.text())

    def _list(self) -> None:
        self.lines.clear()
        self.clip_buttons = []
        heads = (self.tr("Layer"), self.tr("Hint"), self.tr("Clip"), self.tr("Validation loss"))
        for column, head in enumerate(heads if self.shown else ()):
            self._put(0, column, head, "small")
        for row, finding in enumerate(self.shown):
            found, clip = self.words_of(finding)
            for column, text in enumerate((finding.layer, found, clip)):
                self._put(row + 1, column, text, "")
            result = self.results.get(row)
            losses = f"{number(result.before, 4)} → {number(result.loss, 4)}" if result else "…"
            self._put(row + 1, 3, losses, "" if result else "muted")
            button = QPushButton(self.tr("Clip…"))
            button.setAutoDefault(False)
            button.setAccessibleName(self.tr("Clip σ of {}").format(finding.layer))
            button.setEnabled(result is not None)
            button.clicked.connect(partial(self._clip, row))
            self.lines.grid.addWidget(button, row + 1, 4)
            self.clip_buttons.append(button)

    def _clip(self, row: int) -> None:
        finding, result = self.shown[row], self.results[row]
        what = self.words_of(finding)[1]
        rise = result.loss - result.before
        more = self.tr(
            "Measured at step {:,}: the validation loss goes from {} to {} ({}{}). It can be "
            "undone: Run → Revert to before the last edit."
        ).format(
            result.step, number(result.before, 4), number(result.loss, 4),
            "+" if rise >= 0 else "−", number(abs(rise), 3),
        )  # fmt: skip
        question = self.tr("Clip σ of {} ({})?").format(finding.layer, what)
        if self.confirm(question, more, self.tr("&Clip"), self.tr("Cancel")):
            self.clip_requested.emit(Clip(finding.layer, finding.keep, finding.ceiling))

    def _undo(self) -> None:
        self.undo_button.hide()
        self.undo_requested.emit(self._clipped_at)

    def _put(self, row: int, column: int, text: str, role: str) -> None:
        align = RIGHT if column > 1 else Qt.AlignmentFlag.AlignLeft
        self.lines.put(row, column, text, role, align)
