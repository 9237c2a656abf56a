"""No verb and no window asks a network for anything: every connection is watched in a child."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lora_lab.cli import app
from tests.models.tiny import save

# Calls of sockets that leave the machine, or ask who somebody is, are written down and refused.
WATCH = """
import sys
asked = []
def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        asked.append([event, repr(arguments[0])])
        raise OSError("no network here")
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[-1] if isinstance(arguments[-1], tuple) else None
        if address is not None:  # of a socket in the file system it is a path
            asked.append([event, repr(address)])
            raise OSError("no network here")
sys.addaudithook(watch)
"""
VERBS = """
import json, os
from lora_lab.cli import app
answers = {}
def ask(name, arguments):
    del asked[:]
    try:
        app(arguments)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    answers.setdefault(name, []).append([arguments, code, list(asked)])
for arguments in json.loads(sys.argv[1]):
    ask(arguments[0], arguments)
import socket
del asked[:]
try:
    socket.create_connection(("localhost", 9), timeout=1)
except OSError:
    pass
answers["a real connection"] = [[[], 0, list(asked)]]
with open(sys.argv[2], "w") as file:
    json.dump(answers, file)
"""
WINDOW = """
import os, signal
from PySide6.QtCore import QTimer
import lora_lab.ui.shell.main_window as main_window
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import StepRecord
from lora_lab.ui.app import run

made = main_window.MainWindow.__init__
trained = []

def leave():
    os.kill(os.getpid(), signal.SIGTERM)

def step(record):
    if not trained:
        QTimer.singleShot(5000, leave)
    trained.append(record)

def watched(self, *arguments):
    made(self, *arguments)
    self.sessions.on(LoadedRecord, lambda _: QTimer.singleShot(300, self.sessions.toggle))
    self.sessions.on(StepRecord, step)

main_window.MainWindow.__init__ = watched
code = run(preset="digits")
print("asked", asked, "trained", bool(trained), flush=True)
sys.exit(code)
"""


def lines(folder: Path) -> list[list[str]]:
    """One call of every verb, in an order in which each has what it needs."""
    model, other, data = folder / "model", folder / "other", folder / "rows.jsonl"
    save(model, "llama", chat=True)
    save(other, "llama", chat=True, seed=1)
    row = {"messages": [{"role": "user", "content": "hello"},
                        {"role": "assistant", "content": "the cat sat"}]}  # fmt: skip
    data.write_text(f"{json.dumps(row)}\n" * 12)
    run, mlx = folder / "run", folder / "mlx"
    small = ("--steps", "2", "--rank", "2", "--alpha", "4")
    calls = [
        ("devices",),
        ("train", "--preset", "digits", *small, "--out", folder / "digits"),
        ("train", "--task", "causal-lm", "--model", model, "--data", data, *small, "--out", run),
        ("resume", run, "--steps", "3"),
        ("runs", folder),
        ("label", run, "--name", "mine"),
        ("pack", run, "--out", folder / "run.zip"),
        ("unpack", folder / "run.zip", "--to", folder / "unpacked"),
        ("recipe", run),
        ("report", run, "--out", folder / "run.html"),
        ("tensorboard", run, "--out", folder / "events"),
        ("inspect", model),
        ("inspect", run / "adapter", "--base", model),
        ("export", run, "--format", "mlx", "--base", model, "--out", mlx),
        ("convert", run / "adapter", "--to", "merged", "--base", model, "--out", folder / "whole"),
        ("resize", run / "adapter", "--rank", "1", "--out", folder / "cut"),
        (
            "extract",
            "--base",
            model,
            "--tuned",
            other,
            "--rank",
            "2",
            "--out",
            folder / "extracted",
        ),
        ("merge", run / "adapter", folder / "extracted", "--out", folder / "sum"),
        ("compare", run / "adapter", folder / "extracted"),
        ("sweep", "--preset", "known-rank", "--rank", "1", "--steps", "2"),
        ("dimension", "--preset", "digits", "--steps", "2", "--seeds", "1", "--dimensions", "10"),
        ("race", "--preset", "digits", "--steps", "2", "--ranks", "1,2"),
        ("numbers", "--preset", "digits", "--steps", "2", "--seeds", "1", "--methods", "lora"),
        ("similarity", "--preset", "digits", "--steps", "2", "--ranks", "1,2", "--seeds", "1"),
        ("claims",),
        ("queue",),
        ("attach", run),  # which trains nowhere: both say so
        ("stop", run),
        ("desktop",),
    ]
    return [[str(part) for part in call] for call in calls]


def outside(folder: Path) -> dict[str, str]:
    """An environment as a person has it: none of the switches that the tests set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    own = {name: str(folder / name) for name in ("LORA_LAB_HOME", "XDG_DATA_HOME", "HF_HOME")}
    return {**kept, **own, "QT_QPA_PLATFORM": "offscreen"}


def test_every_verb_of_the_command_line_is_watched(tmp_path):
    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert not app.registered_groups, "verbs below a verb"
    assert {call[0] for call in lines(tmp_path)} == known


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_verb_asks_a_network(tmp_path):
    calls, told = lines(tmp_path), tmp_path / "told.json"
    done = subprocess.run(
        [sys.executable, "-c", WATCH + VERBS, json.dumps(calls), str(told)],
        env=outside(tmp_path), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answers = json.loads(told.read_text())
    assert answers.pop("a real connection")[0][2], "the watch sees nothing"
    for call, code, asked in (entry for entries in answers.values() for entry in entries):
        assert not asked, f"{call} asked {asked}"
        refused = call[0] in ("attach", "stop") or (sys.platform != "linux" and call == ["desktop"])
        assert code == (1 if refused else 0), f"{call}: {done.stderr[-2000:]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_window_that_trains_asks_no_network(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WATCH + WINDOW],
        env=outside(tmp_path), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "asked [] trained True" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("strace") is None, reason="watches calls of the system")
def test_no_library_of_a_verb_asks_a_network_behind_python(tmp_path):
    calls, trace = lines(tmp_path), tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(trace),
         sys.executable, "-c", WATCH + VERBS, json.dumps(calls), str(tmp_path / "told.json")],
        env=outside(tmp_path), capture_output=True, text=True, timeout=550, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
    assert not found, found[:5]
