"""The verb `claims`: what papers say of LoRA, tried on one's own model, with a verdict each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lora_lab.cli.console import err, fail, out, plain_errors, print_json, print_table
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig
from lora_lab.figures import counted
from lora_lab.task_info import own_tasks

if TYPE_CHECKING:
    from lora_lab.studies.claims import ClaimReading, ClaimStanding

FIXED = (
    "model", "data", "targets", "device", "batch_size", "max_length", "seed", "optimizer",
)  # fmt: skip
PANEL = "What is trained"


@with_flags(fixed=RunConfig, only=FIXED, panel="Model and data")
def claims(
    names: Annotated[
        list[str] | None, typer.Argument(help="Claims to try; none: they are listed.")
    ] = None,
    *,
    preset: Annotated[str | None, typer.Option(help="Preset whose task is trained on.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    fixed: dict[str, Any],
    seeds: Annotated[
        int, typer.Option(min=1, max=64, help="Runs of each setting.", rich_help_panel=PANEL)
    ] = 2,
    steps: Annotated[
        int,
        typer.Option(min=0, help="Steps of each run; 0: as the claim has it.",
                     rich_help_panel=PANEL),
    ] = 0,
    price: Annotated[
        bool, typer.Option("--price", help="Say what it costs, and train nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list on stdout.")] = False,
) -> None:  # fmt: skip
    """Try claims of "LoRA Without Regret" and later papers on a model and data of your own.

    What is expected is printed before the runs, what was measured after, and whether they agree.
    Runs are kept, and those that are there already are not trained again.
    """
    with plain_errors():
        from lora_lab import paths
        from lora_lab.cli.queue_runs import run_queue
        from lora_lab.runs.queue import Queue
        from lora_lab.runs.searches import Searches
        from lora_lab.studies.base import StudyBase
        from lora_lab.studies.claim_list import CLAIMS
        from lora_lab.studies.claims import ClaimReading, plain

        if not names:
            _list(as_json)
            return
        if preset is None and task is None:
            preset = "digits"
        config = base_config(preset, task, fixed, {})
        ask_about(config.factory, False)
        base = StudyBase(config)
        results: list[ClaimStanding] = []
        for name in list(CLAIMS) if names == ["all"] else names:
            reading = ClaimReading(name, base, seeds, steps)
            standing = _said_before(reading)
            if standing.todo and not price:
                folder = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
                queue = Queue(paths.user_data() / "studies" / folder)
                try:
                    queue.add(standing.todo)
                    signal = run_queue(queue, Searches(queue), err)
                finally:
                    queue.close()
                if signal:
                    words = "interrupted; the same command continues with what is missing"
                    fail(words, 128 + signal)
                standing = reading.look()
            results.append(standing)
        if price:
            return
        if as_json:
            print_json([plain(standing) for standing in results])
        for standing in results:
            _say_after(standing, err if as_json else out)
        if missing := sum(len(standing.todo) for standing in results):
            fail(f"{counted(missing, 'run')} did not come to an end")


def _list(as_json: bool) -> None:
    from lora_lab.studies.claim_list import CLAIMS

    if as_json:
        print_json([
            {"claim": name, "says": claim.says, "source": claim.source, "expected": claim.expected}
            for name, claim in CLAIMS.items()
        ])  # fmt: skip
        return
    table = Table("name", "claim", "expected")
    for name, claim in CLAIMS.items():
        table.add_row(name, f"{claim.says} ({claim.source})", claim.expected)
    print_table(table)


def _said_before(reading: ClaimReading) -> ClaimStanding:
    standing = reading.look()
    claim = standing.claim
    err.print(f"{standing.name}: {claim.says} ({claim.source})", style="bold")
    err.print(f"expected: {claim.expected}")
    if standing.refused:
        err.print(f"cannot be tried here: {standing.refused}", style="yellow")
    else:
        there = standing.wanted - len(standing.todo)
        err.print(
            f"{counted(standing.wanted, 'run')}, {there} already there: about "
            f"{standing.seconds:,.0f} s"
        )
    for note in reading.base.notes:
        err.print(note, style="yellow")
    return standing


def _say_after(standing: ClaimStanding, console: Any) -> None:
    verdict = standing.verdict
    if verdict is None:
        return
    console.print(f"{standing.name}: {verdict.word}", style="bold")
    console.print(f"expected: {standing.claim.expected}")
    why = f" ({verdict.why})" if verdict.why else ""
    console.print(f"measured: {verdict.measured + why}")
