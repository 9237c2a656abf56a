"""Draws the pictures of the whole window, in mid-training, and that of the queue beside it.

    QT_QPA_PLATFORM=offscreen python resources/help/make_window_pictures.py [NAME …]

Runs are kept in a folder that is thrown away; the speed shown is that of the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from make_pictures import wait_for
from PySide6.QtGui import QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from lora_lab.config import changed
from lora_lab.presets import get_preset, list_presets
from lora_lab.records import State
from lora_lab.ui.app import make_window, new_session
from lora_lab.ui.shell.main_window import MainWindow
from lora_lab.ui.style import theme

HERE = Path(__file__).resolve().parent
SIZE = (1280, 800)
# Preset, its live settings, the ranks requested after so many steps, and when the picture is taken.
PICTURES = {
    "window": ("digits", {"learning_rate": 3e-5}, {1000: 6}, 1900),
    "known-rank": ("known-rank", {}, {1000: 4, 2000: 8}, 3000),
}
# What is added: the fields that are filled in, and the adapters that are pressed in.
GRIDS = (
    ({"rank": "1, 2, 4, 8, 16", "alpha": "2r", "rate": "3e-5", "steps": "1500"}, ()),
    ({"rank": "4, 16"}, ("dora", "full")),
)
QUEUE_SIZE = (1060, 500)  # the pages show it smaller, so one pixel per point is sharp


def opened(name: str, scheme: str, settings: dict[str, float]) -> MainWindow:
    """A window in which the preset stands ready."""
    config = get_preset(name).config
    window = make_window(new_session, list_presets())
    window.appearance.set_scheme(scheme)
    window.resize(*SIZE)
    window.show()
    window.open(changed(config, hyper=changed(config.hyper, **settings)))
    wait_for(lambda: window.state is State.PAUSED and not window.sessions.opening)
    return window


def kept(picture: QPixmap, name: str, window: MainWindow) -> None:
    """Write the picture and close the window that it is of."""
    path = HERE / f"{name}.png"
    picture.save(str(path), "PNG", 0)  # packed as tightly as it goes
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    window.leave()
    wait_for(lambda: window.closed)


def draw(name: str) -> None:
    """Train in a window until the step, and write what it shows."""
    preset, settings, ranks, last = PICTURES[name]
    window = opened(preset, "dark", settings)
    window.sessions.toggle()
    for step, rank in ranks.items():
        wait_for(lambda step=step: window.sessions.step >= step)
        window.hyper_dock.request(rank=rank)
    wait_for(lambda: window.sessions.step >= last)
    window.sessions.toggle()  # at a thousand steps a second curves are a third of a second behind
    wait_for(lambda: window.state is State.PAUSED)
    QTest.qWait(500)
    window.sessions.toggle()
    wait_for(lambda: window.state is State.RUNNING)
    kept(window.grab(), name, window)


def draw_queue() -> None:
    """Add eight runs on the digits, let them train one after another, and choose one."""
    window = opened("digits", "light", {})
    wait_for(lambda: window.flows is not None)  # they are made once the window is painted
    window.commands.queue.trigger()
    flow = window.flows.queue
    dialog, builder = flow.dialog, flow.dialog.builder
    for texts, adapters in GRIDS:
        for field, text in texts.items():
            getattr(builder, f"{field}_edit").setText(text)
        for adapter in adapters:
            builder.variants.buttons[adapter].click()
        builder.count()
        builder.add_button.click()
    dialog.start_button.click()
    wait_for(lambda: all(item.ended for item in flow.runner.queue.items))
    builder.count()  # now the time of a step is known
    dialog.table.choose(flow.runner.queue.items[2].id)
    dialog.resize(*QUEUE_SIZE)
    QTest.qWait(500)
    if (focused := dialog.focusWidget()) is not None:
        focused.clearFocus()  # no caret in a field
    picture = dialog.grab()
    dialog.close()
    kept(picture, "queue", window)


def main(names: list[str]) -> None:
    """Draw the pictures of these names, or all."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply(app, "dark")
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        for name in names or (*PICTURES, "queue"):
            draw_queue() if name == "queue" else draw(name)


if __name__ == "__main__":
    main(sys.argv[1:])
