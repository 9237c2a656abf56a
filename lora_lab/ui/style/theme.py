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
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

Scheme = Literal["light", "dark", "system"]


@dataclass(frozen=True)
class Colors:
    """Every colour of one scheme as `#rrggbb`; opaque, since translucent pens are slow."""

    dark: bool
    window: str  # behind everything
    panel: str  # plots, fields, tables
    raised: str  # buttons, heads of tables, pills
    border: str
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
    text="#1a1e23",
    muted="#596270",
    grid="#e6e9ed",
    accent="#0067a8",
    on_accent="#ffffff",
    raw="#b4d0e3",
    smoothed="#0067a8",
    validation="#c65300",
    adapter="#0067a8",
    frozen="#a9b1bb",
    full="#6c7683",
    warn="#955500",
    error="#b3261e",
    good="#0b7350",
    marker="#8a93a0",
    series=("#0072b2", "#d55e00", "#00865f", "#b5488c", "#a97800", "#4a9fd4", "#6c4fb0", "#596270"),
)

DARK = Colors(
    dark=True,
    window="#14171a",
    panel="#1b1f23",
    raised="#262b31",
    border="#3a4149",
    text="#e4e8ec",
    muted="#98a2ae",
    grid="#2a3036",
    accent="#58b0ea",
    on_accent="#0c1419",
    raw="#31546b",
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
    wishes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # Also tells the platform, so that title bars and native dialogs agree; Unknown gives it back.
    hints.setColorScheme(wishes.get(scheme, Qt.ColorScheme.Unknown))
    dark = scheme == "dark" or (scheme == "system" and hints.colorScheme() == wishes["dark"])
    _current = DARK if dark else LIGHT
    if app.style().name() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(_palette(_current))
    boxes = _palette(_current)
    if _current.dark:  # Fusion frames a box in a darker shade of "Window"
        boxes.setColor(QPalette.ColorRole.Window, QColor(_current.border).lighter(140))
    for kind in ("QAbstractSpinBox", "QCheckBox"):
        app.setPalette(boxes, kind)
    app.setStyleSheet(_sheet(_current, app.font().pointSizeF()))
    return _current


def font(scale: float = 1.0, weight: QFont.Weight = QFont.Weight.Normal) -> QFont:
    """The application's font at another size, with figures of equal width."""
    made = QFont(QGuiApplication.font())
    if made.pointSizeF() > 0:
        made.setPointSizeF(made.pointSizeF() * scale)
    else:
        made.setPixelSize(round(made.pixelSize() * scale))
    made.setWeight(weight)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


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
        role.Light: _mixed(c.raised, "#ffffff", 0.08 if c.dark else 0.6),
        role.Midlight: _mixed(c.raised, c.border, 0.3),
        role.Mid: c.border,
        role.Dark: _mixed(c.border, "#000000", 0.35),
        role.Shadow: "#000000" if c.dark else "#7a828c",
    }.items():
        palette.setColor(where, QColor(color))
    faint = QColor(_mixed(c.muted, c.window, 0.45))
    for where in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, where, faint)
    palette.setColor(group.Disabled, role.Highlight, QColor(c.border))
    return palette


def _mixed(one: str, other: str, share: float) -> str:
    """`one` with `share` of `other` blended in."""
    a, b = QColor(one), QColor(other)
    parts = zip(a.getRgb()[:3], b.getRgb()[:3], strict=True)
    return QColor(*(round(x + (y - x) * share) for x, y in parts)).name()


def _sheet(c: Colors, points: float) -> str:
    points = points if points > 0 else 9.0
    hover = _mixed(c.raised, c.text, 0.07)
    pressed = _mixed(c.raised, c.text, 0.14)
    faint = _mixed(c.muted, c.window, 0.45)
    groove = _mixed(c.window, c.text, 0.14)
    waiting = _mixed(c.panel, c.warn, 0.16)
    # Fusion frames fields in a shade darker than the window: on a dark one that is no frame.
    frame = c.border if c.dark else _mixed(c.window, "#000000", 0.29)
    return f"""
QToolTip {{ background: {c.panel}; color: {c.text}; border: 1px solid {c.border};
    padding: 5px 7px; }}
QLabel[role="title"] {{ font-weight: 600; }}
QLabel[role="muted"] {{ color: {c.muted}; }}
QLabel[role="small"] {{ color: {c.muted}; font-size: {points * 0.92:.2f}pt; }}
QLabel[role="figure"] {{ font-size: {points * 1.9:.2f}pt; font-weight: 500; }}
QLabel[role="second"] {{ font-size: {points * 1.45:.2f}pt; color: {c.muted}; }}
QLabel[role="gain"] {{ font-size: {points * 1.9:.2f}pt; font-weight: 500; color: {c.good}; }}
QLabel[role="loss"] {{ font-size: {points * 1.9:.2f}pt; font-weight: 500; color: {c.error}; }}
QLabel[role="warn"] {{ color: {c.warn}; }}
QLabel[role="error"] {{ color: {c.error}; }}
QLabel[role="good"] {{ color: {c.good}; }}
QLabel[role="waiting"] {{ color: {c.warn}; background: {waiting}; border-radius: 3px;
    padding: 1px 5px; font-size: {points * 0.92:.2f}pt; }}
QLabel[role="settled"] {{ color: {c.muted}; padding: 1px 5px;
    font-size: {points * 0.92:.2f}pt; }}
QLabel[role="empty"] {{ color: {c.muted}; }}
QLabel:disabled {{ color: {faint}; }}

QPushButton, QToolButton {{ background: {c.raised}; color: {c.text};
    border: 1px solid {c.border}; border-radius: 4px; padding: 4px 11px; }}
QToolButton {{ padding: 3px 8px; }}
QToolButton[popupMode="2"] {{ padding-right: 20px; }}
QToolButton::menu-indicator {{ subcontrol-origin: padding; subcontrol-position: right center;
    right: 6px; }}
QPushButton:hover, QToolButton:hover {{ background: {hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {pressed}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {faint}; }}
QToolButton:checked {{ background: {pressed}; color: {c.text}; }}
QPushButton[role="primary"] {{ background: {c.accent}; color: {c.on_accent};
    border-color: {c.accent}; font-weight: 600; padding: 5px 16px; }}
QPushButton[role="primary"]:hover {{ background: {_mixed(c.accent, c.text, 0.12)}; }}
QPushButton[role="primary"]:pressed {{ background: {_mixed(c.accent, c.text, 0.24)}; }}
QPushButton[role="primary"]:focus {{ border: 2px solid {c.text}; padding: 4px 15px; }}
QPushButton[role="primary"]:disabled {{ background: {groove}; color: {faint};
    border-color: {groove}; }}
QToolButton[role="quiet"] {{ background: transparent; border-color: transparent;
    color: {c.muted}; padding: 2px 6px; }}
QToolButton[role="quiet"]:hover, QToolButton[role="quiet"]:checked {{
    background: {hover}; color: {c.text}; }}
QToolButton[role="quiet"]::menu-indicator {{ image: none; }}
QToolButton[role="quiet"][popupMode="2"] {{ padding-right: 6px; }}
QToolButton[role="quiet"]:focus {{ border-color: {c.accent}; }}
QToolButton[role="pick"] {{ padding: 2px 10px; }}
QToolButton[role="pick"]:checked {{ background: {c.accent}; color: {c.on_accent};
    border-color: {c.accent}; }}
QToolButton[role="pick"]:checked:focus {{ border-color: {c.text}; }}
QToolButton[role="disclosure"] {{ background: transparent; border-color: transparent;
    color: {c.muted}; padding: 2px 0; text-align: left; }}
QToolButton[role="disclosure"]:hover {{ color: {c.text}; }}
QToolButton[role="disclosure"]:focus {{ border-color: {c.accent}; }}

QLineEdit, QTextEdit, QPlainTextEdit, QListView {{ background: {c.panel};
    border: 1px solid {frame}; border-radius: 3px; }}
QLineEdit {{ padding: 2px 1px; }}
QLineEdit:focus, QTextEdit:focus, QPlainTextEdit:focus, QListView:focus {{
    border-color: {c.accent}; }}
QLineEdit:disabled, QTextEdit:disabled {{ color: {faint}; border-color: {c.border}; }}
QAbstractSpinBox QLineEdit, QComboBox QLineEdit, QComboBox QListView,
QTextEdit[frameShape="0"], QListView[frameShape="0"] {{ border: 0; padding: 0; }}

QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {groove}; }}
QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {c.accent}; }}
QSlider::handle:horizontal {{ width: 13px; height: 13px; margin: -6px 0; border-radius: 7px;
    background: {c.panel}; border: 2px solid {c.accent}; }}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{
    background: {_mixed(c.panel, c.accent, 0.35)}; }}
QSlider::handle:horizontal:focus {{ border-color: {c.text}; }}
QSlider::handle:horizontal:pressed {{ background: {c.accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {groove}; }}
QSlider::handle:horizontal:disabled {{ border-color: {c.border}; background: {c.window}; }}

QRadioButton::indicator {{ width: 11px; height: 11px; border-radius: 6px;
    border: 1px solid {c.muted}; background: {c.panel}; }}
QRadioButton::indicator:hover, QRadioButton::indicator:focus {{ border-color: {c.accent}; }}
QRadioButton::indicator:checked {{ width: 5px; height: 5px; border: 4px solid {c.accent};
    background: {c.on_accent}; }}
QRadioButton:focus, QCheckBox:focus {{ color: {c.accent}; }}
QRadioButton::indicator:disabled {{ border-color: {c.border}; }}

QHeaderView::section {{ background: {c.panel}; color: {c.muted}; border: 0;
    border-bottom: 1px solid {c.border}; padding: 3px 8px; }}
QTreeView QHeaderView::section {{ padding: 3px 5px; }}
QTreeView QHeaderView::up-arrow, QTreeView QHeaderView::down-arrow {{
    subcontrol-origin: border; subcontrol-position: top center; width: 9px; height: 6px; }}
QTableView, QTreeView, QGraphicsView {{ border: 1px solid {c.panel}; }}
QTableView:focus, QTreeView:focus, QGraphicsView:focus {{ border-color: {c.accent}; }}
QTableView, QTreeView {{ background: {c.panel}; gridline-color: {c.grid};
    selection-background-color: {hover}; selection-color: {c.text}; }}
QTableView {{ outline: 0; }}
QTableView::item {{ padding: 0 5px; }}
QTreeView::item {{ padding: 4px 3px; }}
QTableView::indicator, QTreeView::indicator {{ width: 11px; height: 11px;
    border: 1px solid {c.muted}; border-radius: 3px; background: {c.panel}; }}
QTableView::indicator:checked, QTreeView::indicator:checked, QTreeView::indicator:indeterminate {{
    border-color: {c.accent}; background: {c.accent}; }}
QTableView::indicator:disabled, QTreeView::indicator:disabled {{ border-color: {c.border}; }}
QDockWidget {{ font-weight: 600; }}
QDockWidget::title {{ background: {c.window}; padding: 5px 8px; }}
QMainWindow::separator {{ background: {c.window}; width: 5px; height: 5px; }}
QMainWindow::separator:hover {{ background: {c.border}; }}
QTabWidget::pane {{ border: 1px solid {c.border}; border-radius: 4px; }}
QTabBar::tab {{ background: transparent; color: {c.muted}; border: 0;
    border-bottom: 2px solid transparent; padding: 5px 10px 4px 10px; }}
QTabBar::tab:selected {{ color: {c.text}; border-bottom-color: {c.accent}; }}
QTabBar::tab:selected:focus {{ color: {c.accent}; background: {hover}; }}
QTabBar::tab:hover {{ color: {c.text}; }}
QToolBar {{ background: {c.window}; border: 0; spacing: 6px; padding: 4px 6px; }}
QStatusBar::item {{ border: 0; }}
QProgressBar {{ background: {groove}; border: 0; border-radius: 3px; text-align: center; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: 3px; }}
QScrollArea {{ border: 0; }}
"""
