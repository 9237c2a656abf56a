"""The headless verbs: the same loop as the window's, with a progress bar and one JSON object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lora_lab import __version__
from lora_lab.cli.console import out, plain_errors
from lora_lab.cli.inspect import inspect
from lora_lab.cli.train import train

app = typer.Typer(
    name="lora-lab",
    help="Train low-rank adapters and see what they learn. Without a verb the window opens.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lora-lab {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    preset: Annotated[str, typer.Option(help="Preset that the window opens with.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Its data folder, where it needs one.")] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Train low-rank adapters and see what they learn. Without a verb the window opens."""
    if context.invoked_subcommand is None:
        with plain_errors():
            from lora_lab.ui.app import run

            raise typer.Exit(run(preset=preset, data=data))


app.command()(train)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    to: Annotated[Path, typer.Option("--out", help="Folder of the adapter.")],
    format: Annotated[str, typer.Option(help="Format of the file.")] = "peft",
    overwrite: Annotated[bool, typer.Option(help="Replace an adapter that stands there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Write a run's adapter in another program's format, re-read it and compare."""
    with plain_errors():
        from lora_lab.formats import FORMATS
        from lora_lab.formats.verify import export as verified_export
        from lora_lab.records import plain
        from lora_lab.runs.folder import RunFolder

        weights = RunFolder.at(run).load_adapter(FORMATS["peft"].load)
        report = verified_export(weights, to, format, overwrite)
        if as_json:
            print(json.dumps({**plain(report), "largest_error": report.largest_error}))
            return
        out.print(f"wrote {report.path} ({report.bytes:,} bytes, {report.keys} tensors)",
                  highlight=False, soft_wrap=True)  # fmt: skip
        out.print(f"re-read and compared: largest error of ΔW {report.largest_error:.1e} "
                  f"over {len(report.layers)} layers")  # fmt: skip
        out.print(f"sha256 {report.sha256}")
        for note in report.notes:
            out.print(note)


app.command()(inspect)


@app.command()
def devices(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on stdout.")] = False,
) -> None:
    """List the devices of this machine, and why the others are absent."""
    with plain_errors():
        from lora_lab.training.devices import device_choices

        choices = device_choices()
        if as_json:
            print(json.dumps([vars(choice) for choice in choices]))
            return
        for choice in choices:
            state = "ready" if choice.available else f"absent: {choice.reason}"
            out.print(f"{choice.name:8} {choice.label:28} {state}")
