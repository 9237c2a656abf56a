"""What a library does with a stranger's file in this process: no connection, program or pickle.

The values that ask for one are refused by name where they are known. This is the wall behind them,
for the key that nobody knows yet: Python tells of each such act before it is done, and in a thread
that reads a stranger's file it is refused. A library that does without the program it looked for is
let be, since none was started; one that caught the refusal of a connection or pickle is not.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lora_lab.errors import CheckpointError

CONNECTS = "it asks for a connection{}, which is not made"
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
LOCAL = getattr(socket, "AF_UNIX", None)  # a file of this machine: no connection
MOST_BEHIND = 100  # errors, each raised because of the next; they may go in a circle
OWN = "lora_lab.apart.client"  # starts the process in which files are read
IMPORTS = "importlib._bootstrap"  # a library may look around when it is first loaded


class Walled(CheckpointError):
    """What was asked for, in which file, and what to do: the last two where walled() knows them."""


class _Named(Walled):
    """One that says in which file, also to the blocks around it."""


class _NotStarted(Walled, OSError):
    """For a program: who looks for one survives that there is none, which is an OSError."""


class _Here(threading.local):
    depth = 0
    let = 0  # frames below the outermost block in which it would be let
    tried = ""  # which connection or pickle was asked for since the outermost block began


_here = _Here()
_install = threading.Lock()
_installed: list[bool] = []


@contextmanager
def walled(name: str = "") -> Iterator[None]:
    """Raise Walled where this block tries to connect, start a program or load a pickle.

    It says so of the file or folder `name`, whatever was made of the refusal within the block.
    Also where a library has caught the error of a connection or pickle on its way, or made another
    one of it. Other threads go on.
    """
    with _install:
        if not _installed:  # it cannot be taken away again, and costs each event a little
            sys.addaudithook(_hear)
            _installed.append(True)
    if not _here.depth:
        _here.tried, _here.let = "", _letting(sys._getframe())
    _here.depth += 1
    try:
        yield
    except _Named:
        raise
    except Exception as error:
        if tried := _here.tried or _behind(error):
            raise _refusal(tried, name) from error
        raise
    else:
        if _here.tried:
            raise _refusal(_here.tried, name)
    finally:
        _here.depth -= 1


def _refusal(tried: str, name: str) -> Walled:
    return _Named(f"{name}: {tried}. Choose another model.") if name else Walled(tried)


def _hear(
    event: str, arguments: tuple[Any, ...], refused: dict[str, str] = REFUSED, here: _Here = _here
) -> None:
    """Also while Python ends, when a module's names are gone already, but not the defaults."""
    if event not in refused or not here.depth or _is_let(sys._getframe(1), event):
        return
    asked = REFUSED[event]
    if asked is CONNECTS and LOCAL is not None and getattr(arguments[0], "family", None) == LOCAL:
        return
    tried = asked.format(f" ({_named(event, arguments)})" if "{" in asked else "")
    if asked is STARTS:
        raise _NotStarted(tried)
    _here.tried = tried
    raise Walled(tried)


def _behind(error: BaseException) -> str:
    """The program that was asked for, where a library raised `error` because it got none."""
    inner: BaseException | None = error
    for _ in range(MOST_BEHIND):
        if inner is None or isinstance(inner, _NotStarted):
            return str(inner or "")
        inner = inner.__cause__ or inner.__context__
    return ""


def _is_let(frame: FrameType | None, event: str) -> bool:
    """Whether the lab itself starts its reader, or a library is being imported."""
    return REFUSED[event] is not CONNECTS and _letting(frame) > _here.let


def _letting(frame: FrameType | None) -> int:
    """How many frames of the lab's client or of an import there are: the block's own program may
    be imported itself."""
    count = 0
    while frame is not None:
        count += frame.f_globals.get("__name__") in (OWN, IMPORTS)
        frame = frame.f_back
    return count


def _named(event: str, arguments: tuple[Any, ...]) -> str:
    """With whom, or which program, short and plain."""
    whom = next((a for a in arguments[:2] if isinstance(a, str | bytes | tuple | list)), event)
    return ascii(whom[0] if isinstance(whom, tuple | list) and whom else whom)[:60].strip("'")
