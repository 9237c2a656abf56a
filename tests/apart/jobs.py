"""Jobs of the child process that go wrong, as a stranger's file may make them do."""

import ctypes
import os
import re
import socket
import subprocess
import threading

from lora_lab.errors import DataError


def echo(data, parts):
    for number in range(parts):
        yield {"number": number, "pid": os.getpid()}, bytes(data)


def refuse(data):
    yield {}, b"first"
    raise DataError("it is wrong")


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


def told_pid(data, path):
    yield {"pid": os.getpid()}, b""
    while True:
        pass
