"""The verb `inspect`: what an adapter, a run or a model is made of, before it is trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from lora_lab.cli.console import out, plain_errors
from lora_lab.errors import LabError

if TYPE_CHECKING:
    from lora_lab.models.inspect import ModelCard

SIGMAS = 8  # singular values that are printed


def inspect(
    path: Annotated[Path, typer.Argument(help="Adapter, run, model folder, or model file.")],
    sigma: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TENSOR", help="Singular values of this weight of a model. Repeat it for more."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show what is in an adapter or a model.

    Of an adapter: layer by layer shape, rank, α, scaling, norm, singular values. Of a model: its
    tensors, and singular values of those that are asked for. Nothing is built or run.
    """
    with plain_errors():
        if is_model(path):
            _model(path, sigma or [], as_json)
        elif sigma:
            raise LabError(f"{path} is an adapter; all its singular values are shown anyway.")
        else:
            _adapter(path, as_json)


def is_model(path: Path) -> bool:
    """A file, or a folder whose config.json says a model_type."""
    if path.is_file():
        return True
    if (path / "adapter_config.json").exists():
        return False
    try:
        return "model_type" in json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False


def _model(path: Path, sigma: list[str], as_json: bool) -> None:
    from lora_lab.models.inspect import describe, singular_values

    card = describe(path)
    spectra = {name: singular_values(path, name).tolist() for name in sigma}
    if as_json:
        print(json.dumps({**_plain(card), "singular_values": spectra}))
        return
    out.print(f"{card.kind}: {card.parameters:,} parameters in {len(card.tensors):,} tensors, "
              f"{card.bytes:,} bytes")  # fmt: skip
    for label, value in card.details:
        out.print(f"{label}: {value}")
    for task in card.tasks:
        out.print(f"can be trained as: --task {task.replace('_', '-')}")
    for note in card.notes:
        out.print(note, style="yellow")
    if spectra:
        for name, values in spectra.items():
            shown = "  ".join(f"{value:.4g}" for value in values[:SIGMAS])
            more = f" … {values[-1]:.3g}" if len(values) > SIGMAS else ""
            out.print(f"σ {name}: {shown}{more}   ({len(values):,} values)")
        return
    table = Table("tensor", "shape", "type", "bytes")
    for tensor in card.tensors:
        name = "".join(c if c.isprintable() else "?" for c in tensor.name)[:120]
        shape = "×".join(map(str, tensor.shape)) or "one number"
        table.add_row(escape(name), shape, tensor.dtype, f"{tensor.bytes:,}")
    out.print(table)


def _plain(card: ModelCard) -> dict[str, Any]:
    return {
        "path": card.path,
        "kind": card.kind,
        "model_type": card.model_type,
        "parameters": card.parameters,
        "bytes": card.bytes,
        "tasks": list(card.tasks),
        "details": dict(card.details),
        "notes": list(card.notes),
        "tensors": [
            {"name": t.name, "shape": list(t.shape), "dtype": t.dtype, "bytes": t.bytes}
            for t in card.tensors
        ],
    }


def _adapter(path: Path, as_json: bool) -> None:
    from lora_lab.analysis.inspect import inspect_adapter
    from lora_lab.formats import FORMATS

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
