"""Work in slices: events come between them, another takes its place, and a failure ends it."""

import pytest
from PySide6.QtCore import QObject, QTimer

from lora_lab.ui.widgets import turns
from lora_lab.ui.widgets.turns import Turns, done


def counted(upto, heard):
    for number in range(upto):
        yield
        heard.append(number)
    return upto


def test_all_at_once(qapp):
    heard = []
    assert done(counted(3, heard)) == 3
    owner = QObject()
    work = Turns(owner)
    work.start(counted(2, heard), at_once=True)
    assert heard == [0, 1, 2, 0, 1]
    assert not work.busy


def test_events_come_between_and_what_comes_later_takes_its_place(qtbot, monkeypatch):
    monkeypatch.setattr(turns, "SLICE", 0)
    owner, heard, later = QObject(), [], []
    work = Turns(owner)
    work.start(counted(10_000, heard), at_once=False)
    assert heard == []
    QTimer.singleShot(1, lambda: work.start(counted(5, later), at_once=False))
    qtbot.waitUntil(lambda: not work.busy)
    assert later == list(range(5))
    assert len(heard) < 10_000


def test_what_fails_is_over(qapp):
    def fails():
        yield
        raise ValueError("no")

    owner = QObject()
    work = Turns(owner)
    work.start(counted(9, []), at_once=False)
    with pytest.raises(ValueError, match="no"):
        work.start(fails(), at_once=True)
    assert not work.busy
