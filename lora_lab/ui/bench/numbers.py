"""The numbers beside the picture: rank by each way, the cut, the pseudo-inverse, LoRA."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from lora_lab.analysis.elimination import DTYPES
from lora_lab.analysis.matrix import SAME, Decomposition, Measured, break_even, norm
from lora_lab.analysis.rank import discarded_energy
from lora_lab.ui.bench.analysis import Analysis, condition_words, verdict
from lora_lab.ui.bench.energy_bar import energy_words
from lora_lab.ui.style import theme
from lora_lab.ui.style.figures import shape_words, sub
from lora_lab.ui.widgets.labels import label, show
from lora_lab.ui.widgets.plot import number

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NOT_YET = "…"
LAWS = ("W X W = W", "X W X = X", "(W X)ᵀ = W X", "(X W)ᵀ = X W")


class Numbers(QWidget):
    """`show_matrix` once, `show_cut` while it is dragged, `show_measured` when it rests."""

    def __init__(self) -> None:
        super().__init__()
        tr = self.tr
        self._analysis: Analysis | None = None
        self._rounding = 0.0  # a norm up to this may be rounding alone
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(2, 0, 4, 0)
        self._column.setSpacing(4)

        grid = self._section(tr("Rank"))[0]
        for place, name in enumerate(DTYPES, 1):
            grid.addWidget(self._right("small", name), 0, place)
        rows = (
            ("by_sigma", tr("by σ"), tr("σᵢ > max(m, n)·ε·σ₁, as numpy's matrix_rank")),
            ("by_elimination", tr("by elimination"), tr("pivots that are not 0")),
            ("with_tolerance", tr("… with a tolerance"), tr("pivots > max(m, n)·ε·max|wᵢⱼ|")),
            ("exact", tr("exactly"), tr("in exact fractions of the numbers as written")),
        )
        self.rank_cells: dict[str, tuple[QLabel, ...]] = {}
        for line, (key, name, meaning) in enumerate(rows, 1):
            head = label(name, "muted")
            cells = tuple(self._right("", f"{tr('Rank')} {name}, {d}") for d in DTYPES)
            for place, widget in enumerate((head, *cells)):
                widget.setToolTip(meaning)
                grid.addWidget(widget, line, place)
            self.rank_cells[key] = cells
        self.verdict = self._words()

        grid, self._cut_title = self._section("")
        for place, name in enumerate((tr("from σ"), tr("measured")), 1):
            grid.addWidget(self._right("small", name), 1, place)
        self.energy, self.condition = self._right("", tr("Energy kept")), self._right("", "κ")
        self.lost = self._right("", tr("Relative error"))
        self._norm_heads = label("", "muted"), label("", "muted")
        self._norm_heads[0].setToolTip(tr("Frobenius norm: the root of Σσᵢ² over what is cut"))
        self._norm_heads[1].setToolTip(tr("Spectral norm: the largest σ that is cut"))
        self._condition_head = label("", "muted")
        self.predicted = self._right(""), self._right("")
        self.measured = self._right(""), self._right("")
        grid.addWidget(label(tr("energy kept"), "muted"), 0, 0)
        grid.addWidget(self.energy, 0, 1, 1, 2)
        for line in (0, 1):
            row = (self._norm_heads[line], self.predicted[line], self.measured[line])
            for place, widget in enumerate(row):
                grid.addWidget(widget, line + 2, place)
        grid.addWidget(label(tr("‖error‖ / ‖W‖"), "muted"), 4, 0)
        grid.addWidget(self.lost, 4, 1, 1, 2)
        grid.addWidget(self._condition_head, 5, 0)
        grid.addWidget(self.condition, 5, 1, 1, 2)

        grid, self._inverse_title = self._section("")
        self.penrose: list[tuple[QLabel, QLabel, QLabel]] = []
        for line in range(4):
            row = label("", "muted"), self._right(""), self._right("")
            for place, widget in enumerate(row):
                grid.addWidget(widget, line, place)
            self.penrose.append(row)
        self.inverse_words = self._words()

        grid = self._section(tr("LoRA’s shape"))[0]
        self.lora: list[tuple[QLabel, QLabel]] = []
        for line in range(4):
            pair = label("", "muted"), self._right("")
            for place, widget in enumerate(pair):
                grid.addWidget(widget, line, place)
            self.lora.append(pair)
        self.lora_words = self._words()
        self._column.addStretch(1)

    def show_matrix(self, analysis: Analysis) -> None:
        """The ranks, which no cut changes."""
        self._analysis = analysis
        result, parts = analysis.ranks, analysis.parts
        self._rounding = 16 * math.sqrt(parts.most) * parts.tolerance
        for key in ("by_sigma", "by_elimination", "with_tolerance"):
            counts = zip(getattr(result, key), result.by_sigma, self.rank_cells[key], strict=True)
            for rank, by_sigma, cell in counts:
                show(cell, str(rank))
                theme.set_role(cell, "title" if rank == by_sigma else "warn")
        show(self.rank_cells["exact"][0], "—" if result.exact is None else str(result.exact))
        words, fails = verdict(analysis)
        show(self.verdict, words)
        theme.set_role(self.verdict, "warn" if fails else "muted")

    def show_cut(self, k: int, frobenius: float) -> None:
        """What follows at once from σ, and ‖W − W_k‖_F as it was measured."""
        parts, tr = self._analysis.parts, self.tr
        W = f"W{sub(k)}"
        show(self._cut_title, tr("Cut after {} of {}").format(k, parts.most))
        lost = discarded_energy(parts.sigma, k) if parts.sigma[0] else math.nan
        show(self.energy, energy_words(lost))
        predicted = parts.predicted(k)
        for place, name in enumerate((f"‖W − {W}‖", f"‖W − {W}‖₂")):
            show(self._norm_heads[place], name)
            self._size(self.predicted[place], predicted[place])
        self._size(self.measured[0], frobenius)
        show(self.measured[1], NOT_YET)
        whole = norm(parts.sigma)
        share = predicted[0] / whole if whole and predicted[0] > self._rounding else 0.0
        show(self.lost, f"{number(100 * share)} %" if whole else "—")
        show(self._condition_head, f"κ = σ₁/σ{sub(k)}" if k else "κ")
        show(self.condition, condition_words(parts.condition(k)))
        inverse = f"{W}⁺"
        show(self._inverse_title, tr("Pseudo-inverse X = {}").format(inverse))
        for row, law in zip(self.penrose, LAWS, strict=True):
            show(row[0], law)
            show(row[1], NOT_YET)
            show(row[2], "")
        self._say_shape(parts, k)

    def show_measured(self, result: Measured) -> None:
        """What was measured of the cut."""
        parts = self._analysis.parts
        self._size(self.measured[1], result.spectral)
        good = [residual <= SAME for residual in result.penrose]
        for (_, mark, figure), holds, residual in zip(
            self.penrose, good, result.penrose, strict=True
        ):
            show(mark, "✓" if holds else "✗")
            theme.set_role(mark, "good" if holds else "error")
            mark.setAccessibleName(self.tr("holds") if holds else self.tr("does not hold"))
            show(figure, condition_words(residual))
        if all(good):
            words = self.tr("All four hold: X is the pseudo-inverse of W.")
        elif all(good[1:]) and result.k < parts.rank:
            words = self.tr("X is that of W{}, not of W: the first misses what was cut.")
            words = words.format(sub(result.k))
        elif result.k > parts.rank:
            words = self.tr("1/σ{} is the inverse of rounding: keep {} at most.")
            words = words.format(sub(result.k), parts.rank)
        else:
            words = self.tr("σ₁/σ{} is too large for float64: rounding dominates.")
            words = words.format(sub(result.k))
        show(self.inverse_words, words)

    def _say_shape(self, parts: Decomposition, k: int) -> None:
        (m, n), tr = parts.shape, self.tr
        numbers, even = k * (m + n), break_even(parts.shape)
        rows = (
            ("B = UΣ", shape_words((m, k))),
            ("A = Vᵀ", shape_words((k, n))),
            (tr("k(m + n) in B and A"), f"{numbers:,}"),
            (tr("m·n in W"), f"{m * n:,}"),
        )
        for pair, predicted in zip(self.lora, rows, strict=True):
            for widget, text in zip(pair, predicted, strict=True):
                show(widget, text)
        fewer = math.ceil(even) - 1
        share = number(100 * numbers / (m * n))
        words = tr("B and A are {} % of W’s numbers. Break-even is rank m·n/(m + n) = {}: ")
        words = words.format(share, f"{even:.4g}")
        words += (
            tr("fewer numbers up to {:,}.").format(fewer) if fewer else tr("never fewer numbers.")
        )
        show(self.lora_words, words)

    def _size(self, cell: QLabel, size: float) -> None:
        """Show a norm, in the second voice where rounding alone may make as much."""
        rounding = size <= self._rounding
        show(cell, number(size, 2 if rounding else 4))
        theme.set_role(cell, "muted" if rounding else "")
        cell.setToolTip(self.tr("no more than rounding: 0") if rounding else "")

    def _section(self, title: str) -> tuple[QGridLayout, QLabel]:
        head = label(title, "title")
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(0, 1)
        if self._column.count():
            self._column.addSpacing(10)
        self._column.addWidget(head)
        self._column.addLayout(grid)
        return grid, head

    def _words(self, role: str = "muted") -> QLabel:
        line = label("", role)
        line.setWordWrap(True)
        line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._column.addWidget(line)
        return line

    @staticmethod
    def _right(role: str, name: str = "") -> QLabel:
        """A figure at the right; a heading where it has a role."""
        line = label(name if role == "small" else "", role, name)
        line.setFont(theme.font())
        line.setAlignment(RIGHT)
        return line
