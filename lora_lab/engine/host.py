"""What an engine does for those who come: one session, told to all, and changed by one of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import lora_lab
from lora_lab.engine.backlog import Standing
from lora_lab.engine.door import SCHEMA, Door, Peer
from lora_lab.engine.places import Place
from lora_lab.engine.wire import (
    Strange,
    dumped,
    pack_records,
    settings_of,
    unpack_command,
)
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.names import shown
from lora_lab.records import ErrorRecord, FolderRecord, NewsRecord, Record, State
from lora_lab.training.session import Session

TICK = 0.02  # seconds between two looks at steps; anything else is told at once
ASKED = 60.0  # seconds in which it must be said what to open
# Seconds after which a run ends, saved, when nobody is here: one that has ended, one that pauses.
ALONE = {State.FINISHED: 5.0, State.STOPPED: 5.0, State.FAILED: 5.0, State.PAUSED: 3600.0}
LAST = 5.0  # seconds in which the last words may be heard
ROLES = ("edit", "watch")
Note = Callable[[Record], None]
Opened = Callable[[dict[str, Any], Callable[[], None]], Session]


class Host:
    """Turns the door and drains the session until both have ended."""

    def __init__(self, place: Place, opened: Opened, say: Callable[[str], None]) -> None:
        """`opened` makes the session of what it is asked to open; it raises LabError."""
        self._place, self._opened = place, opened
        self._door = Door(place, self._greet, self._hear, say)
        self._session: Session | None = None
        self._standing = Standing()
        self._sent: tuple[Hyperparameters, bool] | None = None  # what everybody was told
        self._answer: set[int] = set()  # peers who asked for something since
        self._alone = time.monotonic()
        self._heard = False  # somebody was here
        self._ends = False
        self.notes = True  # its end may be a note of the desktop
        self._news: SimpleQueue[Record] = SimpleQueue()

    @property
    def watchers(self) -> list[Peer]:
        """Those who watch; one of them may edit."""
        return self._door.peers

    @property
    def step(self) -> int:
        return self._standing.step

    @property
    def state(self) -> State:
        return self._standing.state

    def news(self, words: str) -> None:
        """Let everybody know; from any thread."""
        self._news.put(NewsRecord(self._standing.step, words))
        self._door.wake()

    def end(self) -> None:
        """Finish the step in hand, save, and end; from a handler of signals."""
        self._ends = True

    def serve(self, note: Note = lambda record: None) -> None:
        """Until the session has ended, or nobody said what to open; `note` sees every record."""
        began = time.monotonic()
        try:
            while True:
                self._door.turn(TICK)
                now = time.monotonic()
                session = self._session
                if session is None:
                    if self._ends or now - began > ASKED:
                        return
                    continue
                ended = session.join(0)  # asked before draining: then all of it has been said
                self._tell(session, session.drain(), note)
                if ended:
                    break
                if self._ends or self._too_long_alone(now):
                    session.request_close()
            self._let_it_be_heard()
        finally:
            if self._session is not None:
                self._session.close()
            self._door.close()

    def _tell(
        self, session: Session, records: list[Record], note: Callable[[Record], None]
    ) -> None:
        now = time.monotonic()
        while not self._news.empty():
            records.append(self._news.get())
        for record in records:
            if isinstance(record, FolderRecord):
                self._place.name_run(Path(record.path))
            self._standing.take(record, now)
            note(record)
        # Read after the records: what became of a request is known before its answer is told.
        stands = session.controls.hyper, session.controls.paused
        moved = self._sent is None or stands[0] is not self._sent[0] or stands[1] != self._sent[1]
        self._sent = stands
        self._let_one_edit()
        for peer in self._door.peers:
            if moved or id(peer) in self._answer:
                self._door.send(peer, self._stands(peer, session))
        self._answer.clear()
        if records:
            packed = dumped({"records": pack_records(records)})
            for peer in self._door.peers:
                self._door.send(peer, packed)

    def _stands(self, peer: Peer, session: Session) -> dict[str, Any]:
        """What is requested now, and up to which of his requests that holds."""
        controls = session.controls
        return {
            "stands": {
                "hyper": controls.hyper.model_dump(),
                "paused": controls.paused,
                "number": peer.number,
            }
        }

    def _greet(self, peer: Peer, hello: dict[str, Any]) -> None:
        role = hello.get("role")
        if role not in ROLES:
            raise Strange(f"A role is one of {', '.join(ROLES)}, not {shown(role)}.")
        self._heard = True
        others = [other for other in self._door.peers if other is not peer]
        peer.edits = role == "edit" and not any(other.edits for other in others)
        peer.waits_to_edit = role == "edit" and not peer.edits
        session = self._session
        config = None if session is None else session.config.model_dump(mode="json")
        self._door.send(
            peer,
            {
                "hello": {
                    "schema": SCHEMA, "version": lora_lab.__version__, "pid": os.getpid(),
                    "edits": peer.edits, "config": config,
                }
            },
        )  # fmt: skip
        if session is not None:
            self._recall(peer, session)

    def _recall(self, peer: Peer, session: Session) -> None:
        """What stands, and what of the past is not in the run's folder yet."""
        self._door.send(peer, self._stands(peer, session))
        backlog = self._standing.backlog()
        loaded = [] if backlog.loaded is None else [backlog.loaded]
        self._door.send(
            peer,
            {
                "backlog": {
                    "loaded": pack_records(loaded), "folder": backlog.folder,
                    "until": backlog.until, "recent": pack_records(backlog.recent),
                    "stands": pack_records(backlog.stands),
                }
            },
        )  # fmt: skip

    def _hear(self, peer: Peer, message: dict[str, Any]) -> None:
        """One request; raises LabError for what is none."""
        number = message.get("number")
        if type(number) is int:
            peer.number = number
        self._answer.add(id(peer))
        ask = message.get("do")
        if ask == "end":  # whoever has the key may: `lora-lab stop`
            if self._session is not None:
                self._session.request_close(message.get("save") is not False)
            self._ends = True
            return
        if self._session is None:
            self._open(peer, message)
            return
        if not peer.edits:
            self._turn_down(peer, message)
            return
        self._do(self._session, peer, message)

    def _open(self, peer: Peer, message: dict[str, Any]) -> None:
        if message.get("do") != "open" or not peer.edits:
            record = ErrorRecord(0, "Nothing is open in this engine yet.")
            self._door.send(peer, {"records": pack_records([record])})
            return
        self._session = session = self._opened(message, self._door.wake)
        self.notes = message.get("notes") is not False
        session.start()
        for other in self._door.peers:
            self._door.send(other, {"config": session.config.model_dump(mode="json")})

    def _let_one_edit(self) -> None:
        """Where nobody edits, the one who has waited for it the longest does."""
        peers = self._door.peers
        waiting = [peer for peer in peers if peer.waits_to_edit]
        if waiting and not any(peer.edits for peer in peers):
            waiting[0].edits, waiting[0].waits_to_edit = True, False
            self._door.send(waiting[0], {"edits": True})

    def _turn_down(self, peer: Peer, message: dict[str, Any]) -> None:
        """One who watches asked for something: nothing of it is done, and he is told."""
        command = message.get("command")
        name = command.get("command", "") if isinstance(command, dict) else ""
        words = "Another window edits this run; this one watches it."
        record = ErrorRecord(self._standing.step, words, command=str(name)[:40])
        if message.get("do") != "cancel":
            self._door.send(peer, {"records": pack_records([record])})

    def _do(self, session: Session, peer: Peer, message: dict[str, Any]) -> None:
        controls = session.controls
        match message.get("do"):
            case "set":
                controls.set_hyper(settings_of(message.get("hyper")))
            case "pause":
                controls.pause()
            case "resume":
                further = message.get("further")
                controls.resume(further if type(further) is int and further > 0 else 0)
            case "finish":
                controls.finish()
            case "skip":
                controls.skipping = True
            case "request":
                self._request(session, peer, message)
            case "cancel":
                if (command := peer.commands.get(message.get("id"))) is not None:  # type: ignore
                    controls.cancel(command)
            case other:
                words = f"This engine does not know how to {shown(other)}."
                record = ErrorRecord(self._standing.step, f"{words} It is of another version.")
                self._door.send(peer, {"records": pack_records([record])})

    def _request(self, session: Session, peer: Peer, message: dict[str, Any]) -> None:
        packed, number = message.get("command"), message.get("id")
        try:
            command = unpack_command(packed)
        except Strange as error:
            name = packed.get("command", "") if isinstance(packed, dict) else ""
            record = ErrorRecord(self._standing.step, str(error), command=str(name)[:40])
            self._door.send(peer, {"records": pack_records([record])})
            return
        if type(number) is int:
            peer.commands[number] = command
            while len(peer.commands) > 1000:
                del peer.commands[next(iter(peer.commands))]
        session.controls.request(command)

    def _too_long_alone(self, now: float) -> bool:
        if self.watchers:
            self._alone = now
            return False
        return now - self._alone > ALONE.get(self._standing.state, float("inf"))

    def _let_it_be_heard(self) -> None:
        """Who started it may not be here yet: the end is not lost on him."""
        until = time.monotonic() + LAST
        while not self._heard and time.monotonic() < until:
            self._door.turn(TICK)
        self._door.flush(LAST)
