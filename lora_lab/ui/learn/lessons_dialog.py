"""Lessons: a question, a prediction, the run that tells, and why; one page for all lessons."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from lora_lab.lessons.lesson import Answer, Lesson, Sample, lessons
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.background import Works
from lora_lab.ui.widgets.dialogs import resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.widgets.legend import Legend
from lora_lab.ui.widgets.plot import Plot, pen

DONE = "✓ "


class LessonsDialog(QDialog):
    """Stays open beside the window; its runs have models of their own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Lessons"))
        self.lessons = lessons()
        self.answers: dict[str, tuple[int, Answer]] = {}  # lesson → what was predicted, and found
        self._works = Works(self)
        self._training = False
        self._curves: dict[str, tuple[list[float], list[float]]] = {}
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Lessons"))
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        for lesson in self.lessons:
            item = QListWidgetItem(lesson.title)
            item.setSizeHint(QSize(0, self.fontMetrics().height() + 12))
            self.list.addItem(item)
        self.title, self.question = TextLabel(), TextLabel(wordWrap=True)
        self.title.setProperty("role", "title")
        self.choices = QButtonGroup(self)
        self.verdict, self.figures, self.why = (TextLabel(wordWrap=True) for _ in range(3))
        self.verdict.setProperty("role", "title")
        self.plot = Plot(self.tr("What the run shows"))
        self.plot.follow_requested.connect(self._draw)
        self.legend = Legend()
        self.progress = QProgressBar(textVisible=False)
        self.progress.setAccessibleName(self.tr("Progress of the run"))
        self.progress.setFixedHeight(6)
        self.button = QPushButton(self.tr("&Run it and see"), autoDefault=True, default=True)
        self.button.setProperty("role", "primary")
        self.button.clicked.connect(self._on_button)
        self.next_button = QPushButton(self.tr("&Next lesson"), autoDefault=False)
        self.next_button.clicked.connect(lambda: self.list.setCurrentRow(self._row() + 1))
        self._lay_out()
        self.list.currentRowChanged.connect(self._show)
        self.list.setCurrentRow(0)

    def _lay_out(self) -> None:
        self._choice_box = QVBoxLayout(spacing=4)
        text = QWidget()
        words = QVBoxLayout(text)
        words.setContentsMargins(0, 0, 8, 0)
        for widget in (self.title, self.question):
            words.addWidget(widget)
        words.addLayout(self._choice_box)
        for widget in (self.verdict, self.figures, self.why):
            words.addWidget(widget)
        words.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setAccessibleName(self.tr("Lessons"))
        scroll.setWidget(text)
        right = QVBoxLayout(spacing=8)
        right.addWidget(scroll, 3)
        right.addWidget(self.legend)
        right.addWidget(self.plot, 2)
        right.addWidget(self.progress)
        buttons = QHBoxLayout(spacing=8)
        buttons.addStretch(1)
        buttons.addWidget(self.next_button)
        buttons.addWidget(self.button)
        right.addLayout(buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 14, 16, 14)
        row.setSpacing(16)
        row.addWidget(self.list, 1)
        row.addLayout(right, 3)
        line = self.fontMetrics().height()
        resize_within(self, 52 * line, 38 * line)

    @property
    def lesson(self) -> Lesson:
        return self.lessons[self._row()]

    def stop(self) -> None:
        """End the run; its question stays open."""
        self._works.cancel()
        self._training = False
        self._show_buttons()

    def finish(self) -> None:
        """End what runs, and wait for it."""
        self.stop()
        self._works.finish()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "next_button"):
            self.plot.restyle(theme.current())
            self._draw()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.stop()
        super().closeEvent(event)

    def _row(self) -> int:
        return max(0, self.list.currentRow())

    def _show(self, _row: int = 0) -> None:
        """The question that was chosen, with its answer where it has been run."""
        self.stop()
        lesson = self.lesson
        self.title.setText(lesson.title)
        self.question.setText(lesson.question)
        for button in self.choices.buttons():
            self.choices.removeButton(button)
            self._choice_box.removeWidget(button)
            button.deleteLater()
        for number, words in enumerate(lesson.choices):
            button = QRadioButton(words)
            button.toggled.connect(self._show_buttons)
            self.choices.addButton(button, number)
            self._choice_box.addWidget(button)
        self._curves = {}
        self.plot.name_bottom(lesson.x_label)
        self._draw()
        predicted, answer = self.answers.get(lesson.name, (-1, None))
        if answer is not None:
            self.choices.button(predicted).setChecked(True)
        self._show_answer(predicted, answer)
        self._show_buttons()

    def _show_answer(self, predicted: int, answer: Answer | None) -> None:
        texts = (self.verdict, self.figures, self.why)
        if answer is None:
            for label in texts:
                label.setText("")
        else:
            right = predicted == answer.choice
            words = self.tr("As you predicted.") if right else self.tr("It is otherwise: {}")
            self.verdict.setText(words.format(self.lesson.choices[answer.choice]))
            self.figures.setText(answer.sentence)
            self.why.setText(" ".join(self.lesson.why.replace("*", "").split()))
        for label in texts:
            label.setVisible(answer is not None)

    def _on_button(self) -> None:
        if self._training:
            self.stop()
            return
        self._training = True
        self._curves = {}
        self.answers.pop(self.lesson.name, None)
        self._show_answer(-1, None)
        self.progress.setRange(0, 0)
        self._draw()
        self._show_buttons()
        self._works.start(
            self.lesson.run, lambda _: None, self._refuse, self._refuse, item=self._take
        )

    def _take(self, item: object) -> None:
        if isinstance(item, Sample):
            xs, ys = self._curves.setdefault(item.curve, ([], []))
            xs.append(item.x)
            ys.append(item.y)
            self._draw()
        elif isinstance(item, Answer):
            predicted = self.choices.checkedId()
            self.answers[self.lesson.name] = predicted, item
            self._training = False
            self.list.item(self._row()).setText(f"{DONE}{self.lesson.title}")
            self._show_answer(predicted, item)
            self._show_buttons()

    def _refuse(self, message: str) -> None:
        self._training = False
        self.figures.setText(message)
        self.figures.show()
        self._show_buttons()

    def _show_buttons(self, _checked: bool = False) -> None:
        predicted = self.choices.checkedId() >= 0
        self.button.setText(self.tr("&Stop") if self._training else self.tr("&Run it and see"))
        self.button.setEnabled(self._training or predicted)
        self.button.setToolTip("" if predicted else self.tr("Say first what you expect"))
        self.next_button.setEnabled(self._row() + 1 < len(self.lessons))
        self.progress.setVisible(self._training)
        for button in self.choices.buttons():
            button.setEnabled(not self._training)

    def _draw(self) -> None:
        """All curves anew: a lesson has some hundred values."""
        colors = theme.current()
        for item in self.plot.getPlotItem().listDataItems():
            self.plot.removeItem(item)
        rows, xs, ys = [], [], []
        for place, (name, (x, y)) in enumerate(self._curves.items()):
            color = (colors.accent, colors.frozen, *colors.series)[place % (2 + len(colors.series))]
            curve = pg.PlotCurveItem(np.array(x, float), np.array(y, float), name=name)
            curve.setPen(pen(color, 2))
            self.plot.addItem(curve)
            rows.append(("—", color, name))
            xs += x
            ys += [value for value in y if value == value]
        self.legend.show_rows(rows)
        if ys and self.plot.following:
            margin = 0.05 * (max(ys) - min(ys) or 1.0)
            self.plot.show_range(
                (min(xs), max(xs) + 1e-9), (min(0.0, *ys) - margin, max(ys) + margin)
            )
