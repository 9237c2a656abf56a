"""The writer's thread: the newest job, in the end all that was offered, and what failed."""

import threading

from lora_lab.runs.writer import Writer


def test_the_newest_takes_the_place_of_those_that_wait():
    writer, gate, begun, done = Writer(), threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        gate.wait(60)
        done.append("slow")

    writer.offer(slow)
    begun.wait(60)
    for number in range(5):
        writer.offer(lambda number=number: done.append(number))
    gate.set()
    writer.wait()
    assert done == ["slow", 4]
    writer.close()


def test_what_failed_is_told_and_the_next_is_done():
    writer = Writer()

    def failing():
        raise OSError(28, "No space left on device")

    writer.offer(failing)
    writer.wait()
    (error,) = writer.outcomes()
    assert error.errno == 28
    writer.offer(lambda: "fine")
    writer.close()
    assert writer.outcomes() == ["fine"]


def test_one_that_had_nothing_to_do_has_no_thread():
    before = threading.active_count()
    writer = Writer()
    writer.close()
    assert threading.active_count() == before
