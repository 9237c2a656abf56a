"""What each live setting does to this model now, in one short line of figures.

Records in, words out; no widget. Lines are cut at the width of the dock, so what matters most
stands first.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication

from lora_lab.choices import OPTIMIZERS
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import (
    CountsRecord,
    LayerSpectrum,
    ResumedRecord,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.rules import schedule_factor
from lora_lab.ui.session.standing import Standing
from lora_lab.ui.style.figures import percent, plain_number, row_names

translate = QCoreApplication.translate


class Explanations:
    """The newest records of one model, and a line for each knob made of them."""

    def __init__(self, standing: Standing) -> None:
        """Of the model that is loaded now; another one has explanations of its own."""
        self._standing = standing
        self._norms = {layer.name: layer.weight_norm for layer in standing.loaded.layers}
        self.spectrum: SpectrumRecord | None = None
        self.counts: CountsRecord | None = None
        self.chosen = ""  # the layer that the figures are of; "": of all
        self._factor = math.nan  # the present rate over its peak

    def set_step(self, record: StepRecord) -> None:
        """A step was made with what is applied."""
        self._factor = record.learning_rate / self._standing.applied.learning_rate

    def set_back(self, record: ResumedRecord) -> None:
        """The run stands at an earlier step again, whose rate its schedule tells."""
        self._factor = math.nan
        config = self._standing.config
        if config is not None and record.stage and record.step > record.stage[0]:
            begin, end = record.stage
            self._factor = schedule_factor(config, record.step - 1 - begin, end - begin)

    def words(self, field: str, hyper: Hyperparameters) -> str:
        """The line of one knob under the settings `hyper`; "" where there is nothing to say."""
        lines = {
            "rank": self._rank,
            "dimension": self._dimension,
            "alpha": self._alpha,
            "learning_rate": self._rate,
            "weight_decay": self._decay,
            "dropout": self._dropout,
        }
        return lines[field](hyper) if field in lines else ""

    def _rank(self, hyper: Hyperparameters) -> str:
        ranks = self._standing.ranks
        trained = ranks.total(hyper, self.counts)
        share = 100 * trained / max(1, self._standing.loaded.base_parameters)
        many = f"{trained / 1e6:.3g} M" if trained >= 1e6 else f"{trained:,}"
        used = [row.effective_rank for row in self._rows() if row.effective_rank > 0]
        if not used or not ranks.variant.factored:
            return translate("explain", "{} parameters, {:.3g} % of full").format(many, share)
        low, high = (f"{value:.2g}" for value in (min(used), max(used)))
        uses = low if low == high else f"{low}–{high}"
        template = translate("explain", "{} ({:.3g} %) · uses {} of {:,}")  # no room for more
        rank = ranks.present.get(self.chosen, ranks.applied.rank)
        return template.format(many, share, uses, rank)

    def _dimension(self, hyper: Hyperparameters) -> str:
        most = self._standing.loaded.most_numbers
        if not most:
            return translate("explain", "of a random subspace alone")
        return translate("explain", "{:,} numbers move {:,} weights").format(hyper.dimension, most)

    def _alpha(self, hyper: Hyperparameters) -> str:
        moved = {
            row.name: row.delta_norm / self._norms[row.name]
            for row in self._rows()
            if self._norms.get(row.name) and row.delta_norm > 0
        }
        if not moved:
            return translate("explain", "ΔW is still 0")
        if self.chosen in moved:
            return translate("explain", "‖ΔW‖/‖W‖ {} in this layer").format(
                percent(moved[self.chosen])
            )
        most = max(moved, key=lambda name: moved[name])
        low, high = percent(min(moved.values())), percent(moved[most])
        span = high if low == high else f"{low.removesuffix(' %')}–{high}"
        named = dict(zip(moved, row_names(list(moved)), strict=True))
        where = translate("explain", ", most in {}").format(named[most]) if len(moved) > 1 else ""
        return translate("explain", "‖ΔW‖/‖W‖ {}{}").format(span, where)

    def rate_now(self, hyper: Hyperparameters) -> float:
        """The learning rate after its schedule, as the newest step had it."""
        if not math.isnan(self._factor):
            return hyper.learning_rate * self._factor
        config, loaded = self._standing.config, self._standing.loaded
        warmup = config.warmup(loaded.max_steps) if config is not None else 0
        return hyper.learning_rate / max(1, warmup)  # the very first step

    def _rate(self, hyper: Hyperparameters) -> str:
        config, now = self._standing.config, self.rate_now(hyper)
        shown = plain_number(float(f"{now:.3g}"))
        if config is not None and config.b_rate_ratio != 1:
            other = plain_number(float(f"{now * config.b_rate_ratio:.3g}"))
            shown = translate("explain", "A {}, B {}").format(shown, other)
        if config is not None and not OPTIMIZERS[config.optimizer].adam:
            return translate("explain", "current LR {} × gradient").format(shown)
        if self._standing.loaded.most_numbers:
            return translate("explain", "current LR {} ≈ step per number").format(shown)
        return translate("explain", "current LR {} ≈ step per weight").format(shown)

    def _decay(self, hyper: Hyperparameters) -> str:
        share = self.rate_now(hyper) * hyper.weight_decay
        if not share:
            return translate("explain", "no weight decay")
        half = math.log(2) / share
        if half >= 1e9:
            return translate("explain", "negligible at this learning rate")
        steps = f"{half / 1e6:,.3g} M" if half >= 1e6 else f"{half:,.0f}"
        return translate("explain", "halves A and B in {} steps, {} in each").format(
            steps, percent(share)
        )

    def _dropout(self, hyper: Hyperparameters) -> str:
        p = hyper.dropout
        if not p:
            return translate("explain", "no dropout")
        return translate("explain", "zeroes {} of A’s inputs, the rest × {:.3g}").format(
            percent(p), 1 / (1 - p)
        )

    def _rows(self) -> tuple[LayerSpectrum, ...]:
        rows = self.spectrum.layers if self.spectrum is not None else ()
        return tuple(row for row in rows if row.name == self.chosen) or rows
