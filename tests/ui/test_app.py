"""The program as a process: painted, loaded, and ended by a signal like by the close button."""

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from PySide6.QtCore import QTimer
import lora_lab.ui.shell.main_window as main_window
from lora_lab.opening_records import LoadedRecord
from lora_lab.ui.app import run

made = main_window.MainWindow.__init__

def watched(self, *arguments):
    made(self, *arguments)
    self.painted.connect(lambda: print("painted", "torch" in sys.modules, flush=True))
    self.sessions.state_changed.connect(lambda: print(self.state.value, flush=True))
    self.sessions.all_ended.connect(lambda: print("ended", flush=True))
    self.sessions.on(LoadedRecord, lambda _: QTimer.singleShot(300, self.sessions.toggle))

main_window.MainWindow.__init__ = watched
sys.exit(run(preset="digits"))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_and_ends_in_good_order(number, home):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("started to outlive its terminal (nohup), and what it starts is as well")
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=dict(os.environ, QT_QPA_PLATFORM="offscreen"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == "running":
            process.send_signal(number)
            break
    rest, errors = process.communicate(timeout=60)
    said += rest.split()
    assert process.returncode == 0, errors
    assert said[0] == "painted False"  # nothing of torch before the first paint
    assert said[-1] == "ended"
    assert "Traceback" not in errors
    assert list((home / "runs").glob("*/adapter/*")), "the adapter was not saved"


STUCK = """
import re, sys, threading
from PySide6.QtCore import QTimer
import lora_lab.training.run as run_module
from lora_lab.ui.app import run
from lora_lab.ui.session import bridge, sessions
from lora_lab.ui.shell import main_window

entered = threading.Event()

def in_one_call(*arguments, **settings):
    entered.set()
    threading.Event().wait()  # as a call of C is: no exception of Python comes in between
    yield

run_module.run = in_one_call
bridge.PATIENCE = sessions.PATIENCE = 0.2
made = main_window.MainWindow.__init__

def watched(self, *arguments):
    made(self, *arguments)
    timer = QTimer(self)
    timer.timeout.connect(lambda: entered.is_set() and (timer.stop(), self.{how}()))
    self.sessions.opening_failed.connect(lambda: (print("given up", flush=True), self.close()))
    timer.start(50)

main_window.MainWindow.__init__ = watched
status = run(preset="digits")
"""


@pytest.mark.parametrize("how", ["close", "sessions.cancel_opening"])
def test_the_window_closes_whatever_an_opening_does(how, home):
    done = subprocess.run(
        [sys.executable, "-c", STUCK.replace("{how}", how)],
        env=dict(os.environ, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "given up"), done.stderr
