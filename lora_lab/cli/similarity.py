"""The verb `similarity`: LoRA §7 on one's own model, its tables 5 to 7 and figures 3 and 4."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lora_lab.cli.console import err, fail, out, plain_errors, print_json, print_table
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig
from lora_lab.errors import ConfigError
from lora_lab.figures import counted
from lora_lab.task_info import own_tasks

FIXED = (
    "model", "data", "targets", "device", "batch_size", "max_length", "seed", "optimizer",
)  # fmt: skip
PANEL = "What is trained"
PARTS = ("ranks", "layers")


@with_flags(fixed=RunConfig, only=FIXED, panel="Model and data")
def similarity(
    *,
    preset: Annotated[str | None, typer.Option(help="Preset whose task is trained on.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    fixed: dict[str, Any],
    only: Annotated[
        str,
        typer.Option(
            help="ranks: Table 6, Figures 3 and 4, Table 7. layers: Table 5. None: both.",
            rich_help_panel=PANEL,
        ),
    ] = "",
    ranks: Annotated[
        str, typer.Option(help="Ranks: 1,4,16.", metavar="VALUES", rich_help_panel=PANEL)
    ] = "",
    learning_rates: Annotated[
        str,
        typer.Option(
            help="Rates that each rank is tried at; the one of the least training loss counts.",
            metavar="VALUES", rich_help_panel=PANEL,
        ),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=0, help="Runs of each; 0: as the task has it.", rich_help_panel=PANEL)
    ] = 0,
    steps: Annotated[
        int,
        typer.Option(min=0, help="Steps of each run; 0: as the task has it.",
                     rich_help_panel=PANEL),
    ] = 0,
    count: Annotated[
        int,
        typer.Option(min=0, help="Numbers that each set of layers may train, in Table 5.",
                     rich_help_panel=PANEL),
    ] = 0,
    price: Annotated[
        bool, typer.Option("--price", help="Say what it costs, and train nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:  # fmt: skip
    """What did LoRA find? Section 7 of Hu et al. 2021 on a model and data of your own.

    Which layers to adapt, which rank, how much two runs have in common, and how ΔW stands to W.
    Runs are kept, and those that are there already are not trained again.
    """
    with plain_errors():
        from lora_lab import paths
        from lora_lab.cli.queue_runs import run_queue
        from lora_lab.runs.grid import parse_axis
        from lora_lab.runs.queue import Queue
        from lora_lab.runs.searches import Searches
        from lora_lab.studies.base import StudyBase
        from lora_lab.studies.ended import Shelf
        from lora_lab.studies.found import Found
        from lora_lab.studies.plan import Settings, distinct, plan
        from lora_lab.studies.summary import summary

        if only not in ("", *PARTS):
            raise ConfigError(f"--only is {' or '.join(PARTS)}, not {only!r}.")
        if preset is None and task is None:
            preset = "digits"
        config = base_config(preset, task, fixed, {})
        ask_about(config.factory, False)
        settings = Settings(
            ranks=parse_axis("rank", ranks), seeds=seeds, count=count, steps=steps,
            rates=parse_axis("learning_rate", learning_rates),
        )  # fmt: skip
        base = StudyBase(config, steps)
        asked = plan(base, settings)
        shelf = Shelf(base)
        shelf.look()
        wanted = distinct(
            [*(asked.by_rank.values() if only != "layers" else ()),
             *(asked.by_set.values() if only != "ranks" else ())]
        )  # fmt: skip
        todo = shelf.missing(wanted)
        err.print(
            f"{counted(len(wanted), 'run')} of {counted(asked.steps, 'step')}, "
            f"{len(wanted) - len(todo)} already there: about {len(todo) * base.run_seconds:,.0f} s"
        )
        for note in asked.notes:
            err.print(note, style="yellow")
        if price:
            return
        signal = 0
        if todo:
            queue = Queue(paths.user_data() / "studies" / time.strftime("%Y%m%d-%H%M%S"))
            try:
                queue.add(todo)
                signal = run_queue(queue, Searches(queue), err)
            finally:
                queue.close()
        shelf.look()
        result = summary(asked, shelf, Found(base))
        if as_json:
            print_json(result)
        _print(result, only, on_stderr=as_json)
        if signal:
            fail("interrupted; the same command continues with what is missing", 128 + signal)
        if missing := shelf.missing(wanted):
            fail(f"{len(missing)} of {counted(len(wanted), 'run')} did not come to an end")


def _print(result: dict[str, Any], only: str, on_stderr: bool) -> None:
    def show(title: str, table: Table) -> None:
        if on_stderr:
            table.box = SIMPLE_HEAD
            err.print(title, style="bold")
            err.print(table)
        else:
            out.print(title, style="bold")
            print_table(table)

    if only != "ranks" and result["table5"]["rows"]:
        count = result["table5"]["count"]
        show(f"Table 5: which layers, at {count:,} numbers", _rows(result["table5"]["rows"]))
    if only == "layers":
        return
    show("Table 6: which rank, each at its best rate", _rows(result["table6"]))
    low, high = result["between_ranks"]["ranks"]
    titles = {
        "between_ranks": f"Figure 3: φ(k, k) of rank {low} and {high}, other seeds",
        "between_seeds": f"Figure 4: φ(k, k) of two seeds at rank {high}",
    }
    for key, title in titles.items():
        if result[key]["layers"]:
            show(title, _similarities(result[key]["layers"]))
    if result["table7"]:
        show("Table 7: ‖UᵀWV‖ in the directions of ΔW, of W and at random; medians",
             _amplifications(result["table7"]))  # fmt: skip


def _rows(rows: list[dict[str, Any]]) -> Table:
    table = Table()
    for title in ("", "r", "numbers", "learning rate", "accuracy", "validation loss", "n"):
        table.add_column(title, justify="left" if not title else "right")
    for row in rows:
        rate = "–" if row["learning_rate"] is None else f"{row['learning_rate']:g}"
        edge = "*" if row["rate_at_the_edge"] else ""
        table.add_row(
            row["name"], str(row["rank"] or "–"),
            f"{row['numbers']:,}" if row["numbers"] else "–", rate + edge,
            _spread(row["accuracy"]), _spread(row["loss"]), str(row["loss"]["n"]),
        )  # fmt: skip
    if any(row["rate_at_the_edge"] for row in rows):
        table.caption = "* the best rate is the smallest or largest that was tried"
    return table


def _similarities(layers: dict[str, Any]) -> Table:
    table = Table("layer", "of")
    counts = next(iter(next(iter(layers.values())).values()))["k"]
    for k in counts:
        table.add_column(f"k {k}", justify="right")
    for layer, views in layers.items():
        for view, found in views.items():
            table.add_row(layer, view, *(_number(value, 2) for value in found["phi"]))
        chance = next(iter(views.values()))["chance"]
        table.add_row(layer, "chance", *(_number(value, 3) for value in chance))
    return table


def _amplifications(layers: dict[str, Any]) -> Table:
    table = Table("layer", "r")
    for title in ("ΔW's", "W's", "random", "‖ΔW‖", "factor", "ΔW's / random"):
        table.add_column(title, justify="right")
    for layer, ranks in layers.items():
        for rank, row in ranks.items():
            names = ("in_delta", "in_own", "in_random", "delta_norm", "factor", "over_random")
            table.add_row(layer, rank, *(_number(row[name], 2) for name in names))
    return table


def _spread(cell: dict[str, Any]) -> str:
    if cell["mean"] is None:
        return "–"
    spread = "" if cell["sd"] is None else f" ± {cell['sd']:.3f}"
    return f"{cell['mean']:.3f}{spread}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"
