"""The verbs on finished adapters: export, convert, resize, extract, merge, compare."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from lora_lab.cli.console import err, out, plain_errors, print_json, print_table
from lora_lab.cli.delivery import (
    Alpha,
    AsJson,
    Base,
    Component,
    Number,
    Original,
    Overwrite,
    Prove,
    Scale,
    Target,
    To,
    Untie,
    deliver,
    delivery_of,
    opened,
    progress,
)
from lora_lab.errors import ConfigError, LabError
from lora_lab.figures import counted
from lora_lab.workshop.requests import Trim

SHOWN = 12  # layers that are printed
MEASURED = 2**24  # entries of all ΔWs up to which every method is measured; some seconds


def export(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    target: Target,
    format: Annotated[str, typer.Option(help="Format of the file, as in convert --to.")] = "peft",
    at: Annotated[
        str, typer.Option(help="Which adapter: last, best, or the step of a checkpoint.")
    ] = "last",
    base: Base = None,
    dtype: Number = None,
    untie: Untie = False,
    original: Original = False,
    prove: Prove = False,
    component: Component = "",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's adapter in another program's format, re-read it and compare."""
    with plain_errors():
        from lora_lab.formats import peft
        from lora_lab.plain import plain
        from lora_lab.runs.exportable import LAST
        from lora_lab.runs.folder import METRICS, RunFolder
        from lora_lab.runs.inputs import recorded_classes
        from lora_lab.training.saving.saved_adapter import saved_adapter
        from lora_lab.workshop.deliver import report_of

        folder = RunFolder.at(run)
        weights, step, loss = folder.load_adapter(peft.load), -1, math.nan
        if at != LAST:
            weights, what = saved_adapter(folder.path, at, peft.load, weights)
            step, loss = what.step, what.loss
            measured = f", validation loss {loss:.6g}" if loss == loss else ""
            err.print(f"{at}: step {step:,}{measured}")
        config = folder.load_config()
        named = {"task": config.task, "classes": recorded_classes(folder.path / METRICS)}
        weights = replace(weights, extra={**weights.extra, **named})
        model = config.model
        if base is None and model and Path(model).exists():
            base = Path(model)
        wanted = delivery_of(
            target, format, base, overwrite, dtype, untie, prove, component, original
        )
        facts = {} if at == LAST else {"at": at, "step": step, "validation_loss": _known(loss)}
        report = report_of(deliver(weights, wanted, as_json, facts), step, loss)
        try:
            folder.note_export(plain(report))
        except LabError as error:  # the adapter stands all the same
            err.print(str(error), style="yellow")


def _known(loss: float) -> float | None:
    """JSON has no nan."""
    return None if math.isnan(loss) else loss


def convert(
    adapter: Annotated[Path, typer.Argument(help="Adapter of any convention, or a run.")],
    target: Target,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    scale: Scale = None,
    dtype: Number = None,
    untie: Untie = False,
    original: Original = False,
    prove: Prove = False,
    component: Component = "",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write any adapter in another program's format, re-read it and compare."""
    with plain_errors():
        delivery = delivery_of(
            target, to, base, overwrite, dtype, untie, prove, component, original
        )
        deliver(opened(adapter, alpha, base, quiet=as_json, scale=scale), delivery, as_json)


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
        bool, typer.Option(help="Allocate rank per layer by energy, with as many parameters.")
    ] = False,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    scale: Scale = None,
    dtype: Number = None,
    untie: Untie = False,
    original: Original = False,
    prove: Prove = False,
    component: Component = "",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Truncate an adapter to a rank, energy or file size: the best approximation of each ΔW."""
    with plain_errors():
        from lora_lab.workshop import ranks as choose
        from lora_lab.workshop.file_size import fitting
        from lora_lab.workshop.resize import resized

        given = {"rank": rank, "energy": energy, "norm": norm, "sigma-ratio": sigma_ratio,
                 "size-mb": size_mb}  # fmt: skip
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise ConfigError(f"Give one of --{', --'.join(given)}, and only one.")
        delivery = delivery_of(
            target, to, base, overwrite, dtype, untie, prove, component, original
        )
        weights = opened(adapter, alpha, base, quiet=as_json, scale=scale)
        spectra = choose.measured(weights)
        rules = {
            "rank": lambda: choose.by_rank(spectra, rank, per_layer),
            "energy": lambda: choose.by_energy(spectra, energy, per_layer),
            "norm": lambda: choose.by_norm(spectra, norm, per_layer),
            "sigma-ratio": lambda: choose.by_ratio(spectra, sigma_ratio),
            "size-mb": lambda: fitting(
                weights, spectra, delivery, size_mb * 1e6, per_layer, report
            ),
        }
        with progress() as report:
            ranks = rules[chosen[0]]()
            result, cuts = resized(weights, ranks, report)
        kept = spectra.kept([cut.rank for cut in cuts])
        low, high = min(cut.rank for cut in cuts), max(cut.rank for cut in cuts)
        worst = max(cuts, key=lambda cut: cut.error)
        if not as_json:
            span = f"rank {low}" if low == high else f"ranks {low} to {high}"
            over = counted(len(cuts), "layer")
            out.print(f"{span} over {over}: {100 * kept:.2f} % of the energy is kept; "
                      f"largest error {100 * worst.error:.2f} % of ‖ΔW‖, {worst.name}")  # fmt: skip
        facts = {
            "ranks": {cut.name: cut.rank for cut in cuts},
            "energy_kept": kept,
            "errors": {cut.name: cut.error for cut in cuts},
        }
        deliver(result, delivery, as_json, facts, read=weights)


def extract(
    base: Annotated[Path, typer.Option(help="Model before fine-tuning: folder or file.")],
    tuned: Annotated[Path, typer.Option(help="Model after fine-tuning.")],
    target: Target,
    rank: Annotated[int, typer.Option(help="Rank of the fit.")] = 16,
    to: To = "peft",
    prove: Prove = False,
    component: Component = "",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Extract an adapter from the difference of two checkpoints: the optimal fit of each layer."""
    with plain_errors():
        from lora_lab.workshop.extract import extract as fit

        with progress() as report:
            result = fit(base, tuned, rank, report=report)
        if not as_json:
            for x in sorted(result.fits, key=lambda x: -x.error)[:SHOWN]:
                out.print(f"{x.name}: rank {x.rank}, error {100 * x.error:.2f} % of ‖ΔW‖ "
                          f"(least possible: {100 * x.bound:.2f} %)")  # fmt: skip
            if len(result.fits) > SHOWN:
                out.print(f"and {len(result.fits) - SHOWN} more layers with smaller errors")
            for note in result.notes:
                out.print(note, style="yellow")
        facts = {"fits": [vars(x) for x in result.fits]}
        deliver(
            result.weights,
            delivery_of(target, to, None, overwrite, prove=prove, component=component),
            as_json,
            facts,
        )


def merge(
    adapters: Annotated[list[str], typer.Argument(help="ADAPTER:WEIGHT, as in A:0.7 B:0.3.")],
    target: Target,
    method: Annotated[
        str,
        typer.Option(
            help="exact (SVD of the sum), cat (rank Σr), linear (PEFT's), slerp, or of trimmed ΔWs "
            "ties, dare-linear, dare-ties, magnitude."
        ),
    ] = "exact",
    rank: Annotated[
        int | None,
        typer.Option(help="Truncate the outcome to this rank; a method that trims keeps Σr."),
    ] = None,
    density: Annotated[
        float, typer.Option(help="Share of each ΔW's entries that a method that trims keeps.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the entries that DARE drops.")] = 0,
    to: To = "peft",
    base: Base = None,
    alpha: Alpha = None,
    scale: Scale = None,
    untie: Untie = False,
    original: Original = False,
    prove: Prove = False,
    component: Component = "",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Merge adapters of one base, and show the error against the sum of their ΔWs.

    TIES, DARE and magnitude trim ΔW itself, as PEFT's ties_svd and its kin do; what PEFT calls ties
    trims A and B apart.
    """
    with plain_errors():
        from lora_lab.workshop.combine import METHODS, combine, errors_by_method
        from lora_lab.workshop.one_world import aligned

        terms = [_weighted(text) for text in adapters]
        terms = [
            (opened(path, alpha, base, quiet=as_json, scale=scale), weight)
            for path, weight in terms
        ]
        named = aligned([weights for weights, _ in terms], base)
        terms = [(weights, weight) for weights, (_, weight) in zip(named, terms, strict=True)]
        trim = Trim(density, seed)
        with progress() as report:
            result = combine(terms, method, rank, trim, report)
            errors = errors_by_method(terms, report, trim, most=MEASURED)
        if not as_json:
            for name, what in METHODS.items():
                value = errors[name]
                shown = f"{100 * value:.3g} % error" if isinstance(value, float) else value
                out.print(f"{name:11} {what}: {shown}")
            cut = f", truncated to rank {rank}" if rank else ""
            out.print(f"written: {method}{cut}: {100 * result.error:.3g} % error")
            for note in result.notes:
                out.print(note, style="yellow")
        facts = {"method": method, "error": result.error, "methods": errors,
                 "errors": dict(result.errors), "cut": result.cut}  # fmt: skip
        deliver(
            result.weights,
            delivery_of(
                target,
                to,
                base,
                overwrite,
                untie=untie,
                prove=prove,
                component=component,
                original=original,
            ),
            as_json,
            facts,
        )


def compare(
    first: Annotated[Path, typer.Argument(help="Adapter of any convention, or a run.")],
    second: Annotated[Path, typer.Argument(help="Another one for the same base.")],
    base: Annotated[
        Path | None, typer.Option(help="Their base model: for DoRA, and for names that differ.")
    ] = None,
    alpha: Alpha = None,
    scale: Scale = None,
    as_json: AsJson = False,
) -> None:
    """Do two adapters change the same directions? Cosine, φ and principal angles by layer."""
    with plain_errors():
        from lora_lab.workshop.compare import compare as side_by_side

        pair = [opened(path, alpha, base, quiet=as_json, scale=scale) for path in (first, second)]
        result = side_by_side(*pair, base)
        if as_json:
            rows = [
                {"name": x.name, "cosine": _plain(x.cosine), "ratio": _plain(x.ratio),
                 "difference": _plain(x.difference), "phi": x.phi.tolist(),
                 "angles": x.angles.tolist()}
                for x in result.layers
            ]  # fmt: skip
            print_json({"layers": rows, "only_first": list(result.only_first),
                              "only_second": list(result.only_second)})  # fmt: skip
            return
        from rich.table import Table

        table = Table("layer", "cosine of ΔW", "‖ΔW₂‖/‖ΔW₁‖", "φ of the spaces", "angles")
        for x in result.layers:
            shown = "  ".join(f"{angle:.0f}°" for angle in x.angles[::-1][:4])
            table.add_row(x.name, f"{x.cosine:.3f}", f"{x.ratio:.3f}", f"{x.overlap:.3f}",
                          shown + (" …" if len(x.angles) > 4 else ""))  # fmt: skip
        print_table(table)
        for names, which in ((result.only_first, first), (result.only_second, second)):
            if names:
                out.print(f"only in {which}: {', '.join(names[:SHOWN])}", style="yellow")


def _weighted(text: str) -> tuple[Path, float]:
    path, colon, weight = text.rpartition(":")
    try:
        return (Path(path), float(weight)) if colon else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0  # a colon of the path itself


def _plain(value: float) -> float | None:
    return value if value == value else None
