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

# Numbers of calls: what reaches other machines, programs and files. (asm/unistd_64.h; the ones of
# ARM64 are those of asm-generic/unistd.h, which has no `open`.)
X86 = {
    "arch": 0xC000003E, "open": 2, "openat": 257,
    "refused": (41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 76, 77, 82, 83, 84, 85, 86, 87, 88,
                90, 91, 92, 93, 94, 101, 132, 133, 165, 175, 188, 189, 190, 197, 198, 199, 235, 258,
                259, 260, 261, 263, 264, 265, 266, 268, 280, 288, 307, 310, 311, 313, 316, 321, 322,
                425, 437),
}  # fmt: skip
ARM = {
    "arch": 0xC00000B7, "open": -1, "openat": 56,
    "refused": (5, 6, 7, 14, 15, 16, 33, 34, 35, 36, 37, 38, 40, 45, 46, 52, 53, 54, 55, 88, 105,
                117, 129, 198, 199, 200, 201, 202, 203, 206, 211, 221, 242, 269, 270, 271, 273, 276,
                280, 281, 425, 437),
}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {"x86_64": X86, "aarch64": ARM}
WRITES = 0o3 | 0o100 | 0o1000 | 0o2000  # flags of open: to write, create, cut off, append
LOAD, EQUAL, AT_LEAST, ANY_BIT, ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1  # the latter with EPERM
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2  # of prctl


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
    """Have the kernel refuse calls by number, and every opening of a file to write."""
    if calls is None:
        return
    head = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, calls["arch"]), (ANSWER, 0, 0, REFUSE), (LOAD, 0, 0, 0)]
    tests = [(AT_LEAST, 0x40000000)]  # the numbers of another ABI
    tests += [(EQUAL, number) for number in calls["refused"]]
    opens = [
        (calls[name], flags) for name, flags in (("open", 1), ("openat", 2)) if calls[name] > 0
    ]
    # Behind the tests: a jump for each way to open, allowed; the flags of each; allowed, refused.
    tail = [(EQUAL, len(opens) - i + 2 * i, 0, number) for i, (number, _) in enumerate(opens)]
    tail.append((ANSWER, 0, 0, ALLOW))
    last = 2 * len(opens)
    for i, (_, flags) in enumerate(opens):
        left = last - 2 * i - 2
        tail += [(LOAD, 0, 0, 16 + 8 * flags), (ANY_BIT, left + 1, left, WRITES)]
    tail += [(ANSWER, 0, 0, ALLOW), (ANSWER, 0, 0, REFUSE)]
    refuse = len(tests) + len(tail) - 1
    body = [(code, refuse - i - 1, 0, number) for i, (code, number) in enumerate(tests)]
    program = b"".join(struct.pack("HBBI", *line) for line in [*head, *body, *tail])
    buffer = ctypes.create_string_buffer(program)
    listed = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    kernel = ctypes.CDLL(None, use_errno=True)
    if kernel.prctl(NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0:
        kernel.prctl(SECCOMP, FILTER, ctypes.c_char_p(listed), 0, 0)
