"""Both schemes are readable and complete, and Qt's labels do not eat references to None."""

import re
import sys
from dataclasses import fields

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel

from lora_lab.ui.style import theme


def luminance(color):
    parts = [c / 255 for c in QColor(color).getRgb()[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def light_again(qapp):
    yield
    theme.apply(qapp, "light")


@pytest.mark.parametrize("colors", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_colours_are_opaque_and_can_be_read(colors):
    for field in fields(colors):
        value = getattr(colors, field.name)
        for color in [value] if isinstance(value, str) else value if field.name == "series" else []:
            assert re.fullmatch(r"#[0-9a-f]{6}", color), field.name
    for name in ("text", "muted", "accent", "warn", "error", "good"):
        for behind in (colors.window, colors.panel, colors.raised):
            assert contrast(getattr(colors, name), behind) >= 4.5, (name, behind)
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    assert all(contrast(color, colors.panel) >= 2.7 for color in colors.series)
    assert contrast(colors.smoothed, colors.raw) >= 1.8  # the mean stands out from the noise


@pytest.mark.parametrize(("scheme", "colors"), [("dark", theme.DARK), ("light", theme.LIGHT)])
def test_apply_dresses_the_application(qapp, light_again, scheme, colors):
    assert theme.apply(qapp, scheme) is theme.current() is colors
    assert qapp.palette().color(QPalette.ColorRole.Base) == QColor(colors.panel)
    assert qapp.palette().color(QPalette.ColorRole.WindowText) == QColor(colors.text)
    assert colors.accent in qapp.styleSheet()


def test_system_follows_the_desktop_or_is_light(qapp, light_again):
    assert theme.apply(qapp, "system") in (theme.LIGHT, theme.DARK)


def test_a_role_changes_the_look(qapp, qtbot, light_again):
    theme.apply(qapp, "light")
    label = QLabel("1")
    qtbot.addWidget(label)
    plain = label.sizeHint().height()
    theme.set_role(label, "figure")
    assert label.sizeHint().height() > plain


def test_figures_have_equal_width(qapp):
    from PySide6.QtGui import QFontMetricsF

    metrics = QFontMetricsF(theme.font(1.5))
    assert len({round(metrics.horizontalAdvance(digit), 2) for digit in "0123456789"}) == 1


def test_set_text_keeps_references_to_none(qtbot):
    # PySide6 6.12.0 drops one reference to None per call until Python 3.10 or 3.11 aborts.
    label = QLabel()
    qtbot.addWidget(label)
    before = sys.getrefcount(None)
    for number in range(1000):
        label.setText(str(number))
    assert sys.getrefcount(None) > before - 500
