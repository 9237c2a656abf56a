"""How far each edit moved ΔW: ‖ΔW‖ of all layers in the spectra before and after it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QCursor

from lora_lab.measured import ClippedRecord
from lora_lab.records import AppliedRecord, Record, SpectrumRecord, StepRecord
from lora_lab.ui.panels.edit_marks import EditMarks
from lora_lab.ui.style.figures import in_lines, percent
from lora_lab.ui.style.tips import show_tip
from lora_lab.ui.widgets.plot import Plot, number

translate = QCoreApplication.translate

NEAR = 5  # pixels from an edit's line within which a click means it


@dataclass
class _Moved:
    """What stood at two spectra around an edit; nan where there was none."""

    before: float
    before_at: int
    after: float = math.nan
    after_at: int = 0


class EditNorms:
    """Fed with spectra and edits as they come."""

    def __init__(self, plot: Plot, marks: EditMarks) -> None:
        """A click on one of the `marks` of `plot` shows what is known of that edit."""
        self._plot, self._marks = plot, marks
        plot.takes_click = self._show
        self.clear()

    def clear(self) -> None:
        """Another run."""
        self._newest, self._at = math.nan, 0
        self._moved: dict[int, _Moved] = {}
        self._open: dict[int, _Moved] = {}  # those that wait for a spectrum

    def take(self, record: Record) -> None:
        """Follow what the session says; most of it is none of this one's business."""
        if type(record) is StepRecord:
            return
        if isinstance(record, SpectrumRecord):
            self.add(record)
        elif isinstance(record, ClippedRecord) or (
            isinstance(record, AppliedRecord) and record.changes
        ):
            self.note_edit(record.step)

    def note_edit(self, step: int) -> None:
        """Of several edits at one step, ΔW is measured before the first and after the last."""
        moved = self._moved.setdefault(step, _Moved(self._newest, self._at))
        self._open[step] = moved

    def add(self, record: SpectrumRecord) -> None:
        """One more spectrum."""
        self._newest = math.hypot(*(layer.delta_norm for layer in record.layers))
        self._at = record.step
        for moved in self._open.values():
            moved.after, moved.after_at = self._newest, record.step
        self._open.clear()

    def cut(self, step: int) -> None:
        """The run stands at `step` again."""
        self._moved = {at: moved for at, moved in self._moved.items() if at <= step}
        self._open = {at: moved for at, moved in self._open.items() if at <= step}

    def words(self, step: int) -> str:
        """One line on the edit at `step`; "" where no spectra were seen around it."""
        moved = self._moved.get(step)
        if moved is None or moved.before != moved.before or moved.after != moved.after:
            return ""
        text = translate("edits", "‖ΔW‖ {} at step {:,} → {} at step {:,}").format(
            number(moved.before), moved.before_at, number(moved.after), moved.after_at
        )
        if moved.before > 0:
            change = moved.after / moved.before - 1
            text += f" ({'+' if change >= 0 else '−'}{percent(abs(change))})"
        return text

    def _show(self, x: float, pixel: float) -> bool:
        """A click on the line of an edit: what changed there, and how far ΔW moved."""
        found = self._marks.near(x, NEAR * pixel)
        if found is None:
            return False
        step, changes = found
        lines = [translate("edits", "Edit after step {:,}").format(step), *changes]
        lines += [moved] if (moved := self.words(step)) else []
        show_tip(QCursor.pos(), in_lines("\n".join(lines)), self._plot)
        return True
