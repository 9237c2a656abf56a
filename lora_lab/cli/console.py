"""Where the headless verbs print, and how an error that can be mended looks there."""

from __future__ import annotations

import errno
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, NoReturn, TextIO

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from lora_lab import paths
from lora_lab.atomic import write_file
from lora_lab.errors import Interrupted, LabError, system_reason
from lora_lab.names import brief, legible

NO_NAMES = (errno.ENAMETOOLONG, errno.ELOOP, errno.EILSEQ)  # what is typed may be none
FAULT = "fault.txt"  # among the user's data
LONGEST = 50_000  # characters of one text: of each line end the layout takes a kilobyte
LINES = 10.0  # seconds between two lines where no terminal can renew one


class Stream:
    """stdout or stderr of this moment; what a disk or a terminal refuses is told or let go."""

    def __init__(self, stream: TextIO, needed: bool) -> None:
        self._stream, self._needed = stream, needed

    def write(self, text: str) -> int:
        with self._refusals():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._refusals():
            self._stream.flush()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # full, closed, or nobody listens any more
            if self._needed:
                raise LabError(f"stdout cannot be written: {system_reason(error)}.") from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class PlainConsole(Console):
    """Says texts as they are: a bracket is no markup, and no name from a file steers a terminal.

    Words on stderr are for people, and no run ends because of them: a log on a full disk, a closed
    terminal. A result that cannot be written to stdout is a `LabError`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, highlight=False, **settings)

    @property
    def file(self) -> Any:
        """Where it prints now."""
        return Stream(sys.stderr if self.stderr else sys.stdout, needed=not self.stderr)

    def print(self, *objects: Any, **settings: Any) -> None:
        """Print what there is, a text that is longer than anybody reads without its middle."""
        said = [brief(one, LONGEST) if isinstance(one, str) else one for one in objects]
        super().print(*said, **settings)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else legible(text), style, control)


err = PlainConsole(stderr=True, soft_wrap=True)
out = PlainConsole(soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON value on stdout; raises `LabError` where it cannot be written."""
    print_text(json.dumps(value) + "\n")


def print_text(text: str) -> None:
    """A text on stdout, to its last character; raises `LabError` where it cannot be written."""
    stream = Stream(sys.stdout, needed=True)
    stream.write(text)
    stream.flush()


def print_table(table: Table) -> None:
    """A table with every cell on one line, wider than the terminal where it has to be."""
    table.box = SIMPLE_HEAD
    for column in table.columns:
        column.no_wrap = True
    wanted = Measurement.get(out, out.options.update(max_width=1000), table).maximum
    wide = PlainConsole(width=max(out.width, wanted))
    wide.print(table, crop=False)


@contextmanager
def one_line() -> Iterator[Callable[[str], None]]:
    """What shows how something stands in one line of stderr, which is renewed.

    Where no terminal can do that, a line is printed now and then.
    """
    live = Live(console=err, transient=True, auto_refresh=False) if err.is_terminal else None
    told = -math.inf

    def show(words: str) -> None:
        nonlocal told
        if live is not None:
            live.update(Text(words, overflow="ellipsis", no_wrap=True), refresh=True)
        elif time.monotonic() > told + LINES:
            told = time.monotonic()
            err.print(words)

    with live or nullcontext():
        yield show


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend is one clear line and exit code 1, never a traceback.

    What a signal ended has the shells' code for that, 128 and its number. A fault of the lab's own
    is told in one line as well; where it lies stands in a file.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Interrupted as error:
        fail(str(error), 128 + error.number)
    except LabError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted", 128 + signal.SIGINT)
    except OSError as error:
        if error.errno not in NO_NAMES:
            _fail_by_fault(error)
        fail(f"{brief(str(error.filename))}: {system_reason(error)}")
    except Exception as error:  # noqa: BLE001 - nobody is left to answer it
        _fail_by_fault(error)


def _fail_by_fault(error: Exception) -> NoReturn:
    where = _written_down(traceback.format_exc())
    fail(f"this is a fault of LoRA Lab: {type(error).__name__}: {str(error)[:500]}. {where}")


def _written_down(details: str) -> str:
    """Keep where a fault lies for whoever is asked about it; says where that is."""
    target = paths.user_data() / FAULT
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, details.encode("utf-8", "backslashreplace"), mode=0o600)
    except (OSError, LabError):
        return f"Please report it with this:\n{details}"
    return f"Please report it with the details in {target}."


def settle_streams() -> None:
    """Let what a stream still refuses go nowhere: the exit code is the verb's, whatever it is."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def fail(message: str, code: int = 1) -> NoReturn:
    err.print(f"lora-lab: {message}", style="red")
    raise typer.Exit(code)
