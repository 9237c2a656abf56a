"""The verb `train`: a preset, or a task with a model and data of one's own, trained to its end."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from lora_lab.cli.console import err, out, plain_errors, print_json
from lora_lab.cli.flags import with_flags
from lora_lab.config import RunConfig, changed
from lora_lab.errors import ConfigError, LabError
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.presets import get_preset, list_presets, starting_config
from lora_lab.task_info import own_tasks

LISTED = 12  # layers whose spectra are printed


@with_flags(fixed=RunConfig, hyper=Hyperparameters)
def train(
    *,
    preset: Annotated[
        str | None, typer.Option(help="digits, known-rank or mnist-tutorial.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help=f"Task for a model and data of your own: {', '.join(own_tasks())}."),
    ] = None,
    fixed: dict[str, Any],
    hyper: dict[str, Any],
    run_factory: Annotated[
        bool,
        typer.Option(help="Run the factory's code without asking.", rich_help_panel="Model"),
    ] = False,
    out_folder: Annotated[Path | None, typer.Option("--out", help="Run folder (new).")] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option(help="Folder for TensorBoard's event files as well; needs tensorboard."),
    ] = None,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach", help="Train in the background, in a process of its own; see attach, stop."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Train an adapter and write a run folder.

    Settings that are not given are those of the preset, or the defaults of the task.
    """
    with plain_errors():
        config = base_config(preset, task, fixed, hyper)
        if "dtype" not in fixed and (config.base_bits != "auto" or ".gguf" in str(config.model)):
            from lora_lab.training.packed_base import with_its_dtype

            config = with_its_dtype(config)
        ask_about(config.factory, run_factory)
        if detach:
            _detach(config, out_folder, tensorboard, as_json)
            return
        print_result(_train(config, out_folder, tensorboard), as_json)


def base_config(
    preset_name: str | None, task: str | None, fixed: dict[str, Any], hyper: dict[str, Any]
) -> RunConfig:
    """What the flags ask for, over an adapter to continue, over a preset or a task's start."""
    if fixed.get("batch_tokens") and "batch_size" in fixed:
        raise ConfigError(
            "Give --batch-size or --batch-tokens, not both: one of them says where a batch ends."
        )
    if fixed.get("batch_tokens"):  # what bounds the memory then; a task's parts are for its rows
        fixed = {"accumulation": 1, **fixed}
    if fixed.get("adapter"):
        from lora_lab.training.from_adapter import with_adapter

        fixed, hyper = with_adapter(fixed["adapter"], fixed, hyper)
    if task is not None:
        if preset_name is not None:
            raise ConfigError("Give --preset or --task, not both: a preset has its own task.")
        name = task.replace("-", "_")
        if name not in own_tasks():
            raise ConfigError(
                f"There is no task {task!r} for data of your own. There are: "
                f"{', '.join(own_tasks())}."
            )
        return starting_config(name, **fixed, hyper=hyper)
    if preset_name is None:
        names = ", ".join(p.name for p in list_presets())
        raise ConfigError(
            f"Say what to train: --preset with one of {names}; or --task with one of "
            f"{', '.join(own_tasks())}, --model and --data."
        )
    preset = get_preset(preset_name)
    if preset.needs_data and not (fixed.get("data") or preset.config.data):
        raise ConfigError(f"Preset {preset.name} needs {preset.needs_data}: give it with --data.")
    requested = changed(preset.config.hyper, **hyper)
    return changed(preset.config, **fixed, hyper=requested.model_dump())


def ask_about(factory: str, agreed: bool) -> None:
    """Somebody's own code is run only after they agree."""
    if not factory:
        return
    from lora_lab.models.factory import agree, describe_factory

    words = describe_factory(factory)
    if not agreed:
        err.print(words)
        if not typer.confirm("Run this code?", default=False, err=True):
            raise ConfigError("The factory was not run, so there is no model. --run-factory agrees")
    agree(factory)


def _detach(
    config: RunConfig, out_folder: Path | None, tensorboard: Path | None, as_json: bool
) -> None:
    if tensorboard is not None:
        raise ConfigError("--tensorboard does not go with --detach. Write the event files when the "
                          "run has ended: lora-lab tensorboard.")  # fmt: skip
    _check(out_folder)
    from lora_lab.cli.background import begin_detached
    from lora_lab.training.opening import New

    begin_detached(New(config, out_folder), as_json)


def _check(out_folder: Path | None) -> None:
    """Raises ConfigError where a run cannot have this folder."""
    if out_folder is not None and out_folder.exists() and not out_folder.is_dir():
        raise ConfigError(f"{out_folder} is a file. Choose a new folder with --out.")
    if out_folder is not None and out_folder.exists() and any(out_folder.iterdir()):
        raise ConfigError(f"{out_folder} is not empty. Choose a new folder with --out.")


def _train(config: RunConfig, out_folder: Path | None, tensorboard: Path | None) -> dict[str, Any]:
    _check(out_folder)
    from lora_lab.cli.headless import drive
    from lora_lab.training.opening import New

    return drive(New(config, out_folder), err, tensorboard)


def print_result(result: dict[str, Any], as_json: bool) -> None:
    """The result of a run, for people or as one JSON object; exits where a signal ended it."""
    from lora_lab.runs.saves import resumable

    name = result["interrupted"]
    try:
        if as_json:
            print_json(result)
        else:
            _print_for_people(result)
    except LabError:  # a signal may have come with the end of the terminal; its code holds
        if not name:
            raise
    if name:
        run, step = result["run"], result["steps"]
        words = f"and saved; continue it with lora-lab resume {run}"
        if resumable(Path(run)) != step:  # there was no memory for a copy of all of it
            words = f"with its adapter saved in {run}; that step has no checkpoint to resume from"
        err.print(f"stopped by {name} after step {step:,} {words}")
        raise typer.Exit(128 + signal.Signals[name])


def _print_for_people(result: dict[str, Any]) -> None:
    p = result["parameters"]
    out.print(f"loss {result['final_loss']:.6g} (best {result['best_loss']:.6g}) "
              f"after {result['steps']:,} steps in {result['seconds']:.1f} s")  # fmt: skip
    on, off = result["adapter_on"], result["adapter_off"]
    if on and off and on["accuracy"] is None and on["loss"] == on["loss"]:
        out.print(f"validation loss: adapter off {off['loss']:.4g}, on {on['loss']:.4g}")
    if result["best_evaluation"] and result["best_step"] != result["steps"]:
        kept = ", kept as adapter-best" if (Path(result["run"]) / "adapter-best").is_dir() else ""
        out.print(f"best validation loss {result['best_evaluation']['loss']:.4g} "
                  f"at step {result['best_step']:,}{kept}")  # fmt: skip
    if on and off and on["accuracy"] is not None:
        out.print(f"validation accuracy: adapter off {100 * off['accuracy']:.1f} %, "
                  f"on {100 * on['accuracy']:.1f} %")  # fmt: skip
    for name, value in (on["figures"] if on and off else {}).items():
        before = off["figures"].get(name, math.nan)
        out.print(f"validation {name}: adapter off {before:.4g}, on {value:.4g}")
    if on and off and on["keep_accuracy"] is not None:
        out.print(f"accuracy on the retention set: adapter off {100 * off['keep_accuracy']:.1f} %, "
                  f"on {100 * on['keep_accuracy']:.1f} %")  # fmt: skip
    elif on and off and on["keep_loss"] is not None:
        out.print(f"loss on the retention set: adapter off {off['keep_loss']:.4g}, "
                  f"on {on['keep_loss']:.4g}")  # fmt: skip
    share = f" ({100 * p['adapter'] / p['frozen']:.3f} %)" if p["frozen"] else ""
    out.print(f"trainable parameters: {p['adapter']:,} beside {p['frozen']:,} frozen{share}")
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
