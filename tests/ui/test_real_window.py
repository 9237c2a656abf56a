"""What an X server really shows: the window in each scheme and preset, photographed."""

import numpy as np
import pytest
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication

from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.shell.leaving import SAVE
from lora_lab.ui.style import theme

pytestmark = pytest.mark.xcb


def photograph(window) -> np.ndarray:
    """The pixels of the window as they are on the screen: (height, width, rgb)."""
    image = QGuiApplication.primaryScreen().grabWindow(window.winId()).toImage()
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    pixels = rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3)
    return pixels.copy()  # the image takes its memory with it


def share(pixels: np.ndarray, colour: str, tolerance: int = 6) -> float:
    """The share of pixels that have this colour."""
    wanted = np.array(QColor(colour).getRgb()[:3])
    return float((np.abs(pixels.astype(int) - wanted).max(-1) <= tolerance).mean())


def ground(pixels: np.ndarray, colors: theme.Colors) -> float:
    """The share of pixels that nothing is drawn on."""
    return share(pixels, colors.window) + share(pixels, colors.panel)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    """The share of pixels that have another colour now."""
    return float((before != after).any(-1).mean())


@pytest.mark.parametrize("preset", ["digits", "known-rank"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_painted_in_its_scheme_and_the_plots_move(qtbot, scheme, preset):
    app = QApplication.instance()
    assert app.platformName() == "xcb", "run these with QT_QPA_PLATFORM=xcb under an X server"
    before = theme.current()
    colors = theme.apply(app, scheme)
    window = make_window(new_session, list_presets())
    window.leaving.where = lambda: SAVE
    window.appearance.set_scheme(scheme)
    window.ask = lambda *texts: True
    try:
        window.resize(1280, 800)
        with qtbot.waitSignal(window.painted):
            window.show()
        window.open(get_preset(preset).config)
        qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=60_000)
        qtbot.waitUntil(lambda: ground(photograph(window), colors) > 0.4, timeout=20_000)
        ready = photograph(window)
        window.sessions.toggle()
        qtbot.waitUntil(lambda: window.sessions.step > 2000, timeout=60_000)
        qtbot.waitUntil(lambda: changed(ready, photograph(window)) > 0.005, timeout=20_000)
        training = photograph(window)
    finally:
        window.leave()
        qtbot.waitUntil(lambda: window.closed, timeout=20_000)
        window.deleteLater()
        theme.apply(app, "dark" if before is theme.DARK else "light")
    height, width = training.shape[:2]
    assert (height, width) == (800, 1280)
    assert ground(training, colors) > 0.4
    assert share(training, colors.accent) > 0.002
