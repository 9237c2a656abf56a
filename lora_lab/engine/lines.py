"""Lines over a connection of this machine: their length is bounded, and who sends them is known."""

from __future__ import annotations

import os
import socket
import struct
import sys

from lora_lab.engine.wire import Strange

PIECE = 2**16  # bytes that are read at a time
HANDS_OVER = hasattr(socket, "AF_UNIX")  # Windows' Python has none


class Lines:
    """Bytes as they come, and the whole lines in them."""

    def __init__(self, most: int) -> None:
        """`most` bytes may a line have."""
        self.most = most
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, data: bytes) -> list[bytes]:
        """The lines that are whole now; raises Strange for one that is too long."""
        *whole, rest = data.split(b"\n")
        lines = []
        for line in whole:
            self._check(len(line))
            lines.append(b"".join([*self._parts, line]))
            self._parts, self._size = [], 0
        self._check(len(rest))
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        return lines

    def _check(self, more: int) -> None:
        if self._size + more > self.most:
            raise Strange(f"What came is no message: it is longer than {self.most:,} bytes.")


def user_of(peer: socket.socket) -> int:
    """The user id of the process at the other end, as the system knows it; -1 where it does not."""
    if sys.platform.startswith("linux"):
        size = struct.calcsize("3i")
        answer = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        return struct.unpack("3i", answer)[1]
    if sys.platform == "darwin":  # LOCAL_PEERCRED of struct xucred: version, user, …
        return struct.unpack("2I", peer.getsockopt(0, 1, 76)[:8])[1]
    return -1


def is_own_user(peer: socket.socket) -> bool:
    """Whether the process at the other end is this user's."""
    return user_of(peer) in (os.getuid(), -1)
