"""The bridge: order kept, rare news said once, drawing rationed, the thread joined at the end."""

import pytest
from PySide6.QtWidgets import QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    SavedRecord,
    State,
    StateRecord,
    StepRecord,
)
from lora_lab.ui.session import bridge as bridge_module
from lora_lab.ui.session.bridge import DRAW_BUDGET, SessionBridge


class Listener(QWidget):
    """A panel that writes down what it is told; drawing it calls `draws`."""

    key = "listener"

    def __init__(self, draws=lambda: None):
        super().__init__()
        self.dirty, self.draws = False, draws
        self.heard, self.redrawn = [], 0

    def reset(self, loaded):
        self.heard = ["reset"]
        self.dirty = True

    def receive(self, records):
        self.heard += [type(record).__name__ for record in records]
        self.dirty = True

    def redraw(self):
        self.draws()
        self.redrawn += 1
        self.dirty = False


@pytest.fixture
def session(fake_session):
    return fake_session(RunConfig(preset="digits", task="digits"))


@pytest.fixture
def bridge(qtbot, session):
    made = SessionBridge(session)
    session.start()  # the tests poll by hand: no timer, no waiting
    return made


def adopt(bridge, panel):
    """Show it on the panel once its model stands ready, as the window does."""

    def load(record):
        if isinstance(record, LoadedRecord):
            bridge.show_on([panel])
            panel.reset(record)

    bridge.arrived.connect(load)


def arriving(bridge):
    """What the window receives from now on."""
    records = []
    bridge.arrived.connect(records.append)
    return records


def shown(qtbot, *panels):
    for panel in panels:
        qtbot.addWidget(panel)
        panel.show()
    return panels


def test_a_panel_is_reset_before_it_hears_what_follows_the_load(qtbot, bridge):
    (panel,) = shown(qtbot, Listener())
    adopt(bridge, panel)
    bridge.poll()
    assert panel.heard[0] == "reset"
    assert "LoadedRecord" not in panel.heard
    assert panel.heard[-1] == "StateRecord"


def test_records_arrive_in_the_order_they_were_said_and_of_steps_in_a_row_the_newest(
    bridge, session
):
    bridge.poll()
    records = arriving(bridge)
    applied = AppliedRecord(2, session.hyper, ())
    session.waiting += [
        StepRecord(1, 2.0, 1e-3, 0.1), StepRecord(2, 2.0, 1e-3, 0.2), applied,
        StepRecord(3, 2.0, 2e-3, 0.3), StateRecord(State.PAUSED, 3),
    ]  # fmt: skip
    bridge.poll()
    assert [(type(record), record.step) for record in records] == [
        (StepRecord, 2), (AppliedRecord, 2), (StepRecord, 3), (StateRecord, 3)
    ]  # fmt: skip


def test_a_tick_says_what_it_carried_and_took(qtbot, bridge, session):
    (panel,) = shown(qtbot, Listener())
    bridge.show_on([panel])
    ticks = []
    bridge.ticked.connect(ticks.append)
    bridge.poll()
    (tick,) = ticks
    assert tick.records == 5  # loading, the load, counts, a validation, ready
    assert tick.drawing.keys() == {panel.key}
    assert tick.seconds >= tick.delivering + tick.drawing[panel.key] > tick.collecting > 0


def test_a_hidden_panel_collects_but_is_not_drawn(qtbot, bridge, session):
    seen, hidden = shown(qtbot, Listener(), Listener())
    hidden.hide()
    bridge.show_on([seen, hidden])
    bridge.poll()
    assert seen.redrawn == 1
    assert hidden.redrawn == 0
    assert hidden.heard
    hidden.show()
    bridge.poll()
    assert hidden.redrawn == 1


def test_costly_panels_are_spread_over_ticks_and_each_gets_its_turn(
    qtbot, bridge, session, monkeypatch
):
    clock = [0.0]  # seconds, by which each of them takes more than the time of a tick
    monkeypatch.setattr(bridge_module, "perf_counter", lambda: clock[0])

    def draws():
        clock[0] += DRAW_BUDGET * 1.2

    panels = shown(qtbot, *(Listener(draws) for _ in range(3)))
    bridge.poll()
    bridge.show_on(panels)
    for panel in panels:
        panel.dirty = True
    session.controls.resume()
    for _ in range(6):  # every tick makes all of them dirty again
        bridge.poll()
    assert [panel.redrawn for panel in panels] == [2, 2, 2]


def test_a_panel_that_raises_is_reported_and_the_others_get_theirs(qtbot, bridge, monkeypatch):
    broken, sound = shown(qtbot, Listener(), Listener())
    broken.receive = lambda records: 1 / 0
    bridge.show_on([broken, sound])
    reported = []
    monkeypatch.setattr("sys.excepthook", lambda kind, error, trace: reported.append(kind))
    bridge.poll()
    assert ZeroDivisionError in reported
    assert sound.heard


def test_a_second_load_is_a_second_start(qtbot, bridge, session):
    (panel,) = shown(qtbot, Listener())
    adopt(bridge, panel)
    bridge.poll()
    session.waiting += [StepRecord(1, 1.0, 1e-3, 0.1), session.loaded(), session.counts()]
    records = arriving(bridge)
    bridge.poll()
    assert list(map(type, records)) == [StepRecord, LoadedRecord, CountsRecord]
    assert panel.heard == ["reset", "CountsRecord"]


def test_closing_saves_ends_and_joins_in_that_order(qtbot, bridge, session):
    bridge.poll()
    session.controls.resume()
    bridge.poll()
    bridge.request_close(save=True)
    said = []
    bridge.arrived.connect(lambda record: said.append(getattr(record, "state", type(record))))
    bridge.closed.connect(lambda: said.append("closed"))
    bridge.poll()
    bridge.poll()
    assert said == [SavedRecord, State.CLOSED, "closed"]
    assert bridge.ended
    assert session.saves is True


def test_a_failed_open_is_said_with_its_details_and_then_closed(qtbot, fake_session):
    config = changed(RunConfig(preset="digits", task="digits"), model="broken.pt")
    session = fake_session(config, fails="broken.pt is truncated.")
    bridge = SessionBridge(session)
    records = arriving(bridge)
    with qtbot.waitSignal(bridge.closed, timeout=2000):
        bridge.start()
    assert [(r.state, r.message, bool(r.details)) for r in records] == [
        (State.LOADING, "", False),
        (State.FAILED, "broken.pt is truncated.", True),
        (State.CLOSED, "", False),
    ]
