"""Verbs on runs: resume one, list them, pack them, write them down as a script or a page."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lora_lab.cli.background import begin_detached, found, in_background
from lora_lab.cli.console import err, out, plain_errors, print_json, print_table, print_text
from lora_lab.cli.train import ask_about, print_result
from lora_lab.errors import LabError, not_written
from lora_lab.figures import size_words

if TYPE_CHECKING:
    from lora_lab.runs.listing import RunSummary

NOTE = 40  # characters of a note in the table
Run = Annotated[Path, typer.Argument(help="Run folder, or the name of one in the runs folder.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


def resume(
    run: Run,
    steps: Annotated[
        int | None, typer.Option(help="Step to train to, in place of the run's own end.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Where its model is now.")] = None,
    data: Annotated[str | None, typer.Option(help="Where its data is now.")] = None,
    validation_data: Annotated[
        str | None, typer.Option(help="Where its validation data is now.")
    ] = None,
    keep_data: Annotated[str | None, typer.Option(help="Where its retention set is now.")] = None,
    device: Annotated[
        str | None, typer.Option(help="Device that it continues on: cpu, cuda, 2 × cuda.")
    ] = None,
    run_factory: Annotated[
        bool, typer.Option("--run-factory", help="Run its factory's code without asking.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Begin at step 0 with its settings, in a new folder."),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Train in the background; see attach and stop.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Resume a run from its latest checkpoint, bit-identical where the machine is the same."""
    with plain_errors():
        from lora_lab.cli.headless import drive
        from lora_lab.training.opening import Opening, Resume

        places = {
            "model": model, "data": data, "validation_data": validation_data,
            "keep_data": keep_data,
        }  # fmt: skip
        resumed = Resume.at(found(run), steps, places)
        opening: Opening = resumed.on(device) if device else resumed
        ask_about(opening.config.factory, run_factory)  # the run may be somebody else's
        if restart:
            opening = opening.anew()
        if detach:
            begin_detached(opening, as_json)
            return
        print_result(drive(opening, err), as_json)


def runs(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of runs; default: the lab's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list on stdout.")] = False,
) -> None:
    """List the runs, and which of them were interrupted."""
    with plain_errors():
        from lora_lab import paths
        from lora_lab.runs.listing import list_runs
        from lora_lab.runs.queue_kept import is_kept

        where = folder or paths.runs()
        listed, apart = list_runs(where), in_background()
        if as_json:
            rows = [{k: None if v != v else v for k, v in asdict(run).items()} for run in listed]
            for row in rows:
                row["background"] = os.path.realpath(row["path"]) in apart
            print_json(rows)
            return
        if not listed:
            out.print(f"There are no runs in {where}.")
            return
        table = Table("run", "state", "task", "r", "α", "step", "loss", "best", "time", "size")
        if more := any(run.label or run.note or run.parent for run in listed):
            table.add_column("notes")
        for x in listed:
            state = f"interrupted at step {x.step:,}" if x.interrupted else x.state or "–"
            if os.path.realpath(x.path) in apart:
                going = "trains" if x.state == "running" else f"{state},"
                state = f"{going} in the background"
            row = [
                x.name, state, x.title, str(x.rank), f"{x.alpha:g}",
                f"{x.step:,} / {x.max_steps:,}", _figure(x.loss), _figure(x.best),
                "–" if x.seconds != x.seconds else f"{x.seconds:,.0f} s", size_words(x.bytes),
            ]  # fmt: skip
            table.add_row(*row, *([_about(x)] if more else ()))
        print_table(table)
        for run in listed:
            if run.flaw:
                err.print(run.flaw, style="yellow")
        if any(run.interrupted for run in listed):
            out.print("lora-lab resume NAME continues one that was interrupted.")
        if any(os.path.realpath(run.path) in apart for run in listed):
            out.print("lora-lab attach NAME shows one that trains in the background; stop ends it.")
        if is_kept(paths.user_data() / "queue"):
            out.print("The queue continues without a window; lora-lab stop --queue ends it.")


def label(
    run: Run,
    name: Annotated[str | None, typer.Option(help="Name of the run; the folder stays.")] = None,
    note: Annotated[str | None, typer.Option(help="A note to keep with it.")] = None,
) -> None:
    """Give a run a name and a note; what is not given is unchanged."""
    with plain_errors():
        from lora_lab.runs.listing import set_label, summary_of

        path = found(run)
        now = summary_of(path)
        if name is None and note is None:
            raise LabError("Give --name, --note, or both.")
        set_label(path, now.label if name is None else name, now.note if note is None else note)


def pack(
    run: Run,
    target: Annotated[
        Path | None, typer.Option("--out", help="Zip file; default: RUN.zip, here.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a run as one zip that another lab can open, without its data and base model."""
    with plain_errors():
        from lora_lab.runs.archive import pack as packed
        from lora_lab.runs.archive import packed_name

        path = found(run)
        target = target or Path(f"{packed_name(path)}.zip")
        _may_be_written(target, overwrite)
        packed(path, target)
        out.print(f"written: {target} ({size_words(target.stat().st_size)})")


def unpack(
    archive: Annotated[Path, typer.Argument(help="Zip file that pack wrote.")],
    parent: Annotated[
        Path | None, typer.Option("--to", help="Folder of runs; default: the lab's own.")
    ] = None,
) -> None:
    """Unpack a run's zip as a new run. Nothing in it is trusted, and nothing is replaced."""
    with plain_errors():
        from lora_lab import paths
        from lora_lab.runs.archive import unpack as unpacked

        out.print(f"run {unpacked(archive, parent or paths.runs())}")


def recipe(
    run: Run,
    target: Annotated[
        Path | None, typer.Option("--out", help="Python file; default: print it.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a PEFT script that repeats a run, with its live edits as a schedule."""
    with plain_errors():
        from lora_lab.runs.recipe import written

        text, notes = written(found(run))
        for note in notes:
            err.print(note, style="yellow")
        if target is None:
            print_text(text)
            return
        _write(target, text, overwrite)
        out.print(f"written: {target}. It needs torch, peft and transformers: python {target.name}")


def report(
    run: Run,
    target: Annotated[
        Path | None, typer.Option("--out", help="HTML file; default: RUN-report.html, here.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write an HTML report of a run: settings, curves, spectra, edits, checks."""
    with plain_errors():
        from lora_lab.runs.report import report_of

        path = found(run)
        text = report_of(path)
        target = target or Path(f"{path.name}-report.html")
        _write(target, text, overwrite)
        out.print(f"written: {target}")


def tensorboard(
    run: Run,
    target: Annotated[Path, typer.Option("--out", help="Folder of the event files.")],
) -> None:
    """Write a run as TensorBoard event files: losses, settings, spectra, edits as text."""
    with plain_errors():
        from lora_lab.runs.event_files import write_events

        steps = write_events(found(run), target)
        out.print(f"written: {steps:,} steps. To view them: tensorboard --logdir {target}")


def _write(target: Path, text: str, overwrite: bool) -> None:
    """Raises LabError where something stands there, or it cannot be written."""
    from lora_lab.atomic import write_file

    _may_be_written(target, overwrite)
    try:
        write_file(target, text.encode())
    except OSError as error:
        raise not_written(target, error) from error


def _may_be_written(target: Path, overwrite: bool) -> None:
    if not target.name:
        raise LabError(f"{str(target)!r} names no file. Give --out a name.")
    if target.exists() and not overwrite:
        raise LabError(f"{target} exists already. Choose another name, or use --overwrite.")


def _about(run: RunSummary) -> str:
    """What a person wrote about it, and where it comes from."""
    origin = f"from {run.parent} at step {run.parent_step:,}" if run.parent else ""
    note = " ".join(run.note.split())
    short = note if len(note) <= NOTE else f"{note[: NOTE - 1]}…"
    return " · ".join(part for part in (run.label, short, origin) if part)


def _figure(value: float) -> str:
    return "–" if value != value else f"{value:.4g}"
