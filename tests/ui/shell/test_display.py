"""Without a display the program says so in one line, names what works, and never aborts in Qt."""

import os
import subprocess
import sys

import pytest

from lora_lab.errors import LabError
from lora_lab.ui.shell.display import require_display

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lacks one")


@linux
@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"DISPLAY": ":4711"}, "X server"),
        ({"QT_QPA_PLATFORM": "nonsense"}, "nonsense"),
    ],
)
def test_what_is_missing_is_named_with_the_headless_verbs(environ, says):
    with pytest.raises(LabError) as error:
        require_display(environ)
    # A machine may also lack a library of the platform plugin; then that is what is named.
    assert says in str(error.value) or "does not load" in str(error.value)
    assert "lora-lab train" in str(error.value)


def test_offscreen_is_a_display():
    require_display({"QT_QPA_PLATFORM": "offscreen"})


def test_other_systems_are_not_asked():
    require_display({}, "win32")
    require_display({}, "darwin")


@linux
def test_the_program_ends_with_one_line_and_status_1():
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    environ = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [sys.executable, "-m", "lora_lab"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "No display" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
