"""What garbage collection ends, it ends in the thread of the window and between events."""

import gc
import threading

import pytest

import lora_lab.garbage
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
    found.start()
    assert not gc.isenabled()
    yield found
    found.close()
    assert gc.isenabled()


def test_what_a_thread_leaves_ends_in_that_of_the_window(garbage, qtbot):
    ended, many = [], 20 * gc.get_threshold()[0]
    thread = threading.Thread(target=lambda: [Ended(ended) for _ in range(many)])
    thread.start()
    thread.join()
    assert not ended, "nothing ends where it was made"
    qtbot.waitUntil(lambda: len(ended) == many)
    assert set(ended) == {threading.main_thread()}


def test_a_thread_that_is_short_of_memory_has_it_done_there(garbage, qtbot):
    """A step that is made again in smaller parts waits until what held the tensors is gone."""
    ended, seen = [], []

    def work():
        Ended(ended)
        lora_lab.garbage.collect()
        seen.append(list(ended))

    thread = threading.Thread(target=work)
    thread.start()
    qtbot.waitUntil(lambda: not thread.is_alive())
    assert seen == [[threading.main_thread()]]


def test_without_new_objects_nothing_is_collected(garbage, qtbot, monkeypatch):
    asked, most = [], gc.get_threshold()
    with monkeypatch.context() as other:
        other.setattr(gc, "collect", asked.append)
        other.setattr(gc, "get_count", lambda: (0, 0, 0))
        garbage._look()
        assert asked == []
        other.setattr(gc, "get_count", lambda: (most[0] + 1, most[1] + 1, 0))
        garbage._look()
        assert asked == [1]
