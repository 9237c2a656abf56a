"""A notification of the desktop, for the end of a run that nobody watches."""

from __future__ import annotations

import shutil
import subprocess
import sys

LONG = 60.0  # seconds of a run whose end is worth one
PATIENCE = 5.0  # seconds that a desktop may take


def notify(title: str, text: str) -> bool:
    """Show one by the desktop's own means; whether there is such a thing here."""
    for command in _commands(title, text):
        if shutil.which(command[0]) is None:
            continue
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return True
    return False


def _commands(title: str, text: str) -> list[list[str]]:
    """What shows it, as arguments and never as a line for a shell."""
    if sys.platform == "darwin":
        script = "on run {t, s}\ndisplay notification s with title t\nend run"
        return [["osascript", "-e", script, title, text]]
    if sys.platform == "win32":  # the window's own tray shows it there
        return []
    place = ["org.freedesktop.Notifications", "--object-path", "/org/freedesktop/Notifications"]
    call = ["gdbus", "call", "--session", "--dest", *place, "--method",
            "org.freedesktop.Notifications.Notify"]  # fmt: skip
    quoted = [_quoted(word) for word in ("LoRA Lab", title, text)]
    arguments = [quoted[0], "0", "'lora-lab'", *quoted[1:], "[]", "{}", "-1"]
    return [["notify-send", "--app-name=LoRA Lab", "--", title, text], [*call, *arguments]]


def _quoted(text: str) -> str:
    """A text as GLib writes one."""
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", " ")
    return f"'{plain}'"
