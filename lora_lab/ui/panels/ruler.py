"""The pre-flight ruler: file, optimizer, peak, speed and time, beside full fine-tuning."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from lora_lab.measured import MemoryRecord
from lora_lab.ui.panels.preflight import Costs
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import duration, rate_words, size_words
from lora_lab.ui.widgets.labels import label, show

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
ABOVE_FIGURES = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom
COLUMNS = ("file", "optimizer", "peak", "per_second", "seconds")
FIRST_TO_GO = ("optimizer", "per_second", "file", "peak")  # where there is no room for all
BETWEEN = 10  # pixels


class Ruler(QWidget):
    """Three short rows; figures that are not known yet are a dash.

    A heading has two lines where the height allows it, and else the first of them alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(self.tr("Cost of the run"))
        self._whole = False
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(BETWEEN)
        grid.setVerticalSpacing(1)
        self._heads: dict[str, QLabel] = {}
        self._titles = {
            "file": self.tr("File"),
            "optimizer": self.tr("Optimizer"),
            "peak": self.tr("Peak memory"),
            "per_second": self.tr("Steps/s"),
            "seconds": "",
        }
        self.cells: dict[tuple[str, str], QLabel] = {}
        self._names = {
            "adapter": label("", "small"),
            "full": label(self.tr("Full"), "small"),
        }
        for row, name in enumerate(self._names, 1):
            grid.addWidget(self._names[name], row, 0)
        for column, key in enumerate(COLUMNS, 1):
            self._heads[key] = label("", "small")
            self._heads[key].setAlignment(ABOVE_FIGURES)  # of the lines among each other
            grid.addWidget(self._heads[key], 0, column, ABOVE_FIGURES)
            for row, name in enumerate(self._names, 1):
                cell = label("", "muted" if name == "full" else "")
                cell.setFont(theme.font())
                self.cells[name, key] = cell
                grid.addWidget(cell, row, column, RIGHT)
            grid.setColumnStretch(column, 1)
        self._names["full"].setToolTip(self.tr("Full fine-tuning of the same base model"))
        work = self.tr(
            "By arithmetic: a step of full fine-tuning takes 3 multiplications for each weight, "
            "LoRA slightly more than 2."
        )
        held = self.tr(
            "By arithmetic: the weights, the optimizer state, and the activations or "
            "the gradients, whichever are more."
        )
        for key, tip in (("per_second", work), ("seconds", work), ("peak", held)):
            self.cells["full", key].setToolTip(tip)

    def show_costs(
        self, adapter: Costs, full: Costs, *, whole: bool, keeps: str, steps: int, device: int
    ) -> None:
        """`whole`: what trains is full fine-tuning, so there is one row; `keeps` is who keeps."""
        show(self._names["adapter"], self.tr("Full") if whole else self.tr("Adapter"))
        self._titles["optimizer"] = keeps
        peak = self.tr("Peak memory")
        if device:
            peak += "\n" + self.tr("(of {})").format(size_words(device))
        self._titles["peak"] = peak
        self._titles["seconds"] = self.tr("{:,} steps").format(steps)
        for name, costs in (("adapter", adapter), ("full", full)):
            for key, words in _words(costs, guessed=name == "full").items():
                show(self.cells[name, key], words)
            too_large = 0 < device < costs.peak
            usual = "muted" if name == "full" else ""
            theme.set_role(self.cells[name, "peak"], "error" if too_large else usual)
        self._whole = whole
        self._names["full"].setVisible(not whole)
        self.updateGeometry()
        self._fit()

    def sizeHint(self) -> QSize:
        return self._size(1 + max(title.count("\n") for title in self._titles.values()))

    def minimumSizeHint(self) -> QSize:
        return self._size(1)

    def _size(self, lines: int) -> QSize:
        """The same whatever the headings show now, so that they can grow again."""
        figures = 1 if self._whole else 2
        heads = lines * self._heads["file"].fontMetrics().lineSpacing()
        cell = self.cells["adapter", "file"].fontMetrics().lineSpacing()
        spacing = self.layout().verticalSpacing()
        return QSize(super().minimumSizeHint().width(), heads + figures * (cell + spacing))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Whole columns go where there is no room: a figure that is cut off is another figure."""
        tall = self.height() >= self.sizeHint().height()
        for key, title in self._titles.items():
            show(self._heads[key], title if tall else title.partition("\n")[0])
        columns = {
            key: (self._heads[key], self.cells["adapter", key], self.cells["full", key])
            for key in COLUMNS
        }
        wide = {k: BETWEEN + max(w.sizeHint().width() for w in c) for k, c in columns.items()}
        room = self.width() - max(name.sizeHint().width() for name in self._names.values())
        gone: set[str] = set()
        for key in FIRST_TO_GO:
            if sum(wide[k] for k in COLUMNS if k not in gone) <= room:
                break
            gone.add(key)
        for key, (head, adapter, full) in columns.items():
            head.setVisible(key not in gone)
            adapter.setVisible(key not in gone)
            full.setVisible(key not in gone and not self._whole)

    def show_parts(self, memory: MemoryRecord | None) -> None:
        """The parts of the peak, or why there is none, where the mouse rests on it."""
        tip = memory.reason if memory is not None else ""
        if memory is not None and memory.peak:
            parts = (
                self.tr("weights {}").format(size_words(memory.weights)),
                self.tr("gradients {}").format(size_words(memory.gradients)),
                self.tr("optimizer {}").format(size_words(memory.optimizer)),
                self.tr("activations {}").format(size_words(memory.activations)),
            )
            tip = self.tr("Tensors at the peak of a step: ") + ", ".join(parts)
        self.cells["adapter", "peak"].setToolTip(tip)

    def summary(self) -> str:
        """The adapter's figures in words."""
        heads = {key: self._titles[key].replace("\n", " ") for key in COLUMNS}
        figures = {key: self.cells["adapter", key].text() for key in COLUMNS}
        return ", ".join(f"{heads[k]}: {figures[k]}" for k in COLUMNS if figures[k] != "—")


def _words(costs: Costs, guessed: bool) -> dict[str, str]:
    about = "≈ " if guessed else ""
    peak = "≈ " if guessed or costs.peak_carried else ""
    return {
        "file": size_words(costs.file),
        "optimizer": size_words(costs.optimizer) if costs.optimizer else "0",
        "peak": peak + size_words(costs.peak) if costs.peak else "—",
        "per_second": about + rate_words(costs.per_second) if costs.per_second else "—",
        "seconds": about + duration(costs.seconds) if costs.seconds else "—",
    }
