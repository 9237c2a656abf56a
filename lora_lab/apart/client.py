"""The lab's side: a child is started when it is first needed, asked, and ended.

A child that dies or takes too long is one clear error, and the next question gets a new one.
"""

from __future__ import annotations

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lora_lab.apart.frames import Frame, receive, send
from lora_lab.errors import DataError, LabError
from lora_lab.progress import Report, silent

SECONDS = 2.0  # of processor time, for each part of an answer
MEMORY = 512 * 2**20  # bytes beyond what the child has when it is asked
IDLE = 2  # children that are kept for the next question
PIPE = 2**15  # bytes that a pipe surely holds
WORDS = 2000  # letters of what it refuses with
LOOK = 0.1  # seconds between two looks whether the person still wants it
# The wall's clock counts as well, generously: it ends what waits, and all where nothing else does.
PATIENCE = 20
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from lora_lab.apart.worker import main; main()"
)
HOME = Path(__file__).resolve().parents[2]  # the folder that the lab is imported from
KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL")
ONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS")


def ask(
    job: str,
    data: Any = b"",
    *,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    report: Report = silent,
    **arguments: Any,
) -> Generator[Frame, None, None]:
    """Yield what the function `job` ("module:name") yields in a child process, part by part.

    It is called with `data` and `arguments`. Raises DataError with what it raises, and where it
    dies, or takes more than `seconds` for a part, or more than `memory` bytes; `report`, which is
    called meanwhile, may raise Cancelled. The answer is a stranger's: check it.
    """
    child = _children.take()
    whole = False
    try:
        asked = {"job": job, "seconds": seconds, "memory": memory, "arguments": arguments}
        child.say(asked, data, memory)
        while (answer := child.answer(seconds, report)) is not None:
            said, made = answer
            if isinstance(said.get("part"), dict):
                child.say({"more": True})  # it is made while this one is looked at
                yield said["part"], made
                continue
            whole = "end" in said or "refused" in said  # else the child ends as well
            if "memory" in said:
                raise DataError(f"it takes over {memory // 2**20:,} MB to read")
            if not whole or "refused" in said:
                raise DataError(str(said.get("refused") or said.get("error"))[:WORDS])
            return
        raise DataError(child.why())
    except GeneratorExit:  # no more is wanted
        whole = child.stop()
        raise
    finally:
        _children.give(child, whole)


class _Child:
    """One child process, with a thread that waits for its answers."""

    def __init__(self) -> None:
        keep = {name: os.environ[name] for name in KEPT if name in os.environ}
        # An editable install finds the lab by a hook, and not in these places.
        places = [*(os.path.abspath(place) for place in sys.path), str(HOME)]
        life, self._lifeline = os.pipe()
        passed = (life,) if os.name == "posix" else ()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", START, json.dumps(places), *map(str, passed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**keep, **dict.fromkeys(ONE, "1"), "TOKENIZERS_PARALLELISM": "false"},
                pass_fds=passed,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as failure:
            os.close(self._lifeline)
            raise LabError(f"No process could be started to read it in ({failure}).") from failure
        finally:
            os.close(life)
        self._most = 0
        self._late = False
        self._due = threading.Semaphore(0)  # frames that were asked for: no other is kept
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, name="apart-answers", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def say(self, table: dict[str, Any], data: Any = b"", most: int = 0) -> None:
        """Send it, whose answer has `most` bytes; much of it beside, while answers come."""
        self._most = most or self._most
        self._due.release()
        if len(data) > PIPE:
            threading.Thread(target=self._send, args=(table, data), daemon=True).start()
        else:
            self._send(table, data)

    def answer(self, seconds: float, report: Report) -> Frame | None:
        """What the child says next; None where it has ended, or was ended."""
        until = time.monotonic() + PATIENCE + 10 * seconds
        while True:
            with suppress(queue.Empty):
                return self._answers.get(timeout=LOOK)
            report("Reading", -1.0)
            if time.monotonic() > until:
                self._late = True
                self.end()

    def why(self) -> str:
        """Why there is no answer, for a sentence."""
        code = self._process.wait()
        killed = [getattr(signal, name, None) for name in ("SIGPROF", "SIGXCPU")]
        if self._late or (code < 0 and -code in killed):
            return "it takes too long to read"
        what = f"signal {-code}" if code < 0 else f"code {code}"
        return f"it cannot be read: it ended the process that reads it ({what})"

    def stop(self) -> bool:
        """Ask for no more of the present answer; whether the child is ready for another."""
        self.say({"more": False})
        with suppress(queue.Empty):
            while (answer := self._answers.get(timeout=1.0)) is not None:
                if "part" not in answer[0]:
                    self._due = threading.Semaphore(0)  # it may have ended before it was asked to
                    return "end" in answer[0]
        return False

    def end(self) -> None:
        self._process.kill()
        with suppress(OSError):
            os.close(self._lifeline)
            self._lifeline = -1

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _send(self, table: dict[str, Any], data: Any) -> None:
        with suppress(OSError, ValueError):  # it has ended: there will be no answer
            send(self._process.stdin, table, data)  # type: ignore[arg-type]

    def _listen(self) -> None:
        out = self._process.stdout
        assert out is not None
        while (frame := self._received(out)) is not None and self._due.acquire(blocking=False):
            self._answers.put(frame)
        self._process.kill()
        self._process.wait()
        for pipe in (out, self._process.stdin):
            with suppress(OSError, ValueError):
                pipe.close()  # type: ignore[union-attr]
        self._answers.put(None)

    def _received(self, out: Any) -> Frame | None:
        with suppress(OSError, ValueError, MemoryError):
            return receive(out, lambda: self._most)
        return None


class _Children:
    """Those that wait for a question; a thread that asks has one of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()

    def begin_anew(self) -> None:
        """Know none: those that there are belong to another process."""
        self.__init__()  # type: ignore[misc]

    def take(self) -> _Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                self._all.discard(child)
        child = _Child()
        with self._lock:
            self._all.add(child)
        return child

    def give(self, child: _Child, whole: bool) -> None:
        with self._lock:
            if whole and len(self._idle) < IDLE:
                self._idle.append(child)
                return
            self._all.discard(child)
        child.end()

    def end(self) -> None:
        with self._lock:
            children, self._all, self._idle = list(self._all), set(), []
        for child in children:
            child.end()

    def pids(self) -> tuple[int, ...]:
        with self._lock:
            return tuple(child.pid for child in self._all)


_children = _Children()
atexit.register(_children.end)
if hasattr(os, "register_at_fork"):  # a copy of this process has no part in them
    os.register_at_fork(after_in_child=_children.begin_anew)


def pids() -> tuple[int, ...]:
    """The children that live now."""
    return _children.pids()


def end_children() -> None:
    """End all children, whatever they do; the next question starts a new one."""
    _children.end()
