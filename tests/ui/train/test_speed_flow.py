"""When the speed of a run is measured: once for its kind, at rest, before the first step."""

import pytest

from lora_lab.config import changed
from lora_lab.measured import MemoryRecord, SpeedRecord
from lora_lab.records import State
from lora_lab.training.commands import MeasureSpeed
from lora_lab.ui.panels.counts import CountsPanel
from lora_lab.ui.preview import feed
from lora_lab.ui.train import speed_flow
from lora_lab.ui.train.speed_flow import SpeedFlow
from tests.ui.seen import timer

TRAINED = 8 * (128 + 96 + 42)  # of the fake's three layers at rank 8


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(speed_flow, "REST_MS", 30)


@pytest.fixture
def asked(window, sessions_made, monkeypatch):
    """The commands of each session; a measurement is answered with 100 steps a second."""
    heard = []
    request = window.sessions.request

    def listen(command):
        if not isinstance(command, MeasureSpeed):
            return request(command)
        heard.append(command)
        window.sessions.shown.session.waiting.append(SpeedRecord(0, 100.0, TRAINED, 0.1))
        return True

    monkeypatch.setattr(window.sessions, "request", listen)
    return heard


def speed(window):
    """Steps a second, as the panel of the parameters says it; 0 while it says nothing."""
    panel = counts(window)
    panel.redraw()
    text = panel.ruler.cells["adapter", "per_second"].text()
    return float(text.replace(",", "")) if text.strip("—") else 0.0


def counts(window):
    return next(panel for panel in window.panels if isinstance(panel, CountsPanel))


def test_it_is_measured_once_for_each_kind_of_run(qtbot, window, presets, asked):
    config = presets[0].config
    window.open(config)
    qtbot.waitUntil(lambda: speed(window) == pytest.approx(100), timeout=20_000)
    window.open(changed(config, seed=5))  # the same kind
    qtbot.waitUntil(
        lambda: window.sessions.config.seed == 5 and window.state is State.PAUSED, timeout=20_000
    )
    qtbot.waitUntil(lambda: speed(window) == pytest.approx(100), timeout=20_000)
    assert len(asked) == 1
    window.open(changed(config, batch_size=77))
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)
    window.open(changed(config, share_prefix=True))
    qtbot.waitUntil(lambda: len(asked) == 3, timeout=20_000)


def test_a_run_that_begins_at_once_is_not_held_up(qtbot, window, presets, asked):
    rest = timer(window.flows.speed)
    rest.setInterval(60_000)
    window.open(presets[0].config)
    qtbot.waitUntil(window.commands.train.isEnabled, timeout=20_000)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.sessions.step > 0, timeout=20_000)
    assert not rest.isActive()
    said = pytest.approx(500, rel=0.1)  # what the steps of the run say
    qtbot.waitUntil(lambda: speed(window) == said, timeout=20_000)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    assert not rest.isActive()
    assert asked == []
    assert speed(window) == said


def test_a_step_that_does_not_fit_is_not_tried(qtbot, window, presets, asked):
    rest = timer(window.flows.speed)
    rest.setInterval(60_000)
    window.open(presets[0].config)
    qtbot.waitUntil(rest.isActive, timeout=20_000)
    feed(counts(window), [MemoryRecord(0, 10**9, 0, 0, 0, 0.0, device=10**8)])
    with qtbot.waitSignal(rest.timeout):
        rest.start(0)
    assert asked == []


def test_the_flow_is_one_of_the_windows(window):
    assert isinstance(window.flows.speed, SpeedFlow)
