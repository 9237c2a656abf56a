"""What ends a headless run from outside: signals, and exceptions that no thread caught."""

from __future__ import annotations

import logging
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger("lora_lab.headless")


@contextmanager
def stop_on_signals(
    stop: Callable[[], None] = lambda: None,
    received: list[int] | None = None,
    repeated: bool = False,
) -> Iterator[list[int]]:
    """Ctrl-C, SIGTERM and a closed terminal call `stop`; the list of signals received.

    A second signal does not wait for what is being stopped, unless whoever started this process
    passes each on a second time (`repeated`), as torchrun does. `received` is the list of an
    enclosing block: where it has one already, `stop` is called at once.
    """
    received = [] if received is None else received

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        stop()
        if len(received) > 1 and not repeated:
            raise KeyboardInterrupt

    handled = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)  # it is ignored under nohup
    old = {number: signal.getsignal(number) for number in handled}
    for number in handled:
        signal.signal(number, receive)
    if received:
        stop()
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def threads_logged() -> Iterator[None]:
    """An exception that no thread caught goes into the run's log as well."""
    before = threading.excepthook

    def log_it(arguments: threading.ExceptHookArgs) -> None:
        about = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        name = arguments.thread.name if arguments.thread else "a thread"
        text = "".join(traceback.format_exception(*about)).rstrip()
        log.error("uncaught in %s: %s", name, text)
        before(arguments)

    threading.excepthook = log_it
    try:
        yield
    finally:
        threading.excepthook = before
