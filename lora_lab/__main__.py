"""`lora-lab` without arguments opens the window; with a verb it works headless."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from lora_lab.allocator import keep_freed_memory


def main() -> None:
    """Entry point of the `lora-lab` command and of `python -m lora_lab`."""
    _have_streams()
    # OpenMP threads that spin at barriers starve everything else; read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot say σ gets a ?
    arguments = sys.argv[1:]
    if not arguments:
        from lora_lab.errors import LabError
        from lora_lab.ui.app import run

        try:
            sys.exit(run())
        except LabError as error:
            sys.exit(f"lora-lab: {error}")
    from lora_lab.cli import app
    from lora_lab.cli.console import settle_streams
    from lora_lab.errors import system_reason

    try:
        app(_with_values(arguments))
    except OSError as error:  # help, a version and usage are printed by the libraries
        with suppress(OSError):
            sys.stderr.write(f"lora-lab: {system_reason(error)}\n")
        sys.exit(1)
    finally:
        settle_streams()


def _have_streams() -> None:
    """A stream that is closed leads nowhere: else the next file that is opened, perhaps a run's,
    takes its number, and has in it what a library prints."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            mode = "w" if number else "r"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _with_values(arguments: list[str]) -> list[str]:
    """`--perf-log` may stand alone: typer has no option whose value may be left out."""
    found = []
    for place, argument in enumerate(arguments):
        following = arguments[place + 1 : place + 2]
        alone = argument == "--perf-log" and (not following or following[0].startswith("-"))
        found.append(f"{argument}=" if alone else argument)
    return found


if __name__ == "__main__":
    main()
