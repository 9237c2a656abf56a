"""The window's scheme, geometry and docks, kept from start to start."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QSignalBlocker, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QMainWindow

from lora_lab.ui.panels.spectrum.panel import SpectrumPanel
from lora_lab.ui.shell.dock_host import DockHost
from lora_lab.ui.style import theme
from lora_lab.ui.style.settings import keep, keep_all, kept, kept_bytes, kept_scheme
from lora_lab.ui.widgets.dialogs import resize_within

FIRST_SIZE = (1280, 800)  # or as much of it as the screen has


class Appearance(QObject):
    """Follows the theme menu and the desktop, and keeps what was chosen."""

    changed = Signal(object)  # theme.Colors in force from now on

    def __init__(self, window: QMainWindow, host: DockHost, schemes: Mapping[str, QAction]) -> None:
        super().__init__(window)
        self._window, self._host, self._schemes = window, host, schemes
        for name, action in schemes.items():
            action.triggered.connect(lambda _=False, name=name: self.set_scheme(name))
        QApplication.styleHints().colorSchemeChanged.connect(self._on_system_scheme)

    def set_scheme(self, scheme: theme.Scheme) -> None:
        """Apply a scheme, and keep the choice."""
        keep("scheme", scheme)
        self._schemes[scheme].setChecked(True)
        self._apply(scheme)

    def save(self) -> None:
        """Write down the geometry, the docks and the view of the spectrum."""
        now = {"geometry": self._window.saveGeometry().data(), "layout": self._host.save()}
        for panel in self._spectra():
            now["spectrum"] = panel.chosen_view
        keep_all(now)

    def restore(self) -> None:
        """Take up what was saved; the scheme is applied already."""
        scheme = kept_scheme()
        self._schemes[scheme if scheme in self._schemes else "system"].setChecked(True)
        self.changed.emit(theme.current())
        for panel in self._spectra():
            panel.choose_view(kept("spectrum"))
        resize_within(self._window, *FIRST_SIZE)
        geometry, layout = kept_bytes("geometry"), kept_bytes("layout")
        fits = not geometry or self._window.restoreGeometry(geometry)
        # Where the screen of then is gone, its columns would be too wide or too narrow here.
        if layout and fits:
            self._host.restore(layout)

    def _spectra(self) -> list[SpectrumPanel]:
        return [panel for panel in self._host.panels if isinstance(panel, SpectrumPanel)]

    def _apply(self, scheme: theme.Scheme) -> None:
        app = QApplication.instance()
        with QSignalBlocker(app.styleHints()):  # applying it must not answer itself
            colors = theme.apply(app, scheme)
        self.changed.emit(colors)

    def _on_system_scheme(self) -> None:
        if self._schemes["system"].isChecked():
            self._apply("system")
