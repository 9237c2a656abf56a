"""The queue's file: it survives what happens between two runs, and one process has it at a time."""

import errno
import itertools
import json
import math
import os
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lora_lab import paths
from lora_lab.config import RunConfig, changed
from lora_lab.errors import LabError
from lora_lab.runs import queue as queue_file
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.queue import (
    ABORTED,
    DONE,
    FAILED,
    FILE,
    RUNNING,
    WAITING,
    Item,
    Queue,
    items_of,
    new_folder,
    new_item,
    pareto,
    seconds_left,
)

BASE = RunConfig(task="digits", max_steps=100)


def ranked(*ranks):
    return [changed(BASE, hyper={"rank": rank}) for rank in ranks]


@pytest.fixture
def queue(tmp_path):
    made = Queue(tmp_path / "queue")
    yield made
    made.close()


def again(queue):
    """The same queue as another start of the program finds it."""
    queue.close()
    return Queue(queue.folder)


def ranks(queue):
    return [item.config.hyper.rank for item in queue.items]


def test_all_that_is_known_comes_back(queue):
    queue.add(ranked(1, 2))
    first, second = queue.items
    queue.note(first.id, state=DONE, run="x/1", step=100, best=0.25, parameters=32, seconds=1.5)
    queue.note(second.id, state=FAILED, message="It did not fit.")
    before = queue.items
    queue = again(queue)
    assert [i for i in queue.items if i != before[1]] == [before[0]]
    assert math.isnan(queue.items[1].best)  # nan is not itself; the rest is the same
    assert queue.items[1].message == "It did not fit."
    assert queue.items[1].max_steps == 100
    queue.close()


def test_what_is_not_kept_yet_is_kept_with_the_next_change(queue):
    queue.add(ranked(1))
    queue.note(queue.items[0].id, keep=False, step=7)
    assert json.loads((queue.folder / FILE).read_bytes())["items"][0]["step"] == 0
    queue.note(queue.items[0].id, seconds=1.0)
    assert json.loads((queue.folder / FILE).read_bytes())["items"][0]["step"] == 7


def test_epochs_leave_the_number_of_steps_open_until_it_is_known(queue):
    config = changed(BASE, epochs=2.0)
    queue.add([config])
    queue.add([config], max_steps=240)
    assert [item.max_steps for item in queue.items] == [0, 240]


@pytest.mark.parametrize(
    ("reached", "state", "step"), [(None, WAITING, 60), (40, WAITING, 60), (100, DONE, 100)]
)
def test_what_ran_when_the_program_died_goes_on_from_its_checkpoint(
    queue, tmp_path, reached, state, step
):
    run = paths.runs() / "run"
    run.mkdir(parents=True)
    if reached is not None:
        write_checkpoint(run, reached, {}, {})
    queue.add(ranked(1, 2))
    queue.note(queue.items[0].id, state=RUNNING, run=str(run), step=60)
    queue = again(queue)
    item = queue.items[0]
    assert (item.state, item.step) == (state, step)
    assert item.resumes == (reached == 40)
    assert queue.items[1].state == WAITING
    queue.close()


def test_a_run_that_is_not_among_the_labs_own_is_not_resumed(queue, tmp_path):
    """The queue of somebody else may name any folder of this machine."""
    run = tmp_path / "mine"
    run.mkdir()
    write_checkpoint(run, 40, {}, {})
    queue.add(ranked(1))
    queue.note(queue.items[0].id, run=str(run))
    assert queue.items[0].resumes
    queue = again(queue)
    assert (queue.items[0].run, queue.items[0].resumes) == ("", False)
    queue.close()


def test_the_folder_above_the_runs_is_none_of_them(queue):
    queue.add(ranked(1))
    queue.note(queue.items[0].id, run=str(paths.runs() / ".."))
    queue.close()
    again = Queue(queue.folder)
    assert again.items[0].run == ""
    again.close()


def test_what_was_resumed_elsewhere_and_has_ended_is_done(queue, tmp_path):
    run = paths.runs() / "run"
    run.mkdir(parents=True)
    queue.add(ranked(1, 2))
    first, second = queue.items
    queue.note(first.id, run=str(run))
    assert queue.next().id == first.id
    write_checkpoint(run, 100, {}, {})
    assert queue.next() is queue.items[1]
    assert [item.state for item in queue.items] == [DONE, WAITING]
    queue.note(second.id, state=ABORTED)
    assert queue.next() is None


def test_a_full_disk_leaves_the_queue_as_it_was(queue, monkeypatch):
    queue.add(ranked(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queue_file, "write_file", full)
    for change in (
        lambda: queue.add(ranked(2)),
        lambda: queue.remove([queue.items[0].id]),
        lambda: queue.note(queue.items[0].id, state=DONE),
    ):
        with pytest.raises(LabError, match="the disk is full"):
            change()
    assert ranks(queue) == [1]
    assert queue.items[0].state == WAITING


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": 0, "items": []}',
        '{"schema": 1, "items": [{"id": "a"}]}',
        "\x00" * 40,
    ],
)
def test_a_damaged_file_is_put_aside_and_an_empty_queue_begins(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(LabError, match=r"could not be read.*damaged"):
        Queue(tmp_path)
    assert [p.read_text() for p in tmp_path.glob("*.damaged-*")] == [text]
    queue = Queue(tmp_path)  # the lock was let go of
    assert queue.items == ()
    queue.close()


@pytest.mark.parametrize("id", ["/../..", "..", "", "a/b", "a\\b", "a" * 65, "a\n"])
def test_an_id_that_would_name_no_folder_of_its_own_is_damage(tmp_path, id):
    queue = Queue(tmp_path)
    queue.add([BASE])
    queue.close()
    told = json.loads((tmp_path / FILE).read_text())
    told["items"][0]["id"] = id
    (tmp_path / FILE).write_text(json.dumps(told))
    with pytest.raises(LabError, match=r"could not be read.*damaged"):
        items_of(tmp_path)


def test_thousands_that_begin_in_one_second_have_folders_of_their_own(monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda form: "20260101-000000")
    assert len({new_folder(new_item(BASE)) for _ in range(3000)}) == 3000


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("text", ["{", '{"schema": 2, "items": []}'])
def test_who_only_looks_moves_nothing_whoever_has_the_queue(tmp_path, text, held):
    queue = Queue(tmp_path)
    (tmp_path / FILE).write_text(text)
    if not held:
        queue.close()
    before = sorted(tmp_path.iterdir())
    for _ in range(2):
        with pytest.raises(LabError, match=r"could not be read|of a newer version"):
            items_of(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    queue.close()


def test_the_queue_of_a_newer_lab_is_refused_and_stays(tmp_path):
    (tmp_path / FILE).write_text('{"schema": 2, "items": {"of": "another form"}}')
    for _ in range(2):
        with pytest.raises(LabError, match=r"newer version .* stays as it is. Open it with that"):
            Queue(tmp_path)
    assert [path.name for path in tmp_path.glob("queue.json*")] == [FILE]


def test_a_damaged_file_that_cannot_be_put_aside_is_left_as_it_is(tmp_path, monkeypatch):
    (tmp_path / FILE).write_text("{")

    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        patch.setattr(Path, "replace", refuse)
        with pytest.raises(LabError, match="Nor can it be moved aside: read-only file system"):
            Queue(tmp_path)
    assert (tmp_path / FILE).read_text() == "{"
    with pytest.raises(LabError, match="It is kept as"):
        Queue(tmp_path)


def test_a_folder_in_which_no_lock_can_be_made_is_not_said_to_be_in_use(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(LabError, match="cannot be locked"):
        Queue(tmp_path)


def test_a_state_or_settings_of_another_version_are_refused(queue):
    queue.add(ranked(1))
    stored = json.loads((queue.folder / FILE).read_bytes())
    for place, value in (("state", "dreaming"), ("config", {"task": "digits", "wings": 2})):
        damaged = {**stored, "items": [{**stored["items"][0], place: value}]}
        queue.close()
        (queue.folder / FILE).write_text(json.dumps(damaged))
        with pytest.raises(LabError, match=r"dreaming|wings"):
            Queue(queue.folder)


def test_one_process_has_it_at_a_time(queue):
    with pytest.raises(LabError, match="in use by another"):
        Queue(queue.folder)
    queue.close()
    Queue(queue.folder).close()


def test_waiting_items_move_among_themselves_alone(queue):
    queue.add(ranked(1, 2, 3, 4, 5))
    ids = [item.id for item in queue.items]
    queue.note(ids[0], state=DONE)
    queue.note(ids[1], state=RUNNING)
    queue.place(ids[4], 2)
    assert ranks(queue) == [1, 2, 5, 3, 4]
    queue.place(ids[4], 4)
    assert ranks(queue) == [1, 2, 3, 5, 4]
    queue.place(ids[3], 0)  # not before what has run or is running
    assert ranks(queue) == [1, 2, 4, 3, 5]
    queue.place(ids[3], 99)
    assert ranks(queue) == [1, 2, 3, 5, 4]
    queue.place(ids[0], 4)
    queue.place(ids[1], 4)
    queue.place("nobody", 0)
    assert ranks(queue) == [1, 2, 3, 5, 4]
    queue = again(queue)
    assert ranks(queue) == [1, 2, 3, 5, 4]
    queue.close()


def test_what_runs_cannot_be_removed(queue):
    queue.add(ranked(1, 2, 3))
    queue.note(queue.items[1].id, state=RUNNING)
    queue.remove([item.id for item in queue.items])
    assert ranks(queue) == [2]
    assert queue.running is queue.items[0]


@pytest.mark.parametrize(
    ("states", "steps", "pace", "left"),
    [
        ((DONE, RUNNING, WAITING), (100, 40, 0), 0.5, 80.0),
        ((DONE, ABORTED, FAILED), (100, 3, 0), math.nan, 0.0),
        ((DONE, RUNNING, WAITING), (100, 40, 0), math.nan, math.nan),
    ],
)
def test_the_time_left_is_steps_left_times_the_pace(states, steps, pace, left):
    items = [Item(str(i), BASE, s, max_steps=100, step=n)
             for i, (s, n) in enumerate(zip(states, steps, strict=True))]  # fmt: skip
    assert seconds_left(items, lambda _: pace) == pytest.approx(left, nan_ok=True)
    assert math.isnan(seconds_left([Item("a", BASE)], lambda _: 1.0))  # steps are not known


def test_the_front_holds_whoever_is_beaten_by_nobody():
    rng = random.Random(0)
    for _ in range(50):
        items = [
            Item(str(i), BASE, rng.choice((DONE, DONE, ABORTED, RUNNING)),
                 parameters=rng.randint(0, 4), best=rng.choice((0.1, 0.2, 0.3, math.nan)))
            for i in range(8)
        ]  # fmt: skip
        told = [i for i in items if i.ended and i.parameters and i.best == i.best]
        beaten = {
            one.id
            for one, other in itertools.permutations(told, 2)
            if other.parameters <= one.parameters
            and other.best <= one.best
            and (other.parameters, other.best) != (one.parameters, one.best)
        }
        front = pareto(items)
        assert set(front) == {i.id for i in told} - beaten
        sizes = [next(i.parameters for i in items if i.id == id) for id in front]
        assert sizes == sorted(sizes)


def test_of_two_that_name_one_run_the_first_goes_on(tmp_path):
    run = paths.runs() / "r-0"
    run.mkdir(parents=True)
    queue = Queue(tmp_path)
    queue.put_back([replace(new_item(BASE), run=str(run)) for _ in range(2)])
    queue.close()
    assert [item.run for item in items_of(tmp_path)] == [str(run), ""]


@pytest.mark.parametrize("name", ["a\0b", "a" * 300, ".."])
def test_a_run_that_no_folder_can_be_called_begins_anew(tmp_path, name):
    queue = Queue(tmp_path)
    queue.put_back([replace(new_item(BASE), run=str(paths.runs() / "named"))])
    queue.close()
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("named", json.dumps(name)[1:-1]))
    queue = Queue(tmp_path)
    assert [item.run for item in queue.items] == [""]
    queue.close()


def test_a_queue_that_cannot_be_read_is_let_go_of(tmp_path, monkeypatch):
    def broken(folder):
        raise ZeroDivisionError

    monkeypatch.setattr(queue_file, "items_of", broken)
    with pytest.raises(ZeroDivisionError):
        Queue(tmp_path)
    monkeypatch.undo()
    Queue(tmp_path).close()
