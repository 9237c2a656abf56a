"""To the desktop's trash, by a process of its own: Qt's call keeps Python's lock until it is done.

Moving a large folder to another file system takes seconds, in which no thread of Python would get
its turn, the window's own among them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from lora_lab.errors import LabError
from lora_lab.progress import Report
from lora_lab.runs.listing import RunSummary
from lora_lab.runs.lock import is_live

translate = QCoreApplication.translate

MOVE = """
import sys
from PySide6.QtCore import QFile
moved = QFile.moveToTrash(sys.argv[1])
sys.exit(not (moved if isinstance(moved, bool) else moved[0]))
"""


def move_to_trash(path: str) -> bool:
    """Whether the file or folder lies in the trash now; waits until that is known."""
    safe = {**os.environ, "PYTHONSAFEPATH": "1"}  # nothing is imported from where we stand
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # on Windows a console would flash up
    asked = [sys.executable, "-c", MOVE, path]
    done = subprocess.run(asked, stdin=subprocess.DEVNULL, env=safe, creationflags=flags)
    return done.returncode == 0


def discard(runs: Sequence[RunSummary], report: Report) -> None:
    """Move the folders of these runs to the trash; raises LabError at the first that stays."""
    for number, run in enumerate(runs):
        name = run.label or run.name
        report(translate("trash", "Moving {} to the trash").format(name), number / len(runs))
        if is_live(Path(run.path)):  # since the list was read, or the notice of the start was shown
            raise LabError(
                translate(
                    "trash", "{} is open, here or in another window. Close it there first."
                ).format(name)
            )
        if not move_to_trash(run.path):
            raise LabError(
                translate("trash", "{} could not be moved to the trash.").format(run.path)
            )
