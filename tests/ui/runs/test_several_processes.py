"""A run that takes several processes opens in an engine of its own, and stays there."""

import sys

import pytest

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.engine import remote
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.records import State
from lora_lab.training.devices import DeviceChoice
from lora_lab.ui.runs import background_flow
from tests.engine.here import StartingHere

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="has no sockets of this kind")
LONG = {"timeout": 60_000}


def several(**settings):
    return changed(get_preset("known-rank").config, device="2 × cpu", **settings)


def test_the_choice_of_devices_shows_and_keeps_several(lab):
    dock = lab.setup_dock
    dock.show_config(several())
    assert dock.device_combo.currentText() == "2 × cpu", "it was typed, and is none of the offered"
    dock.offer_devices([DeviceChoice("cpu", "CPU", True), DeviceChoice("2 × cuda", "Both", True)])
    assert dock.device_combo.currentData() == "2 × cpu"
    dock.show_config(changed(several(), device="2 × cuda"))
    assert dock.device_combo.currentText() == "Both"


def test_what_cannot_be_started_is_said_and_what_is_shown_stays(qtbot, lab, monkeypatch):
    def refuse(run):
        raise LabError("No engine could be started: no memory.")

    told = []
    lab.notices.shown.connect(told.append)
    shown = lab.sessions.id
    monkeypatch.setattr(remote, "Starting", refuse)
    assert lab.open(several()) == 0
    qtbot.waitUntil(lambda: bool(told), **LONG)
    assert [notice.message for notice in told] == ["No engine could be started: no memory."]
    assert lab.sessions.id == shown


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_window_trains_two_processes_and_does_not_move_them(qtbot, lab, monkeypatch):
    """The engine is on a thread of this process, the second of its processes is real."""
    monkeypatch.setattr(remote, "Starting", StartingHere)
    told, long = [], {"timeout": 300_000}
    lab.notices.shown.connect(told.append)
    try:
        assert lab.open(several(max_steps=10**6))
        qtbot.waitUntil(lambda: lab.sessions.apart and lab.state is State.PAUSED, **long)
        assert lab.sessions.folder.parent == paths.runs()
        lab.commands.train.trigger()
        qtbot.waitUntil(lambda: lab.sessions.step > 5, **long)
        lab.hyper_dock.request(rank=2)
        qtbot.waitUntil(lambda: lab.sessions.standing.applied.rank == 2, **LONG)
        lab.flows.background.choose(False)
        qtbot.waitUntil(lambda: bool(told), **LONG)
        assert lab.sessions.apart
        assert [notice.message for notice in told] == [
            "A run in several processes trains without the window."
        ]
        lab.commands.stop.trigger()
        qtbot.waitUntil(lambda: lab.state is State.STOPPED, **LONG)
    finally:
        StartingHere.end_all()
        background_flow.keep(background_flow.APART, "")
