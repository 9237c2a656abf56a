"""The verbs on finished adapters: export, convert, resize, extract, merge, compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lora_lab.cli.console import err, out, plain_errors, print_table
from lora_lab.errors import ConfigError, LabError
from lora_lab.workshop.requests import MERGED

if TYPE_CHECKING:
    from lora_lab.adapters.weights import AdapterWeights
    from lora_lab.progress import Report
    from lora_lab.records import ExportReport
    from lora_lab.workshop.merge_base import MergedReport

SHOWN = 12  # layers that are printed

Target = Annotated[Path, typer.Option("--out", help="Folder or file to write.")]
To = Annotated[
    str,
    typer.Option(
        "--to", help="peft, peft-portable, kohya, diffusers, gguf, or merged: the base with ΔW in."
    ),
]
Base = Annotated[
    Path | None,
    typer.Option(help="The base model: its names for gguf and kohya, its weights for merged."),
]
Alpha = Annotated[
    float | None, typer.Option(help="α of an adapter whose file keeps none (loralib).")
]
Number = Annotated[
    str | None, typer.Option("--dtype", help="Type of the factors: float32, float16, bfloat16.")
]
Overwrite = Annotated[bool, typer.Option(help="Replace what stands there.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    target: Target,
    format: Annotated[str, typer.Option(help="Format of the file, as in convert --to.")] = "peft",
    base: Base = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's adapter in another program's format, re-read it and compare."""
    with plain_errors():
        from lora_lab.formats import peft
        from lora_lab.plain import plain
        from lora_lab.runs.folder import RunFolder

        folder = RunFolder.at(run)
        weights = folder.load_adapter(peft.load)
        model = folder.load_config().model
        if base is None and model and Path(model).exists():
            base = Path(model)
        report = _deliver(weights, format, target, base, overwrite, as_json)
        if report is not None:
            try:
                folder.note_export(plain(report))
            except LabError as error:  # the adapter stands all the same
                err.print(str(error), style="yellow")


def convert(
    adapter: Annotated[Path, typer.Argument(help="Adapter of any convention, or a run.")],
    target: Target,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    dtype: Number = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write any adapter in another program's format, re-read it and compare."""
    with plain_errors():
        weights = _opened(adapter, alpha, base, quiet=as_json)
        _deliver(_cast(weights, dtype, to), to, target, base, overwrite, as_json)


def resize(
    adapter: Annotated[Path, typer.Argument(help="Adapter of any convention, or a run.")],
    target: Target,
    rank: Annotated[int | None, typer.Option(help="One rank for all layers.")] = None,
    energy: Annotated[float | None, typer.Option(help="Share of Σσ² to keep, as 0.95.")] = None,
    norm: Annotated[float | None, typer.Option(help="Share of ‖ΔW‖_F to keep, as 0.97.")] = None,
    sigma_ratio: Annotated[
        float | None, typer.Option(help="Keep the directions with σ ≥ σ_1 over this.")
    ] = None,
    size_mb: Annotated[
        float | None, typer.Option("--size-mb", help="Largest file, in millions of bytes.")
    ] = None,
    per_layer: Annotated[
        bool, typer.Option(help="Spread the same parameters where they keep most.")
    ] = False,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    dtype: Number = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Cut an adapter to another rank, energy or file size: the best approximation of each ΔW."""
    with plain_errors():
        from lora_lab.workshop import ranks as choose
        from lora_lab.workshop.resize import resized

        given = {"rank": rank, "energy": energy, "norm": norm, "sigma-ratio": sigma_ratio,
                 "size-mb": size_mb}  # fmt: skip
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise ConfigError(f"Give one of --{', --'.join(given)}, and only one.")
        weights = _cast(_opened(adapter, alpha, base, quiet=as_json), dtype, to)
        found = choose.measured(weights)
        if rank is not None:
            wanted = choose.by_rank(found, rank, per_layer)
        elif energy is not None:
            wanted = choose.by_energy(found, energy, per_layer)
        elif norm is not None:
            wanted = choose.by_norm(found, norm, per_layer)
        elif sigma_ratio is not None:
            wanted = choose.by_ratio(found, sigma_ratio)
        else:
            wanted = choose.by_size(found, round((size_mb or 0) * 1e6), per_layer)
        with _progress() as report:
            made, cuts = resized(weights, wanted, report)
        kept = found.kept([cut.rank for cut in cuts])
        low, high = min(c.rank for c in cuts), max(c.rank for c in cuts)
        worst = max(cuts, key=lambda cut: cut.error)
        told = {
            "ranks": {cut.name: cut.rank for cut in cuts},
            "energy_kept": kept,
            "errors": {cut.name: cut.error for cut in cuts},
        }
        if not as_json:
            span = f"rank {low}" if low == high else f"ranks {low} to {high}"
            out.print(f"{span} over {len(cuts)} layers: {100 * kept:.2f} % of the energy is kept; "
                      f"largest error {100 * worst.error:.2f} % of ‖ΔW‖, {worst.name}")  # fmt: skip
        _deliver(made, to, target, base, overwrite, as_json, told)


def extract(
    base: Annotated[Path, typer.Option(help="Model before: folder or file.")],
    tuned: Annotated[Path, typer.Option(help="Model after.")],
    target: Target,
    rank: Annotated[int, typer.Option(help="Rank of the fit.")] = 16,
    to: To = "peft",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Make an adapter of the difference of two checkpoints: the optimal fit of each layer."""
    with plain_errors():
        from lora_lab.workshop.extract import extract as fit

        with _progress() as report:
            found = fit(base, tuned, rank, report=report)
        told = {"fits": [vars(x) for x in found.fits]}
        if not as_json:
            for x in sorted(found.fits, key=lambda x: -x.error)[:SHOWN]:
                out.print(f"{x.name}: rank {x.rank}, error {100 * x.error:.2f} % of ‖ΔW‖ "
                          f"(the least possible: {100 * x.bound:.2f} %)")  # fmt: skip
            if len(found.fits) > SHOWN:
                out.print(f"and {len(found.fits) - SHOWN} more layers, of smaller error")
            for note in found.notes:
                out.print(note, style="yellow")
        _deliver(found.weights, to, target, base, overwrite, as_json, told)


def merge(
    adapters: Annotated[list[str], typer.Argument(help="ADAPTER:WEIGHT, as in A:0.7 B:0.3.")],
    target: Target,
    method: Annotated[
        str, typer.Option(help="exact (SVD of the sum), cat (rank Σr), linear (PEFT's).")
    ] = "exact",
    rank: Annotated[int | None, typer.Option(help="Cut the exact sum to this rank.")] = None,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Add adapters of one base, and show how far the result is from the sum of their ΔWs."""
    with plain_errors():
        from lora_lab.workshop.combine import METHODS, combine

        terms = [_weighted(text) for text in adapters]
        opened = [(_opened(path, alpha, base, quiet=as_json), w) for path, w in terms]
        found = combine(opened, method, rank)
        others: dict[str, float | str] = {}
        for name in METHODS:
            try:
                others[name] = combine(opened, name).error
            except LabError as error:
                others[name] = str(error)
        if not as_json:
            for name, what in METHODS.items():
                value = others[name]
                said = f"{100 * value:.3g} % off" if isinstance(value, float) else value
                out.print(f"{name:7} {what}: {said}")
            if rank:
                out.print(f"exact, cut to rank {rank}: {100 * found.error:.3g} % off")
            for note in found.notes:
                out.print(note, style="yellow")
        told = {"method": method, "error": found.error, "methods": others,
                "errors": dict(found.errors)}  # fmt: skip
        _deliver(found.weights, to, target, base, overwrite, as_json, told)


def compare(
    first: Annotated[Path, typer.Argument(help="Adapter of any convention, or a run.")],
    second: Annotated[Path, typer.Argument(help="Another one for the same base.")],
    alpha: Alpha = None,
    as_json: AsJson = False,
) -> None:
    """Do two adapters change the same directions? Cosine, φ and principal angles by layer."""
    with plain_errors():
        from lora_lab.workshop.compare import compare as side_by_side

        pair = [_opened(path, alpha, None, quiet=as_json) for path in (first, second)]
        found = side_by_side(*pair)
        if as_json:
            rows = [
                {"name": x.name, "cosine": _plain(x.cosine), "ratio": _plain(x.ratio),
                 "difference": _plain(x.difference), "phi": x.phi.tolist(),
                 "angles": x.angles.tolist()}
                for x in found.layers
            ]  # fmt: skip
            print(json.dumps({"layers": rows, "only_first": list(found.only_first),
                              "only_second": list(found.only_second)}))  # fmt: skip
            return
        from rich.markup import escape
        from rich.table import Table

        table = Table("layer", "cosine of ΔW", "‖ΔW₂‖/‖ΔW₁‖", "φ of the spaces", "angles")
        for x in found.layers:
            shown = "  ".join(f"{angle:.0f}°" for angle in x.angles[::-1][:4])
            table.add_row(escape(x.name), f"{x.cosine:.3f}", f"{x.ratio:.3f}", f"{x.overlap:.3f}",
                          shown + (" …" if len(x.angles) > 4 else ""))  # fmt: skip
        print_table(table)
        for names, which in ((found.only_first, first), (found.only_second, second)):
            if names:
                out.print(f"only in {which}: {', '.join(names[:SHOWN])}", style="yellow")


def _opened(
    path: Path, alpha: float | None, base: Path | None, quiet: bool = False
) -> AdapterWeights:
    """Any adapter, with what was understood told on stderr."""
    from lora_lab.formats.recognise import TITLES, base_names, open_adapter

    names = base_names(base) if base is not None else ()
    weights = open_adapter(path, alpha=alpha, names=names, base=str(base or ""))
    if not quiet:
        err.print(f"{path}: {TITLES[weights.extra['format']]}, {len(weights.layers)} layers")
        for note in weights.extra["notes"]:
            err.print(f"  {note}", style="yellow")
    return weights


def _cast(weights: AdapterWeights, dtype: str | None, format: str) -> AdapterWeights:
    if dtype is None:
        return weights
    from lora_lab.workshop.files import in_type

    return in_type(weights, dtype, format)


def _weighted(text: str) -> tuple[Path, float]:
    path, colon, weight = text.rpartition(":")
    try:
        return (Path(path), float(weight)) if colon else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0  # a colon of the path itself


def _deliver(
    weights: AdapterWeights,
    format: str,
    target: Path,
    base: Path | None,
    overwrite: bool,
    as_json: bool,
    told: dict[str, Any] | None = None,
) -> ExportReport | None:
    """Write in `format`, verified, and print the report; None of a merged checkpoint."""
    from dataclasses import replace

    from lora_lab.formats.verify import export as verified
    from lora_lab.plain import plain

    if base is not None:
        weights = replace(weights, base=str(base))
    if format == MERGED:
        _deliver_merged(weights, target, overwrite, as_json, told)
        return None
    report = verified(weights, target, format, overwrite)
    if as_json:
        facts = {**plain(report), "largest_error": report.largest_error,
                 "mean_error": report.mean_error}  # fmt: skip
        print(json.dumps({**(told or {}), **facts}))
    else:
        _print(report)
    return report


def _print(report: ExportReport) -> None:
    out.print(f"wrote {report.path} ({report.bytes:,} bytes, {report.keys} tensors)")
    out.print(f"re-read and compared: largest error of ΔW {report.largest_error:.1e} "
              f"over {len(report.layers)} layers (mean {report.mean_error:.1e})")  # fmt: skip
    out.print(f"sha256 {report.sha256}")
    for note in report.notes:
        out.print(note, style="yellow")


def _deliver_merged(
    weights: AdapterWeights,
    target: Path,
    overwrite: bool,
    as_json: bool,
    told: dict[str, Any] | None,
) -> None:
    from lora_lab.workshop.merge_base import write_merged

    base = Path(weights.base)
    if not weights.base or not base.exists():
        raise ConfigError(
            f"A merged checkpoint needs the base, and {weights.base or 'none'} is not at hand: "
            "name it with --base."
        )
    with _progress() as report:
        found: MergedReport = write_merged(
            weights, base, target, overwrite=overwrite, report=report
        )
    if as_json:
        rows = [vars(x) for x in found.layers]
        facts = {"format": MERGED, "path": found.path, "bytes": found.bytes,
                 "largest_loss": found.largest, "layers": rows}  # fmt: skip
        print(json.dumps({**(told or {}), **facts}))
        return
    worst = max(found.layers, key=lambda x: x.measured)
    out.print(f"wrote {found.path} ({found.bytes:,} bytes of weights)")
    out.print(f"merged {len(found.layers)} layers into {worst.dtype}; rounding loses at most "
              f"{100 * worst.measured:.2g} % of ΔW (foretold {100 * worst.predicted:.2g} %), in "
              f"{worst.name}")  # fmt: skip


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar on stderr for what takes long."""
    from rich.progress import Progress

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, share: float) -> None:
            bar.update(task, description=what, total=1.0 if share >= 0 else None,
                       completed=max(share, 0.0))  # fmt: skip

        yield report


def _plain(value: float) -> float | None:
    return value if value == value else None
