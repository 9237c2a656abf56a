"""Work beside the window: what it says, what is not heard any more, and that nothing is left."""

import threading

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from lora_lab.errors import LabError
from lora_lab.ui.widgets import background
from lora_lab.ui.widgets.background import Background


def refuse(report):
    raise LabError("It cannot be done.")


def answer(report):
    report("half", 0.5)
    return [1, 2]


def count(report):
    yield 1
    report("half", 0.5)
    yield 2


@pytest.fixture
def owner(qtbot):
    return QObject()


def heard(work):
    said = []
    work.progress.connect(lambda *what: said.append(what))
    work.item.connect(lambda item: said.append(("item", item)))
    work.done.connect(said.append)
    work.failed.connect(said.append)
    return said


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (answer, [("half", 0.5), [1, 2]]),
        (refuse, ["It cannot be done."]),
        (count, [("item", 1), ("half", 0.5), ("item", 2), None]),
    ],
)
def test_it_says_how_it_ended_and_goes(qtbot, owner, does, says):
    work = Background(does, owner)
    said, gone = heard(work), []
    work.destroyed.connect(lambda: gone.append(True))
    work.start()
    qtbot.waitUntil(lambda: bool(gone), timeout=20_000)
    assert said == says
    assert owner.children() == []


class Painted(QWidget):
    def __init__(self, done):
        super().__init__()
        self._done = done

    def paintEvent(self, event):
        self._done.append("painted")


def test_a_generator_goes_on_once_the_window_has_drawn_what_it_yielded(qtbot, owner, monkeypatch):
    monkeypatch.setattr(background, "DRAWN", 20.0)
    done = []

    def twice(report):
        yield 1
        done.append("on")
        yield 2
        done.append("on")

    window = Painted(done)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: bool(done))
    done.clear()
    work, ended = Background(twice, owner), []
    work.item.connect(lambda _: window.update())
    work.done.connect(lambda _: ended.append(True))
    work.start()
    qtbot.waitUntil(lambda: bool(ended), timeout=20_000)
    assert work.join(60)
    assert done == ["painted", "on"] * 2


def test_a_report_without_news_does_not_wake_the_window(qtbot, owner):
    def asks(report):
        for share in (-1.0, -1.0, 0.5, 0.5, 1.0):
            report("" if share < 0 else "step", share)

    work = Background(asks, owner)
    said = heard(work)
    work.start()
    qtbot.waitUntil(lambda: None in said, timeout=20_000)
    assert said == [("step", 0.5), ("step", 1.0), None]


def stumble(report):
    raise ValueError("nobody foresaw this")


def test_what_nobody_foresaw_is_told_as_its_end_and_reaches_the_one_place(
    qtbot, owner, monkeypatch
):
    caught = []
    monkeypatch.setattr(threading, "excepthook", caught.append)
    work = Background(stumble, owner)
    said, broke, gone = heard(work), [], []
    work.broke.connect(broke.append)
    work.destroyed.connect(lambda: gone.append(True))
    work.start()
    qtbot.waitUntil(lambda: bool(gone), timeout=20_000)
    assert said == []
    assert len(broke) == 1
    assert "main window shows" in broke[0]
    assert [str(one.exc_value) for one in caught] == ["nobody foresaw this"]


@pytest.mark.parametrize("does", [answer, refuse, count])
def test_what_it_said_is_not_heard_once_it_is_cancelled(qtbot, owner, does):
    work = Background(does, owner)
    said, gone = heard(work), []
    work.destroyed.connect(lambda: gone.append(True))
    work.start()
    work.join()  # all is said, and nothing is heard yet
    work.cancel()
    qtbot.waitUntil(lambda: bool(gone), timeout=20_000)
    assert said == []


def test_the_work_ends_where_it_reports_next(qtbot, owner):
    began, may_go, reached = threading.Event(), threading.Event(), []

    def slow(report):
        began.set()
        may_go.wait(60)
        report("on", -1)
        reached.append(True)

    work = Background(slow, owner)
    work.start()
    assert began.wait(60)
    work.cancel()
    may_go.set()
    assert work.join(60)
    assert reached == []


def test_a_generator_ends_at_what_it_yields_next(qtbot, owner):
    began, may_go, reached = threading.Event(), threading.Event(), []

    def slow(report):
        began.set()
        may_go.wait(60)
        yield 1
        reached.append(True)

    work = Background(slow, owner)
    work.start()
    assert began.wait(60)
    work.cancel()
    may_go.set()
    assert work.join(60)
    assert reached == []
