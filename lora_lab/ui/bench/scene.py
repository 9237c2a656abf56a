"""From the numbers to what is painted: the pictures that no cut changes are made once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from lora_lab.ui.bench.analysis import Analysis
from lora_lab.ui.bench.block import MOST_NUMBERS, Block, texts_of
from lora_lab.ui.bench.blocks import Scene
from lora_lab.ui.bench.heat import grey, heat
from lora_lab.ui.style.figures import shape_words, sub
from lora_lab.ui.style.theme import Colors
from lora_lab.ui.widgets.plot import number

translate = QCoreApplication.translate

ROOT = 0.25  # Σ is coloured by σ^¼, so that its small values are seen beside σ_1


class Scenes:
    """The scenes of one matrix in one scheme."""

    def __init__(self, analysis: Analysis, colors: Colors) -> None:
        self._analysis, self._colors = analysis, colors
        parts = analysis.parts
        r = parts.most
        self._largest = float(np.abs(parts.W).max())
        self._range = float(parts.W.min()), float(parts.W.max())
        self._W = self._like_W("W", shape_words(parts.shape), parts.W)
        U, Vt, seen = parts.U, parts.Vt, max(1, parts.rank)  # the others are arbitrary
        self._U = self._heat("U", shape_words(U.shape), U, U[:, :seen])
        self._Vt = self._heat("Vᵀ", shape_words(Vt.shape), Vt, Vt[:seen])
        values = np.diag(parts.sigma)
        sigma = float(parts.sigma[0])
        self._S = Block(
            "Σ", shape_words((r, r)), "", values, self._diagonal(), 0.2 * sigma, (r, r),
            texts_of(values, blank_zeros=True),
        )  # fmt: skip

    def scene(self, k: int, approximation: np.ndarray, error: np.ndarray) -> Scene:
        """What is painted where the first k values are kept; both arrays are m × n."""
        parts = self._analysis.parts
        (m, n), r = parts.shape, parts.most
        inverse = parts.pseudo_inverse(k)
        W, whole = f"W{sub(k)}", k >= parts.rank
        upper = (
            self._W, replace(self._U, kept=(m, k)), replace(self._S, kept=(k, k)),
            replace(self._Vt, kept=(k, n)),
        )  # fmt: skip
        lower = (
            self._like_W(
                W, translate("SVD bench", "rank {}").format(min(k, parts.rank)), approximation
            ),
            self._error(f"W − {W}", error),
            self._heat(f"{W}⁺", shape_words((n, m)), inverse, inverse, says=True),
        )
        braces = ("", "")
        if k:
            braces = f"B = UΣ  {shape_words((m, k))}", f"A = Vᵀ  {shape_words((k, n))}"
        words = translate(
            "SVD bench",
            "W is {}. Of its {} singular values the first {} are kept; largest error {}.",
        )
        words = words.format(shape_words((m, n)), r, k, number(float(np.abs(error).max())))
        return Scene(upper, lower, "=" if whole else "≈", braces, words)

    def _like_W(self, name: str, caption: str, values: np.ndarray) -> Block:
        """In the colours of W: grey values where it is a picture."""
        shape = values.shape
        if self._analysis.matrix.picture:
            return Block(name, caption, "", values, grey(values, *self._range), 0.0, shape)
        image = heat(values, self._largest, self._colors)
        return Block(name, caption, "", values, image, self._largest, shape, texts_of(values))

    def _error(self, name: str, error: np.ndarray) -> Block:
        """Blank where it is rounding alone."""
        if float(np.abs(error).max()) > 1e-9 * self._largest:
            return self._heat(name, "", error, error, says=True)
        image = heat(error, 0.0, self._colors)
        return Block(name, "", "≈ 0", error, image, 0.0, error.shape)

    def _heat(
        self,
        name: str,
        caption: str,
        values: np.ndarray,
        seen: np.ndarray,
        says: bool = False,
    ) -> Block:
        """In a scale of its own, taken from `seen`, which is a part of `values`."""
        largest = float(np.abs(seen).max(initial=0.0))
        foot = translate("SVD bench", "largest {}").format(number(largest, 3)) if says else ""
        scale = largest
        if values.size > MOST_NUMBERS and seen.size:
            # A few large entries, as those along an edge, would leave the rest without colour.
            usual = float(np.quantile(np.abs(seen), 0.99))
            scale = usual if usual > 0.02 * largest else largest
        image = heat(values, scale, self._colors)
        return Block(name, caption, foot, values, image, scale, values.shape, texts_of(values))

    def _diagonal(self) -> QImage:
        """Σ as a picture; in a large one the diagonal is made as wide as can be seen."""
        sigma = self._analysis.parts.sigma
        level = (sigma / (sigma[0] or 1.0)) ** ROOT
        picture = np.diag(level)
        for away in range(1, len(sigma) // 60 + 1):
            rest = level[away:]
            picture += np.diag(rest, away) + np.diag(rest, -away)
        return heat(picture, 1.0, self._colors)
