"""Cells whose ground tells how much: a ramp from the panel's colour to its strongest, and a number.

The ramp goes by lightness alone, evenly, within one hue: it is in order for every eye, and in grey.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from lora_lab.ui.style import theme

# (text, level 0 to 1, the largest level of several as a mark at the edge or None); or None: no heat
HEAT = Qt.ItemDataRole.UserRole + 1
STEPS = 64
EDGE = 5  # pixels of that mark
# Plain numbers: Python's flags take longer to be looked at than the cell to be painted.
_RIGHT = (Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter).value
_SELECTED, _FOCUS = QStyle.StateFlag.State_Selected.value, QStyle.StateFlag.State_HasFocus.value
# From faint to strong; CIE L* falls (light) or rises (dark) by like steps.
_LIGHT = ("#eaf1f6", "#bcd9ea", "#8ebfdd", "#5aa3cd", "#2683b5", "#05618f", "#03416a")
_DARK = ("#22303b", "#1d4a66", "#1a668f", "#2683b5", "#55a3d0", "#8cc3e6", "#c5e3f6")


@lru_cache(maxsize=2)
def ramp(dark: bool) -> tuple[tuple[QColor, QColor], ...]:
    """Ground and ink of each step, faint to strong; the ink is the one that is read best."""
    stops = [QColor(stop).getRgbF()[:3] for stop in (_DARK if dark else _LIGHT)]
    colors = []
    for step in range(STEPS):
        at = step / (STEPS - 1) * (len(stops) - 1)
        low = min(int(at), len(stops) - 2)
        pairs = zip(stops[low], stops[low + 1], strict=True)
        ground = QColor.fromRgbF(*(a + (b - a) * (at - low) for a, b in pairs))
        # Black and white are read equally well at a luminance of 0.179 (WCAG 2, contrast).
        colors.append((ground, QColor("#000000" if luminance(ground) > 0.179 else "#ffffff")))
    return tuple(colors)


def luminance(color: QColor) -> float:
    """Relative luminance (WCAG 2)."""
    parts = color.getRgbF()[:3]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def shade(level: float) -> tuple[QColor, QColor]:
    """Ground and ink for a level from 0 to 1, in the scheme in force."""
    step = round(min(max(level, 0.0), 1.0) * (STEPS - 1))
    return ramp(theme.current().dark)[step]


class HeatCells(QStyledItemDelegate):
    """Paints the number on the ground of its level; thousands of cells may change in a run."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        heat = index.data(HEAT)
        if heat is None:
            super().paint(painter, option, index)
            return
        words, level, most = heat
        state = option.state.value
        if state & _SELECTED:
            painter.fillRect(option.rect, option.palette.highlight())
        ground, ink = shade(level)
        cell = option.rect.adjusted(2, 1, -2, -1)
        painter.fillRect(cell, ground)
        if most is not None:
            edge = QRect(cell)
            edge.setLeft(cell.right() - EDGE + 1)
            painter.fillRect(edge, shade(most)[0])
        painter.setPen(ink)
        text = cell.adjusted(2, 0, -EDGE - 3, 0)
        painter.drawText(text, _RIGHT, words)
        if state & _FOCUS:
            painter.drawRect(cell.adjusted(0, 0, -1, -1))
