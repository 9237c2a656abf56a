"""The values that a slider snaps to, and the way from one to the next."""

from __future__ import annotations

import math

from lora_lab.setting import Knob

_DECADE = (
    1, 1.1, 1.2, 1.4, 1.5, 1.7, 1.8, 2, 2.2, 2.5, 2.7, 3, 3.3, 3.6, 4, 4.5, 5, 5.5, 6, 6.7, 7.5, 8,
    9,
)  # fmt: skip


def notches(knob: Knob, whole: bool, maximum: float) -> list[float]:
    """The values a slider snaps to, evenly spaced to the eye on the knob's scale.

    Whole numbers and ranges of octaves step by eighths of an octave with the powers of two exact;
    ranges of many decades (learning rates) by two-digit values; linear ones by hundredths. What
    doubles has the powers of two alone.
    """
    low = knob.minimum
    if knob.scale == "linear":
        step = 10.0 ** math.floor(math.log10((knob.maximum - low) / 50))
        count = math.floor((maximum - low) / step + 1e-9)
        values = [round(low + i * step, 12) for i in range(count + 1)]
    elif knob.scale == "doubling":
        values = [2.0**power for power in range(math.ceil(math.log2(maximum)) + 1)]
    elif whole or maximum / low <= 1e5:
        first, last = math.floor(math.log2(low)), math.ceil(math.log2(maximum))
        values = []
        for power in range(first, last + 1):
            for eighth in range(8):
                value = 2.0**power * (1 + eighth / 8)
                values.append(value if eighth == 0 else float(f"{value:.2g}"))
        if whole:
            values = [round(value) for value in values]
    else:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(maximum))
        values = [float(f"{m}e{power}") for power in range(first, last + 1) for m in _DECADE]
    inside = {value for value in values if low <= value <= maximum}
    ends = {round(low), round(maximum)} if whole else {low, maximum}
    return sorted(inside | ends)


def stepped(values: list[float], value: float, steps: int) -> float:
    """The notch `steps` away; from between two notches the first step goes to the neighbour."""
    below = sum(1 for notch in values if notch < value * (1 - 1e-12))
    on = below < len(values) and math.isclose(values[below], value, rel_tol=1e-12)
    target = below + steps - (0 if on or steps < 0 else 1)
    return values[min(max(target, 0), len(values) - 1)]
