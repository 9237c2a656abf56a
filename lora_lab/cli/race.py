"""The verb `race`: several ranks over one frozen base on the same batches, and a table of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lora_lab.cli.console import err, plain_errors, print_json, print_table
from lora_lab.cli.flags import with_flags
from lora_lab.cli.train import ask_about, base_config
from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.figures import counted
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import EvalRecord
from lora_lab.task_info import own_tasks
from lora_lab.variants import VARIANTS

if TYPE_CHECKING:
    from lora_lab.race.race import Race
    from lora_lab.race.script import Act

RACE = "Lanes"  # a panel of the help
REPORTS = 10  # lines of progress
VALIDATIONS = 10  # of each lane, where the settings do not say when
MOVES = 0.01  # of a loss, where anything was learned
SHOWN = 8  # σ of each layer in the JSON object


@with_flags(fixed=RunConfig, hyper=Hyperparameters)
def race(
    *,
    preset: Annotated[str | None, typer.Option(help="Preset whose task is raced on.")] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"A task with a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    ranks: Annotated[
        str,
        typer.Option(help="Ranks, a lane each: 1,2,4,8.", metavar="VALUES", rich_help_panel=RACE),
    ] = "1,2,4,8",
    alphas: Annotated[
        str,
        typer.Option(
            help="α as a multiple of each lane's rank: r or 2r. Without it all have the same α.",
            metavar="VALUE", rich_help_panel=RACE,
        ),
    ] = "",
    stack: Annotated[
        bool,
        typer.Option("--stack", help="All lanes in one batch: the same but for rounding, quicker "
                     "for small nets and short batches.", rich_help_panel=RACE),
    ] = False,
    at: Annotated[
        list[str] | None,
        typer.Option(
            help="What happens at a step: 500:drop:r 1, 500:add:16, 500:clone:r 4:rank=6 or "
            "500:set:r 4:learning_rate=1e-3; several times.",
            metavar="STEP:ACT", rich_help_panel=RACE,
        ),
    ] = None,
    fixed: dict[str, Any],
    hyper: dict[str, Any],
    run_factory: Annotated[
        bool,
        typer.Option(help="Run the factory's code without asking.", rich_help_panel="Model"),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:  # fmt: skip
    """Train several ranks beside each other: one base, the same batches, a step each in turn.

    Each lane is, to the bit, the run that it would be alone; with --stack but for rounding. At the
    end the change of the highest rank is cut to each lower one, and its loss stands beside that of
    the rank that was trained. Nothing is saved.
    """
    with plain_errors():
        if "rank" in hyper:
            raise ConfigError("A race has --ranks, and no --rank.")
        if preset is None and task is None:
            preset = "digits"
        config = base_config(preset, task, fixed, hyper)
        ask_about(config.factory, run_factory)
        lanes, at_rank = _lanes(config, ranks, alphas)
        from lora_lab.race.race import Race
        from lora_lab.race.script import read

        script = read(at or (), at_rank, lanes)
        running = Race(lanes, stacked=stack)
        price = running.price()
        _print_price(running, price)
        if stack and price.obstacle:
            err.print(f"not stacked: {price.obstacle}", style="yellow")
        seconds = _run(running, script)
        if not running.lanes:
            raise LabError("No lane is left: all were dropped. Leave one in.")
        top, cuts = running.cuts()
        result = {
            "steps": running.steps,
            "seconds": round(seconds, 3),
            "expected_seconds": round(price.seconds, 3),
            "base_bytes": price.base_bytes,
            "stacked": running.stacked and not running.stacking.obstacle,
            "cut_of": running.lanes[top].experiment.hyper.rank if top else None,
            "lanes": [_row(running, name, cuts.get(name)) for name in running.lanes],
        }
        standstill = _standstill(running)
        running.close()
        if as_json:
            print_json(result)
        _print(result, as_json)
        if standstill:
            err.print(standstill, style="yellow")
        if not any(row["state"] != "paused" for row in result["lanes"]):
            raise LabError("No lane stayed finite. Lower --learning-rate.")


def _lanes(
    config: RunConfig, ranks: str, alphas: str
) -> tuple[dict[str, RunConfig], Callable[[int], RunConfig]]:
    """The lanes by name, and how one of another rank would be.

    Raises ConfigError for a variant without ranks, for no rank, and for one that is named twice.
    """
    from lora_lab.race.script import read_ranks
    from lora_lab.runs.grid import TimesRank, parse_axis

    variant = VARIANTS[config.variant]
    if not (variant.factored or variant.whole):  # what trains W itself the race refuses by itself
        raise ConfigError(f"{variant.subject} cannot race by rank: it has none.")
    found = read_ranks(ranks)
    if not found:
        raise ConfigError("--ranks names no rank. Write it as in 1,2,4,8.")
    times = parse_axis("alpha", alphas)
    if len(times) > 1 or not all(isinstance(one, TimesRank) for one in times):
        raise ConfigError(f"--alphas is one multiple of the rank, as in 2r, not {alphas!r}.")
    if config.epochs is None and not config.eval_steps:
        config = changed(config, eval_steps=max(1, config.max_steps // VALIDATIONS))

    def at(rank: int) -> RunConfig:
        own = {"rank": rank} | ({"alpha": times[0].factor * rank} if times else {})
        return changed(config, hyper=changed(config.hyper, **own).model_dump())

    return {f"r {rank}": at(rank) for rank in found}, at


def _print_price(running: Race, price: Any) -> None:
    count = len(running.lanes)
    err.print(
        f"{counted(count, 'lane')} over one base of {price.base_bytes / 1e6:,.1f} MB, "
        f"{price.trained:,} trained numbers in all: {counted(running.goal, 'round')} of "
        f"{counted(count, 'step')}, about {price.seconds:,.1f} s"
    )
    if price.stacked == price.stacked:
        times = price.step / price.stacked
        flag = ": --stack" if times > 1 and not running.stacked else ""
        err.print(f"in a stack the steps are {times:.1f} times as fast{flag}")
    notes = [note for lane in running.lanes.values() for note in lane.experiment.loaded().notes]
    for note in dict.fromkeys(notes):
        err.print(note, style="yellow")


def _run(running: Race, script: Sequence[Act]) -> float:
    """All rounds, with some lines on the way; the seconds that they took."""
    began, every = time.perf_counter(), max(1, running.goal // REPORTS)
    standing: set[str] = set()
    ahead = [*script]
    while running.running:
        while ahead and ahead[0].step <= running.steps:
            act = ahead.pop(0)
            act.apply(running)
            err.print(f"step {running.steps:,}: {act.words}")
        marks = [act.step for act in ahead[:1]] + [running.steps - running.steps % every + every]
        running.step(min(marks) - running.steps)
        for name, lane in running.lanes.items():
            if lane.message and name not in standing:
                standing.add(name)
                err.print(f"{name}: {lane.message}", style="yellow")
        if running.lanes and running.steps % every == 0:
            losses = "  ".join(f"{name}: {lane.loss:.4g}" for name, lane in running.lanes.items())
            err.print(f"{100 * running.steps / running.goal:3.0f} %  {losses}")
    for act in ahead:
        err.print(f"not done, the race was over before: {act.words}", style="yellow")
    return time.perf_counter() - began


def _standstill(running: Race) -> str:
    """What to do where no loss has moved: lanes that stand still say nothing of their ranks."""
    for lane in running.lanes.values():
        found = [row.loss for row in lane.kept if isinstance(row, EvalRecord) and row.enabled]
        if len(found) < 2 or not abs(found[-1] - found[0]) < MOVES * found[0]:
            return ""
    rates = [lane.experiment.hyper.learning_rate for lane in running.lanes.values()]
    return (
        f"No validation loss moved by 1 % in {counted(running.steps, 'step')}, which says nothing "
        f"of ranks. Give more --steps, or a --learning-rate above {max(rates):g}."
    )


def _row(running: Race, name: str, cut: Any) -> dict[str, Any]:
    """One lane in plain values; None for what is not known or not finite."""
    lane = running.lanes[name]
    hyper, found = lane.experiment.hyper, lane.evaluation
    return {
        "lane": name,
        "rank": hyper.rank,
        "alpha": hyper.alpha,
        "learning_rate": hyper.learning_rate,
        "trained": lane.trained,
        "state": lane.state.value,
        "message": lane.message,
        "steps": lane.experiment.step,
        "loss": _finite(lane.loss),
        "validation_loss": _finite(found.loss) if found else None,
        "validation_accuracy": found.accuracy if found else None,
        "change": _finite(lane.change),
        "sigma": {row.name: [float(value) for value in row.sigma[:SHOWN]]
                  for row in (lane.spectrum.layers if lane.spectrum else ())},
        "cut": None if cut is None else {"loss": _finite(cut.loss), "accuracy": cut.accuracy},
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _print(result: dict[str, Any], on_stderr: bool) -> None:
    """The table, on stdout where no JSON is."""
    top = result["cut_of"]
    table = Table()
    columns = ["rank", "trained", "loss", "validation loss", "accuracy", "‖ΔW‖/‖W‖"]
    columns += [f"rank {top}, cut to it"] if top else []
    for title in columns:
        table.add_column(title, justify="right")
    for row in result["lanes"]:
        shown = [f"{row['rank']:,}", f"{row['trained']:,}"]
        shown += [_number(row[key]) for key in ("loss", "validation_loss")]
        accuracy = row["validation_accuracy"]
        shown += ["–" if accuracy is None else f"{100 * accuracy:.1f} %", _number(row["change"])]
        if top:
            shown.append(_number(row["cut"]["loss"] if row["cut"] else None))
        if row["state"] == "paused":
            shown[2] = f"stood at step {row['steps']:,}"
        table.add_row(*shown)
    if on_stderr:
        table.box = SIMPLE_HEAD
        err.print(table)
    else:
        print_table(table)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
