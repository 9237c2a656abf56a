"""Work that takes too long, or is not wanted any more, ends; nothing is raised behind it."""

import threading
import time

import pytest

from lora_lab.time_limit import limited
from tests.waiting import wait_until


class TooLong(Exception):
    pass


class Longer(Exception):
    pass


def run_on():
    while True:
        pass


def test_what_is_in_time_is_left_alone():
    with limited(5.0, TooLong):
        pass
    began = time.thread_time()
    while time.thread_time() - began < 0.3:
        pass


def test_what_takes_too_long_ends():
    with pytest.raises(TooLong), limited(0.2, TooLong):
        run_on()


def test_a_library_that_catches_everything_is_told_again():
    caught = []

    def library():
        while len(caught) < 2:
            try:
                run_on()
            except Exception as error:  # noqa: BLE001
                caught.append(error)

    with pytest.raises(TooLong), limited(0.1, TooLong):
        library()
    assert len(caught) == 2
    run = time.thread_time()
    while time.thread_time() - run < 0.8:  # longer than it would be told again
        pass


def test_the_inner_limit_is_its_own():
    with limited(60.0, Longer):
        with pytest.raises(TooLong), limited(0.1, TooLong):
            run_on()
        reached = True
    assert reached
    with pytest.raises(Longer), limited(0.1, Longer), limited(60.0, TooLong):
        run_on()


def test_it_ends_when_it_is_not_wanted_any_more():
    ended, works = [], []

    def work():
        try:
            with limited(float("inf"), TooLong) as mine:
                works.append(mine)
                run_on()
        except TooLong:
            ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: works)
    works[0].end_in(0.1)
    thread.join(60)
    assert ended == [True]


def test_waiting_costs_no_limit():
    """A machine that is busy with other things makes nothing too long."""
    with limited(0.3, TooLong):
        threading.Event().wait(1.0)
