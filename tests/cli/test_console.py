"""What a terminal gets: no name steers it, and no run ends because it is full, closed or gone."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from rich.table import Table
from typer.testing import CliRunner

from lora_lab.cli import app, console
from lora_lab.cli.console import LONGEST, err, out, print_json, print_table
from lora_lab.errors import LabError
from lora_lab.names import legible
from tests.runs.sample_run import write_sample
from tests.waiting import wait_until

EVIL = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b1m\r\b\x00\u202eevil\u2066\u200f\u2028"
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
FULL = "/dev/full"


def test_no_text_steers_a_terminal(capsys):
    table = Table("a", EVIL)
    table.add_row(EVIL, "b")
    for say in (out.print, err.print, lambda text: print_table(table), print_json):
        say(EVIL)
    said = capsys.readouterr()
    assert not STEERS.search(said.out.replace("\n", "") + said.err.replace("\n", ""))
    assert "red" in said.out
    assert "evil" in said.err


@pytest.mark.parametrize("say", [out.print, err.print, lambda text: err.print(LabError(text))])
def test_a_text_of_a_million_lines_loses_its_middle(say, capsys):
    """Each line end costs the layout a kilobyte: 1 GB in all."""
    began = time.process_time()
    say("first" + "\n" * 1_000_000 + "last")
    assert time.process_time() - began < 1.5
    said = "".join(capsys.readouterr())
    assert said.startswith("first")
    assert said.endswith("last\n")
    assert len(said) <= LONGEST + 1


@pytest.mark.parametrize("place", ["home", "/proc/none"])
def test_a_fault_of_the_lab_is_one_line_and_where_it_lies_is_kept(tmp_path, monkeypatch, place):
    home = tmp_path / place
    monkeypatch.setenv("LORA_LAB_HOME", str(home))
    monkeypatch.setattr("lora_lab.runs.listing.list_runs", lambda parent: {}["no such"])
    done = CliRunner().invoke(app, ["runs"])
    assert done.exit_code == 1
    assert done.stderr.startswith("lora-lab: this is a fault of LoRA Lab: KeyError: 'no such'.")
    details = done.stderr if place == "/proc/none" else (home / "fault.txt").read_text()
    assert place == "/proc/none" or (home / "fault.txt").stat().st_mode & 0o077 == 0
    assert "Traceback" in details
    assert ("Traceback" in done.stderr) == (place == "/proc/none")


def test_brackets_of_a_name_are_shown_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    write_sample(tmp_path / "runs", "of[rank]4 [x]")
    assert "of[rank]4 [x]" in CliRunner().invoke(app, ["runs"]).output


@pytest.mark.parametrize("text", ["σ(ΔW) → 1", "多い", "a\tb\nc", "👩‍🔬", "naïve", "שלום"])
def test_what_people_write_stays(text):
    assert legible(text) == text


def test_a_runs_names_are_shown_and_not_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    run = write_sample(tmp_path / "runs", "a\x1b[2J\u202e")
    (run / "label.json").write_text(json.dumps({"name": EVIL, "note": EVIL}))
    for name in ("state.json", "config.json"):
        about = json.loads((run / name).read_text())
        about.setdefault("config", {})["preset"] = EVIL
        (run / name).write_text(json.dumps({**about, "state": EVIL, "started": EVIL}))
    arguments = (["runs"], ["runs", str(run.parent)], ["report", str(run)], ["label", str(run)],
                 ["resume", str(run)], ["recipe", str(run)], ["pack", str(run)],
                 ["inspect", str(run)])  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for verb in arguments:
        done = CliRunner().invoke(app, verb)
        assert not STEERS.search(done.output.replace("\n", "")), verb
        assert "Traceback" not in done.output


class Full(io.StringIO):
    """A stream on a disk that is full."""

    def write(self, text):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def test_words_for_people_end_nothing_and_a_lost_result_is_said(monkeypatch, closed):
    for stream in (Full(), closed):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stderr", stream)
            patched.setattr(sys, "stdout", stream)
            err.print("one")
            err.print(Table("a"))
            for say in (out.print, print_json, console.print_text):
                with pytest.raises(LabError, match="stdout cannot be written"):
                    say("x")


def started(*arguments, **streams):
    command = [sys.executable, "-m", "lora_lab", *arguments]
    return subprocess.Popen(command, env=dict(os.environ), text=True, **streams)


TRAIN = ("train", "--preset", "known-rank", "--steps")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(FULL), reason="no device that is always full")
def test_a_full_log_ends_no_training(tmp_path):
    with open(FULL, "w") as log:
        done = started(
            *TRAIN, "300", "--out", str(tmp_path / "a"), stdout=subprocess.PIPE, stderr=log
        )
        said, _ = done.communicate(timeout=100)
    assert done.returncode == 0
    assert "after 300 steps" in said
    assert json.loads((tmp_path / "a" / "state.json").read_text())["state"] == "finished"


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(FULL), reason="no device that is always full")
def test_a_lost_result_is_one_line_and_the_run_is_whole(tmp_path):
    with open(FULL, "w") as gone:
        done = started(*TRAIN, "50", "--json", "--out", str(tmp_path / "a"), stdout=gone,
                       stderr=subprocess.PIPE)  # fmt: skip
        _, said = done.communicate(timeout=100)
    assert done.returncode == 1
    assert "stdout cannot be written: the disk is full" in said
    assert "Traceback" not in said
    assert json.loads((tmp_path / "a" / "state.json").read_text())["state"] == "finished"


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists(FULL), reason="no device that is always full")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_code_is_the_signals_whatever_stdout_does(tmp_path, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("started to outlive its terminal (nohup), and what it starts is as well")
    with open(FULL, "w") as gone:
        done = started(*TRAIN, "1000000", "--out", str(tmp_path / "a"), stdout=gone, stderr=gone)
        wait_until((tmp_path / "a" / "checkpoints").is_dir, 100)
        done.send_signal(number)
        done.communicate(timeout=100)
    assert done.returncode == 128 + number
    assert json.loads((tmp_path / "a" / "state.json").read_text())["state"] == "stopped"


@pytest.mark.skipif(not os.path.exists(FULL), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("runs", "--help")])
def test_what_the_libraries_print_is_lost_in_one_line(arguments):
    with open(FULL, "w") as gone:
        done = started(*arguments, stdout=gone, stderr=subprocess.PIPE)
        _, said = done.communicate(timeout=100)
    assert done.returncode == 1
    assert said.splitlines() == ["lora-lab: the disk is full"]


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="closed by a shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_leads_nowhere_and_ends_nothing(tmp_path, closed):
    """Else the first file of the run would have its number, and what a library prints in it."""
    run = tmp_path / "a"
    train = [sys.executable, "-m", "lora_lab", *TRAIN, "20", "--out", str(run)]
    code = f'"$@" {closed}; echo "code $?"'
    done = subprocess.run(
        ["sh", "-c", code, "sh", *train], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.endswith("code 0\n"), done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads((run / "state.json").read_text())["state"] == "finished"
    rows = (run / "metrics.jsonl").read_text().splitlines()
    assert all(isinstance(json.loads(row), dict) for row in rows)


@pytest.mark.parametrize(
    "words", [["resume", "a" * 300], ["inspect", "a" * 300], ["recipe", "a" * 300]]
)
def test_a_name_that_is_too_long_is_no_fault_of_the_lab(tmp_path, monkeypatch, words):
    monkeypatch.setenv("LORA_LAB_HOME", str(tmp_path))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "ile name too long" in done.stderr
    assert "fault of" not in done.stderr
