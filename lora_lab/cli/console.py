"""Where the headless verbs print, and how an error that can be mended looks there."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from lora_lab.errors import Interrupted, LabError

# Names and paths are shown as they are: a bracket in one is no markup.
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
out = Console(markup=False, highlight=False, soft_wrap=True)


def print_table(table: Table) -> None:
    """A table with every cell on one line, wider than the terminal where it has to be."""
    table.box = SIMPLE_HEAD
    for column in table.columns:
        column.no_wrap = True
    wanted = Measurement.get(out, out.options.update(max_width=1000), table).maximum
    wide = Console(width=max(out.width, wanted), markup=False, highlight=False)
    wide.print(table, crop=False)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend is one clear line and exit code 1, never a traceback.

    What a signal ended has the shells' code for that, 128 and its number.
    """
    try:
        yield
    except Interrupted as error:
        fail(str(error), 128 + error.number)
    except LabError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted", 128 + signal.SIGINT)


def fail(message: str, code: int = 1) -> NoReturn:
    err.print(f"lora-lab: {message}", style="red")
    raise typer.Exit(code)
