"""The report's pictures, drawn as inline SVG from a run's records: its curve, spectra and counts.

Colours are the page's own variables, so that a picture follows light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from lora_lab.runs.story import Row, Story

WIDTH, HEIGHT = 760, 184  # of the curve, in CSS pixels
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 16, 26
BINS = 360  # columns into which the steps of a long run are gathered
LOG_FROM = 30.0  # ratio of the largest to the smallest loss from which on the axis is logarithmic
BARS, PANELS = 24, 8  # singular values of a layer, and layers, that are drawn
CELL, CELL_HEIGHT = 186, 74
LARGEST, SMALLEST = 1e100, 1e-100  # of a loss that is drawn, and of a span of them

Point = tuple[float, float]


class Axes:
    """Where a step and a loss are in the picture."""

    def __init__(self, last: int, losses: Sequence[float]) -> None:
        low, high = min(losses), max(losses)
        self.last = max(1, last)
        self.log = low > 0 and high / low > LOG_FROM
        if self.log:
            low, high = math.log10(low), math.log10(high)
        pad = max(0.06 * (high - low) or 0.5 * abs(high) or 1.0, SMALLEST)
        self.low, self.high = low - pad, high + pad
        if not self.log and low >= 0:
            self.low = max(0.0, self.low)

    def x(self, step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.last

    def y(self, loss: float) -> float:
        value = math.log10(loss) if self.log else loss
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Losses that the axis names."""
        if not self.log:
            return ticks(self.low, self.high, 5)
        decades = range(math.ceil(self.low), math.floor(self.high) + 1)
        every = max(1, len(decades) // 5)
        powers = [10.0**n for n in decades][::every]
        return powers if len(powers) > 1 else [10.0**n for n in ticks(self.low, self.high, 4)]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from `low` to `high`, `most` or fewer."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def curve(story: Story) -> str:
    """Loss and validation loss over the steps, with a numbered mark at each edit."""
    steps = [(row["step"], row["loss"]) for row in story.of("StepRecord")]
    held = [(r["step"], r["loss"]) for r in story.of("EvalRecord") if r["enabled"]]
    off = [r["loss"] for r in story.of("EvalRecord") if not r["enabled"]]
    seen = [y for _, y in (*steps, *held) if _drawn(y)]
    if not steps or not seen:
        return "<p class='none'>No step has a finite loss, so there is no curve.</p>"
    axes = Axes(steps[-1][0], [y for y in seen if y > 0] or seen)
    parts = [_frame(axes)]
    if off and _drawn(off[0]) and _inside(axes, off[0]):
        y = axes.y(off[0])
        parts.append(
            f"<line class='off' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"
        )
    columns = _columns(steps, axes)
    if len(steps) > BINS:
        over = [(x, axes.y(high)) for x, _, _, high in columns]
        under = [(x, axes.y(low)) for x, low, _, _ in columns]
        parts.append(f"<path class='band' d='{_path([*over, *reversed(under)])}Z'/>")
    parts.append(f"<path class='loss' d='{_path([(x, axes.y(m)) for x, _, m, _ in columns])}'/>")
    points = [(axes.x(s), axes.y(v)) for s, v in held if _drawn(v) and _inside(axes, v)]
    if points:
        shown = points if len(points) <= 40 else []
        parts.append(f"<path class='held' d='{_path(points)}'/>")
        parts += [f"<circle class='dot' cx='{x:.1f}' cy='{y:.1f}' r='2.4'/>" for x, y in shown]
    parts += _marks(story, axes)
    known = [y for _, y in steps if _drawn(y)]
    words = f"Loss over {steps[-1][0]:,} steps"
    words += f", from {known[0]:.4g} to {known[-1]:.4g}" if known else ""
    known = [y for _, y in held if _drawn(y)]
    words += f"; validation loss from {known[0]:.4g} to {known[-1]:.4g}" if known else ""
    words += f"; {len(story.edits)} live edits are marked" if story.edits else ""
    return _svg(WIDTH, HEIGHT, words, parts)


def spectra(row: Row, truth: Sequence[float] | None = None) -> str:
    """σ of the layers of largest σ as small bars, each on a scale of its own."""
    layers = sorted(row["layers"], key=lambda x: -max(_finite(x["sigma"]), default=0.0))[:PANELS]
    columns = 4 if len(layers) > 1 else 1
    width = CELL if len(layers) > 1 else 2 * CELL
    parts, gap = [], 5
    for index, layer in enumerate(layers):
        x0 = (index % columns) * (width + gap)
        y0 = (index // columns) * (CELL_HEIGHT + 12)
        sigma = _finite(layer["sigma"])[:BARS]
        top = max([*sigma, *(truth or ())], default=0.0) or 1.0
        parts.append(f"<text class='name' x='{x0}' y='{y0 + 10}'>{escape(_short(layer['name']))}")
        parts.append("</text>")
        base, tall = y0 + CELL_HEIGHT - 14, CELL_HEIGHT - 30
        step = min(22.0 if len(layers) > 1 else 44.0, width / max(1, len(sigma)))
        for place, value in enumerate(sigma):
            height = tall * (value / top)
            parts.append(
                f"<rect class='bar' x='{x0 + place * step:.1f}' y='{base - height:.1f}' "
                f"width='{max(1.0, step - 2):.1f}' height='{height:.1f}'/>"
            )
        for place, value in enumerate((truth or ())[: len(sigma)]):
            y = base - tall * (value / top)
            x = x0 + place * step
            parts.append(
                f"<line class='true' x1='{x:.1f}' x2='{x + step - 2:.1f}' y1='{y:.1f}' "
                f"y2='{y:.1f}'/>"
            )
        parts.append(f"<line class='axis' x1='{x0}' x2='{x0 + width}' y1='{base}' y2='{base}'/>")
        effective = layer["effective_rank"]
        caption = f"σ₁ {_figure(sigma[0] if sigma else 0.0)} · rank {layer['rank']}"
        caption += f" · effective {effective:.1f}" if effective == effective else ""
        parts.append(f"<text class='small' x='{x0}' y='{base + 11}'>{caption}</text>")
    rows = -(-len(layers) // columns)
    total = columns * width + (columns - 1) * gap
    names = ", ".join(layer["name"] for layer in layers)
    words = f"Singular values of ΔW at step {row['step']:,}: {names}"
    return _svg(total, rows * (CELL_HEIGHT + 12) - 10, words, parts)


def counts(rows: Sequence[tuple[str, int, str]]) -> str:
    """Bars of (what, number of parameters, class) on a logarithmic scale, with their numbers."""
    most = max(number for _, number, _ in rows)
    parts, left, line, width = [], 164, 17, 310
    room = width - left
    for index, (what, number, kind) in enumerate(rows):
        y = index * line
        long = max(2.0, room * math.log10(max(number, 1)) / math.log10(max(most, 10)))
        parts.append(f"<text class='small' x='0' y='{y + 11}'>{escape(what)}</text>")
        parts.append(f"<rect class='{kind}' x='{left}' y='{y + 3}' width='{long:.1f}' height='9'/>")
    words = "Parameters, on a logarithmic scale: " + "; ".join(what for what, _, _ in rows)
    return _svg(width, len(rows) * line, words, parts)


def _frame(axes: Axes) -> str:
    """Grid, ticks and the names of the axes."""
    parts = []
    for value in axes.ticks():
        y = axes.y(value)
        parts.append(
            f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y:.1f}' y2='{y:.1f}'/>"
            f"<text class='tick' x='{LEFT - 6}' y='{y + 3.5:.1f}' text-anchor='end'>"
            f"{_power(value) if axes.log else _figure(value)}</text>"
        )
    bottom = HEIGHT - BOTTOM
    for step in ticks(0, axes.last, 8):
        x = axes.x(step)
        if step == int(step) and x < WIDTH - RIGHT + 1:
            end = "end" if x > WIDTH - RIGHT - 24 else "middle"
            parts.append(
                f"<text class='tick' x='{x:.1f}' y='{bottom + 14}' text-anchor='{end}'>"
                f"{int(step):,}</text>"
            )
    parts.append(
        f"<line class='axis' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{bottom}' y2='{bottom}'/>"
    )
    return "".join(parts)


def _marks(story: Story, axes: Axes) -> list[str]:
    """A line at every edit, and its number where there is room beside the one before."""
    parts, free = [], -math.inf
    for number, row in enumerate(story.edits, 1):
        x = axes.x(min(row["step"], axes.last))
        parts.append(
            f"<line class='mark' x1='{x:.1f}' x2='{x:.1f}' y1='{TOP}' y2='{HEIGHT - BOTTOM}'/>"
        )
        if x >= free:
            parts.append(
                f"<text class='number' x='{x:.1f}' y='{TOP - 4}' text-anchor='middle'>{number}"
                "</text>"
            )
            free = x + 14
    return parts


def _columns(steps: list[tuple[int, float]], axes: Axes) -> list[tuple[float, float, float, float]]:
    """(x, lowest, mean, highest loss) of the steps in each column of the picture."""
    size = max(1, -(-len(steps) // BINS))
    columns = []
    for start in range(0, len(steps), size):
        part = [(s, v) for s, v in steps[start : start + size] if _drawn(v)]
        if axes.log:
            part = [(s, v) for s, v in part if v > 0]
        if not part:
            continue
        values = [v for _, v in part]
        middle = sum(s for s, _ in part) / len(part)
        columns.append((axes.x(middle), min(values), sum(values) / len(values), max(values)))
    return columns


def _drawn(loss: float) -> bool:
    return loss == 0 or SMALLEST < abs(loss) < LARGEST  # which nan is not


def _inside(axes: Axes, loss: float) -> bool:
    return not (axes.log and loss <= 0) and TOP <= axes.y(loss) <= HEIGHT - BOTTOM


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)]


def _figure(value: float) -> str:
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")


def _power(value: float) -> str:
    """A power of ten as one is written by hand; other numbers as they are."""
    n = round(math.log10(value))
    if n in range(-2, 4) or not math.isclose(value, 10.0**n, rel_tol=1e-9):
        return _figure(value)
    return "10" + str(n).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"…{name[-most + 1 :]}"


def _svg(width: int, height: int, words: str, parts: Sequence[str]) -> str:
    return (
        f"<svg viewBox='0 0 {width} {height}' role='img' style='max-width:{width}px'>"
        f"<title>{escape(words)}</title>{''.join(parts)}</svg>"
    )
