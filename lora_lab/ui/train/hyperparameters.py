"""The live settings: a slider per knob, the scaling s written out, and what α means when it moves.

The dock holds what is *requested*; what is *applied* comes back in records and stands beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDockWidget,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QRadioButton,
    QSizePolicy,
    QWidget,
)

from lora_lab.config import changed
from lora_lab.errors import ConfigError
from lora_lab.hyperparameters import KNOBS, Hyperparameters
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import AppliedRecord, CountsRecord, ResumedRecord, SpectrumRecord, StepRecord
from lora_lab.rules import alpha_with_rank, energy_lost, scaling_of
from lora_lab.setting import setting_of
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import in_words, percent, tip_lines
from lora_lab.ui.train.explain import Explanations
from lora_lab.ui.train.field_slider import FieldSlider
from lora_lab.ui.train.rank_rule import RankRule
from lora_lab.ui.widgets.column import Column
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.variants import VARIANTS

EXPLAIN_MS = 200  # between two readings of the figures under the sliders
ALPHA_MODE = setting_of(Hyperparameters, "alpha_mode")


class HyperparametersDock(QDockWidget):
    """Sliders for every knob in `config.KNOBS`, the scaling, and the two meanings of α."""

    help_requested = Signal(str)  # a page of the handbook

    def __init__(self, parent: QWidget | None = None, standing: Standing | None = None) -> None:
        super().__init__(parent)
        self.standing = standing or Standing(self)
        self.standing.replaced.connect(self.reset)
        self.standing.asked.connect(self._on_asked)
        self.standing.settled.connect(self._on_settled)
        self.setObjectName("hyperparameters")
        self.setWindowTitle(self.tr("Hyperparameters"))
        self._spectrum: SpectrumRecord | None = None
        self._explained: Explanations | None = None
        self._moved: tuple[Hyperparameters, Hyperparameters] | None = None  # last move: from, to

        knobs = {
            name: replace(knob, label=in_words(knob.label), help=in_words(knob.help))
            for name, knob in KNOBS.items()
        }
        self.sliders = {name: FieldSlider(name, knob) for name, knob in knobs.items()}
        for slider in self.sliders.values():
            slider.moved.connect(self._on_moved)
            slider.requested.connect(self._on_released)
            slider.help_requested.connect(self.help_requested)
        self.suggest_link = self.sliders["rank"].add_link(
            self.tr("Suggest…"),
            self.tr("Suggest a rank from the energy (Σσ²) of ΔW, with its validation loss"),
        )
        self.rank_rule = RankRule(self)
        self.find_link = self.sliders["learning_rate"].add_link(
            self.tr("Find…"),
            self.tr("Try rising learning rates for some steps, then restore everything"),
        )
        self._explain_soon = QTimer(self)
        self._explain_soon.setSingleShot(True)
        self._explain_soon.setInterval(EXPLAIN_MS)
        self._explain_soon.timeout.connect(lambda: self._explain(self.standing.requested))

        column = Column(spacing=4)
        column.rows.addWidget(self.sliders["rank"])
        column.rows.addWidget(self.sliders["dimension"])
        self.sliders["dimension"].hide()
        column.rows.addWidget(self.sliders["alpha"])
        column.rows.addLayout(self._make_alpha_modes())
        column.rows.addWidget(self._make_scaling())
        for name, slider in self.sliders.items():
            if name not in ("rank", "dimension", "alpha"):
                column.rows.addWidget(slider)
        column.rows.addStretch(1)
        self.setWidget(column)
        self.setEnabled(False)
        self._show_scaling(self.requested)

    @property
    def requested(self) -> Hyperparameters:
        """What the person asks for now."""
        return self.standing.requested

    def reset(self, loaded: LoadedRecord) -> None:
        """Stand on a freshly loaded model: its limits, its settings, its locks."""
        self.setEnabled(True)
        self._spectrum = None
        self._explained = Explanations(self.standing)
        row = VARIANTS[loaded.variant]
        shared = row.shared
        self.sliders["rank"].setMaximum(loaded.max_rank)
        self.sliders["rank"].setVisible(row.factored or not shared)
        if shared:
            self.sliders["dimension"].setMaximum(loaded.most_numbers)
        self.sliders["dimension"].setVisible(shared)
        locked = dict(loaded.locked)
        for name, slider in self.sliders.items():
            if name in locked:
                slider.lock(in_words(locked[name]))
            else:
                slider.unlock()
        for mode in self._modes.buttons():
            mode.setEnabled("alpha" not in locked)
        self.rank_rule.link.setVisible("rank" not in locked)
        self._show_applied()
        self._on_settled()

    def set_step(self, record: StepRecord) -> None:
        """The newest step: the rate that it was made with is the rate now."""
        if self._explained is not None:
            self._explained.set_step(record)
            self._explain_in_time()

    def set_back(self, record: ResumedRecord) -> None:
        """The run stands at an earlier step again."""
        if self._explained is not None:
            self._explained.set_back(record)
            self._explain(self.requested)

    def note_applied(self, record: AppliedRecord) -> None:
        """An edit was applied: echo it, and say what it did to ΔW."""
        self._show_applied()
        moved = {name for name, _, _ in record.changes}
        if "rank" in moved:
            self._note_rank(self.requested, record)
        if "dimension" in moved:
            self._note_dimension(self.requested, record)

    def set_spectrum(self, record: SpectrumRecord) -> None:
        """The newest singular values: from them the price of a smaller rank is foretold."""
        self._spectrum = record
        if self._explained is not None:
            self._explained.spectrum = record
            self._explain_in_time()

    def set_counts(self, record: CountsRecord) -> None:
        """What is trained now, counted."""
        if self._explained is not None:
            self._explained.counts = record
            self._explain_in_time()

    def choose_layer(self, name: str) -> None:
        """Let the lines tell of one layer; "" of all."""
        if self._explained is not None:
            self._explained.chosen = name
            self._explain(self.requested)

    def switch_adapter(self, on: bool) -> None:
        """Request the adapter on or off for evaluations."""
        self.request(enabled=on)

    def request(self, **values: Any) -> None:
        """Request fields of the one snapshot, as the sliders do; what cannot be is noted."""
        try:
            hyper = changed(self.requested, **self._with_alpha(values))
        except ConfigError as error:
            for name in values:
                if name in self.sliders:
                    self.sliders[name].set_note(str(error))
            return
        self.standing.request(hyper)
        if "rank" in values:
            self._note_rank(hyper)
        if "dimension" in values:
            self._note_dimension(hyper)

    def _on_asked(self, before: Hyperparameters, hyper: Hyperparameters) -> None:
        """Whoever asked, a slider, a plot or undo: the controls stand on it."""
        self._show_requested()
        if before.rank != hyper.rank:
            self._note_rank(hyper)
        if before.dimension != hyper.dimension:
            self._note_dimension(hyper)

    def _on_settled(self) -> None:
        """A request was not granted, or granted otherwise: stand on what became of it."""
        self._show_requested()
        self._note_rank(self.requested)
        self._note_dimension(self.requested)

    def _show_requested(self) -> None:
        """Move the controls without saying that the person did."""
        hyper, config, loaded = self.requested, self.standing.config, self.standing.loaded
        if loaded is not None and loaded.stage and config is not None:
            hyper = config.hyper  # what stands here is for the adapter, which comes next
        for name, slider in self.sliders.items():
            if slider.value() != getattr(hyper, name):
                with QSignalBlocker(slider):
                    slider.setValue(getattr(hyper, name))
        with QSignalBlocker(self._modes):
            self._mode_buttons[hyper.alpha_mode].setChecked(True)
        self._show_scaling(hyper)
        self._explain(hyper)

    def _show_applied(self) -> None:
        """What the loop works with now, beside what is requested."""
        loaded = self.standing.loaded
        preliminary = loaded is not None and bool(loaded.stage)
        for name, slider in self.sliders.items():
            slider.set_applied(None if preliminary else getattr(self.standing.applied, name))
        self._show_scaling(self.requested)

    def _on_moved(self, name: str, value: Any) -> None:
        self._moved = None
        try:
            hyper = changed(self.requested, **self._with_alpha({name: value}))
        except ConfigError:
            return  # still under the finger; the request itself says what is wrong
        self._moved = (self.requested, hyper)
        if name == "rank":
            self._note_rank(hyper)
        if name == "dimension":
            self._note_dimension(hyper)
        self._show_scaling(hyper)
        self._explain(hyper)
        self.standing.preview(hyper)

    def _on_released(self, name: str, value: Any) -> None:
        before, hyper = self._moved or (None, None)
        if before is self.requested and getattr(hyper, name) == value:  # checked already
            self.standing.request(hyper)
        else:
            self.request(**{name: value})

    def _with_alpha(self, values: dict[str, Any]) -> dict[str, Any]:
        """With a rank that moves, the α that the rule beside it gives, where α can move."""
        if "rank" not in values or "alpha" in values or not self.sliders["alpha"].isMovable():
            return values
        rule, variant = self.rank_rule.value(), self.standing.variant
        return values | {"alpha": alpha_with_rank(self.requested, values["rank"], rule, variant)}

    def _explain(self, hyper: Hyperparameters) -> None:
        """What each knob does now, or would do under `hyper`."""
        if self._explained is not None:
            for name, slider in self.sliders.items():
                slider.explain(self._explained.words(name, hyper))

    def _explain_in_time(self) -> None:
        if self.isVisible() and not self._explain_soon.isActive():
            self._explain_soon.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._explain(self.requested)

    def _note_rank(self, hyper: Hyperparameters, record: AppliedRecord | None = None) -> None:
        note, more = "", hyper.rank - self.standing.applied.rank
        loaded = self.standing.loaded
        if record is not None and record.discarded_energy > 0:
            lost = percent(record.discarded_energy)
            note = self.tr("discarded {} of {} at step {:,}").format(
                lost, self._energy(), record.step
            )
        elif more < 0 and self._spectrum is not None:
            note = self._predicted(hyper)
        elif more > 0:
            note = self.tr("grows by {}: ΔW is kept exactly").format(more)
        if not note and loaded is not None and hyper.rank >= loaded.max_rank:
            note = self.tr("limited to {:,} (smallest layer dimension)").format(loaded.max_rank)
        self.sliders["rank"].set_note(note)

    def _note_dimension(self, hyper: Hyperparameters, record: AppliedRecord | None = None) -> None:
        """What another d of a random subspace does to ΔW."""
        note, old, new = "", self.standing.applied.dimension, hyper.dimension
        kept = dict(self._spectrum.kept) if self._spectrum is not None else {}
        factored = VARIANTS[self.standing.variant].factored
        what = self.tr("the squared change of A and B") if factored else self.tr("ΔW's energy")
        if record is not None and record.discarded_energy > 0:
            lost = percent(record.discarded_energy)
            note = self.tr("discarded {} of {} at step {:,}").format(lost, what, record.step)
        elif new > old and new % old == 0:
            note = self.tr("doubling keeps ΔW exactly")
        elif new in kept and new != old:
            note = self.tr("would discard {} of {}").format(percent(1 - kept[new]), what)
        elif new != old:
            note = self.tr("keeps what comes nearest; what is lost is shown afterwards")
        self.sliders["dimension"].set_note(note)

    def _predicted(self, hyper: Hyperparameters) -> str:
        """What a smaller rank would take away, from the newest singular values."""
        ranks = self.standing.ranks
        if ranks is None or not ranks.variant.exact_sigma:
            return self.tr(
                "drops the smallest directions of s·B·A; the energy lost is shown afterwards"
            )
        share, where = energy_lost(self._spectrum, lambda row: ranks.cut(row, hyper))
        if share != share:
            return self.tr("ΔW of {} is not finite: the last finite one is restored").format(where)
        if share > 0:
            return self.tr("would discard {} of ΔW's energy in {}").format(percent(share), where)
        return self.tr("would discard nothing: ΔW does not use those directions")

    def _energy(self) -> str:
        exact = VARIANTS[self.standing.variant].exact_sigma
        return self.tr("ΔW's energy") if exact else self.tr("s·B·A's energy")

    def _show_scaling(self, hyper: Hyperparameters) -> None:
        variant = self.standing.variant
        requested, applied = (scaling_of(h, variant) for h in (hyper, self.standing.applied))
        if requested != requested:
            self._scaling.setText("—")
            self._fraction.setText(self.tr("not applicable ({})").format(VARIANTS[variant]))
            self._scaling_applied.setText("")
            theme.set_role(self._scaling_applied, "settled")
            return
        formula = VARIANTS[variant].formula
        filled = formula.replace("α", f"{hyper.alpha:.4g}").replace("r", f"{hyper.rank:,}")
        self._scaling.setText(f"{requested:.4g}")
        self._fraction.setText(f"{formula} = {filled}")
        # Told only where it differs: the fraction needs the room.
        waits = requested != applied
        self._scaling_applied.setText(self.tr("applied {:.4g}").format(applied) if waits else "")
        theme.set_role(self._scaling_applied, "waiting" if waits else "settled")

    def _make_scaling(self) -> QWidget:
        self._scaling = TextLabel()
        self._scaling.setProperty("role", "figure")
        self._scaling.setAccessibleName(self.tr("Scaling s"))
        sign = TextLabel("s =")
        sign.setProperty("role", "muted")
        self._fraction = TextLabel()
        self._fraction.setProperty("role", "muted")
        # A long fraction must not widen the dock while a slider moves.
        self._fraction.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._scaling_applied = TextLabel()
        frame = QFrame()
        frame.setToolTip(
            self.tr("The scaling that multiplies B·A: ΔW = s · B·A. It follows rank and α.")
        )
        grid = QGridLayout(frame)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        bottom = Qt.AlignmentFlag.AlignBaseline
        grid.addWidget(sign, 0, 0, bottom)
        grid.addWidget(self._scaling, 0, 1, bottom)
        grid.addWidget(self._fraction, 0, 2, bottom)
        grid.addWidget(self._scaling_applied, 0, 3, bottom | Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.rank_rule.link, 0, 4, bottom | Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(2, 1)
        return frame

    def _make_alpha_modes(self) -> QHBoxLayout:
        """Two radio buttons: what moving α does to the ΔW that is already learned."""
        self._modes = QButtonGroup(self)
        self._mode_buttons: dict[str, QRadioButton] = {}
        row = QHBoxLayout()
        row.setSpacing(10)
        for mode, choice in ALPHA_MODE.choices.items():
            button = QRadioButton(in_words(choice.title))
            button.setToolTip(tip_lines(in_words(ALPHA_MODE.help)))
            button.setAccessibleName(f"{in_words(ALPHA_MODE.label)}: {button.text()}")
            self._modes.addButton(button)
            self._mode_buttons[mode] = button
            row.addWidget(button)
        row.addStretch(1)
        self._mode_buttons["scale_effect"].setChecked(True)
        self._modes.buttonToggled.connect(self._on_mode_toggled)
        return row

    def _on_mode_toggled(self, button: QRadioButton, on: bool) -> None:
        if on:
            modes = self._mode_buttons.items()
            self.request(alpha_mode=next(mode for mode, choice in modes if choice is button))
