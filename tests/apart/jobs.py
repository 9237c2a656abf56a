"""Jobs of the child process that go wrong, as a stranger's file may make them do."""

import ctypes
import errno
import gc
import io
import os
import platform
import re
import socket
import subprocess
import threading

from lora_lab.apart.frames import send
from lora_lab.errors import DataError


def echo(data, parts):
    for number in range(parts):
        yield {"number": number, "pid": os.getpid()}, bytes(data)


def refuse(data):
    yield {}, b"first"
    raise DataError("it is wrong")


def flood(data):
    """Answers without being asked, past the worker: by its own pipe."""
    (answers,) = [
        o for o in gc.get_objects() if isinstance(o, io.BufferedWriter) and o.fileno() > 2
    ]
    for _ in range(100):
        send(answers, {"part": {}}, bytes(2**24))
    yield {}, b""


def book(data):
    yield {}, b""
    raise DataError("x" * 10**6)


def panic(data):
    raise BaseException("as a panic of Rust")
    yield


def segfault(data):
    yield {}, ctypes.string_at(0)


def loop(data):
    while True:
        pass
    yield


def loop_in_c(data):
    re.match("(a+)+$", "a" * 60 + "b")
    yield {}, b""


def wait(data):
    threading.Event().wait()
    yield {}, b""


def fill(data, size):
    kept = [bytearray(2**20) for _ in range(size)]
    yield {"kept": len(kept)}, b""


def answer(data, size):
    yield {}, bytes(size)


def tried(data, path):
    """What the process may not do, each by name, with whether it could."""
    doings = {
        "write": lambda: os.open(path, os.O_WRONLY | os.O_CREAT),
        "append": lambda: os.open(path + ".old", os.O_APPEND | os.O_WRONLY),
        "remove": lambda: os.unlink(path + ".old"),
        "rename": lambda: os.rename(path + ".old", path),
        "folder": lambda: os.mkdir(path),
        "link": lambda: os.symlink("/", path),
        "connect": lambda: socket.socket().connect(("127.0.0.1", 9)),
        "run": lambda: subprocess.run(["true"], check=True),
        "signal": lambda: os.kill(os.getppid(), 0),
        "signal a thread": lambda: _call(234, os.getppid(), os.getppid(), 0),
        "fork": _fork,
        "fork by clone3": lambda: _call(435, (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17), 88),
        "limit another": _limit,
        "open by a handle": lambda: _call(304, -1, b"\0" * 16, 2, refused=errno.EPERM),
    }
    could = {}
    for name, doing in doings.items():
        try:
            doing()
        except OSError:
            could[name] = False
        else:
            could[name] = True
    yield {"could": could, "environment": sorted(os.environ)}, b""


def threads(data, count):
    """Threads it may have: decoders and Python itself start them."""
    found = []
    made = [threading.Thread(target=found.append, args=(n,)) for n in range(count)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    yield {"found": sorted(found)}, b""


def _limit():
    import resource

    resource.prlimit(os.getppid(), resource.RLIMIT_CORE)


def _fork():
    if os.fork() == 0:
        os._exit(0)


def _call(number, *arguments, refused=None):
    """A call of the system on x86-64 by its number; in a process that it made, the end."""
    kernel = ctypes.CDLL(None, use_errno=True)
    if platform.machine() != "x86_64":
        raise OSError
    answer = kernel.syscall(number, *arguments)
    if answer == 0 and number == 435:
        os._exit(0)
    if answer < 0 and ctypes.get_errno() in (refused or ctypes.get_errno(), errno.EPERM):
        raise OSError(ctypes.get_errno(), number)


def told_pid(data, path):
    yield {"pid": os.getpid()}, b""
    while True:
        pass
