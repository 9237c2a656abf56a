"""Waiting for a condition, where Qt is not there to wait with; never for a time."""

import threading
import time

PACE = 0.005  # seconds between two looks


def wait_until(condition, seconds=60.0):
    """The first true answer of `condition`; fails where none comes in time."""
    deadline, nothing = time.monotonic() + seconds, threading.Event()
    while not (answer := condition()):
        assert time.monotonic() < deadline, "what was waited for never came"
        nothing.wait(PACE)
    return answer
