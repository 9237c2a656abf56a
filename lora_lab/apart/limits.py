"""What the child process may take: so much time and memory, no network, no program, no writing.

Linux has all of it, by rlimits and a filter of system calls (seccomp(2), on x86-64 and ARM64).
macOS has the rlimits, though that on memory has no effect. Windows has none: there the lab's
own clock ends the child.
"""

from __future__ import annotations

import ctypes
import platform
import signal
import struct
import sys
from contextlib import suppress
from typing import Any

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Numbers of calls: what reaches other machines, programs, processes and files, and what changes the
# machine, which root may. (asm/unistd_64.h; the ones of ARM64 are those of asm-generic/unistd.h,
# which has no `open`.) From 424 on they are the same everywhere.
NEWER = (424, 425, 428, 429, 430, 431, 432, 433, 437, 442, 452, 463, 466)
X86 = {
    "arch": 0xC000003E, "open": 2, "openat": 257, "clone": 56, "prlimit": 302,
    "refused": (41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 76, 77, 82, 83, 84, 85, 86, 87, 88,
                90, 91, 92, 93, 94, 101, 129, 132, 133, 155, 161, 163, 164, 165, 166, 167, 168, 169,
                170, 171, 175, 176, 188, 189, 190, 197, 198, 199, 200, 227, 234, 235, 246, 248, 249,
                250, 258, 259, 260, 261, 263, 264, 265, 266, 268, 272, 280, 288, 297, 298, 304, 307,
                308, 310, 311, 313, 316, 320, 321, 322, *NEWER),
}  # fmt: skip
ARM = {
    "arch": 0xC00000B7, "openat": 56, "clone": 220, "prlimit": 261,
    "refused": (5, 6, 7, 14, 15, 16, 33, 34, 35, 36, 37, 38, 39, 40, 41, 45, 46, 51, 52, 53, 54, 55,
                88, 89, 97, 104, 105, 106, 112, 117, 129, 130, 131, 138, 142, 161, 162, 170, 198,
                199, 200, 201, 202, 203, 206, 211, 217, 218, 219, 221, 224, 225, 240, 241, 242, 265,
                268, 269, 270, 271, 273, 276, 280, 281, 294, *NEWER),
}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {"x86_64": X86, "aarch64": ARM}
CLONE3 = 435  # says what it makes where no filter sees it; libraries then take `clone`
WRITES = 0o3 | 0o100 | 0o1000 | 0o2000  # flags of open: to write, create, cut off, append
THREAD = 0x10000  # flag of clone: no process of its own
LOAD, EQUAL, AT_LEAST, ANY_BIT, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERROR, PERMISSION, ABSENT = 0x7FFF0000, 0x00050000, 1, 38
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl
# Calls of which one argument decides: its place, a test, and the answers where it holds and not.
BY_ARGUMENT = {
    "open": (1, ANY_BIT, WRITES, "refuse", "allow"),
    "openat": (2, ANY_BIT, WRITES, "refuse", "allow"),
    "clone": (0, ANY_BIT, THREAD, "allow", "refuse"),
    "prlimit": (0, EQUAL, 0, "allow", "refuse"),  # of itself
}


def confine() -> None:
    """Give up, for good, what a reader of files does not need."""
    for name in ("SIGINT", "SIGHUP"):  # of the terminal: they are the lab's to act on
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if resource is not None:
        for kind in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            resource.setrlimit(kind, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error is enough
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            _filter(CALLS.get(platform.machine()))


def allow(seconds: float) -> None:
    """Let the process compute for so long from now on; then it is killed. 0: as long as it likes.

    Counted is its own processor time, so that a busy machine refuses no file.
    """
    if hasattr(signal, "ITIMER_PROF"):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # SIGPROF ends a process that has no handler


def hold(memory: int) -> None:
    """Let the process have so many bytes more than it has now; 0: as many as there are."""
    if resource is None:
        return
    most = resource.RLIM_INFINITY
    if memory and (now := _address_space()):
        most = now + memory
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _address_space() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _filter(calls: dict[str, Any] | None) -> None:
    """Have the kernel refuse calls by number, and some by what they are called with."""
    if calls is None:
        return
    decided = [name for name in BY_ARGUMENT if name in calls]
    # Each line: what it does, where it goes if so and if not ("": on), and its number.
    lines: list[tuple[int, str, str, int]] = [
        (LOAD, "", "", 4),
        (EQUAL, "", "refuse", calls["arch"]),
        (LOAD, "", "", 0),
        (AT_LEAST, "refuse", "", 0x40000000),  # the numbers of another ABI
        (EQUAL, "absent", "", CLONE3),
        *((EQUAL, "refuse", "", number) for number in calls["refused"]),
        *((EQUAL, name, "", calls[name]) for name in decided),
        (ANSWER, "", "", ALLOW),
    ]
    places = {}
    for name in decided:
        argument, test, number, yes, no = BY_ARGUMENT[name]
        places[name] = len(lines)
        lines += [(LOAD, "", "", 16 + 8 * argument), (test, yes, no, number)]
    answers = {"allow": ALLOW, "refuse": ERROR | PERMISSION, "absent": ERROR | ABSENT}
    for name, answer in answers.items():
        places[name] = len(lines)
        lines.append((ANSWER, "", "", answer))

    def ahead(label: str, at: int) -> int:
        return places[label] - at - 1 if label else 0

    program = b"".join(
        struct.pack("HBBI", code, ahead(yes, at), ahead(no, at), number)
        for at, (code, yes, no, number) in enumerate(lines)
    )
    buffer = ctypes.create_string_buffer(program)
    listed = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0:
        kernel.prctl(SECCOMP, FILTER, ctypes.c_char_p(listed), 0, 0)
