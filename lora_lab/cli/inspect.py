"""The verb `inspect`: the contents of an adapter, a run or a model, before it is trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from lora_lab.cli.console import out, plain_errors, print_json, print_table
from lora_lab.errors import LabError
from lora_lab.figures import counted

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
    base: Annotated[
        Path | None, typer.Option(help="Base model of an adapter: compare ΔW with its W.")
    ] = None,
    intruders: Annotated[
        bool, typer.Option("--intruders", help="With --base: count intruder dimensions too.")
    ] = False,
    alpha: Annotated[
        float | None, typer.Option(help="α of an adapter whose file keeps none (loralib).")
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="s itself, of an adapter whose file says none, or two (MLX)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show the contents of an adapter or a model.

    Of an adapter of any convention: layer by layer shape, rank, α, scaling, norm, singular values;
    with its base also ‖ΔW‖/‖W‖, amplification and intruder dimensions. Of a model: its tensors, and
    singular values of those that are asked for. Nothing is built or run.
    """
    with plain_errors():
        if is_model(path):
            _model(path, sigma or [], as_json)
        elif sigma:
            raise LabError(f"{path} is an adapter: its singular values are shown without --sigma.")
        else:
            _adapter(path, base, intruders, (alpha, scale), as_json)


def is_model(path: Path) -> bool:
    """A file that is no adapter, or a folder whose config.json says a model_type."""
    from lora_lab.formats.recognise import is_adapter

    if is_adapter(path):
        return False
    if path.is_file():
        return True
    from lora_lab.models.strict_json import read_json

    try:
        return "model_type" in read_json(path / "config.json")
    except LabError:
        return False


def _model(path: Path, sigma: list[str], as_json: bool) -> None:
    from lora_lab.models.inspect import describe, singular_values

    card = describe(path)
    spectra = {name: singular_values(path, name).tolist() for name in sigma}
    if as_json:
        print_json({**_plain(card), "singular_values": spectra})
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
    table = Table("tensor", "shape", "dtype", "bytes")
    for tensor in card.tensors:
        name = "".join(c if c.isprintable() else "?" for c in tensor.name)[:120]
        shape = " × ".join(map(str, tensor.shape)) or "scalar"
        table.add_row(name, shape, tensor.dtype, f"{tensor.bytes:,}")
    print_table(table)


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


def _adapter(
    path: Path,
    base: Path | None,
    intruders: bool,
    told: tuple[float | None, float | None],
    as_json: bool,
) -> None:
    from lora_lab.analysis.inspect import DIRECTION, ITSELF, inspect_adapter
    from lora_lab.formats.recognise import TITLES, base_names, open_adapter

    names = base_names(base) if base is not None else ()
    weights = open_adapter(path, alpha=told[0], scale=told[1], names=names)
    rows = inspect_adapter(weights)
    said: tuple[str, ...] = ()
    if base is not None:
        from lora_lab.workshop.against_base import against_base

        found = against_base(weights, base, intruders)
        said = found.notes
        beside = {row.name: row for row in found.rows}
        for row in rows:
            _beside(row, beside.get(row["name"]))
    kind, notes = weights.extra["format"], [*weights.extra["notes"], *said]
    if any(row["magnitude"] for row in rows):
        notes.append(DIRECTION if base is None else ITSELF)
    if as_json:
        print_json({"path": str(path), "format": kind, "base": weights.base,
                          "notes": notes, "layers": rows})  # fmt: skip
        return
    out.print(f"{TITLES[kind]}: {counted(len(rows), 'layer')}, variant {weights.variant}"
              + (f", base {weights.base}" if weights.base else ""))  # fmt: skip
    for note in notes:
        out.print(note, style="yellow")
    of = rows[0]["of"]  # DoRA is of all layers or of none
    columns = [
        "layer", "shape", "r", "α", "s", f"‖{of}‖", "rank", "stable", "effective", "r for 90 %"
    ]  # fmt: skip
    table = Table(*columns, *(("‖ΔW‖/‖W‖", "ampl.", "intruders") if base else ()), "σ")
    for row in rows:
        sigma = "  ".join(f"{value:.3g}" for value in row["singular_values"][:4])
        cells = [
            row["name"], " × ".join(map(str, row["shape"])), str(row["rank"]),
            f"{row['alpha']:g}", f"{row['scaling']:g}", _measure(row["delta_norm"], ".4g"),
            _count(row["numerical_rank"]), _measure(row["stable_rank"]),
            _measure(row["effective_rank"]), _count(row["energy_rank_90"]),
        ]  # fmt: skip
        if base is not None:
            told = row["base"]
            cells += (
                [f"{100 * told['relative_norm']:.3g} %", _measure(told["amplification"]),
                 _count(told["intruders"])]
                if told else ["–"] * 3
            )  # fmt: skip
        table.add_row(*cells, sigma + (" …" if len(row["singular_values"]) > 4 else ""))
    print_table(table)


def _beside(row: dict[str, Any], found: Any) -> None:
    """Put what stands beside the base into `row`; of DoRA all of it is of the real ΔW then.

    Where that is too large to be decomposed, its norm alone is known.
    """
    import numpy as np

    from lora_lab.analysis.inspect import measured_by

    row["base"] = None if found is None else {k: v for k, v in vars(found).items() if k != "sigma"}
    if not row["magnitude"]:
        return
    unknown = dict.fromkeys(measured_by(np.zeros(1), (1, 1))) | {"singular_values": []}
    row |= {"of": "ΔW", **unknown}
    if found is not None and found.sigma is not None:
        row |= measured_by(np.array(found.sigma), tuple(row["shape"]))
    elif found is not None:
        row["delta_norm"] = found.delta_norm


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)


def _measure(value: float | None, form: str = ".2f") -> str:
    return "–" if value is None else format(value, form)
