"""To the desktop's trash, by a process of its own: Qt's call keeps Python's lock until it is done.

Moving a large folder to another file system takes seconds, in which no thread of Python would get
its turn, the window's own among them.
"""

from __future__ import annotations

import os
import subprocess
import sys

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
