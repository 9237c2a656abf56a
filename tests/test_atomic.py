"""Whatever call fails, the old file or folder stands whole and nothing is left beside it."""

import errno
import os
import stat
import sys
from contextlib import suppress

import pytest

from lora_lab.atomic import (
    aside,
    replace_file,
    replace_folder,
    restore_folder,
    temporary_folder,
    write_file,
)

CALLS = ("open", "write", "fsync", "replace", "rename")


class Failing:
    """Lets the n-th of the system calls that write fail with a full disk; counts them all."""

    def __init__(self, monkeypatch, fail_at):
        self.count = 0
        self.fail_at = fail_at
        for name in CALLS:
            monkeypatch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, call):
        def failing(*args, **kwargs):
            self.count += 1
            if self.count == self.fail_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*args, **kwargs)

        return failing


def tree(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fill(folder, text):
    (folder / "sub").mkdir(parents=True)
    (folder / "a").write_bytes(text)
    (folder / "sub" / "b").write_bytes(text * 2)


def swap(target, text):
    with temporary_folder(target) as temporary:
        fill(temporary, text)
        return replace_folder(temporary, target)


def failures(monkeypatch, act):
    """Run `act` with the first call failing, then the second, … until none is left to fail.

    Yields (number of the call, what `act` returned or the error that it raised).
    """
    number = 0
    while True:
        number += 1
        with monkeypatch.context() as patch:
            failing = Failing(patch, number)
            try:
                result = act()
            except OSError as error:
                result = error
        if failing.count < number:
            return
        yield number, result


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "a.json"
    write_file(path, b"old")
    write_file(path, b"new")
    assert tree(tmp_path) == {"a.json": b"new"}
    assert stat.S_IMODE(path.stat().st_mode) & 0o400
    write_file(path, b"")
    assert path.read_bytes() == b""


def test_a_file_survives_a_full_disk_at_every_call(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_file(path, b"old")
    seen = []
    for number, result in failures(monkeypatch, lambda: write_file(path, b"new")):
        assert isinstance(result, OSError)
        # Opening and syncing the directory come last: the new file then stands already.
        expected = b"new" if number > 4 else b"old"
        assert tree(tmp_path) == {"a.json": expected}, f"call {number}"
        write_file(path, b"old")
        seen.append(number)
    assert len(seen) == 6


def test_a_short_write_is_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, bytes(data)[:3]))
    write_file(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "adapter"
    assert swap(target, b"old") is None
    (target / "gone").write_bytes(b"x")
    assert swap(target, b"new") is None
    assert tree(tmp_path) == {"adapter/a": b"new", "adapter/sub/b": b"newnew"}
    assert os.listdir(tmp_path) == ["adapter"]


def test_a_folder_survives_a_full_disk_at_every_call(tmp_path, monkeypatch):
    target = tmp_path / "adapter"
    new = {"a": b"new", "sub/b": b"newnew"}
    swap(target, b"old")
    old = tree(target)
    outcomes = []
    for number, result in failures(monkeypatch, lambda: swap(target, b"new")):
        names = sorted(os.listdir(tmp_path))
        if isinstance(result, OSError):
            assert result.errno == errno.ENOSPC
            assert tree(target) == old, f"call {number}"
            assert names == ["adapter"], f"call {number}"
            outcomes.append("old")
        else:  # the old one could not be removed, and the caller is told where it is
            assert tree(target) == new, f"call {number}"
            assert result == aside(target)
            assert names == [result.name, "adapter"]
            outcomes.append("new, old left")
        swap(target, b"old")  # which also clears away what was left
        assert os.listdir(tmp_path) == ["adapter"]
    assert outcomes.count("old") >= 10
    assert outcomes.count("new, old left") >= 1


def test_a_crash_between_the_two_renames_is_mended(tmp_path):
    target = tmp_path / "adapter"
    swap(target, b"old")
    os.rename(target, aside(target))  # as far as the crash let it come
    assert restore_folder(target)
    assert (target / "a").read_bytes() == b"old"
    assert not restore_folder(target)

    os.rename(target, aside(target))
    swap(target, b"new")
    assert (target / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["adapter"]


def test_a_temporary_folder_goes_with_the_error_that_stopped_it(tmp_path):
    def fail():
        with temporary_folder(tmp_path / "x") as folder:
            (folder / "half").write_bytes(b"1")
            assert folder.parent == tmp_path
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == []


def test_a_path_below_a_file_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        write_file(tmp_path / "file" / "x", b"1")
    with pytest.raises(OSError, match="Not a directory"), temporary_folder(tmp_path / "file" / "x"):
        pass


@pytest.mark.parametrize("kind", ["link", "link to a folder", "dead link", "pipe", "folder"])
def test_only_a_plain_file_is_replaced(tmp_path, kind):
    """A device would be gone from the machine, and what a link leads to would stay as it was."""
    target, other = tmp_path / "target", tmp_path / "other"
    other.write_bytes(b"old")
    make = {
        "link": lambda: target.symlink_to(other),
        "link to a folder": lambda: target.symlink_to(tmp_path / "folder"),
        "dead link": lambda: target.symlink_to(tmp_path / "nowhere"),
        "pipe": lambda: os.mkfifo(target),
        "folder": target.mkdir,
    }
    (tmp_path / "folder").mkdir()
    (tmp_path / "new").write_bytes(b"new")
    make[kind]()
    before = os.lstat(target)
    with pytest.raises(OSError, match=r"link|no plain file"):
        write_file(target, b"new")
    with pytest.raises(OSError, match=r"link|no plain file"):
        replace_file(tmp_path / "new", target)
    if kind != "folder":
        with pytest.raises(OSError, match=r"link|no folder"):
            replace_folder(tmp_path / "folder", target)
    assert os.lstat(target) == before
    assert other.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "new", "other", "target"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no path of an open folder")
def test_an_empty_folder_that_becomes_a_link_is_not_filled(tmp_path, monkeypatch):
    """While the new one is synced somebody puts a link to an empty folder in its place."""
    target, elsewhere, synced = tmp_path / "adapter", tmp_path / "elsewhere", os.fsync
    target.mkdir()
    elsewhere.mkdir()

    def exchanging(fd):
        if not target.is_symlink():
            target.rmdir()
            target.symlink_to(elsewhere)
        synced(fd)

    with temporary_folder(target) as folder:
        (folder / "a").write_text("new")
        monkeypatch.setattr(os, "fsync", exchanging)
        with suppress(OSError):
            replace_folder(folder, target)
    assert target.is_symlink()
    assert list(elsewhere.iterdir()) == []
