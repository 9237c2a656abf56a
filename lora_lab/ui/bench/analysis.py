"""A matrix with all that is told of it, and what it is in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from lora_lab.analysis.elimination import Ranks, ranks
from lora_lab.analysis.matrix import Decomposition, decompose
from lora_lab.analysis.rank import energy_rank
from lora_lab.data.matrix import Matrix
from lora_lab.progress import Report, silent
from lora_lab.ui.style.figures import shape_words, sub
from lora_lab.ui.widgets.plot import number

translate = QCoreApplication.translate

AT_ONCE = 32  # rows and columns up to which everything is computed while the window waits
FEW = 16  # a rank up to this is where the cut begins; of more values those with 99 % of the energy


@dataclass(frozen=True)
class Analysis:
    """One matrix, taken apart once; every cut is made from this."""

    matrix: Matrix
    parts: Decomposition
    ranks: Ranks

    @property
    def quick(self) -> bool:
        """Whether measuring a cut takes no time that an eye could see."""
        return max(self.parts.shape) <= AT_ONCE

    @property
    def first_cut(self) -> int:
        """Where the cut begins."""
        rank = self.parts.rank
        return rank if rank <= FEW else min(rank, energy_rank(self.parts.sigma, 0.99))


def analyse(matrix: Matrix, report: Report = silent) -> Analysis:
    """SVD and every rank. Raises LabError where there is nothing to take apart."""
    report(translate("SVD bench", "Decomposing the matrix"), -1.0)
    parts = decompose(matrix.values)
    report(translate("SVD bench", "Computing the rank"), -1.0)
    return Analysis(matrix, parts, ranks(parts, matrix.exact))


def what_it_is(analysis: Analysis) -> str:
    """Shape and kind in a few words."""
    (m, n), parts = analysis.parts.shape, analysis.parts
    words = [shape_words((m, n))]
    if parts.sigma[0] == 0:
        words.append(translate("SVD bench", "every number is 0"))
    elif m == n == 1:
        words.append(translate("SVD bench", "a single number: σ₁ is its size"))
    elif 1 in (m, n):
        words.append(
            translate("SVD bench", "one row: σ₁ is its length")
            if m == 1
            else translate("SVD bench", "one column: σ₁ is its length")
        )
    elif m == n:
        words.append(translate("SVD bench", "square"))
    else:
        words.append(translate("SVD bench", "wide") if n > m else translate("SVD bench", "tall"))
    return " · ".join([*words, *analysis.matrix.notes])


def verdict(analysis: Analysis) -> tuple[str, bool]:
    """Where the ways to count the rank differ, and why; and whether elimination fails there."""
    result, parts = analysis.ranks, analysis.parts
    by_sigma, naive, careful = (
        result.by_sigma[0],
        result.by_elimination[0],
        result.with_tolerance[0],
    )
    if parts.sigma[0] == 0:
        return translate("SVD bench", "Nothing but zeros: the rank is 0."), False
    if min(naive, careful) > by_sigma:
        words = translate(
            "SVD bench",
            "Elimination fails here: no pivot is below {}, yet σ{} is {}. A change of that size "
            "makes the rank {}; only σ shows it.",
        )
        pivot, sigma = number(result.smallest_pivot, 2), number(float(parts.sigma[by_sigma]), 2)
        return words.format(pivot, sub(by_sigma + 1), sigma, by_sigma), True
    if naive > by_sigma:
        words = translate(
            "SVD bench", "Elimination fails here: it counts {} as a pivot, which is only rounding."
        )
        return words.format(number(result.smallest_pivot, 2)), True
    if min(naive, careful) < by_sigma:
        words = translate(
            "SVD bench", "Elimination fails here: it counts a pivot as rounding, and gets {} rows."
        )
        return words.format(min(naive, careful)), True
    if result.by_elimination[1] != result.by_sigma[1]:
        return translate(
            "SVD bench", "In float32 elimination fails: it counts rounding as a pivot."
        ), True
    if result.by_sigma[1] != by_sigma:
        return translate("SVD bench", "In float32 the smallest σ are lost to rounding."), False
    return translate("SVD bench", "All methods agree."), False


def condition_words(value: float) -> str:
    """A condition number, ∞ where a singular value is 0."""
    return "∞" if math.isinf(value) else number(value, 3)
