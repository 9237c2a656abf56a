"""The headless verbs: the same loop as the window's, with a progress bar and one JSON object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lora_lab import __version__
from lora_lab.config import (
    KNOBS,
    Hyperparameters,
    Init,
    Optimizer,
    RunConfig,
    Schedule,
    checked,
)
from lora_lab.errors import ConfigError, LabError
from lora_lab.variants import VARIANTS

app = typer.Typer(
    name="lora-lab",
    help="Train low-rank adapters and see what they learn. Without a verb the window opens.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Names and paths are shown as they are: a bracket in one is no markup.
err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
out = Console(markup=False, highlight=False, soft_wrap=True)


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the user can mend is one clear line and exit code 1, never a traceback."""
    try:
        yield
    except LabError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")


def _fail(message: str) -> NoReturn:
    err.print(f"lora-lab: {message}", style="red")
    raise typer.Exit(1)


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


def _knob(name: str, *flags: str) -> Any:
    return typer.Option(*flags, help=KNOBS[name].help, show_default="the preset's")


def _fixed(field: str, choices: Iterable[str] = ()) -> Any:
    """An option whose help is the field's own, with the words that may stand there."""
    text = str(RunConfig.model_fields[field].description)
    names = f" {', '.join(choices)}." if choices else ""
    return typer.Option(help=text + names, show_default="the preset's")


def _per_layer(field: str, flag: str, metavar: str) -> Any:
    text = f"{Hyperparameters.model_fields[field].description} Repeat it for more layers."
    return typer.Option(flag, metavar=metavar, help=text, show_default="the preset's")


@app.command()
def train(
    preset: Annotated[
        str | None, typer.Option(help="digits, known-rank or mnist-tutorial.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Data folder, where the preset needs one.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Base checkpoint in place of the preset's.")
    ] = None,
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
    variant: Annotated[str | None, _fixed("variant", VARIANTS)] = None,
    init: Annotated[str | None, _fixed("init", get_args(Init))] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            help="Layers to adapt: all-linear, a module path or its end. Repeat it, or put commas."
        ),
    ] = None,
    optimizer: Annotated[str | None, _fixed("optimizer", get_args(Optimizer))] = None,
    b_rate_ratio: Annotated[float | None, _fixed("b_rate_ratio")] = None,
    momentum: Annotated[float | None, _fixed("momentum")] = None,
    schedule: Annotated[str | None, _fixed("schedule", get_args(Schedule))] = None,
    warmup_steps: Annotated[int | None, _fixed("warmup_steps")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps to train.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples per step.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of inits, batches and dropout.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:N or mps.")] = None,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Run folder (new).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train an adapter and write a run folder."""
    hyper = {
        "rank": rank, "alpha": alpha, "learning_rate": learning_rate,
        "weight_decay": weight_decay, "dropout": dropout,
        "layer_ranks": _layer_ranks(layer_rank), "frozen_layers": freeze or None,
    }  # fmt: skip
    fixed = {
        "data": data, "model": model, "variant": variant, "init": init, "max_steps": steps,
        "batch_size": batch_size, "seed": seed, "device": device, "optimizer": optimizer,
        "b_rate_ratio": b_rate_ratio, "momentum": momentum, "schedule": schedule,
        "warmup_steps": warmup_steps, "targets": _split(targets),
    }  # fmt: skip
    with plain_errors():
        result = _train(preset, _given(fixed), _given(hyper), out_folder)
        _print_result(result, as_json)


def _layer_ranks(wished: list[str] | None) -> list[tuple[str, str]] | None:
    pairs = [text.rpartition("=") for text in wished or ()]
    for name, _, rank in pairs:
        if not name or not (rank.isascii() and rank.isdecimal()):
            raise typer.BadParameter("write NAME=RANK, as in fc1=4", param_hint="--layer-rank")
    return [(name, rank) for name, _, rank in pairs] or None


def _split(names: list[str] | None) -> list[str] | None:
    parts = [part.strip() for text in names or () for part in text.split(",")]
    return [part for part in parts if part] or None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _train(
    preset_name: str | None,
    fixed: dict[str, Any],
    hyper: dict[str, Any],
    out_folder: Path | None,
) -> dict[str, Any]:
    from lora_lab.presets import get_preset, list_presets

    if preset_name is None:
        names = ", ".join(p.name for p in list_presets())
        raise ConfigError(f"Say what to train: --preset with one of {names}.")
    preset = get_preset(preset_name)
    if preset.needs_data and not (fixed.get("data") or preset.config.data):
        raise ConfigError(f"Preset {preset.name} needs {preset.needs_data}: give it with --data.")
    values = {**preset.config.model_dump(), **fixed}
    values["hyper"] = checked(Hyperparameters, {**values["hyper"], **hyper}).model_dump()
    config = checked(RunConfig, values)
    if out_folder is not None and out_folder.exists() and not out_folder.is_dir():
        raise ConfigError(f"{out_folder} is a file. Choose a new folder with --out.")
    if out_folder is not None and out_folder.exists() and any(out_folder.iterdir()):
        raise ConfigError(f"{out_folder} is not empty. Choose a new folder with --out.")
    from lora_lab.training.headless import drive

    return drive(config, out_folder, err)


def _print_result(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    p = result["parameters"]
    out.print(f"loss {result['final_loss']:.6g} (best {result['best_loss']:.6g}) "
              f"after {result['steps']:,} steps in {result['seconds']:.1f} s")  # fmt: skip
    on, off = result["adapter_on"], result["adapter_off"]
    if on and off and on["accuracy"] is not None:
        out.print(f"accuracy on held-out data: adapter off {100 * off['accuracy']:.1f} %, "
                  f"on {100 * on['accuracy']:.1f} %")  # fmt: skip
    share = f" ({100 * p['adapter'] / p['frozen']:.3f} %)" if p["frozen"] else ""
    out.print(f"trained {p['adapter']:,} parameters beside {p['frozen']:,} frozen ones{share}")
    for name, sigma in result["singular_values"].items():
        shown = "  ".join(f"{value:.4g}" for value in sigma[:8])
        out.print(f"σ(ΔW) {name}: {shown}{' …' if len(sigma) > 8 else ''}")
    if result["run"]:
        out.print(f"run {result['run']}")


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


@app.command()
def inspect(
    path: Annotated[Path, typer.Argument(help="Adapter folder or run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show an adapter layer by layer: shape, rank, α, scaling, norm, singular values."""
    with plain_errors():
        from lora_lab.analysis.inspect import inspect_adapter
        from lora_lab.formats import FORMATS

        if path.is_file():
            raise LabError(f"{path} is a file. Name the folder of an adapter or of a run.")
        is_run = not (path / "adapter_config.json").exists() and (path / "config.json").exists()
        adapter = path / "adapter" if is_run else path
        rows = inspect_adapter(FORMATS["peft"].load(adapter))
        if as_json:
            print(json.dumps({"path": str(path), "format": "peft", "layers": rows}))
            return
        table = Table("layer", "shape", "r", "α", "s", "‖ΔW‖", "rank", "stable", "effective", "σ")
        for row in rows:
            sigma = "  ".join(f"{value:.3g}" for value in row["singular_values"][:4])
            table.add_row(
                escape(row["name"]), "×".join(map(str, row["shape"])), str(row["rank"]),
                f"{row['alpha']:g}", f"{row['scaling']:g}", f"{row['delta_norm']:.4g}",
                str(row["numerical_rank"]), _measure(row["stable_rank"]),
                _measure(row["effective_rank"]), sigma + (" …" if row["rank"] > 4 else ""),
            )  # fmt: skip
        out.print(table)


def _measure(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


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
