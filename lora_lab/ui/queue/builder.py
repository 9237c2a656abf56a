"""The form that lines runs up: values apart by commas, laid over what the docks show.

A field that is left empty is as the docks have it, and says so in grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.inits import INITS
from lora_lab.number_text import read_whole
from lora_lab.opening_records import TargetInfo
from lora_lab.runs.grid import Expansion, describe, expand, parse_axis
from lora_lab.runs.queue import new_item, seconds_left
from lora_lab.runs.search import Plan
from lora_lab.runs.space import parse_space
from lora_lab.setting import Offered
from lora_lab.task_info import TASKS
from lora_lab.ui.queue.search_row import SearchRow
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import clock, in_words, plain_number, plain_tip
from lora_lab.ui.widgets.controls import Whole
from lora_lab.ui.widgets.form import gives_way, muted
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.variants import VARIANTS

SHOWN = 3  # reasons why something is left out; the tip has them all
REST_MS = 120  # after the last key, before the grid is counted anew


class Picks(QWidget):
    """A button to press in for each choice; none: as the docks have it."""

    edited = Signal()

    def __init__(self, offered: Mapping[str, Offered], name: str) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self.buttons: dict[str, QToolButton] = {}
        for key, choice in offered.items():
            button = QToolButton()
            button.setText(choice.title)
            button.setCheckable(True)
            button.setProperty("role", "pick")
            button.setToolTip(in_words(choice.about))
            button.setAccessibleName(f"{name}: {choice.title}")
            button.toggled.connect(lambda _: self.edited.emit())
            self.buttons[key] = button
            row.addWidget(button)
        row.addSpacing(6)
        self._docks = TextLabel()
        self._docks.setProperty("role", "muted")
        row.addWidget(self._docks)
        row.addStretch(1)

    def picked(self) -> tuple[str, ...]:
        """The names of what is pressed in."""
        return tuple(name for name, button in self.buttons.items() if button.isChecked())

    def show_docks(self, name: str) -> None:
        """What holds while nothing is picked."""
        title = self.buttons[name].text()
        self._docks.setText("" if self.picked() else self.tr("current: {}").format(title))


class Builder(QWidget):
    """Fields per axis, how many runs they make and about how long, and two ways to add."""

    grid_requested = Signal(tuple)  # of RunConfig
    search_requested = Signal(object)  # Plan
    docks_requested = Signal()  # one run with the settings as they stand there

    def __init__(self, step_seconds: Callable[[RunConfig], float]) -> None:
        """`step_seconds`: what a step of a config takes, nan where none was measured."""
        super().__init__()
        tr = self.tr
        self._step_seconds = step_seconds
        self._base: RunConfig | None = None
        self._adaptable: tuple[TargetInfo, ...] = ()
        self._steps_of_epochs = 0
        self._why = ""  # there is no base
        self.expansion = Expansion((), ())
        self.plan: Plan | None = None  # of the search that is asked for, where it can be
        self.search = SearchRow()
        self.search.edited.connect(self._soon)
        self.rank_edit = self._line(tr("Ranks"), tr("Values separated by commas: 1, 2, 4, 8"))
        self.alpha_edit = self._line(
            tr("Values of α"), tr("Values, or multiples of the rank: 16, r, 2r")
        )
        self.rate_edit = self._line(
            tr("Learning rates"), tr("Values separated by commas: 1e-3, 3e-3")
        )
        self.targets_edit = self._line(
            tr("Sets of targets"), tr("Sets separated by semicolons: all-linear; fc1, fc2")
        )
        self.steps_edit = self._line(tr("Steps of each run"), tr("One number for every run"))
        self.seeds_box = gives_way(Whole(1, 100))
        self.seeds_box.setAccessibleName(tr("Seeds of each combination"))
        self.seeds_box.setToolTip(tr("Runs per combination, each with its own seed"))
        self.seeds_box.setMinimumHeight(self.rank_edit.sizeHint().height())  # one row of fields
        self.seeds_box.valueChanged.connect(self._soon)
        self.variants = Picks(VARIANTS, tr("Adapter"))
        self.inits = Picks(INITS, tr("Init"))
        for picks in (self.variants, self.inits):
            picks.edited.connect(self._soon)
        self._about = TextLabel()
        self._about.setProperty("role", "muted")
        self._about.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.preview = TextLabel()
        self.preview.setAccessibleName(tr("Runs of the grid"))
        self.preview.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reasons = TextLabel()
        self.reasons.setProperty("role", "small")
        self.reasons.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reasons.setAccessibleName(tr("Combinations left out"))
        self.docks_button = QPushButton(tr("Add &current settings"))
        self.docks_button.clicked.connect(self.docks_requested)
        self.add_button = QPushButton()
        self.add_button.clicked.connect(self._add)
        for button in (self.docks_button, self.add_button):
            button.setAutoDefault(False)  # Return in a field is the field's own
        for edit in (self.rank_edit, self.alpha_edit, self.rate_edit, self.targets_edit,
                     self.steps_edit):  # fmt: skip
            edit.returnPressed.connect(self.add_button.click)
        self._timer = QTimer(self, singleShot=True, interval=REST_MS, timeout=self.count)
        self._lay_out()
        self.count()

    def set_base(
        self,
        base: RunConfig | None,
        adaptable: Sequence[TargetInfo],
        steps_of_epochs: int,
        why: str = "",
    ) -> None:
        """What the grid is laid over: the docks' settings, the layers and steps of that model.

        `why` there is none, where there is none.
        """
        self._base, self._adaptable, self._why = base, tuple(adaptable), why
        self._steps_of_epochs = steps_of_epochs
        if base is not None:
            hyper = base.hyper
            self.rank_edit.setPlaceholderText(f"{hyper.rank}")
            self.alpha_edit.setPlaceholderText(f"{hyper.alpha:g}")
            self.rate_edit.setPlaceholderText(plain_number(hyper.learning_rate))
            self.targets_edit.setPlaceholderText(", ".join(base.targets) or "all-linear")
            self.steps_edit.setPlaceholderText(
                f"{self._steps(base):,}" if self._steps(base) else ""
            )
        self.count()

    def count(self) -> None:
        """Lay the grid out anew and say what it amounts to."""
        self._timer.stop()
        base = self._base
        self.docks_button.setEnabled(base is not None)
        if base is None:
            self._show(Expansion((), ()), self._why, "muted")
            return
        self.variants.show_docks(base.variant)
        self.inits.show_docks(base.init)
        title = base.preset or TASKS[base.task].title
        self._about.setText(
            self.tr(
                "on top of the current settings: {}, {} · write several values as 2, 4, 8"
            ).format(title, describe(base))
        )
        try:
            if (how := self.search.chosen()) is not None:
                space = self.axes(base, parse_space)
                self._show_plan(
                    Plan(self._with_steps(base), space, *how, self._adaptable).checked()
                )
                return
            result = expand(self._with_steps(base), self.axes(base), self._adaptable)
        except LabError as error:
            self._show(Expansion((), ()), str(error), "error")
            return
        about = self._about_time(result.runs)
        runs = (
            self.tr("1 run")
            if len(result.runs) == 1
            else self.tr("{:,} runs").format(len(result.runs))
        )
        words = f"{runs}, {about}"
        if result.left_out:
            words += self.tr(" · {:,} left out").format(len(result.left_out))
        self._show(result, words, "muted" if result.runs else "warn")

    def _about_time(self, runs: Sequence[RunConfig]) -> str:
        items = [new_item(config, self._steps_of_epochs) for config in runs]
        seconds = seconds_left(items, self._step_seconds)
        if math.isnan(seconds):
            return self.tr("time not known yet")
        return self.tr("about {}").format(clock(seconds))

    def _show_plan(self, plan: Plan) -> None:
        self._show(Expansion((), ()), "", "muted")
        self.plan = plan
        about = self._about_time([plan.base] * plan.trials)
        words = self.tr("{:,} runs at most, chosen one after another, {}")
        self.preview.setText(words.format(plan.trials, about))
        self.add_button.setText(self.tr("&Add search"))
        self.add_button.setEnabled(True)

    def axes(
        self, base: RunConfig, parse: Callable[[str, str], Any] = parse_axis
    ) -> dict[str, Any]:
        """What every axis is that is filled in; raises ConfigError for what is none."""
        edits = {
            "rank": self.rank_edit, "alpha": self.alpha_edit, "learning_rate": self.rate_edit,
            "targets": self.targets_edit,
        }  # fmt: skip
        axes = {name: parse(name, edit.text()) for name, edit in edits.items()}
        axes |= {"variant": self.variants.picked(), "init": self.inits.picked()}
        if (seeds := self.seeds_box.value()) > 1:
            axes["seed"] = tuple(range(base.seed, base.seed + seeds))
        return {name: values for name, values in axes.items() if values}

    def _steps(self, base: RunConfig) -> int:
        return base.max_steps if base.epochs is None else self._steps_of_epochs

    def _with_steps(self, base: RunConfig) -> RunConfig:
        text = self.steps_edit.text().strip()
        return changed(base, max_steps=read_whole(text), epochs=None) if text else base

    def _show(self, result: Expansion, words: str, role: str) -> None:
        self.expansion, self.plan = result, None
        number = len(result.runs)
        theme.set_role(self.preview, role)
        self.preview.setText(words)
        self.reasons.setText("\n".join(result.reasons[:SHOWN]))
        self.reasons.setToolTip(plain_tip("\n".join(result.reasons)))
        self.reasons.setVisible(bool(result.reasons))
        self.add_button.setEnabled(number > 0)
        self.add_button.setText(
            self.tr("&Add {:,} runs").format(number) if number != 1 else self.tr("&Add 1 run")
        )

    def _add(self) -> None:
        self.count()  # what was typed last may not be counted yet
        if self.plan is not None:
            self.search_requested.emit(self.plan)
        elif self.expansion.runs:
            self.grid_requested.emit(self.expansion.runs)

    def _soon(self, *_: object) -> None:
        self._timer.start()

    def _line(self, name: str, tip: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setAccessibleName(name)
        edit.setToolTip(tip)
        edit.textEdited.connect(self._soon)
        return edit

    def _lay_out(self) -> None:
        tr = self.tr
        title = TextLabel(tr("Add runs"))
        title.setProperty("role", "title")
        head = QHBoxLayout()
        head.addWidget(title)
        head.addWidget(self._about, 1)
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(7)
        rows = (
            ((tr("&Rank"), self.rank_edit), (tr("α"), self.alpha_edit),
             (tr("Learning ra&te"), self.rate_edit)),
            ((tr("Tar&gets"), self.targets_edit), (tr("&Steps"), self.steps_edit),
             (tr("S&eeds"), self.seeds_box)),
        )  # fmt: skip
        for row, fields in enumerate(rows):
            for column, (text, field) in enumerate(fields):
                grid.addWidget(muted(text, field), row, 2 * column)
                grid.addWidget(field, row, 2 * column + 1)
                grid.setColumnStretch(2 * column + 1, 1)
        for row, (text, picks) in enumerate(
            ((tr("Adapter"), self.variants), (tr("Init"), self.inits)), len(rows)
        ):
            grid.addWidget(muted(text, picks), row, 0)
            grid.addWidget(picks, row, 1, 1, 5)
        row = grid.rowCount()
        grid.addWidget(muted(tr("C&hoice"), self.search.sampler), row, 0)
        grid.addWidget(self.search, row, 1, 1, 5)
        foot = QHBoxLayout()
        foot.addWidget(self.preview, 1)
        foot.addWidget(self.docks_button)
        foot.addWidget(self.add_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addLayout(grid)
        column.addLayout(foot)
        column.addWidget(self.reasons)
