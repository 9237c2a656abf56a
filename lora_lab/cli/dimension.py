"""The verb `dimension`: how many numbers a task takes, by random subspaces of growing size."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lora_lab.cli.console import err, plain_errors, print_json, print_text
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.figures import counted
from lora_lab.intrinsic.results import (
    IN_WORDS,
    STARTS,
    Plan,
    Point,
    Result,
    Training,
    with_interval,
)
from lora_lab.task_info import own_tasks

FIXED = (
    "model", "data", "targets", "projection", "structure", "device", "batch_size", "max_length",
    "seed",
)  # fmt: skip
MEASURE = "What is measured"


@with_flags(fixed=RunConfig, only=FIXED, panel="Model and data")
def dimension(
    *,
    preset: Annotated[str | None, typer.Option(help="Preset whose task is measured.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    fixed: dict[str, Any],
    start: Annotated[
        str,
        typer.Option(
            help="Weights to start from: base, random, or both.", rich_help_panel=MEASURE
        ),
    ] = "both",
    seeds: Annotated[
        int,
        typer.Option(min=1, help="Runs of each size, each of another P.", rich_help_panel=MEASURE),
    ] = 3,
    steps: Annotated[
        int,
        typer.Option(min=0, help="Steps of each run; 0: as the task has it.",
                     rich_help_panel=MEASURE),
    ] = 0,
    learning_rate: Annotated[
        float,
        typer.Option(
            min=0, help="η of full training: η/3, η and 3η are tried, and a subspace of d numbers "
            "trains at 8·η·√(D/d). 0: as the task has it.", rich_help_panel=MEASURE,
        ),
    ] = 0.0,
    by_loss: Annotated[
        bool,
        typer.Option("--by-loss", help="Measure by the validation loss, not by accuracy.",
                     rich_help_panel=MEASURE),
    ] = False,
    dimensions: Annotated[
        str,
        typer.Option(help="Sizes to measure, in place of a grid that is refined: 10,30,100.",
                     metavar="VALUES", rich_help_panel=MEASURE),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:  # fmt: skip
    """Measure the intrinsic dimension d90: how many numbers reach 90 % of full training.

    Random subspaces of growing size d are trained from the base and from random weights (Li et al.
    2018, Aghajanyan et al. 2020). It is an upper bound: one family of random directions, one
    optimizer.
    """
    with plain_errors():
        from lora_lab.intrinsic.measure import Settings, measure

        if preset is None and task is None:
            preset = "digits"
        config = base_config(preset, task, fixed, {})
        ask_about(config.factory, False)
        if start not in (*STARTS, "both"):
            raise ConfigError(f"--start is base, random or both, not {start!r}.")
        settings = Settings(
            starts=STARTS if start == "both" else (start,), seeds=seeds, steps=steps,
            learning_rate=learning_rate, by_loss=by_loss, dimensions=_numbers(dimensions),
        )  # fmt: skip
        points: list[Point] = []
        result: Result | None = None
        for item in measure(config, settings):
            if isinstance(item, Plan):
                _print_plan(item)
            elif isinstance(item, Training):
                d = item.dimension
                what = counted(d, "number") if d else "full training"
                err.print(f"{100 * item.share:3.0f} %  {what}, {counted(item.done, 'run')}")
            elif isinstance(item, Point):
                points.append(item)
            else:
                result = item
        assert result is not None
        _print_points(points, result)
        if as_json:
            print_json({m.start: m.plain() for m in result.measured})
        else:
            print_text(f"{result.sentence()}\n")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace(" ", "").split(",") if part)
    except ValueError:
        raise ConfigError(
            f"--dimensions is whole numbers, as in 10,30,100, not {text!r}."
        ) from None


def _print_plan(plan: Plan) -> None:
    err.print(
        f"{plan.weights:,} weights, measured by {plan.measure} on {plan.held_out:,} held-out rows: "
        f"{counted(plan.runs, 'run')} of {counted(plan.steps, 'step')} at most, about "
        f"{plan.seconds:,.0f} s"
    )
    for note in plan.notes:
        err.print(note, style="yellow")


def _print_points(points: Sequence[Point], result: Result) -> None:
    """A row per d, and full training last: mean and standard deviation over the seeds."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("d", justify="right")
    for m in result.measured:
        table.add_column(IN_WORDS[m.start], justify="right")
    sizes = sorted({p.dimension for p in points if not p.full})
    for d in (*sizes, None):
        row = [f"full, {result.plan.weights:,}" if d is None else f"{d:,}"]
        for m in result.measured:
            mine = [
                m.shown(p.score) for p in points
                if p.start == m.start
                and ((p.full and p.rate == m.full_rate) if d is None else p.dimension == d)
                and (d is None or not p.full)
            ]  # fmt: skip
            spread = f" ± {stdev(mine):.3f}" if len(mine) > 1 else ""
            row.append(f"{fmean(mine):.3f}{spread}" if mine else "")
        table.add_row(*row)
    for m in result.measured:
        for rule, found in (("d90", m.by_score), ("d90 of the gain", m.by_gain)):
            if found:
                err.print(f"{rule} {IN_WORDS[m.start]}: {with_interval(found)}")
        for note in m.notes:
            err.print(f"{IN_WORDS[m.start]}: {note}", style="yellow")
    err.print(table)
