"""What a language model says: the same prompt with the adapter off and on, side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QTextBrowser,
    QWidget,
)

from lora_lab.measured import GeneratedRecord
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import CancelledRecord, ErrorRecord, EvalRecord, Record
from lora_lab.ui.panels.panel import Columns, Panel
from lora_lab.ui.panels.sampling_bar import SamplingBar, sampling_words
from lora_lab.ui.panels.word_diff import html, marked_pair
from lora_lab.ui.style import theme
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.controls import Combo, Whole, toggle_button

translate = QCoreApplication.translate

KEPT = 30  # answers that are shown, the newest first
TOKENS = 40
SHOWN = 60  # characters of a prompt in the list


class GenerationPanel(Panel):
    """Asks between two steps; the answers stay below each other, so that learning is seen."""

    key = "generation"
    name = QT_TRANSLATE_NOOP("Panel", "Generation")

    asked = Signal(tuple, int, object)  # prompts, new tokens, Sampling

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._generates = False
        self._asked_at = 0  # step of the last validation that was asked at
        self._waiting = 0  # answers that were asked for and have not come
        self._answers: deque[GeneratedRecord] = deque(maxlen=KEPT)
        self.prompt = Combo()
        self.prompt.setEditable(True)
        self.prompt.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.prompt.setAccessibleName(self.tr("Prompt"))
        self.prompt.lineEdit().setPlaceholderText(self.tr("Write a prompt, or choose one"))
        self.prompt.lineEdit().returnPressed.connect(self.ask)
        self.prompt.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.prompt.setMinimumContentsLength(8)
        self.tokens = Whole(1, 1024)
        self.tokens.setValue(TOKENS)
        self.tokens.count_in(self.tr(" token"), self.tr(" tokens"))
        self.tokens.setAccessibleName(self.tr("Max new tokens"))
        self.ask_button = QPushButton(self.tr("Generate"))
        self.ask_button.setToolTip(self.tr("Continue the prompt with the adapter off and on"))
        self.ask_button.clicked.connect(self.ask)
        self.each_button = toggle_button(
            self.tr("at each validation"),
            self.tr("Generate from the same prompt again at each validation"),
        )
        self.sampling_button = toggle_button(
            self.tr("sampling"), self.tr("Temperature, top-p, seed, stop texts, chat template")
        )
        self.diff_button = toggle_button(
            self.tr("diff"), self.tr("Mark the words that differ with the adapter off and on")
        )
        self.bar = SamplingBar()
        self.bar.hide()
        self.sampling_button.toggled.connect(self.bar.setVisible)
        self.diff_button.toggled.connect(lambda _: self._draw())
        self._ask_row = (
            self.prompt, self.tokens, self.ask_button, self.each_button, self.sampling_button,
            self.diff_button,
        )  # fmt: skip
        self.head.addWidget(self.prompt, 1)
        self.head.addWidget(self.ask_button)
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.setAccessibleName(self.tr("Generated text, adapter off and on"))
        self.text.setPlaceholderText(
            self.tr("Press Generate: the model continues the prompt with the adapter off and "
                    "on. Generate again later; earlier texts stay here for comparison.")
        )  # fmt: skip
        below = QHBoxLayout()
        below.addWidget(self.tokens)
        for button in (self.each_button, self.sampling_button, self.diff_button):
            below.addWidget(button)
        below.addStretch(1)
        self.body.addWidget(self.text, 1)
        self.body.addWidget(self.bar)
        self.body.addLayout(below)

    def reset(self, loaded: LoadedRecord) -> None:
        self.bar.set_chats(loaded.chats)
        self._generates, self._waiting, self._asked_at = loaded.generates, 0, 0
        self._answers.clear()
        self.prompt.clear()
        for prompt in loaded.prompts:
            flat = " ".join(prompt.split())
            shown = flat if len(flat) <= SHOWN else "…" + flat[1 - SHOWN :]
            self.prompt.addItem(shown, prompt)
        self.prompt.lineEdit().setCursorPosition(0)
        self.dirty = True

    def receive(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, GeneratedRecord):
                self._answers.appendleft(record)
                self._waiting = max(0, self._waiting - (record.mix is None))
                self.dirty = True
            elif isinstance(record, ErrorRecord | CancelledRecord):
                self._waiting = 0
                self.dirty = True
            elif self._is_new(record) and self.each_button.isChecked() and not self._waiting:
                self._asked_at = record.step
                self.ask()

    def _is_new(self, record: Record) -> bool:
        """Whether validation data was measured at a step that was not asked at yet."""
        return isinstance(record, EvalRecord) and record.enabled and record.step > self._asked_at

    def ask(self) -> None:
        """Ask for the prompt that stands in the list, or for what was written there."""
        prompt = self.chosen_prompt()
        if not prompt.strip() or not self._generates:
            return
        self._waiting += 1
        self.dirty = True
        self.asked.emit((prompt,), self.tokens.value(), self.bar.sampling)

    def chosen_prompt(self) -> str:
        """The whole prompt, which the list shows cut."""
        text = self.prompt.currentText()
        row = self.prompt.findText(text, Qt.MatchFlag.MatchExactly)
        return self.prompt.itemData(row) if row >= 0 else text

    def redraw(self) -> None:
        self.dirty = False
        for widget in self._ask_row:
            widget.setVisible(self._generates)
        if not self._generates:
            self.say(self.tr("Only language models can generate text."))
            return
        self.say("")
        self.ask_button.setEnabled(not self._waiting)
        self.ask_button.setText(self.tr("Generating…") if self._waiting else self.tr("Generate"))
        self._draw()

    def _draw(self) -> None:
        diff = self.diff_button.isChecked()
        texts = answers_html(self._answers, theme.current(), diff) if self._answers else ""
        self.text.setHtml(texts)  # nothing at all lets the placeholder be seen

    def restyle(self, colors: Colors) -> None:
        self.dirty = True

    def figure_data(self) -> Columns:
        """The answers as they are shown, the newest first."""
        answers = list(self._answers)
        columns = {
            name: [getattr(answer, name) for answer in answers]
            for name in ("step", "prompt", "off", "on", "seconds")
        }
        for name in ("temperature", "top_p", "seed"):
            columns[name] = [getattr(answer.sampling, name) for answer in answers]
        return columns

    def summary(self) -> str:
        if not self._generates:
            return super().summary() or self.title
        if not self._answers:
            return self.tr("Nothing was generated yet.")
        newest = self._answers[0]
        words = self.tr("Step {:,}, adapter off: {} Adapter on: {}")
        return words.format(newest.step, newest.off, newest.on)


def answers_html(answers: Sequence[GeneratedRecord], colors: Colors, diff: bool = False) -> str:
    """A table: prompt above, the two answers beside each other below, their words marked."""
    rows = []
    for answer in answers:
        step = translate("GenerationPanel", "step {:,}").format(answer.step)
        drawn = sampling_words(answer.sampling)
        head = " · ".join([step, *([drawn] if drawn else []), html(answer.prompt)])
        rows.append(
            f'<tr><td colspan="2" style="color:{colors.muted};padding-top:10px">'
            f"{head}{_notes_html(answer)}</td></tr><tr>"
        )
        texts = html(answer.off), html(answer.on)
        if diff:
            texts = marked_pair(answer.off, answer.on, colors)
        on = translate("GenerationPanel", "adapter on")
        if answer.mix is not None:
            on = translate("GenerationPanel", "mixture on")
        for name, text, color in (
            (translate("GenerationPanel", "adapter off"), texts[0], colors.muted),
            (on, texts[1], colors.accent),
        ):
            nothing = translate("GenerationPanel", "(ends at once)")
            text = text or f"<i>{nothing}</i>"
            rows.append(
                f'<td width="50%" style="padding:3px 10px 3px 0"><span style="color:{color}">'
                f"{name}</span><br>{text}</td>"
            )
        rows.append("</tr>")
    return f'<table width="100%" cellspacing="0">{"".join(rows)}</table>' if rows else ""


def _notes_html(answer: GeneratedRecord) -> str:
    return "".join(f"<br><i>{html(note)}</i>" for note in answer.notes)
