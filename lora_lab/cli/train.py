"""The verb `train`: a preset, or a task with a model and data of one's own, trained to its end."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from lora_lab.cli.console import err, out, plain_errors
from lora_lab.config import (
    KNOBS,
    Batching,
    DType,
    Hyperparameters,
    Init,
    Optimizer,
    RunConfig,
    Schedule,
    changed,
    checked,
)
from lora_lab.errors import ConfigError
from lora_lab.presets import STARTS, get_preset, list_presets, starting_config
from lora_lab.variants import VARIANTS

LISTED = 12  # layers whose spectra are printed
DATA, MODEL, COURSE, ADAPTER = "Data", "Model", "Course", "Adapter"  # panels of the help


def _knob(name: str, *flags: str) -> Any:
    text = KNOBS[name].help
    return typer.Option(*flags, help=text, show_default=False, rich_help_panel=ADAPTER)


def _fixed(panel: str, field: str, choices: Iterable[str] = (), *flags: str, **more: Any) -> Any:
    """An option whose help is the field's own, with the words that may stand there."""
    text = str(RunConfig.model_fields[field].description)
    names = f" {', '.join(choices)}." if choices else ""
    return typer.Option(
        *flags, help=text + names, show_default=False, rich_help_panel=panel, **more
    )


def _per_layer(field: str, flag: str, metavar: str) -> Any:
    text = f"{Hyperparameters.model_fields[field].description} Repeat it for more layers."
    return typer.Option(
        flag, metavar=metavar, help=text, show_default=False, rich_help_panel=ADAPTER
    )


def train(
    preset: Annotated[
        str | None, typer.Option(help="digits, known-rank or mnist-tutorial.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"What to learn with a model and data of your own: {', '.join(STARTS)}."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Hugging Face folder, .gguf or checkpoint.", rich_help_panel=MODEL),
    ] = None,
    device: Annotated[str | None, _fixed(MODEL, "device")] = None,
    dtype: Annotated[str | None, _fixed(MODEL, "dtype", get_args(DType))] = None,
    checkpointing: Annotated[bool | None, _fixed(MODEL, "checkpointing")] = None,
    factory: Annotated[str | None, _fixed(MODEL, "factory", metavar="MODULE:FUNCTION")] = None,
    run_factory: Annotated[
        bool,
        typer.Option(help="Run the factory's code without asking.", rich_help_panel=MODEL),
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="File or folder to learn from.", rich_help_panel=DATA)
    ] = None,
    column: Annotated[
        list[str] | None, _fixed(DATA, "columns", (), "--column", metavar="ROLE=COLUMN")
    ] = None,
    validation: Annotated[float | None, _fixed(DATA, "validation")] = None,
    validation_data: Annotated[str | None, _fixed(DATA, "validation_data")] = None,
    keep_data: Annotated[str | None, _fixed(DATA, "keep_data")] = None,
    skip_bad_rows: Annotated[bool | None, _fixed(DATA, "skip_bad_rows")] = None,
    max_length: Annotated[int | None, _fixed(DATA, "max_length")] = None,
    batching: Annotated[str | None, _fixed(DATA, "batching", get_args(Batching))] = None,
    prompt: Annotated[list[str] | None, _fixed(DATA, "prompts", (), "--prompt")] = None,
    rank: Annotated[int | None, _knob("rank", "--rank", "-r")] = None,
    alpha: Annotated[float | None, _knob("alpha", "--alpha", "-a")] = None,
    learning_rate: Annotated[
        float | None, _knob("learning_rate", "--learning-rate", "--lr")
    ] = None,
    weight_decay: Annotated[float | None, _knob("weight_decay", "--weight-decay")] = None,
    dropout: Annotated[float | None, _knob("dropout", "--dropout")] = None,
    layer_rank: Annotated[
        list[str] | None, _per_layer("layer_ranks", "--layer-rank", "NAME=R")
    ] = None,
    freeze: Annotated[list[str] | None, _per_layer("frozen_layers", "--freeze", "NAME")] = None,
    variant: Annotated[str | None, _fixed(ADAPTER, "variant", VARIANTS)] = None,
    init: Annotated[str | None, _fixed(ADAPTER, "init", get_args(Init))] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            help="Layers to adapt: all-linear, a module path or its end. Repeat it, or put commas.",
            rich_help_panel=ADAPTER,
        ),
    ] = None,
    optimizer: Annotated[str | None, _fixed(COURSE, "optimizer", get_args(Optimizer))] = None,
    b_rate_ratio: Annotated[float | None, _fixed(COURSE, "b_rate_ratio")] = None,
    momentum: Annotated[float | None, _fixed(COURSE, "momentum")] = None,
    schedule: Annotated[str | None, _fixed(COURSE, "schedule", get_args(Schedule))] = None,
    warmup_steps: Annotated[int | None, _fixed(COURSE, "warmup_steps")] = None,
    steps: Annotated[int | None, _fixed(COURSE, "max_steps", (), "--steps")] = None,
    epochs: Annotated[float | None, _fixed(COURSE, "epochs")] = None,
    batch_size: Annotated[int | None, _fixed(COURSE, "batch_size")] = None,
    accumulation: Annotated[int | None, _fixed(COURSE, "accumulation")] = None,
    eval_steps: Annotated[int | None, _fixed(COURSE, "eval_steps")] = None,
    patience: Annotated[int | None, _fixed(COURSE, "patience")] = None,
    seed: Annotated[int | None, _fixed(COURSE, "seed")] = None,
    autosave: Annotated[float | None, _fixed(COURSE, "autosave_seconds", (), "--autosave")] = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Run folder (new).")] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder for TensorBoard's event files as well; needs tensorboard."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train an adapter and write a run folder.

    What is not given is as the preset, or the task, begins.
    """
    hyper = {
        "rank": rank, "alpha": alpha, "learning_rate": learning_rate,
        "weight_decay": weight_decay, "dropout": dropout,
        "layer_ranks": _layer_ranks(layer_rank), "frozen_layers": freeze or None,
    }  # fmt: skip
    fixed = {
        "data": data, "model": model, "variant": variant, "init": init, "max_steps": steps,
        "batch_size": batch_size, "seed": seed, "device": device, "optimizer": optimizer,
        "b_rate_ratio": b_rate_ratio, "momentum": momentum, "schedule": schedule,
        "warmup_steps": warmup_steps, "targets": _split(targets), "dtype": dtype,
        "checkpointing": checkpointing, "factory": factory, "columns": _columns(column),
        "validation": validation, "validation_data": validation_data, "keep_data": keep_data,
        "skip_bad_rows": skip_bad_rows, "max_length": max_length, "batching": batching,
        "prompts": prompt or None, "epochs": epochs, "accumulation": accumulation,
        "eval_steps": eval_steps, "patience": patience, "autosave_seconds": autosave,
    }  # fmt: skip
    with plain_errors():
        config = base_config(preset, task, given(fixed), given(hyper))
        ask_about(config.factory, run_factory)
        print_result(_train(config, out_folder, tensorboard), as_json)


def _layer_ranks(wished: list[str] | None) -> list[tuple[str, str]] | None:
    pairs = [text.rpartition("=") for text in wished or ()]
    for name, _, rank in pairs:
        if not name or not (rank.isascii() and rank.isdecimal()):
            raise typer.BadParameter("write NAME=RANK, as in fc1=4", param_hint="--layer-rank")
    return [(name, rank) for name, _, rank in pairs] or None


def _split(names: list[str] | None) -> list[str] | None:
    parts = [part.strip() for text in names or () for part in text.split(",")]
    return [part for part in parts if part] or None


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _columns(wished: list[str] | None) -> list[tuple[str, str]] | None:
    pairs = [text.partition("=") for text in wished or ()]
    for role, _, column in pairs:
        if not (role and column):
            raise typer.BadParameter("write ROLE=COLUMN, as in text=review", param_hint="--column")
    return [(role, column) for role, _, column in pairs] or None


def base_config(
    preset_name: str | None, task: str | None, fixed: dict[str, Any], hyper: dict[str, Any]
) -> RunConfig:
    """What the flags ask for, over a preset or a task's start."""
    if task is not None:
        if preset_name is not None:
            raise ConfigError("Give --preset or --task, not both: a preset has its task.")
        name = task.replace("-", "_")
        if name not in STARTS:
            raise ConfigError(
                f"There is no task {task!r} for data of your own. There are: {', '.join(STARTS)}."
            )
        return starting_config(name, **fixed, hyper=hyper)
    if preset_name is None:
        names = ", ".join(p.name for p in list_presets())
        raise ConfigError(
            f"Say what to train: --preset with one of {names}; or --task with one of "
            f"{', '.join(STARTS)}, --model and --data."
        )
    preset = get_preset(preset_name)
    if preset.needs_data and not (fixed.get("data") or preset.config.data):
        raise ConfigError(f"Preset {preset.name} needs {preset.needs_data}: give it with --data.")
    wished = checked(Hyperparameters, {**preset.config.hyper.model_dump(), **hyper})
    return changed(preset.config, **fixed, hyper=wished.model_dump())


def ask_about(factory: str, agreed: bool) -> None:
    """Somebody's own code is run only after they agree."""
    if not factory or agreed:
        return
    from lora_lab.models.factory import describe_factory

    err.print(describe_factory(factory))
    if not typer.confirm("Run this code?", default=False, err=True):
        raise ConfigError("The factory was not run, so there is no model. --run-factory agrees.")


def _train(config: RunConfig, out_folder: Path | None, tensorboard: Path | None) -> dict[str, Any]:
    if out_folder is not None and out_folder.exists() and not out_folder.is_dir():
        raise ConfigError(f"{out_folder} is a file. Choose a new folder with --out.")
    if out_folder is not None and out_folder.exists() and any(out_folder.iterdir()):
        raise ConfigError(f"{out_folder} is not empty. Choose a new folder with --out.")
    from lora_lab.cli.headless import drive

    return drive(config, out_folder, err, tensorboard=tensorboard)


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """What a run amounts to, for people or as one JSON object; exits where a signal ended it."""
    from lora_lab.runs.listing import resumable

    if as_json:
        print(json.dumps(result))
    else:
        _print_for_people(result)
    if name := result["interrupted"]:
        run, step = result["run"], result["steps"]
        words = f"and saved; lora-lab resume {run} goes on"
        if resumable(Path(run)) != step:  # there was no memory for a copy of all of it
            words = f"with its adapter saved in {run}; no save of that step can be gone on from"
        err.print(f"stopped by {name} after step {step:,} {words}")
        raise typer.Exit(128 + signal.Signals[name])


def _print_for_people(result: dict[str, Any]) -> None:
    p = result["parameters"]
    out.print(f"loss {result['final_loss']:.6g} (best {result['best_loss']:.6g}) "
              f"after {result['steps']:,} steps in {result['seconds']:.1f} s")  # fmt: skip
    on, off = result["adapter_on"], result["adapter_off"]
    if on and off and on["accuracy"] is None and on["loss"] == on["loss"]:
        out.print(f"loss on held-out data: adapter off {off['loss']:.4g}, on {on['loss']:.4g}")
    if result["best_evaluation"] and result["best_step"] != result["steps"]:
        kept = ", kept as adapter-best" if (Path(result["run"]) / "adapter-best").is_dir() else ""
        out.print(f"best on held-out data: loss {result['best_evaluation']['loss']:.4g} "
                  f"at step {result['best_step']:,}{kept}")  # fmt: skip
    if on and off and on["accuracy"] is not None:
        out.print(f"accuracy on held-out data: adapter off {100 * off['accuracy']:.1f} %, "
                  f"on {100 * on['accuracy']:.1f} %")  # fmt: skip
    if on and off and on["keep_accuracy"] is not None:
        out.print(f"accuracy on the old task: adapter off {100 * off['keep_accuracy']:.1f} %, "
                  f"on {100 * on['keep_accuracy']:.1f} %")  # fmt: skip
    elif on and off and on["keep_loss"] is not None:
        out.print(
            f"loss on the old task: adapter off {off['keep_loss']:.4g}, on {on['keep_loss']:.4g}"
        )
    share = f" ({100 * p['adapter'] / p['frozen']:.3f} %)" if p["frozen"] else ""
    out.print(f"trained {p['adapter']:,} parameters beside {p['frozen']:,} frozen ones{share}")
    spectra = sorted(result["singular_values"].items(), key=lambda item: -max(item[1], default=0))
    for name, sigma in spectra[:LISTED]:
        shown = "  ".join(f"{value:.4g}" for value in sigma[:8])
        out.print(f"σ(ΔW) {name}: {shown}{' …' if len(sigma) > 8 else ''}")
    if len(spectra) > LISTED:
        out.print(
            f"and {len(spectra) - LISTED} more layers, of smaller σ: lora-lab inspect shows all"
        )
    if result["run"]:
        out.print(f"run {result['run']}")
