"""The verb `numbers`: ways to train few numbers, held against each other at the same count."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lora_lab.cli.console import err, plain_errors, print_json, print_text
from lora_lab.cli.dimension import FIXED, MEASURE
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig
from lora_lab.figures import counted
from lora_lab.intrinsic.marks import Comparison, ComparisonPlan, Running, spread
from lora_lab.intrinsic.methods import known, row
from lora_lab.task_info import own_tasks


@with_flags(fixed=RunConfig, only=FIXED, panel="Model and data")
def numbers(
    *,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset whose task is learned: digits is easy, digits-permuted hard."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    fixed: dict[str, Any],
    methods: Annotated[
        str,
        typer.Option(help=f"Which of {', '.join(known())}; none: all.", metavar="NAMES",
                     rich_help_panel=MEASURE),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=1, help="Runs of each size.", rich_help_panel=MEASURE)
    ] = 3,
    steps: Annotated[
        int,
        typer.Option(min=0, help="Steps of each run; 0: as the task has it.",
                     rich_help_panel=MEASURE),
    ] = 0,
    by_loss: Annotated[
        bool,
        typer.Option("--by-loss", help="Measure by the validation loss, not by accuracy.",
                     rich_help_panel=MEASURE),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:  # fmt: skip
    """Compare LoRA with random numbers and its neighbours at the same trained count.

    Each method at each size has the learning rate that suits it, by the training loss. On an easy
    task LoRA cannot go as low as the others; on a hard one its rank is what is short.
    """
    with plain_errors():
        from lora_lab.intrinsic.equal_count import ComparisonSettings, EqualCount

        if preset is None and task is None:
            preset = "digits"
        config = base_config(preset, task, fixed, {})
        ask_about(config.factory, False)
        chosen = tuple(name.strip() for name in methods.split(",") if name.strip())
        settings = ComparisonSettings(chosen, seeds, steps, by_loss)
        result: Comparison | None = None
        for item in EqualCount(config, settings).run():
            if isinstance(item, ComparisonPlan):
                _print_plan(item)
            elif isinstance(item, Running):
                words = f"{row(item.method)}, {item.trained:,}" if item.method else "full training"
                err.print(f"{100 * item.share:3.0f} %  {words}")
            elif isinstance(item, Comparison):
                result = item
        assert result is not None
        _print_marks(result)
        if as_json:
            print_json(result.plain())
        else:
            print_text(f"{result.sentence()} {result.at_one_count()}".strip() + "\n")


def _print_plan(plan: ComparisonPlan) -> None:
    err.print(
        f"{plan.weights:,} weights, measured by {plan.measure} on {plan.held_out:,} held-out rows: "
        f"some {counted(plan.runs, 'run')} of {counted(plan.steps, 'step')}, about "
        f"{plan.seconds:,.0f} s"
    )
    for note in plan.notes:
        err.print(note, style="yellow")


def _print_marks(result: Comparison) -> None:
    """A row per method and size, and full training last."""
    table = Table(box=SIMPLE_HEAD)
    for title in ("method", "numbers", "score", "learning rate"):
        table.add_column(title, justify="left" if title == "method" else "right")
    marks = [mark for method in result.plan.methods for mark in result.of(method)]
    for mark in (*marks, result.full):
        name = str(row(mark.method)) if mark.method else "full training"
        score = f"{result.shown(mark.mean):.3f} ± {spread(mark.scores):.3f}"
        table.add_row(name, f"{mark.trained:,}", score, f"{mark.rate:.2g}")
    err.print(table)
    err.print(f"before training: {result.shown(result.start):.3f}")
