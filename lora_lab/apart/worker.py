"""The child process: it does one job after the other, and ends when the lab does.

A job is a function of the lab that yields tables with bytes. The next part of it is made when it is
asked for, and has its own time. Whatever goes wrong in an unforeseen way ends the process, so that
no damage is there when the next file comes.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO, Any

from lora_lab.apart.frames import receive, send
from lora_lab.apart.limits import allow, confine, hold
from lora_lab.errors import LabError

ASKED = 2**31  # bytes of the largest question
Part = tuple[dict[str, Any], Any]


def main() -> None:
    """Serve the questions that come by standard input until it is closed."""
    asks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    for lifeline in sys.argv[2:]:
        threading.Thread(target=_end_with, args=(int(lifeline),), daemon=True).start()
    confine()
    while asked := receive(asks, lambda: ASKED):
        table, data = asked  # without a job: what was said to one that had ended
        if "job" in table and not _serve(table, data, asks, answers):
            break
    os._exit(0)


def _serve(table: dict[str, Any], data: bytearray, asks: IO[bytes], answers: IO[bytes]) -> bool:
    """Do one job; whether the process may do another."""
    seconds, parts = float(table["seconds"]), None
    try:
        module, _, name = table["job"].partition(":")
        job = getattr(importlib.import_module(module), name)
        hold(table["memory"])
        parts = job(data, **table["arguments"])
        while True:
            allow(seconds)
            part = next(parts, None)
            allow(0)
            if part is None:
                break
            send(answers, {"part": part[0]}, part[1])
            if not (more := receive(asks, lambda: 0)) or not more[0].get("more"):
                break
        send(answers, {"end": True})
        return True
    except LabError as error:
        allow(0)
        send(answers, {"refused": str(error)})
        return True
    except MemoryError:
        hold(0)
        send(answers, {"memory": True})
    except BaseException as error:  # noqa: BLE001 - Rust panics are no Exception
        allow(0)
        hold(0)
        send(answers, {"error": f"it cannot be read ({type(error).__name__}: {error})"[:300]})
    finally:
        allow(0)
        hold(0)
        if isinstance(parts, Iterator) and hasattr(parts, "close"):
            parts.close()
    return False


def _end_with(lifeline: int) -> None:
    """End when the lab's end of the lifeline is closed, as it is when the lab is killed."""
    while os.read(lifeline, 1):
        pass
    os._exit(0)
