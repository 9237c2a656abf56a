"""Draws the pictures of the whole window: runs that are edited as they go, in mid-training.

    QT_QPA_PLATFORM=offscreen python resources/help/make_window_pictures.py [NAME …]

Runs are kept in a folder that is thrown away; the speed shown is that of the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from lora_lab.config import changed
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State
from lora_lab.ui import theme
from lora_lab.ui.app import new_session
from lora_lab.ui.main_window import MainWindow

HERE = Path(__file__).resolve().parent
SIZE = (1280, 800)
# Preset, its live settings, the ranks wished after so many steps, and when the picture is taken.
PICTURES = {
    "window": ("digits", {"learning_rate": 3e-5}, {1000: 6}, 1900),
    "known-rank": ("known-rank", {}, {1000: 4, 2000: 8}, 3000),
}


def wait_for(come: Callable[[], bool]) -> None:
    """Let the window live until it is so."""
    while not come():
        QTest.qWait(20)


def draw(name: str) -> None:
    """Train in a window until the step, and write what it shows."""
    preset, settings, ranks, last = PICTURES[name]
    config = get_preset(preset).config
    window = MainWindow(new_session, list_presets())
    window.looks.set_scheme("dark")
    window.resize(*SIZE)
    window.show()
    window.open(changed(config, hyper=changed(config.hyper, **settings)))
    wait_for(lambda: window.state is State.PAUSED and not window.sessions.opening)
    window.sessions.toggle()
    for step, rank in ranks.items():
        wait_for(lambda step=step: window.sessions.step >= step)
        window.hyper_dock.wish(rank=rank)
    wait_for(lambda: window.sessions.step >= last)
    path = HERE / f"{name}.png"
    window.grab().save(str(path))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    window.leave()
    wait_for(lambda: window.closed)


def main(names: list[str]) -> None:
    """Draw the pictures of these names, or all."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply(app, "dark")
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        for name in names or PICTURES:
            draw(name)


if __name__ == "__main__":
    main(sys.argv[1:])
