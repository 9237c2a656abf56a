"""The lock of a run: who has it is said, from one owner to the next."""

import os

import pytest
from filelock import FileLock

from lora_lab.errors import LabError
from lora_lab.runs.lock import RunLock, is_live, owner


def test_it_has_one_owner_who_is_named_until_it_is_let_go(tmp_path):
    one, other = RunLock(tmp_path), RunLock(tmp_path)
    one.take()
    assert is_live(tmp_path)
    with pytest.raises(LabError, match=f"is being trained by process {os.getpid()} "):
        other.take()
    one.release()
    assert not is_live(tmp_path)
    assert owner(tmp_path) == ""


def test_who_takes_it_in_the_moment_in_which_it_is_let_go_is_named(tmp_path, monkeypatch):
    one, other, let_go = RunLock(tmp_path), RunLock(tmp_path), FileLock.release
    one.take()

    def and_taken(lock, *arguments, **more):
        let_go(lock, *arguments, **more)
        patched.undo()
        other.take()

    with monkeypatch.context() as patched:
        patched.setattr(FileLock, "release", and_taken)
        one.release()
    assert str(os.getpid()) in owner(tmp_path)
    other.release()


def test_a_name_that_cannot_be_taken_away_holds_nothing(tmp_path):
    lock = RunLock(tmp_path)
    lock.take()
    (tmp_path / "owner.json").unlink()
    (tmp_path / "owner.json").mkdir()
    lock.release()
    assert not is_live(tmp_path)
