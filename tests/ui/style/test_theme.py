"""Both schemes are readable and complete, and Qt's labels do not eat references to None."""

import re
import sys
from dataclasses import fields

import pytest
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QLabel,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from lora_lab.ui.style import theme
from lora_lab.ui.widgets.controls import Combo, Number, Whole


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
    drawn = (colors.raw, colors.smoothed, colors.validation, colors.adapter, colors.frozen,
             colors.full, colors.marker, *colors.series)  # fmt: skip
    assert all(contrast(color, colors.panel) >= 3 for color in drawn)
    for behind in (colors.window, colors.panel, colors.raised):
        assert contrast(colors.outline, behind) >= 3, behind
    assert contrast(colors.smoothed, colors.raw) >= 1.8  # the mean stands out from the noise


def edge(widget):
    """The greatest contrast of what a control is framed with to what lies around it."""
    picture = widget.window().grab().toImage()
    at, middle = widget.mapTo(widget.window(), widget.rect().topLeft()), widget.height() // 2
    behind = picture.pixelColor(at.x() - 3, at.y() + middle).name()
    frame = [picture.pixelColor(at.x() + x, at.y() + middle).name() for x in range(4)]
    return max(contrast(color, behind) for color in frame)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_edge_of_what_can_be_used_is_seen(qapp, qtbot, light_again, scheme):
    """WCAG 2.2, 1.4.11: 3:1 between the edge of a control and what lies beside it."""
    theme.apply(qapp, scheme)
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    column.setContentsMargins(20, 20, 20, 20)
    controls = [
        Combo(), Number(0, 1), Whole(0, 9), QLineEdit(), QPlainTextEdit(), QPushButton("Go"),
        QToolButton(), QCheckBox(), QRadioButton(), QListView(),
    ]  # fmt: skip
    controls[0].addItem("one")
    controls[6].setText("more")
    for control in controls:
        column.addWidget(control)
    window.show()
    found = {type(control).__name__: edge(control) for control in controls}
    assert {name: value for name, value in found.items() if value < 3} == {}
    controls[0].showPopup()
    popup = controls[0].view()
    picture = popup.window().grab().toImage()
    across = [picture.pixelColor(x, picture.height() // 2).name() for x in range(6)]
    assert max(contrast(color, theme.current().panel) for color in across) >= 3
    controls[0].hidePopup()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("role", ["quiet", "disclosure", "pick", ""])
def test_words_that_can_be_pressed_are_read(qapp, qtbot, light_again, scheme, role):
    """1.4.3: 4.5:1. Letters are thin, so the darkest pixel of theirs is their colour."""
    colors = theme.apply(qapp, scheme)
    window = QWidget()
    qtbot.addWidget(window)
    window.setAutoFillBackground(True)
    button = QToolButton(window)
    button.setText("over steps MMM")
    button.setFont(theme.font(2.0))
    if role:
        button.setProperty("role", role)
    button.move(20, 20)
    button.adjustSize()
    window.resize(400, 100)
    window.show()
    picture = button.grab().toImage()
    inner = [
        picture.pixelColor(x, y).name()
        for x in range(6, picture.width() - 6) for y in range(6, picture.height() - 6)
    ]  # fmt: skip
    behind = max(set(inner), key=inner.count)
    assert max(contrast(color, behind) for color in set(inner)) >= 4.5
    quiet = role == "quiet"  # what can be pressed does not look like a caption
    assert (QColor(colors.accent).name() in inner) == quiet


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
