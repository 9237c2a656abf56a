"""The look of the lab: one set of colours per scheme, and the palette and sheet made from it.

Plots, painted widgets and Qt's own controls all take their colours from `Colors`. A label or a
button is dressed by its dynamic property `role`, so that it follows when the scheme changes:

    label.setProperty("role", "title")      # title, muted, small, figure, second, gain,
                                        # loss, warn, error, good, waiting, settled, empty
    button.setProperty("role", "primary")   # primary: the one thing to press; quiet: no frame;
                                            # disclosure: opens what is below it; pick: one of
                                            # several that may be chosen together
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from lora_lab import paths

Scheme = Literal["light", "dark", "system"]


@dataclass(frozen=True)
class Colors:
    """Every colour of one scheme as `#rrggbb`; opaque, since translucent pens are slow."""

    dark: bool
    window: str  # behind everything
    panel: str  # plots, fields, tables
    raised: str  # buttons, heads of tables, pills
    border: str  # between areas
    outline: str  # of what can be pressed or filled in: 3:1 on all that lies around it
    text: str
    muted: str  # second voice: labels, units, axes
    grid: str
    accent: str  # the one colour that means "the adapter, now"
    on_accent: str
    raw: str  # raw loss: accent blended into the panel beforehand
    smoothed: str
    validation: str
    adapter: str
    frozen: str  # the base that does not move
    full: str  # full fine-tuning, for comparison
    warn: str
    error: str
    good: str
    marker: str  # vertical marks at edits
    series: tuple[str, ...]  # told apart by colour-blind eyes, on this scheme's panel


LIGHT = Colors(
    dark=False,
    window="#eceef1",
    panel="#fcfcfd",
    raised="#f4f5f7",
    border="#cfd4da",
    outline="#7d848d",
    text="#1a1e23",
    muted="#596270",
    grid="#e6e9ed",
    accent="#0067a8",
    on_accent="#ffffff",
    raw="#6c96b6",
    smoothed="#0067a8",
    validation="#c65300",
    adapter="#0067a8",
    frozen="#8a9098",
    full="#6c7683",
    warn="#955500",
    error="#b3261e",
    good="#0b7350",
    marker="#8a93a0",
    series=("#0072b2", "#d55e00", "#00865f", "#b5488c", "#a97800", "#4494c6", "#6c4fb0", "#596270"),
)

DARK = Colors(
    dark=True,
    window="#14171a",
    panel="#1b1f23",
    raised="#262b31",
    border="#3a4149",
    outline="#717982",
    text="#e4e8ec",
    muted="#98a2ae",
    grid="#2a3036",
    accent="#58b0ea",
    on_accent="#0c1419",
    raw="#406f8e",
    smoothed="#6cbcf0",
    validation="#f0a045",
    adapter="#58b0ea",
    frozen="#646e7a",
    full="#8a94a0",
    warn="#f0b44c",
    error="#ff8a80",
    good="#4cc79b",
    marker="#78828e",
    series=("#56b4e9", "#f0a045", "#35c596", "#e08cc0", "#e8dc5a", "#8f9df5", "#ff8a70", "#b4bcc6"),
)

_current = LIGHT


def current() -> Colors:
    """The colours in force now."""
    return _current


def apply(app: QApplication, scheme: Scheme = "system") -> Colors:
    """Dress the application; "system" asks the desktop, and takes light where it does not say."""
    global _current
    hints = app.styleHints()
    requests = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # Also tells the platform, so that title bars and native dialogs agree; Unknown gives it back.
    hints.setColorScheme(requests.get(scheme, Qt.ColorScheme.Unknown))
    dark = scheme == "dark" or (scheme == "system" and hints.colorScheme() == requests["dark"])
    _current = DARK if dark else LIGHT
    if app.style().name() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(_palette(_current))
    # Fusion frames a box in a darker shade of "Window", and that of a tick in a paler one.
    ticks = 160 if _current.dark else 120
    shades = {"QAbstractSpinBox": 140, "QComboBox": 140, "QCheckBox": ticks}
    for kind, lighter in shades.items():
        boxes = _palette(_current)
        boxes.setColor(QPalette.ColorRole.Window, QColor(_current.outline).lighter(lighter))
        app.setPalette(boxes, kind)
    app.setStyleSheet(_sheet(_current, app.font().pointSizeF()))
    return _current


def font(scale: float = 1.0, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The application's font at another size, with figures of equal width."""
    result = QFont(QGuiApplication.font())
    if result.pointSizeF() > 0:
        result.setPointSizeF(result.pointSizeF() * scale)
    else:
        result.setPixelSize(round(result.pixelSize() * scale))
    result.setWeight(weight)
    result.setFeature(QFont.Tag("tnum"), 1)
    return result


def set_role(widget: QWidget, role: str) -> None:
    """Dress `widget` in a role of the sheet; cheap when it wears it already."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _palette(c: Colors) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    palette = QPalette()
    for where, color in {
        role.Window: c.window,
        role.WindowText: c.text,
        role.Base: c.panel,
        role.AlternateBase: c.raised,
        role.Text: c.text,
        role.PlaceholderText: c.muted,
        role.Button: c.raised,
        role.ButtonText: c.text,
        role.BrightText: c.error,
        role.ToolTipBase: c.panel,
        role.ToolTipText: c.text,
        role.Highlight: c.accent,
        role.HighlightedText: c.on_accent,
        role.Accent: c.accent,
        role.Link: c.accent,
        role.LinkVisited: c.accent,
        role.Light: mixed(c.raised, "#ffffff", 0.08 if c.dark else 0.6),
        role.Midlight: mixed(c.raised, c.border, 0.3),
        role.Mid: c.border,
        role.Dark: mixed(c.border, "#000000", 0.35),
        role.Shadow: "#000000" if c.dark else "#7a828c",
    }.items():
        palette.setColor(where, QColor(color))
    faint = QColor(mixed(c.muted, c.window, 0.45))
    for where in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, where, faint)
    palette.setColor(group.Disabled, role.Highlight, QColor(c.border))
    return palette


def mixed(one: str, other: str, share: float) -> str:
    """`one` with `share` of `other` blended in."""
    a, b = QColor(one), QColor(other)
    parts = zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in parts)).name()


def _sheet(c: Colors, points: float) -> str:
    """The application's style sheet, with the colours of a scheme and sizes of its font."""
    points = points if points > 0 else 9.0
    names = {
        **{name: value for name, value in vars(c).items() if isinstance(value, str)},
        "hover": mixed(c.raised, c.text, 0.07),
        "pressed": mixed(c.raised, c.text, 0.14),
        "faint": mixed(c.muted, c.window, 0.45),
        "groove": mixed(c.window, c.text, 0.14),
        "waiting": mixed(c.panel, c.warn, 0.16),
        "accent_hover": mixed(c.accent, c.text, 0.12),
        "accent_pressed": mixed(c.accent, c.text, 0.24),
        "handle_hover": mixed(c.panel, c.accent, 0.35),
        "small": f"{0.92 * points:.2f}",
        "second": f"{1.45 * points:.2f}",
        "figure": f"{1.9 * points:.2f}",
    }
    return Template((paths.resources() / "theme.qss").read_text("utf-8")).substitute(names)
