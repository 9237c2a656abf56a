"""How the runs of the form are chosen: every combination, or a search that learns from each."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from lora_lab.choices import PRUNERS, SAMPLERS, Choice
from lora_lab.runs.search import MOST, NEEDED, installed
from lora_lab.ui.style.figures import in_words
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.form import ChoiceCombo, gives_way, muted

EVERY = "every"
TRIALS = 20


class SearchRow(QWidget):
    """The sampler; for one that is none of the grid its trials, and what it prunes by."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        every = Choice(tr("every combination"), tr("each combination of the values is one run"))
        self.sampler = ChoiceCombo(
            {EVERY: every, **_titled(SAMPLERS)}, tr("How the runs are chosen")
        )
        self.trials = gives_way(Whole(1, MOST))
        self.trials.setValue(TRIALS)
        self.trials.setToolTip(tr("Runs that the search makes"))
        self.pruner = ChoiceCombo(
            _titled(PRUNERS), tr("Which runs are ended before their last step")
        )
        for field, name in ((self.sampler, tr("Choice of runs")), (self.trials, tr("Trials")),
                            (self.pruner, tr("Pruning"))):  # fmt: skip
            field.setAccessibleName(name)
        self.trials.setMinimumHeight(self.sampler.sizeHint().height())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        self._of_search: list[QWidget] = []
        row.addWidget(self.sampler, 3)
        for text, field in ((tr("Tr&ials"), self.trials), (tr("Pruni&ng"), self.pruner)):
            caption = muted(text, field)
            row.addWidget(caption)
            row.addWidget(field, 2)
            self._of_search += [caption, field]
        row.addStretch(2)
        for field in (self.sampler, self.pruner):
            field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.sampler.edited.connect(self._show)
        self.trials.valueChanged.connect(lambda _: self.edited.emit())
        self.pruner.edited.connect(lambda _: self.edited.emit())
        self.offer()
        self._show()

    def offer(self) -> None:
        """What may be chosen now: a search where Optuna is installed."""
        self.sampler.allow({} if installed() else dict.fromkeys(SAMPLERS, self.tr(NEEDED)))

    def chosen(self) -> tuple[str, int, str] | None:
        """Sampler, trials and pruner of a search; None where every combination is made."""
        name = self.sampler.value()
        return None if name == EVERY else (name, self.trials.value(), self.pruner.value())

    def _show(self, *_: object) -> None:
        for widget in self._of_search:
            widget.setVisible(self.sampler.value() != EVERY)
        self.edited.emit()


def _titled(choices: Mapping[str, Choice]) -> dict[str, Choice]:
    return {name: Choice(in_words(x.title), x.about) for name, x in choices.items()}
