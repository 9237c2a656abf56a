"""What a library does with a stranger's file in this process: no connection, program or pickle.

The values that ask for one are refused by name where they are known. This is the wall behind them,
for the key that nobody knows yet: Python tells of each such act before it is done, and in a thread
that reads a stranger's file it is refused.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lora_lab.errors import CheckpointError

CONNECTS = "it asks for a connection{}, and nothing is fetched because a file says so"
STARTS = "it asks for another program{} to be started, which is not done"
LOADS = "it asks for a pickle to be loaded, which could run code of its author"
# Events of Python (sys.addaudithook) → what the file asks for.
REFUSED = {
    **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr",
                     "socket.connect", "socket.sendto", "socket.sendmsg"), CONNECTS),
    **dict.fromkeys(("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn",
                     "os.fork", "os.forkpty", "os.startfile"), STARTS),
    "pickle.find_class": LOADS,
}  # fmt: skip
OWN = "lora_lab.apart.client"  # starts the process in which files are read
IMPORTS = "importlib._bootstrap"  # a library may look around when it is first loaded


class Walled(CheckpointError):
    """What was asked for, without the name of the file, which the door gives."""


class _Here(threading.local):
    depth = 0
    tried = ""  # what was asked for since the outermost block began


_here = _Here()
_install = threading.Lock()
_installed: list[bool] = []


@contextmanager
def walled() -> Iterator[None]:
    """Raise Walled where this block tries to connect, start a program or load a pickle.

    Also where a library has caught the first of these errors on its way. Other threads go on.
    """
    with _install:
        if not _installed:  # it cannot be taken away again, and costs each event a little
            sys.addaudithook(_hear)
            _installed.append(True)
    if not _here.depth:
        _here.tried = ""
    _here.depth += 1
    try:
        yield
    except Exception as error:
        if _here.tried and _here.tried not in str(error):
            raise Walled(_here.tried) from error
        raise
    else:
        if _here.tried:
            raise Walled(_here.tried)
    finally:
        _here.depth -= 1


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in REFUSED and _here.depth and not _is_let(sys._getframe(1), event):
        asked = REFUSED[event]
        _here.tried = asked.format(f" ({_named(event, arguments)})" if "{" in asked else "")
        raise Walled(_here.tried)


def _is_let(frame: FrameType | None, event: str) -> bool:
    """Whether the lab itself starts its reader, or a library is being imported."""
    if REFUSED[event] is CONNECTS:
        return False
    while frame is not None:
        if frame.f_globals.get("__name__") in (OWN, IMPORTS):
            return True
        frame = frame.f_back
    return False


def _named(event: str, arguments: tuple[Any, ...]) -> str:
    """With whom, or which program, short and plain."""
    whom = next((a for a in arguments[:2] if isinstance(a, str | bytes | tuple | list)), event)
    return ascii(whom[0] if isinstance(whom, tuple | list) and whom else whom)[:60].strip("'")
