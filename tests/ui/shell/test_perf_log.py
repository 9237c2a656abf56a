"""The log of the window's speed: a line a second that parses, and nothing of it left behind."""

import csv
import errno
import io
from pathlib import Path

import pytest

from lora_lab.__main__ import _with_values
from lora_lab.errors import LabError
from lora_lab.records import State
from lora_lab.ui.session.bridge import Tick
from lora_lab.ui.shell import perf_log

FULL = Path("/dev/full")


def test_lines_are_written_while_the_window_runs(qtbot, window, presets, tmp_path):
    file = tmp_path / "new" / "perf.csv"
    log = perf_log.PerfLog(file, window.sessions, window.panels, window.notices, window)
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: file.read_text().count("\n") >= 3, timeout=10_000)
    log.close()
    written = file.read_text()
    window.sessions.ticked.emit(Tick(records=1))  # after it was closed it listens no more
    assert file.read_text() == written
    rows = [
        {name: float(value) for name, value in row.items()}
        for row in csv.DictReader(file.read_text().splitlines())
    ]
    assert {f"draw_{panel.key}_ms" for panel in window.panels} <= rows[0].keys()
    last = rows[-1]
    assert last["records"] > 0
    assert last["steps_per_second"] > 0
    assert last["rss_mb"] > 10
    assert last["draw_loss_ms"] > 0
    assert last["tick_ms"] >= last["tick_max_ms"] > 0
    assert last["late_max_ms"] >= last["late_p99_ms"] >= last["late_p50_ms"] >= 0
    assert rows[1]["seconds"] - rows[0]["seconds"] == pytest.approx(1, abs=0.5)


def test_a_place_that_cannot_be_written_is_refused(window, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot be written"):
        perf_log.PerfLog(
            tmp_path / "file" / "x.csv", window.sessions, window.panels, window.notices, window
        )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_refused_at_once(window):
    with pytest.raises(LabError, match="cannot be written"):
        perf_log.PerfLog(FULL, window.sessions, window.panels, window.notices, window)


class NoRoomAtTheEnd(io.StringIO):
    """A file whose last line finds no room on the disk."""

    def close(self):
        super().close()
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_fills_up_holds_up_no_closing(window, tmp_path, monkeypatch):
    file = NoRoomAtTheEnd()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda *arguments, **options: file)
        log = perf_log.PerfLog(
            tmp_path / "perf.csv", window.sessions, window.panels, window.notices, window
        )
    log.close()
    assert file.closed


@pytest.mark.parametrize(
    ("given", "read"),
    [(["--perf-log"], ["--perf-log="]), (["--perf-log", "--preset", "digits"],
     ["--perf-log=", "--preset", "digits"]), (["--perf-log", "a.csv"], ["--perf-log", "a.csv"]),
     (["train", "--json"], ["train", "--json"])],
)  # fmt: skip
def test_the_file_may_be_left_out(given, read):
    assert _with_values(given) == read
