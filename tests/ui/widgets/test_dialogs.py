"""No window is larger than its screen, also where that is small because everything is scaled."""

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QDialog, QWidget

from lora_lab.opening_records import TargetInfo
from lora_lab.runs.listing import RunSummary
from lora_lab.ui.bench.dialog import BenchDialog
from lora_lab.ui.help.handbook import Handbook
from lora_lab.ui.open.dialog import OpenDialog
from lora_lab.ui.queue.dialog import QueueDialog
from lora_lab.ui.runs.compare_dialog import MOST, CompareRunsDialog
from lora_lab.ui.train.targets_dialog import TargetsDialog
from lora_lab.ui.widgets.dialogs import FRAME, dialog_column, resize_within
from lora_lab.ui.widgets.labels import TextLabel
from lora_lab.ui.workshop.dialog import WorkshopDialog
from tests.ui.seen import settle

SMALL = QSize(1000, 600)
LAYERS = tuple(TargetInfo(f"model.layers.{i}.q_proj", "linear", (64, 64)) for i in range(200))
RUN = RunSummary("/none", "20261126-004944-digits", "", "", "", 4, 4.0, 0, 0, 0.1, 0.1, 1.0, "")
WINDOWS = {
    "open": OpenDialog,
    "workshop": WorkshopDialog,
    "handbook": Handbook,
    "bench": BenchDialog,
    "targets": lambda: TargetsDialog(LAYERS, frozenset(), frozenset(), ()),
    "queue": lambda: QueueDialog(lambda config: 0.1),
    "compare": lambda: CompareRunsDialog([RUN] * MOST),
}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(QScreen, "availableSize", lambda self: SMALL)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window_fits_a_small_screen(qtbot, small, name):
    window = WINDOWS[name]()
    qtbot.addWidget(window)
    if hasattr(window, "finish"):
        window.finish()
    least = window.minimumSizeHint()
    assert max(window.width(), least.width()) <= SMALL.width()
    assert max(window.height(), least.height()) <= SMALL.height()
    assert window.width() <= max(least.width(), SMALL.width() - FRAME[0])
    assert window.height() <= max(least.height(), SMALL.height() - FRAME[1])


def test_a_window_is_as_large_as_it_would_be_where_there_is_room(qtbot, small):
    window = QWidget()
    qtbot.addWidget(window)
    assert resize_within(window, 300, 200)
    assert window.size() == QSize(300, 200)
    assert not resize_within(window, 300, 2000)
    assert window.width() == 300
    assert window.height() < SMALL.height()


@pytest.mark.parametrize("letters", [20, 236, 4000])
def test_a_long_name_widens_no_dialog(qtbot, letters):
    dialog = QDialog()
    qtbot.addWidget(dialog)
    words = TextLabel("", wordWrap=True)
    dialog_column(dialog).addWidget(words)
    dialog.resize(400, 300)
    dialog.show()
    words.setText("x" * letters + ": 3 parameters")
    qtbot.waitUntil(lambda: words.isVisible())
    settle()
    assert dialog.width() == 400
    assert dialog.minimumSizeHint().width() < 400
