"""What Python's search for garbage ends, it ends in the thread of the window and between events."""

import gc
import threading

import pytest
from shiboken6 import delete

from lora_lab.ui.shell.garbage import Garbage


class Ended:
    """In a circle with itself; says in which thread it ended."""

    def __init__(self, threads):
        self.itself, self.threads = self, threads

    def __del__(self):
        self.threads.append(threading.current_thread())


@pytest.fixture
def garbage(qapp):
    found = Garbage()
    assert not gc.isenabled()
    yield found
    delete(found)


def test_what_a_thread_leaves_ends_in_that_of_the_window(garbage, qtbot):
    ended, many = [], 20 * gc.get_threshold()[0]
    thread = threading.Thread(target=lambda: [Ended(ended) for _ in range(many)])
    thread.start()
    thread.join()
    assert not ended, "nothing ends where it was made"
    qtbot.waitUntil(lambda: len(ended) == many)
    assert set(ended) == {threading.main_thread()}


def test_without_new_objects_nothing_is_searched(garbage, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, 0))
    monkeypatch.setattr(gc, "collect", asked.append)
    garbage._look()
    assert asked == []
    most = gc.get_threshold()
    monkeypatch.setattr(gc, "get_count", lambda: (most[0] + 1, most[1] + 1, 0))
    garbage._look()
    assert asked == [1]
