"""The door of an engine: who may come in, what came from whom, and what goes out to all.

One thread turns it. A stranger is shown out with a reason and never waited for, and one who does
not read what he is sent is let go when too much of it waits: he can come again.
"""

from __future__ import annotations

import hmac
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from lora_lab.engine.lines import PIECE, Lines, is_own_user
from lora_lab.engine.places import Place
from lora_lab.engine.wire import Strange, dumped, parsed
from lora_lab.errors import LabError, system_reason
from lora_lab.names import shown

SCHEMA = 1  # of the messages; another one is refused
GREETING = 4096  # bytes of the first message at most
MESSAGE = 2**22  # bytes of each after it
PATIENCE = 5.0  # seconds in which a greeting must come
QUEUE = 128  # connections that the system holds until they are let in
STRANGERS = 16  # connections without a greeting at a time
WAITING = 2**26  # bytes that may wait for one who does not read


class Peer:
    """One who has come in, or stands at the door."""

    def __init__(self, connection: socket.socket, now: float) -> None:
        self.connection, self.since = connection, now
        self.lines = Lines(GREETING)
        self.out = bytearray()
        self.greeted = self.gone = False
        self.edits = self.waits_to_edit = False  # one may change the run; the others watch
        self.number = 0  # of the newest that was asked for
        self.commands: dict[int, Any] = {}  # by the numbers that he gave them


class Door:
    """Listens in a place; `greet` and `hear` are called for who comes and for what is said."""

    def __init__(
        self,
        place: Place,
        greet: Callable[[Peer, dict[str, Any]], None],
        hear: Callable[[Peer, dict[str, Any]], None],
        say: Callable[[str], None],
    ) -> None:
        """`greet` and `hear` may raise LabError, and the peer is shown out with its words; `say`
        receives what is worth a line in the log. Raises LabError where no door can be made."""
        self._key, self._greet, self._hear, self._say = place.key(), greet, hear, say
        self._peers: list[Peer] = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(place.closed_door))
            self._listener.listen(QUEUE)
            place.closed_door.rename(place.door)  # whoever finds it is not refused
        except OSError as error:
            self._listener.close()
            raise LabError(f"{place.door} cannot be opened: {system_reason(error)}.") from error
        self._listener.setblocking(False)
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._woken, selectors.EVENT_READ, self)

    @property
    def peers(self) -> list[Peer]:
        """Those who have come in, the longest here first."""
        return [peer for peer in self._peers if peer.greeted and not peer.gone]

    def wake(self) -> None:
        """End the present turn soon; from any thread."""
        with suppress(OSError):  # a full pipe wakes as well
            self._wake.send(b"!")

    def turn(self, seconds: float) -> None:
        """Serve whoever has something to say or can be told more, for so long at most."""
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                self._accept()
            elif key.data is self:
                with suppress(OSError):
                    self._woken.recv(PIECE)
            else:
                self._serve(key.data)
        now = time.monotonic()
        for peer in list(self._peers):
            if not peer.greeted and now - peer.since > PATIENCE:
                self.refuse(peer, "Nothing was said at the engine's door for five seconds.")

    def send(self, peer: Peer, message: dict[str, Any] | bytes) -> None:
        """Say something to one; what he cannot take now waits."""
        if peer.gone:
            return
        waited = len(peer.out)  # not this message, which may be large by itself
        peer.out += message if isinstance(message, bytes) else dumped(message)
        self._flush(peer)
        if waited > WAITING and len(peer.out) > WAITING:
            self._say("one who did not read what he was sent was let go")
            self._drop(peer)

    def refuse(self, peer: Peer, reason: str) -> None:
        """Show one out, with the reason."""
        self._say(f"refused: {reason}")
        self.send(peer, {"refused": reason})
        self._drop(peer)

    def flush(self, seconds: float) -> None:
        """Wait until everybody has what he was sent, for so long at most."""
        until = time.monotonic() + seconds
        while any(peer.out for peer in self._peers) and time.monotonic() < until:
            self.turn(0.02)

    def close(self) -> None:
        """Let everybody go."""
        for peer in list(self._peers):
            self._drop(peer)
        for end in (self._listener, self._woken, self._wake):
            end.close()
        self._selector.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        peer = Peer(connection, time.monotonic())
        self._peers.append(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)
        try:
            own = is_own_user(connection)
        except OSError:
            own = False
        if not own:
            self.refuse(peer, "This engine is another user's.")
            return
        strangers = [other for other in self._peers if not other.greeted]
        if len(strangers) > STRANGERS:  # who means it has said hello by now
            self.refuse(strangers[0], "Too many stand at the engine's door.")

    def _serve(self, peer: Peer) -> None:
        try:
            for line in self._received(peer):
                if peer.greeted:
                    self._hear(peer, parsed(line))
                else:
                    self._welcome(peer, parsed(line))
        except LabError as error:
            self.refuse(peer, str(error))
        except (TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            # Whoever speaks so is of no version of this lab; the run is the others' as well.
            self.refuse(peer, f"What came cannot be followed ({type(error).__name__}).")
        self._flush(peer)

    def _received(self, peer: Peer) -> Iterator[bytes]:
        try:
            data = peer.connection.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        for line in peer.lines.take(data):
            if peer.gone:
                return
            yield line

    def _welcome(self, peer: Peer, message: dict[str, Any]) -> None:
        """Let one in who knows the key and speaks as this engine does; raises LabError."""
        hello = message.get("hello")
        if not isinstance(hello, dict):
            raise Strange("Who comes to the engine's door says hello first.")
        key = hello.get("key")
        said = key.encode("utf-8", "replace") if isinstance(key, str) else b""
        if not hmac.compare_digest(said, self._key.encode()):
            raise Strange("The key of this engine is another one.")
        if hello.get("schema") != SCHEMA:
            raise Strange(
                f"This engine speaks version {SCHEMA}, and was asked in version "
                f"{shown(hello.get('schema'))}. Use the lab that started it, or let it end "
                "(lora-lab stop) and resume the run with this one."
            )
        peer.lines.most, peer.greeted = MESSAGE, True
        self._greet(peer, hello)

    def _flush(self, peer: Peer) -> None:
        if peer.gone:
            return
        try:
            while peer.out:
                del peer.out[: peer.connection.send(peer.out[: 16 * PIECE])]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(peer)
            return
        waits = selectors.EVENT_WRITE if peer.out else 0
        self._selector.modify(peer.connection, selectors.EVENT_READ | waits, peer)

    def _drop(self, peer: Peer) -> None:
        if not peer.gone:
            peer.gone = True
            self._peers.remove(peer)
            self._selector.unregister(peer.connection)
            peer.connection.close()
