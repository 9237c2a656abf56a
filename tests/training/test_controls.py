"""The door: the newest snapshot wins, commands are never lost, a sleeper wakes for each of them."""

import threading
from unittest import mock

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.training.commands import Evaluate
from lora_lab.training.controls import Controls


def test_the_newest_of_many_snapshots_is_the_one_that_is_read():
    controls = Controls(Hyperparameters())
    requests = [Hyperparameters(rank=r) for r in range(1, 50)]
    for request in requests:
        controls.set_hyper(request)
    assert controls.hyper is requests[-1]


def test_a_request_becomes_what_was_applied_unless_there_is_a_newer_one():
    request, became, newer = (Hyperparameters(rank=r) for r in (1, 2, 3))
    controls = Controls(request)
    controls.settle(request, became)
    assert controls.hyper is became
    controls.set_hyper(newer)
    controls.settle(became, request)
    assert controls.hyper is newer


def test_commands_come_out_once_and_in_order():
    controls = Controls(Hyperparameters())
    commands = [Evaluate() for _ in range(5)]
    for command in commands:
        controls.request(command)
    taken = [command for command, _ in controls.take_commands()]
    assert all(a is b for a, b in zip(taken, commands, strict=True))
    assert controls.take_commands() == []


def test_a_command_comes_with_the_settings_of_when_it_was_asked():
    """What is requested after it is newer, and going back must not replace it."""
    controls = Controls(before := Hyperparameters(rank=1))
    controls.request(Evaluate())
    controls.set_hyper(Hyperparameters(rank=2))
    assert [hyper for _, hyper in controls.take_commands()] == [before]


def test_running_never_sleeps_and_stop_ends():
    hyper = Hyperparameters()
    controls = Controls(hyper)
    assert controls.wait_for_turn(hyper, resting=False)
    controls.stop()
    assert not controls.wait_for_turn(hyper, resting=False)


def test_a_pause_is_announced_before_the_sleep():
    hyper = Hyperparameters()
    assert Controls(hyper, paused=True).wait_for_turn(hyper, resting=False)


def wakes(act) -> bool:
    """Whether a paused loop comes back from its sleep when `act` happens, and not before."""
    hyper, asleep, woken = Hyperparameters(), threading.Event(), threading.Event()

    class Watched(threading.Condition):
        def wait(self, timeout=None):
            asleep.set()
            return super().wait(timeout)

    with mock.patch.object(threading, "Condition", Watched):
        controls = Controls(hyper, paused=True)
    thread = threading.Thread(
        target=lambda: (controls.wait_for_turn(hyper, resting=True), woken.set())
    )
    thread.start()
    slept = asleep.wait(60) and not woken.is_set()
    act(controls)
    answer = woken.wait(60)
    controls.stop()
    thread.join()
    return slept and answer


def test_a_paused_loop_wakes_for_every_kind_of_news():
    assert wakes(lambda c: c.resume())
    assert wakes(lambda c: c.stop())
    assert wakes(lambda c: c.finish())
    assert wakes(lambda c: c.request(Evaluate()))
    assert wakes(lambda c: c.set_hyper(Hyperparameters(rank=3)))
