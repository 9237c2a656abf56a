"""The window with a run in training, beside engines on threads of the test's own process."""

import pytest

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.ui.runs import background_flow
from lora_lab.ui.style.settings import keep
from tests.engine.here import StartingHere
from tests.ui.runs.moving import LONG, steps_on


@pytest.fixture
def here(monkeypatch):
    """Engines on threads of the test's own process."""
    monkeypatch.setattr(background_flow, "Starting", StartingHere)
    yield StartingHere.all
    StartingHere.end_all()


@pytest.fixture
def training(qtbot, here, lab):
    """The window with digits in training, some steps after the first."""
    keep(background_flow.PROPOSED, "yes")
    lab.told = []
    lab.notices.shown.connect(lab.told.append)
    lab.open(changed(get_preset("digits").config, max_steps=10**6))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, **LONG)
    lab.commands.train.trigger()
    steps_on(qtbot, lab)
    return lab
