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
