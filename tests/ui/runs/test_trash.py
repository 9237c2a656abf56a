"""A folder goes to the desktop's own trash, and what cannot go is told from what did."""

import sys

import pytest

from lora_lab.ui.runs.trash import move_to_trash


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the trash of freedesktop.org")
def test_a_folder_lies_in_the_trash_with_its_contents(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    run = tmp_path / "a run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    assert move_to_trash(str(run))
    assert not run.exists()
    assert [p.name for p in (tmp_path / "data" / "Trash").rglob("*.json")] == ["config.json"]
    assert not move_to_trash(str(run))
