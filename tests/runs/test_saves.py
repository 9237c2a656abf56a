"""Which saves a run has: a name is believed no more than any other word of a stranger's."""

import json
import os
import time

import pytest

from lora_lab import paths
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.runs.checkpoints import (
    FOLDER,
    MANIFEST,
    STATE,
    forget_after,
    latest,
    write_checkpoint,
)
from lora_lab.runs.queue import WAITING, Queue
from lora_lab.runs.saves import ENTRIES, listed, named, resumable
from tests.runs.unreadable import refuse_to_read


def write(run, *steps, keep=False):
    run.mkdir(parents=True, exist_ok=True)
    for step in steps:
        write_checkpoint(run, step, {}, {"step": step}, keep)


def manifest(step, size=100):
    return json.dumps({"step": step, "files": {STATE: {"bytes": size, "crc32": "00000000"}}})


FORGED = {
    "an empty folder": {},
    "a manifest alone": {MANIFEST: manifest(999_999_999)},
    "a state alone": {STATE: "x" * 100},
    "a shorter state": {MANIFEST: manifest(999_999_999), STATE: "x"},
    "a manifest of another step": {MANIFEST: manifest(3), STATE: "x" * 100},
    "a manifest of nothing": {MANIFEST: '{"step": 999999999, "files": {}}', STATE: ""},
    "a manifest without an end": {MANIFEST: " " * 2**21, STATE: ""},
    "no manifest": {MANIFEST: "[]", STATE: ""},
}
STRANGE = (
    "step-" + "9" * 240, "step-٣٣٣٣٣٣٣٣٣", "step-9999999999999", "step-00000007", "step--00000007",
)  # fmt: skip


def forge(run, name, files):
    (run / FOLDER / name).mkdir(parents=True)
    for file, text in files.items():
        (run / FOLDER / name / file).write_text(text)


@pytest.mark.parametrize("kind", FORGED)
def test_a_name_alone_is_no_save(tmp_path, kind):
    write(tmp_path, 60)
    forge(tmp_path, "step-999999999", FORGED[kind])
    forge(tmp_path, "kept-999999999", FORGED[kind])
    assert (resumable(tmp_path), latest(tmp_path).step) == (60, 60)
    assert [step for step, _ in listed(tmp_path)] == [60]


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_name_of_a_save_is_none(tmp_path, name):
    try:
        forge(tmp_path, name, {MANIFEST: manifest(7), STATE: "x" * 100})
    except OSError:
        pytest.skip("this file system has no such names")
    assert (resumable(tmp_path), named(tmp_path)) == (None, [])


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kind", FORGED)
def test_strangers_take_no_place_of_a_runs_own_saves(tmp_path, kind, keep):
    """Two whole ones stand after each save, whatever else is called as one."""
    write(tmp_path, 60, keep=keep)
    start = "kept" if keep else "step"
    for step in (999_999_999, 999_999_998, 69, 68, 67, 66, 65, 64, 63, 62, 61, 59, 58, 57, 56):
        forge(tmp_path, f"{start}-{step:09d}", FORGED[kind])
    for step, saves in ((70, [60, 70]), (80, [60, 70, 80] if keep else [70, 80])):
        write(tmp_path, step, keep=keep)
        assert [at for at, _ in listed(tmp_path)] == saves
    assert not (tmp_path / FOLDER / f"{start}-000000058").exists()
    if not keep:
        assert not (tmp_path / FOLDER / "step-000000069").exists()
    forget_after(tmp_path, 80, 0)
    assert max(step for step, _ in named(tmp_path)) == 80


def test_a_waiting_run_is_not_done_by_a_name(tmp_path):
    run = paths.runs() / "run"
    write(run, 5)
    for name in ("step-999999999", *STRANGE[:3]):
        forge(run, name, {})
    queue = Queue(tmp_path / "queue")
    queue.add([get_preset("digits").config] * 2)
    queue.note(queue.items[0].id, run=str(run))
    queue.close()
    for _ in range(2):
        queue = Queue(queue.folder)
        assert queue.next().id == queue.items[0].id
        assert [item.state for item in queue.items] == [WAITING] * 2
        assert queue.items[0].resumes
        queue.close()


def test_very_many_names_take_a_moment(tmp_path):
    write(tmp_path, 60)
    for step in range(1000):
        forge(tmp_path, f"kept-{step:09d}", {MANIFEST: " " * 2**14})
    began = time.process_time()
    resumable(tmp_path), listed(tmp_path)
    assert time.process_time() - began < 1  # 0.03 s where nothing else runs


def test_a_folder_of_very_many_things_is_no_runs_own(tmp_path):
    write(tmp_path, 60)
    for number in range(ENTRIES - 1):
        (tmp_path / FOLDER / f"{number}").write_text("")
    assert resumable(tmp_path) == 60
    (tmp_path / FOLDER / "one more").write_text("")
    assert (resumable(tmp_path), listed(tmp_path)) == (None, [])
    with pytest.raises(LabError, match=f"{FOLDER} holds 2,001 files and folders, and a run's own"):
        latest(tmp_path)
    (tmp_path / FOLDER / "one more").unlink()
    assert latest(tmp_path).step == 60


def test_a_folder_of_saves_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    write(tmp_path, 60)
    refuse_to_read(monkeypatch, tmp_path / FOLDER)
    assert resumable(tmp_path) is None
    with pytest.raises(LabError, match=f"{FOLDER} cannot be read: permission denied"):
        latest(tmp_path)


def test_a_link_is_no_state(tmp_path):
    write(tmp_path, 60)
    state = tmp_path / FOLDER / "step-000000060" / STATE
    os.replace(state, tmp_path / "elsewhere")
    try:
        state.symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("this system has no links")
    assert resumable(tmp_path) is None
