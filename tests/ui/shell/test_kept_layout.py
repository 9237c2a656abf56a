"""Layouts of docks: those that Qt writes are known, and no other reaches it."""

import random
import struct

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDockWidget, QLabel, QMainWindow

from lora_lab.ui.shell.kept_layout import is_layout

NAMES = {"dock_0", "dock_1", "dock_2", "dock_3", "dock_4"}
Area = Qt.DockWidgetArea


@pytest.fixture
def host(qtbot):
    host = QMainWindow()
    host.setDockOptions(host.DockOption.AllowNestedDocks | host.DockOption.AllowTabbedDocks)
    docks = [QDockWidget(name, host, objectName=name) for name in sorted(NAMES)]
    for place, dock in enumerate(docks):
        dock.setWidget(QLabel(dock.objectName()))
        host.addDockWidget(
            Area.LeftDockWidgetArea if place < 2 else Area.BottomDockWidgetArea, dock
        )
    host.splitDockWidget(docks[0], docks[1], Qt.Orientation.Horizontal)
    host.tabifyDockWidget(docks[2], docks[3])
    host.show()
    qtbot.waitExposed(host)
    yield host
    host.close()


def damaged(layout: bytes) -> dict[str, bytes]:
    """What Qt was found to follow out of its memory, or round and round, and their kin."""
    cut = layout[:-4]
    area = layout.index(b"\xfd") + 5
    twice = layout.replace("dock_1".encode("utf-16-be"), "dock_0".encode("utf-16-be"))
    return {
        "an area that is none": layout[:area] + struct.pack(">i", 100_000) + layout[area + 4 :],
        "an area before the first": layout[:area] + struct.pack(">i", -5) + layout[area + 4 :],
        "bars without end": cut + struct.pack(">i", 2**31 - 1),
        "a dock twice": twice,
        "a stranger's dock": layout.replace(b"\0d\0o\0c", b"\0D\0o\0c"),
        "more behind it": layout + b"\0",
        "floating without end": layout[:-5] + b"\xf9" * 99,
        "docks without end": layout[:area] + layout[area:].replace(b"\xfc", b"\xfa", 1),
        "nothing": b"",
        "a word": b"hello",
    }


def test_what_qt_writes_is_known_and_nothing_else(host):
    layout = host.saveState(5).data()
    assert is_layout(layout, NAMES)
    for what, bad in damaged(layout).items():
        assert not is_layout(bad, NAMES), what
    for end in range(len(layout)):
        assert not is_layout(layout[:end], NAMES)
    docks = host.findChildren(QDockWidget)
    docks[0].setFloating(True)
    docks[2].hide()
    docks[1].close()
    assert is_layout(host.saveState(5).data(), NAMES)
    host.removeDockWidget(docks[4])
    assert is_layout(host.saveState(5).data(), NAMES)


def test_what_is_let_through_qt_reads_and_lives(host):
    layout = host.saveState(5).data()
    rng = random.Random(0)
    numbers = (0, 1, -1, 2, 5, 1 << 24, -(1 << 24), 1000, 2**31 - 1, -(2**31), 0xFA, 0xFC)
    let = 0
    for _ in range(5000):
        bad = bytearray(layout)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(8, len(bad) - 4)
            if rng.random() < 0.5:
                bad[place] = rng.choice(
                    (0, 1, 2, 3, 4, 8, 16, 32, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFF)
                )
            else:
                bad[place : place + 4] = struct.pack(">i", rng.choice(numbers))
        if is_layout(bytes(bad), NAMES):
            let += 1
            host.restoreState(bytes(bad), 5)
    assert let > 50
