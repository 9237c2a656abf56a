"""The headless verbs: the same loop as the window's, with a progress bar and one JSON object."""

from __future__ import annotations

from typing import Annotated

import typer

from lora_lab import __version__
from lora_lab.cli.adapters import compare, convert, export, extract, merge, resize
from lora_lab.cli.background import attach, stop
from lora_lab.cli.claims import claims
from lora_lab.cli.console import out, plain_errors, print_json
from lora_lab.cli.desktop import desktop
from lora_lab.cli.dimension import dimension
from lora_lab.cli.inspect import inspect
from lora_lab.cli.numbers import numbers
from lora_lab.cli.queue import queue
from lora_lab.cli.race import race
from lora_lab.cli.runs import label, pack, recipe, report, resume, runs, tensorboard, unpack
from lora_lab.cli.similarity import similarity
from lora_lab.cli.sweep import sweep
from lora_lab.cli.train import train
from lora_lab.errors import ConfigError
from lora_lab.training.parallel.launch import follows
from lora_lab.training.parallel.place import place_here

app = typer.Typer(
    name="lora-lab",
    help="Train low-rank adapters and see what they learn. Without a command the window opens.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lora-lab {__version__}")
        raise typer.Exit


def _take_part(verb: str | None) -> None:
    """Of the processes that torchrun starts only the first has a verb; the others follow it."""
    if (place := place_here()) is None:
        return
    if verb not in ("train", "resume"):
        if place.number:
            raise typer.Exit(1)  # the first one says why
        raise ConfigError(
            f"Only train and resume run in several processes; {verb or 'the window'} is for one. "
            "Start it without torchrun."
        )
    if place.number:
        raise typer.Exit(follows(place))


@app.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    preset: Annotated[str, typer.Option(help="Preset that the window opens with.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Its data folder, where it needs one.")] = None,
    perf_log: Annotated[
        str | None,
        typer.Option(
            metavar="[FILE]",
            help="Write a line a second on how the window keeps up, as CSV: by how much a timer of "
            "16 ms came late (p50, p99, most), time of ticks, of draining, and of drawing per "
            "panel, records, steps per second, memory. Without FILE: a new one beside the runs.",
        ),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Train low-rank adapters and see what they learn. Without a command the window opens."""
    with plain_errors():
        _take_part(context.invoked_subcommand)
    if context.invoked_subcommand is None:
        with plain_errors():
            from lora_lab.ui.app import run

            raise typer.Exit(run(preset=preset, data=data, perf_log=perf_log))


app.command()(train)
app.command()(sweep)
app.command()(queue)
app.command()(dimension)
app.command()(numbers)
app.command()(race)
app.command()(similarity)
app.command()(claims)


for verb in (export, convert, resize, extract, merge, compare):
    app.command()(verb)
app.command()(inspect)
app.command()(resume)
app.command()(runs)
app.command()(attach)
app.command()(stop)
app.command()(label)
app.command()(pack)
app.command()(unpack)
app.command()(recipe)
app.command()(report)
app.command()(tensorboard)
app.command()(desktop)


@app.command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on stdout.")] = False,
) -> None:
    """List the devices of this machine, and why the others are absent."""
    with plain_errors():
        from lora_lab.training.devices import device_choices

        choices = device_choices()
        if as_json:
            print_json([vars(choice) for choice in choices])
            return
        for choice in choices:
            state = "ready" if choice.available else f"absent: {choice.reason}"
            out.print(f"{choice.name:8} {choice.label:28} {state}")
