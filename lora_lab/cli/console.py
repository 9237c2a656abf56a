"""Where the headless verbs print, and how an error that can be mended looks there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from lora_lab.errors import LabError

# Names and paths are shown as they are: a bracket in one is no markup.
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
out = Console(markup=False, highlight=False, soft_wrap=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend is one clear line and exit code 1, never a traceback."""
    try:
        yield
    except LabError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")


def fail(message: str) -> NoReturn:
    err.print(f"lora-lab: {message}", style="red")
    raise typer.Exit(1)
