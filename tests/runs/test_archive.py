"""A run as a zip: what comes out is what went in, and nothing that is not a run comes in."""

import copy
import errno
import json
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from lora_lab import atomic
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.names import legible
from lora_lab.presets import get_preset
from lora_lab.progress import silent
from lora_lab.records import StepRecord
from lora_lab.runs import archive
from lora_lab.runs.archive import pack, packed_name, unpack
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.listing import set_label, summary_of
from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from tests.runs.sample_run import write_sample
from tests.runs.unreadable import refuse_to_read
from tests.training.opened import opening

CONFIG = {"config": get_preset("digits").config.model_dump(mode="json")}


def losses(stop=0, **how):
    config = changed(get_preset("digits").config, max_steps=30)
    controls, found = Controls(config.hyper), {}
    for record in run(opening(config, **how), controls):
        if isinstance(record, StepRecord):
            found[record.step] = record.loss
            if record.step == stop:
                controls.stop()
    return found


def test_a_run_goes_round_and_on(tmp_path):
    """Packed in one lab, unpacked in another, and resumed there to the bit."""
    straight = losses(folder=tmp_path / "straight")
    folder = tmp_path / "runs" / "one"
    losses(stop=20, folder=folder)
    set_label(folder, "the first", "α = 4")
    packed = pack(folder, tmp_path / "one.zip")
    with zipfile.ZipFile(packed) as opened:
        names = opened.namelist()
    assert "one/config.json" in names
    assert not [n for n in names if n.endswith(("/lock", "/owner.json"))]
    again = unpack(packed, tmp_path / "other")
    assert again == tmp_path / "other" / "one"
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("lock", "owner.json"):
            assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert summary_of(again).label == "the first"
    assert losses(resume=again) == straight
    assert unpack(packed, tmp_path / "other").name == "one-2"


def test_an_unpacked_run_has_no_other_files_than_its_own(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    (folder.path / ".hidden").write_text("x")
    (folder.path / "link").symlink_to("/etc/hostname")
    with zipfile.ZipFile(pack(folder.path, tmp_path / "a.zip")) as opened:
        assert opened.namelist() == ["a/config.json"]


@pytest.mark.parametrize("name", ["lock", "owner.json", "mirror.json", "Mirror.JSON", "own.json"])
def test_how_a_run_stands_on_one_machine_does_not_travel(tmp_path, name):
    """A folder that follows a cluster shows whatever its records say, as of a run that is live."""
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    (folder.path / name).write_text("{}")
    left = {"config.json", "own.json"} & {"config.json", name}
    with zipfile.ZipFile(pack(folder.path, tmp_path / "a.zip")) as opened:
        assert set(opened.namelist()) == {f"a/{one}" for one in left}
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as made:
        made.write(folder.path / "config.json", "a/config.json")
        made.writestr(f"a/{name}", "{}")
    assert {path.name for path in unpack(tmp_path / "b.zip", tmp_path / "other").iterdir()} == left


def test_a_file_from_before_zips_is_packed(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    os.utime(folder.path / "config.json", (0, 0))
    assert unpack(pack(folder.path, tmp_path / "a.zip"), tmp_path / "other").name == "a"


def test_a_live_run_is_not_packed_and_no_run_neither(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    with pytest.raises(LabError, match="is no run"):
        pack(folder.path, tmp_path / "a.zip")
    folder.write_config(get_preset("digits").config)
    folder.lock()
    with pytest.raises(LabError, match="is being trained"):
        pack(folder.path, tmp_path / "a.zip")
    folder.close()
    (tmp_path / "a.zip").write_bytes(b"old")
    with pytest.raises(LabError, match="was not written"):
        pack(folder.path, tmp_path / "none" / "a.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.zip"]
    assert (tmp_path / "a.zip").read_bytes() == b"old"


def test_a_read_only_disk_is_said(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)

    def refused(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(archive.zipfile, "ZipFile", refused)
    monkeypatch.setattr(archive.Path, "unlink", refused)
    with pytest.raises(LabError, match="was not written: read-only file system"):
        pack(folder.path, tmp_path / "a.zip")


def write(path, *entries, mode=0):
    """A zip of (name, bytes) entries beside a config.json that is one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("run/config.json", json.dumps(CONFIG))
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return path


HOSTILE = {
    "a parent": "run/../../evil",
    "a parent on Windows": "run\\..\\..\\evil",
    "an absolute path": "/evil",
    "a drive": "run/C:evil",
    "a hidden file": "run/.profile",
    "no folder": "evil",
    "two runs": "other/config.json",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_name_that_leads_elsewhere_is_refused(case, tmp_path):
    path = write(tmp_path / "x.zip", (HOSTILE[case], b"x"))
    with pytest.raises(LabError, match="is not the zip of"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs", "x.zip"]


def test_a_strange_packing_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as made:
        made.writestr("run/config.json", json.dumps(CONFIG))
    with pytest.raises(LabError, match="does not pack"):
        unpack(path, tmp_path / "runs")


def test_links_are_refused(tmp_path):
    path = write(tmp_path / "x.zip", ("run/adapter", b"/etc"), mode=stat.S_IFLNK | 0o777)
    with pytest.raises(LabError, match="'run/adapter' is in it"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["run/config.json", "run/CONFIG.json"])
def test_a_file_that_is_named_twice_is_refused(name, tmp_path):
    path = write(tmp_path / "x.zip", (name, b"{}"))
    with pytest.raises(LabError, match="names a file twice"):
        unpack(path, tmp_path / "runs")


def test_a_bomb_is_not_unpacked(tmp_path):
    path = write(tmp_path / "x.zip", ("run/metrics.jsonl", b"\0" * 50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(LabError, match=r"would unpack to 50,00.* bytes, and was not"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_file_that_is_longer_than_it_says_is_cut_off(tmp_path):
    path = write(tmp_path / "x.zip", ("run/metrics.jsonl", b"a" * 3_000_000))
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # both tables: unpacked size
        place = data.rindex(mark) + at
        data[place : place + 4] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with pytest.raises(LabError, match="not"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_too_many_files_and_too_small_a_disk_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "x.zip", *((f"run/{n}", b"") for n in range(30)))
    with monkeypatch.context() as patch:
        patch.setattr(archive, "MOST_FILES", 20)
        with pytest.raises(LabError, match="31 files, more than a run can have"):
            unpack(path, tmp_path / "runs")
    usage = archive.shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(LabError, match="has free"):
        unpack(path, tmp_path / "runs")


@pytest.mark.parametrize("case", ["entries", "bytes"])
def test_a_directory_of_too_many_entries_is_refused_before_a_list_is_made_of_it(
    case, tmp_path, monkeypatch
):
    path = write(tmp_path / "x.zip", *((f"run/{n}", b"") for n in range(50)))
    limit = {"entries": ("MOST_FILES", 20), "bytes": ("DIRECTORY", 2000)}[case]
    monkeypatch.setattr(archive, *limit)
    monkeypatch.setattr(zipfile, "ZipInfo", lambda *_: pytest.fail("an entry was read"))
    with pytest.raises(LabError, match=r"lists more files .* Choose the zip of a run"):
        unpack(path, tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_what_is_in_a_file_is_no_entry_of_the_directory(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    path = pack(folder.path, tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as file:
        file.writestr(f"{folder.path.name}/x.bin", b"PK\x01\x02" * 100)
    monkeypatch.setattr(archive, "MOST_FILES", 20)
    assert len((unpack(path, tmp_path / "runs") / "x.bin").read_bytes()) == 400


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_torn_zip_leaves_nothing(keep, tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    path = pack(folder.path, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(LabError, match="is not a whole zip"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_turned_byte_is_found(tmp_path):
    folder = RunFolder.create(tmp_path, "a")
    folder.write_config(get_preset("digits").config)
    path = pack(folder.path, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[150] ^= 0xFF  # in the packed settings
    path.write_bytes(data)
    with pytest.raises(LabError, match=r"was not unpacked|is not a whole zip"):
        unpack(path, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
    with pytest.raises(LabError, match="was not unpacked"):
        unpack(tmp_path / "none.zip", tmp_path / "runs")


STRANGE = ("CON", "nul.json", "a/COM1.txt", "a.", "a ", "a\x1b[2J", "a\u202eb", "a\nb",
           "a<b", "a|b", "a*", "x" * 300, "a\u2066", "é" * 200)  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_that_is_none_everywhere_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("run/config.json", "{}")
        file.writestr(f"run/{name}", "x")
    with pytest.raises(LabError) as refused:
        unpack(tmp_path / "x.zip", tmp_path / "to")
    assert legible(str(refused.value)) == str(refused.value)


NAMES = {
    "my:run": "my-run", "CON": "run-CON", "nul.txt": "run-nul.txt", "run.": "run",
    "trail ": "trail", "a?b*c": "a-b-c", '"q"': "-q-", "a<b>": "a-b-", "a\\b": "a-b",
    "a\nb\tc": "a-b-c", "ü b": "ü b",
    "\u202eabc": "-abc", ".hidden": "hidden", "x" * 250: "x" * 200, "é" * 127: "é" * 100,
    "\udcffa": "-a", ". .": "run", "-x": "-x", "~": "~",
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="no folder has such a name there")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_what_is_packed_is_unpacked_whatever_its_folder_is_called(tmp_path, name):
    try:
        run = write_sample(tmp_path / "in", name)
    except OSError:
        pytest.skip("this file system has no such names")
    packed = pack(run, tmp_path / "x.zip")
    assert unpack(packed, tmp_path / "out").name == NAMES[name]
    assert unpack(packed, tmp_path / "out").name == f"{NAMES[name]}-2"


def test_a_run_is_packed_from_within(tmp_path, monkeypatch):
    run = write_sample(tmp_path, "mine")
    monkeypatch.chdir(run)
    assert packed_name(Path()) == "mine"
    assert unpack(pack(Path(), tmp_path / "x.zip"), tmp_path / "out").name == "mine"
    (run / "adapter").mkdir()
    monkeypatch.chdir(run / "adapter")
    assert packed_name(Path("..")) == "mine"


@pytest.mark.parametrize("name", ["note: a.txt", "con", "a\\b", "CONFIG.json", "a./b", "a\u202eb"])
@pytest.mark.skipif(os.name == "nt", reason="no file has such a name there")
def test_what_would_not_be_unpacked_is_not_packed(tmp_path, name):
    """It is said before anything is written, and the zip of before stays."""
    run = write_sample(tmp_path, "mine")
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("x")
    (tmp_path / "x.zip").write_bytes(b"old")
    with pytest.raises(LabError, match=r"^Not packed: .*Change (it|one)") as refused:
        pack(run, tmp_path / "x.zip")
    assert ascii(name) in str(refused.value)
    assert (tmp_path / "x.zip").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "x.zip"]


def test_names_that_are_one_where_accents_are_composed_are_not_packed(tmp_path):
    run = write_sample(tmp_path, "mine")
    for name in ("\u00fc", "u\u0308"):
        (run / name).write_text(name)
    if len([path for path in run.iterdir() if len(path.name) < 3]) < 2:
        pytest.skip("they are one here")
    with pytest.raises(LabError, match="are one name on some systems"):
        pack(run, tmp_path / "x.zip")


def test_what_shrinks_as_a_trap_does_is_stored_as_it_is(tmp_path):
    run = write_sample(tmp_path, "mine")
    (run / "log.txt").write_bytes(b"a" * 20_000_000)
    again = unpack(pack(run, tmp_path / "x.zip"), tmp_path / "out")
    assert (again / "log.txt").read_bytes() == b"a" * 20_000_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "out", "x.zip"]


def test_too_many_files_and_bytes_are_not_packed(tmp_path, monkeypatch):
    run = write_sample(tmp_path, "mine")
    for limit in ("MOST_FILES", "LARGEST"):
        with monkeypatch.context() as patch:
            patch.setattr(archive, limit, 3)
            with pytest.raises(LabError, match=r"Not packed: mine has .* are unpacked"):
                pack(run, tmp_path / "x.zip")


@pytest.mark.parametrize("what", ["checkpoints", "config.json"])
def test_what_cannot_be_read_is_named_and_nothing_is_written(tmp_path, monkeypatch, what):
    run = write_sample(tmp_path, "mine")
    (run / "checkpoints").mkdir()
    refuse_to_read(monkeypatch, run / what)
    with pytest.raises(LabError, match=rf"{what} cannot be read: permission denied"):
        pack(run, tmp_path / "x.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine"]


TAKEN = {
    "a run": lambda at: write_sample(at.parent, at.name),
    "an empty folder": lambda at: at.mkdir(),
    "a file": lambda at: at.write_text("x"),
    "a link": lambda at: at.symlink_to("nowhere"),
}


@pytest.mark.parametrize("moment", ["before", "while it is unpacked", "at the last"])
@pytest.mark.parametrize("kind", TAKEN)
def test_whoever_takes_the_name_meanwhile_keeps_it(tmp_path, monkeypatch, kind, moment):
    packed = pack(write_sample(tmp_path, "run"), tmp_path / "x.zip")
    (tmp_path / "out").mkdir()
    at = tmp_path / "out" / "run"

    def first(*_):
        if not os.path.lexists(at):
            TAKEN[kind](at)

    if moment == "before":
        first()
    elif moment == "at the last":
        monkeypatch.setattr(atomic.os, "fsync", first)
    report = first if moment == "while it is unpacked" else silent
    assert unpack(packed, tmp_path / "out", report).name == "run-2"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["run", "run-2"]
    assert not (at.is_dir() and kind == "an empty folder" and list(at.iterdir()))


@pytest.mark.skipif(os.name == "nt", reason="there no folder is made before")
def test_what_is_put_into_a_name_that_was_just_had_stays(tmp_path, monkeypatch):
    """As by `train --out`, which uses an empty folder."""
    packed = pack(write_sample(tmp_path, "run"), tmp_path / "x.zip")
    at, rename = tmp_path / "out" / "run", os.rename

    def filled(source, target):
        if Path(target) == at:
            (at / "mine.txt").write_text("work of a person")
        return rename(source, target)

    monkeypatch.setattr(atomic.os, "rename", filled)
    assert unpack(packed, tmp_path / "out").name == "run-2"
    assert [p.name for p in at.iterdir()] == ["mine.txt"]


def overlapping(path, copies):
    """Entries that all lie on the same 1 MB of zeros, as a few hundred bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("run/config.json", "{}")
        file.writestr("run/0", bytes(190_000))
        first = file.getinfo("run/0")
        for number in range(1, copies):
            other = copy.copy(first)
            other.filename = other.orig_filename = f"run/{number}"
            file.filelist.append(other)
            file.NameToInfo[other.filename] = other
    return path


def test_entries_that_lie_over_each_other_are_no_way_round_the_ratio(tmp_path):
    path = overlapping(tmp_path / "x.zip", 2000)
    with pytest.raises(LabError, match=r"would unpack to|not a whole zip"):
        unpack(path, tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_a_pipe_is_no_zip_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "no such file"), (tmp_path, "it is a folder"),
                        (tmp_path / "none", "no such file")):  # fmt: skip
        with pytest.raises(LabError, match=words):
            unpack(path, tmp_path / "to")


def test_what_a_killed_process_left_is_tidied(tmp_path):
    """Of an unpacking after an hour, of a packing once its process is gone; nothing else."""
    parent = tmp_path / "runs"
    parent.mkdir()
    old, new, own = (parent / f".{name}.0123456789ab.tmp" for name in ("old", "new", "own"))
    for folder in (old, new, own):
        folder.mkdir()
        (folder / "big").write_bytes(b"x")
    (parent / ".mine.tmp").mkdir()
    os.utime(old, (0, 0))
    os.utime(parent / ".mine.tmp", (0, 0))
    run = write_sample(tmp_path, "a")
    left = tmp_path / f".a.zip.{2**22 + 1}.tmp"
    living = tmp_path / f".a.zip.{os.getppid()}.tmp"
    for path in (left, living):
        path.write_bytes(b"x")
    unpack(pack(run, tmp_path / "a.zip"), parent)
    assert sorted(p.name for p in parent.iterdir()) == sorted(
        [".mine.tmp", new.name, own.name, "a"]
    )
    assert living.exists()
    assert not left.exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no modes there")
def test_a_run_is_its_persons_alone(tmp_path):
    run = write_sample(tmp_path, "a")
    again = unpack(pack(run, tmp_path / "a.zip"), tmp_path / "to")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (run, again)] == [0o700] * 2


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_in_another_encoding_is_not_packed(tmp_path):
    run = write_sample(tmp_path)
    try:
        (run / os.fsdecode(b"n\xff.txt")).touch()
    except OSError:
        pytest.skip("this file system has no such names")
    with pytest.raises(LabError, match=r"dcff.txt' is not UTF-8"):
        pack(run, tmp_path / "x.zip")
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*"))
    with pytest.raises(LabError, match="UTF-8"):
        set_label(run, "n\udcff", "")
