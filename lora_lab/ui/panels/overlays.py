"""Other runs behind the one that is shown: what is read of each, and how each is told apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QPen

from lora_lab.progress import Report
from lora_lab.records import EvalRecord, SpectrumRecord, StepRecord
from lora_lab.runs.listing import METRICS, summary_of
from lora_lab.runs.measure import UNKNOWN, Measure, measure_of
from lora_lab.runs.past import last_spectrum, last_trained, past_records
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.plot import pen
from lora_lab.ui.widgets.series import Series
from lora_lab.ui.widgets.smoothing import Smoothing

translate = QCoreApplication.translate

MOST = 10
TAKEN = 2  # of the scheme's series: they mean the run that is open, and its validation
# Beyond the end of the scheme's colours, and for eyes that see few of them, the dashes differ.
DASHES = (Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)


@dataclass
class Overlay:
    """One other run as the panels draw it; `place` chooses its colour and dashes."""

    path: str
    name: str
    place: int
    train: Series = field(default_factory=Series)  # smoothed
    validation: Series = field(default_factory=Series)
    spectrum: SpectrumRecord | None = None
    evaluation: EvalRecord | None = None  # the newest with its adapter on
    adapter: int = 0  # trainable parameters at its end; 0: not known
    measure: Measure = UNKNOWN  # what its evaluations are of

    @property
    def color(self) -> str:
        """Its colour in the scheme in force."""
        colors = theme.current().series[TAKEN:]
        return colors[self.place % len(colors)]

    def pen(self, width: float = 1) -> QPen:
        """How its curves are drawn; dashes wider than a pixel take five times as long."""
        return pen(self.color, width, DASHES[self._dash])

    @property
    def sample(self) -> str:
        """A piece of its line, in letters."""
        return "╌┈┄"[self._dash] * 2

    @property
    def _dash(self) -> int:
        turns = self.place // len(theme.current().series[TAKEN:])
        return (self.place + turns) % len(DASHES)


def legend_rows(overlays: Sequence[Overlay]) -> list[tuple[str, str, str]]:
    """A row of a legend: a sample, its colour, and how many they are; none for none."""
    if not overlays:
        return []
    first, many = overlays[0], len(overlays)
    words = (
        translate("overlays", "{} others").format(many)
        if many > 1
        else translate("overlays", "1 other")
    )
    return [(first.sample, first.color, words)]


def read_overlay(path: str, place: int, report: Report) -> Overlay:
    """Read a run's curves and its last spectrum; raises LabError where there is no run."""
    summary = summary_of(Path(path))
    overlay = Overlay(path, summary.label or summary.name, place)
    report(translate("overlays", "Reading {}").format(overlay.name), -1)
    metrics, smoothing = Path(path) / METRICS, Smoothing()
    steps, losses, at, held = [], [], [], []
    for record in past_records(metrics, 2**62):
        if isinstance(record, StepRecord):
            steps.append(record.step)
            losses.append(smoothing.add(record.loss))
        elif isinstance(record, EvalRecord) and record.enabled:
            at.append(record.step)
            held.append(record.loss)
            overlay.evaluation = record
    report(
        translate("overlays", "Reading {}").format(overlay.name), -1
    )  # and the place to call it off
    overlay.train.extend(np.array(steps, np.int64), np.array(losses))
    overlay.validation.extend(np.array(at, np.int64), np.array(held))
    overlay.spectrum, overlay.adapter = last_spectrum(metrics), last_trained(metrics)
    overlay.measure = measure_of(metrics)
    return overlay
