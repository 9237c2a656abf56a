"""The verb `sweep`: a grid over the settings of one run, trained run by run, and a table of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lora_lab.cli.console import err, fail, out, plain_errors, print_json, print_table
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig
from lora_lab.errors import LabError
from lora_lab.task_info import own_tasks

if TYPE_CHECKING:
    from lora_lab.runs.search import Plan

GRID, SEARCH, CLUSTER = "Grid", "Search", "Cluster"  # panels of the help
EVERY = (
    "model", "data", "adapter", "device", "max_steps", "epochs", "batch_size", "eval_steps", "seed",
    "autosave_seconds",
)  # fmt: skip


def _axis(text: str) -> Any:
    return typer.Option(help=text, show_default=False, rich_help_panel=GRID, metavar="VALUES")


def _remote(text: str, metavar: str = "PATH") -> Any:
    return typer.Option(help=text, show_default=False, rich_help_panel=CLUSTER, metavar=metavar)


@with_flags(fixed=RunConfig, only=EVERY, panel="Every run")
def sweep(
    *,
    preset: Annotated[str | None, typer.Option(help="Preset whose settings vary.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    rank: Annotated[str | None, _axis("Ranks: 1,2,4,8.")] = None,
    alpha: Annotated[str | None, _axis("Values of α, or multiples of the rank: 16,r,2r.")] = None,
    learning_rate: Annotated[str | None, _axis("Learning rates: 1e-3,3e-3.")] = None,
    variant: Annotated[str | None, _axis("Adapter variants: lora,dora,full.")] = None,
    init: Annotated[str | None, _axis("Inits of A and B: kaiming,pissa.")] = None,
    targets: Annotated[
        str | None, _axis("Sets of layers, separated by semicolons: 'all-linear; fc1,fc2'.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds of each combination.", rich_help_panel=GRID)
    ] = 1,
    search: Annotated[
        str | None,
        typer.Option(
            help="Choose the runs by what was learned of earlier ones: tpe; random; or grid, every "
            "combination. Needs Optuna.",
            rich_help_panel=SEARCH,
            metavar="tpe|random|grid",
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Runs of the search; 20.", rich_help_panel=SEARCH)
    ] = None,
    prune: Annotated[
        str | None,
        typer.Option(
            help="End runs that promise nothing: median, those worse than half of the earlier ones "
            "at their step; halving, all but the best third at each third of the way; none.",
            rich_help_panel=SEARCH,
            metavar="median|halving|none",
        ),
    ] = None,
    fixed: dict[str, Any],
    continued: Annotated[
        Path | None,
        typer.Option(
            "--continue",
            help="Folder or name of a sweep that was interrupted, or that a cluster trains: finish "
            "that one.",
        ),
    ] = None,
    run_factory: Annotated[
        bool, typer.Option("--run-factory", help="Run the code that its runs name without asking.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list on stdout.")] = False,
    cluster: Annotated[
        str | None, _remote("Head of a Ray cluster that trains the runs: http://HEAD:8265.", "URL")
    ] = None,
    storage: Annotated[
        str, _remote("Folder of the cluster that all of its machines see; the lab's own there.")
    ] = "",
    cpus: Annotated[
        int, typer.Option(min=1, help="CPU cores of each run there.", rich_help_panel=CLUSTER)
    ] = 1,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="End once the sweep is sent.", rich_help_panel=CLUSTER),
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="With --continue: end it there.", rich_help_panel=CLUSTER)
    ] = False,
    restore: Annotated[
        bool,
        typer.Option(
            "--restore",
            help="With --continue: go on there where it was stopped, killed or forgotten.",
            rich_help_panel=CLUSTER,
        ),
    ] = False,
) -> None:
    """Train every combination of the values given, one after another, and compare them.

    Combinations that are not possible are skipped, with the reason. With --search a search chooses
    among them, and ranges such as 1e-4..1e-2 may be given. The table is sorted by the best
    validation loss; a star marks the runs that no other beats in both loss and parameters.
    """
    with plain_errors():
        from lora_lab.cluster.sent import new_sweep, sweeps
        from lora_lab.cluster.sweep import where
        from lora_lab.runs.queue import DONE, PRUNED, WAITING, Queue
        from lora_lab.runs.search import Search
        from lora_lab.runs.searches import Searches

        texts = {
            "rank": rank, "alpha": alpha, "learning_rate": learning_rate, "variant": variant,
            "init": init, "targets": targets,
        }  # fmt: skip
        if continued is not None and not continued.exists() and continued.name == str(continued):
            continued = sweeps() / continued
        folder = continued or new_sweep()
        runs: tuple[RunConfig, ...] = ()
        plan = None
        if search is None and continued is None and (trials or prune):
            raise LabError("--trials and --prune are of a search: say which with --search.")
        if detach and not (cluster and continued is None):
            raise LabError(
                "--detach is of a sweep that is sent to a --cluster. Here a sweep stays in its "
                "terminal; lora-lab train --detach leaves one run to itself."
            )
        if cluster and search is not None:
            raise LabError(
                "A search chooses each run by those that have ended, here. To a cluster goes a "
                "grid: give values without --search."
            )
        if cluster and continued is None:
            _asked(cluster, storage)
        known = where(folder) if continued is not None else None
        if known is None and (stop or restore):
            raise LabError("--stop and --restore are of a sweep on a cluster: name it with "
                           "--continue.")  # fmt: skip
        if known is None and continued is not None and cluster:
            raise LabError(f"The sweep in {folder} was begun here. Continue it without --cluster.")
        if continued is None and search is not None:
            plan = _plan(
                preset, task, texts, fixed, seeds, (search, trials or 20, prune or "median")
            )
        elif continued is None:
            runs = _runs(preset, task, texts, fixed, seeds, elsewhere=bool(cluster))
        elif not continued.is_dir():
            raise LabError(f"{continued} is not the folder of a sweep.")
        queue = Queue(folder)
        try:
            if plan is not None:
                Search.create(folder, plan)
            elif continued is None:
                queue.add(runs)
            searches = Searches(queue)
            if searches.damaged:
                raise LabError(" ".join(searches.damaged))
            for factory in sorted(searches.factories):
                ask_about(factory, run_factory)  # the sweep may be somebody else's
            signal = _trained(
                queue, searches, known, cluster, (storage, cpus, detach, stop, restore)
            )
            rows, importances = _rows(queue), searches.importances()
        finally:
            queue.close()
        if as_json:
            print_json(rows)
        else:
            _print(rows)
            _print_importances(importances)
        if signal:
            there = cluster or known
            words = "it continues there" if there else "interrupted"
            again = "shows it again" if there else "continues it"
            fail(f"{words}; lora-lab sweep --continue {folder} {again}", 128 + signal)
        elif not any(row["state"] in (DONE, PRUNED, WAITING) for row in rows):
            fail("no run finished")


def _trained(
    queue: Any,
    searches: Any,
    known: Any,
    cluster: str | None,
    how: tuple[str, int, bool, bool, bool],
) -> int:
    """Train the queue, here or on a cluster; the number of the signal that ended it, or 0."""
    storage, cpus, detach, stop, restore = how
    if known is None and not cluster:
        from lora_lab.cli.queue_runs import run_queue

        return run_queue(queue, searches, err)
    from lora_lab.cli.cluster_sweep import attached, follow, sent
    from lora_lab.cluster.sent import sweeps

    if known is None:
        sweep = sent(queue, str(cluster), storage, cpus)
        if not detach:
            return follow(sweep, queue)
        sweep.close()
        err.print(f"It continues there; lora-lab sweep --continue {queue.folder.name} shows it.")
        return 0
    if all(item.ended for item in queue.items) and not (stop or restore):
        return 0
    if queue.folder.resolve().parent != sweeps().resolve() and not cluster:
        raise LabError(
            f"{queue.folder} is no folder of the lab's own, and names the cluster {known.address}. "
            f"Say --cluster {known.address} where your token may be sent there."
        )
    return follow(attached(queue, known, cluster, stop, restore), queue)


def _asked(address: str, storage: str) -> None:
    """Raises LabError where the runs could not be sent, before a model is opened for them."""
    from lora_lab.cluster.jobs import Cluster
    from lora_lab.cluster.order import check_storage

    check_storage(storage)
    Cluster(address).check()


def _layers(base: RunConfig, elsewhere: bool) -> tuple[Any, ...]:
    """The layers of the model; () where it is not here and does not have to be, which is said."""
    from lora_lab.cli.queue_runs import layers_of

    try:
        return layers_of(base)
    except LabError as error:
        if not elsewhere:
            raise
        err.print(f"Layers and ranks are not checked beforehand: {error}", style="yellow")
        return ()


def _runs(
    preset: str | None, task: str | None, texts: dict[str, Any], fixed: dict[str, Any], seeds: int,
    elsewhere: bool,
) -> tuple[RunConfig, ...]:  # fmt: skip
    """The runs of the grid; says on the console how many, and which are skipped and why."""
    from lora_lab.runs.grid import expand, parse_axis

    axes = {name: parse_axis(name, text) for name, text in texts.items() if text}
    base = base_config(preset, task, fixed, {})
    if seeds > 1:
        axes["seed"] = tuple(range(base.seed, base.seed + seeds))
    result = expand(base, axes, _layers(base, elsewhere))
    for reason in result.reasons:
        err.print(f"skipped: {reason}", style="yellow")
    if not result.runs:
        raise LabError("Nothing is left to train.")
    return result.runs


def _plan(
    preset: str | None, task: str | None, texts: dict[str, Any], fixed: dict[str, Any], seeds: int,
    how: tuple[str, int, str],
) -> Plan:  # fmt: skip
    """What is to be searched, and how: sampler, trials and pruner; raises LabError."""
    from lora_lab.cli.queue_runs import layers_of
    from lora_lab.runs.search import Plan
    from lora_lab.runs.space import parse_space

    space = {name: parse_space(name, text) for name, text in texts.items() if text}
    base = base_config(preset, task, fixed, {})
    if seeds > 1:
        space["seed"] = tuple(range(base.seed, base.seed + seeds))
    plan = Plan(base, {name: axis for name, axis in space.items() if axis}, *how).checked()
    return replace(plan, adaptable=tuple(layers_of(base)))  # opens the model: what is cheap first


def _rows(queue: Any) -> list[dict[str, Any]]:
    """One plain table of facts per run, the best validation loss first, those without one last."""
    from lora_lab.runs.grid import describe
    from lora_lab.runs.queue import pareto

    front = set(pareto(queue.items))
    items = sorted(queue.items, key=lambda i: i.best if math.isfinite(i.best) else math.inf)
    return [
        {
            "what": describe(i.config), "state": i.state, "rank": i.config.hyper.rank,
            "alpha": i.config.hyper.alpha, "learning_rate": i.config.hyper.learning_rate,
            "variant": i.config.variant, "init": i.config.init, "targets": list(i.config.targets),
            "seed": i.config.seed, "best": i.best if math.isfinite(i.best) else None,
            "parameters": i.parameters, "steps": i.step, "seconds": round(i.seconds, 3),
            "pareto": i.id in front, "message": i.message, "run": i.run,
            "trial": i.trial if i.search else None,
        }
        for i in items
    ]  # fmt: skip


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table("", "run", "state", "parameters", "best loss", "step", "time", "folder")
    for row in rows:
        best = "–" if row["best"] is None else f"{row['best']:.4g}"
        table.add_row(
            "★" if row["pareto"] else "", row["what"], row["state"],
            f"{row['parameters']:,}" if row["parameters"] else "–", best, f"{row['steps']:,}",
            f"{row['seconds']:,.1f} s", Path(row["run"]).name,
        )  # fmt: skip
    print_table(table)
    out.print("★ no other run has both fewer parameters and a lower validation loss.")
    for row in rows:
        if row["message"]:
            out.print(f"{row['what']}: {row['message']}")


def _print_importances(found: Mapping[str, float]) -> None:
    if found:
        from lora_lab.runs.grid import axis_title

        words = ", ".join(f"{axis_title(name)} {100 * x:.0f} %" for name, x in found.items())
        out.print(f"differences in loss among the best runs, by setting: {words}")
