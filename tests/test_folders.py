"""A folder of any depth is gone through and removed; nothing beside it is touched."""

import os
import sys

import pytest

from lora_lab.folders import folders_in, remove_folder

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths beyond what the system takes")


def nested(folder, deep, name="abcde"):
    """A file at the bottom of so many folders within each other, by no path that long."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


@posix
@pytest.mark.parametrize("deep", [0, 1, 5, 600, 3000])
def test_one_of_any_depth_is_removed(tmp_path, deep):
    nested(tmp_path / "folder", deep)
    (tmp_path / "beside").touch()
    remove_folder(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["beside"]


def test_what_links_lead_to_stays(tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "file").touch()
    inner = tmp_path / "folder" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "link").symlink_to(tmp_path / "else", target_is_directory=True)
    (inner / "file link").symlink_to(tmp_path / "else" / "file")
    (tmp_path / "link").symlink_to(tmp_path / "folder", target_is_directory=True)
    with pytest.raises(OSError, match="link"):
        remove_folder(tmp_path / "link")
    assert inner.is_dir()
    remove_folder(tmp_path / "folder")
    assert (tmp_path / "else" / "file").exists()
    assert not (tmp_path / "folder").exists()


def test_what_cannot_be_removed_is_said_and_the_rest_goes(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / "folder" / name).mkdir(parents=True)
        (tmp_path / "folder" / name / "file").touch()
        (tmp_path / "folder" / name / f"kept {name}").touch()
    unlink = os.unlink

    def refusing(path):
        if str(path).endswith("kept b"):
            raise PermissionError("it is in use")
        unlink(path)

    monkeypatch.setattr(os, "unlink", refusing)
    with pytest.raises(PermissionError, match="in use"):
        remove_folder(tmp_path / "folder")
    left = [name for _, names in folders_in(tmp_path / "folder") for name in names]
    assert left == ["kept b"]


def test_one_that_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        remove_folder(tmp_path / "folder")


def test_all_is_gone_through_in_order_and_no_link_is_followed(tmp_path):
    for name in ("b/file", "a/b/file", "a/file", "a/0", "file"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b", target_is_directory=True)
    found = [
        (folder.relative_to(tmp_path).as_posix(), names) for folder, names in folders_in(tmp_path)
    ]
    by_walk = [(os.path.relpath(folder, tmp_path), sorted(names), folders.sort())
               for folder, folders, names in os.walk(tmp_path)]  # fmt: skip
    assert found == [(folder, names) for folder, names, _ in by_walk]


@posix
def test_one_of_any_depth_is_gone_through(tmp_path):
    nested(tmp_path / "folder", 1500, "a")
    assert [names for _, names in folders_in(tmp_path / "folder")][-1] == ["file"]
    remove_folder(tmp_path / "folder")  # pytest cannot
