"""Checkpoints: written whole, found again, damaged ones passed over, full disks survived."""

import errno
import hashlib
import json
import os
import shutil
import time
import zlib

import pytest
import torch

import lora_lab.atomic as atomic
from lora_lab.errors import LabError
from lora_lab.runs import checkpoints
from lora_lab.runs.checkpoints import FOLDER, MANIFEST, STATE, latest, listed, write_checkpoint


def write(run, step, keep=False, **facts):
    tensors = {"a|lora_A": torch.full((2, 3), float(step)), "n": torch.tensor(step)}
    return write_checkpoint(run, step, tensors, {"step": step, **facts}, keep)


def test_the_newest_comes_back_as_it_was(tmp_path):
    for step in (5, 10, 7):
        write(tmp_path, step, note="x", nested={"a": [1, 2.5, None]})
    found = latest(tmp_path)
    assert found.step == 10
    assert torch.equal(found.tensors["a|lora_A"], torch.full((2, 3), 10.0))
    assert found.facts == {"step": 10, "note": "x", "nested": {"a": [1, 2.5, None]}}


def test_the_last_ones_stay(tmp_path):
    for step in range(1, 7):
        write(tmp_path, step)
    assert [step for step, _ in listed(tmp_path)] == [5, 6]


DAMAGE = {
    "cut": lambda p: (p / STATE).write_bytes((p / STATE).read_bytes()[:-9]),
    "turned": lambda p: (p / STATE).write_bytes((p / STATE).read_bytes()[:-1] + b"\x7f"),
    "empty": lambda p: (p / STATE).write_bytes(b""),
    "no file": lambda p: (p / STATE).unlink(),
    "no manifest": lambda p: (p / MANIFEST).unlink(),
    "a list for a manifest": lambda p: (p / MANIFEST).write_text("[]"),
    "half a manifest": lambda p: (p / MANIFEST).write_text('{"step": 3, "fi'),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_one_to_go_back_to_is_written_where_only_its_name_stands(tmp_path, name):
    found = write(tmp_path, 3, keep=True)
    if name == "turned":  # as long as it says: what it holds is looked at when it is needed
        return
    DAMAGE[name](found)
    assert write(tmp_path, 3, keep=True) == found
    assert latest(tmp_path).step == 3


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_one_is_passed_over(tmp_path, name):
    write(tmp_path, 1)
    DAMAGE[name](write(tmp_path, 2))
    assert latest(tmp_path).step == 1
    DAMAGE[name](listed(tmp_path)[0][1])
    with pytest.raises(LabError, match=r"No checkpoint of .* is whole"):
        latest(tmp_path)


def test_none_is_said(tmp_path):
    with pytest.raises(LabError, match="has no checkpoint"):
        latest(tmp_path)


@pytest.mark.parametrize("link", [True, False], ids=["link", "file"])
def test_where_no_folder_of_its_own_is_none_is_said(tmp_path, link):
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run, other / ".half.tmp"):
        folder.mkdir(parents=True)
    (run / FOLDER).symlink_to(other) if link else (run / FOLDER).write_text("")
    assert checkpoints.tidy(run) == []
    assert (other / ".half.tmp").is_dir()
    with pytest.raises(LabError, match="has no checkpoint"):
        latest(run)


def test_what_a_crash_left_is_removed(tmp_path):
    write(tmp_path, 1)
    torn = tmp_path / FOLDER / ".step-000000002.abcdef.tmp"
    torn.mkdir()
    (torn / STATE).write_bytes(b"half")
    (tmp_path / ".state.json.abc.tmp").write_text("half")
    assert len(checkpoints.tidy(tmp_path)) == 2
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["step-000000001"]


def test_one_that_was_just_being_replaced_comes_back(tmp_path):
    """Killed between the two renames of a step that is saved anew, and after them."""
    write(tmp_path, 1)
    path = write(tmp_path, 2)
    path.rename(atomic.aside(path))
    assert checkpoints.tidy(tmp_path) == ["step-000000002"]
    assert latest(tmp_path).step == 2
    atomic.aside(path).mkdir()
    assert checkpoints.tidy(tmp_path) == []
    assert checkpoints.tidy(tmp_path / "gone") == []
    assert sorted(p.name for p in (tmp_path / FOLDER).iterdir()) == [
        "step-000000001", "step-000000002",
    ]  # fmt: skip


@pytest.mark.parametrize("fail_at", range(12))
def test_a_disk_that_fills_up_at_any_write_harms_nothing(tmp_path, monkeypatch, fail_at):
    """Each call that may say ENOSPC says it in turn."""
    write(tmp_path, 1)
    calls = 0

    def failing(real):
        def call(*arguments, **more):
            nonlocal calls
            calls += 1
            if calls == fail_at + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **more)

        return call

    for name in ("write", "fsync", "open", "replace", "rename"):
        monkeypatch.setattr(atomic.os, name, failing(getattr(os, name)))
    try:
        write(tmp_path, 2)
        done = True
    except OSError:
        done = False
    monkeypatch.undo()
    found = latest(tmp_path)
    assert found.step == (2 if done else found.step)
    assert found.step in (1, 2)
    assert torch.equal(found.tensors["n"], torch.tensor(found.step))
    assert 1 in [step for step, _ in listed(tmp_path)]
    checkpoints.tidy(tmp_path)
    assert write(tmp_path, 3)
    assert latest(tmp_path).step == 3


def test_a_disk_with_no_room_is_not_tried(tmp_path, monkeypatch):
    from collections import namedtuple

    write(tmp_path, 1)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: usage(1, 1, 10))
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, 2)
    assert latest(tmp_path).step == 1


def test_the_manifest_is_for_people_as_well(tmp_path):
    said = json.loads((write(tmp_path, 12) / MANIFEST).read_text())
    assert said["step"] == 12
    data = (tmp_path / "checkpoints" / "step-000000012" / STATE).read_bytes()
    assert said["files"][STATE] == {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}


@pytest.mark.parametrize("damaged", [False, True])
def test_the_first_saves_had_another_sum(tmp_path, damaged):
    folder = write(tmp_path, 12)
    data = (folder / STATE).read_bytes()
    said = json.loads((folder / MANIFEST).read_text())
    said["files"][STATE] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / MANIFEST).write_text(json.dumps(said))
    if damaged:
        (folder / STATE).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(LabError, match="not what its manifest says"):
            latest(tmp_path)
    else:
        assert latest(tmp_path).step == 12


def test_one_of_a_hundred_thousand_tensors_is_passed_over_at_once(tmp_path):
    """The library takes minutes over such a header, and holds the interpreter meanwhile."""
    write(tmp_path, 1)
    folder = write(tmp_path, 2)
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = {"__metadata__": {"facts": '{"step": 2}'}}
    header |= {str(number): empty for number in range(300_000)}
    written = json.dumps(header).encode()
    data = len(written).to_bytes(8, "little") + written
    (folder / STATE).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][STATE] = {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    began = time.process_time()
    assert latest(tmp_path).step == 1
    assert time.process_time() - began < 1
    with pytest.raises(LabError, match="lists more than"):
        checkpoints.read_checkpoint(folder)


def test_few_are_read_whole_until_one_is(tmp_path, monkeypatch):
    """Hundreds of names of one file in somebody's run are hundreds of readings."""
    write(tmp_path, 1)
    damaged = write(tmp_path, 100)
    DAMAGE["turned"](damaged)
    for step in range(101, 300):
        shutil.copytree(damaged, damaged.with_name(f"step-{step:09d}"))
    read = []
    monkeypatch.setattr(checkpoints, "read_own", lambda *a: read.append(a) or b"")
    with pytest.raises(LabError, match="is whole"):
        latest(tmp_path)
    assert len(read) <= checkpoints.TRIED
