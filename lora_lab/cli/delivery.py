"""What the verbs on adapters share: their options, opening an adapter, and writing the result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lora_lab.cli.console import err, out, print_json
from lora_lab.errors import ConfigError
from lora_lab.figures import counted
from lora_lab.workshop.requests import FORMATS, MERGED, Delivered, Delivery

if TYPE_CHECKING:
    from lora_lab.adapters.weights import AdapterWeights
    from lora_lab.progress import Report

Target = Annotated[Path, typer.Option("--out", help="Folder or file to write.")]
To = Annotated[
    str,
    typer.Option(
        "--to",
        help=f"{', '.join(name for name, *_ in FORMATS)}, or {MERGED}: the base with ΔW in.",
    ),
]
Base = Annotated[
    Path | None,
    typer.Option(help="The base model: its names for gguf and kohya, its weights for merged."),
]
Alpha = Annotated[
    float | None, typer.Option(help="α of an adapter whose file keeps none (loralib).")
]
Scale = Annotated[
    float | None,
    typer.Option(help="s itself, of an adapter whose file does not say it, or says two (MLX)."),
]
Number = Annotated[
    str | None, typer.Option("--dtype", help="dtype of the factors: float32, float16, bfloat16.")
]
Overwrite = Annotated[bool, typer.Option(help="Replace what is there.")]
Untie = Annotated[
    bool,
    typer.Option(
        "--untie", help="With --to merged: a weight that is used twice becomes a weight each."
    ),
]
Original = Annotated[
    bool,
    typer.Option(
        "--original-base",
        help="With --to merged, of an adapter over a base in 4 or 8 bits: into the base's own "
        "numbers, which are others than those trained on; how far they are off is measured.",
    ),
]
Prove = Annotated[
    bool,
    typer.Option("--prove", help="Let the library that the file is for load it as well."),
]
Component = Annotated[
    str,
    typer.Option(
        help="Part of a diffusion pipeline (unet, transformer, text_encoder …): of layers whose "
        "names say none, or the one to write."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def opened(
    path: Path,
    alpha: float | None,
    base: Path | None,
    quiet: bool = False,
    scale: float | None = None,
) -> AdapterWeights:
    """Any adapter, with its convention and notes on stderr."""
    from lora_lab.formats.recognise import TITLES, base_names, open_adapter
    from lora_lab.workshop.one_world import settled

    names = base_names(base) if base is not None else ()
    weights = open_adapter(path, alpha=alpha, scale=scale, names=names, base=str(base or ""))
    weights = settled(weights, base)
    if not quiet:
        err.print(
            f"{path}: {TITLES[weights.extra['format']]}, {counted(len(weights.layers), 'layer')}"
        )
        for note in weights.extra["notes"]:
            err.print(f"  {note}", style="yellow")
    return weights


def delivery_of(
    target: Path,
    to: str,
    base: Path | None,
    overwrite: bool,
    dtype: str | None = None,
    untie: bool = False,
    prove: bool = False,
    component: str = "",
    original: bool = False,
) -> Delivery:
    """What the options ask for; raises ConfigError for a dtype that would have no effect."""
    if dtype and to == MERGED:
        raise ConfigError("A merged checkpoint keeps its base's dtype: leave --dtype out.")
    return Delivery(
        str(target), to, dtype or "", str(base or ""), overwrite, untie, original, prove, component
    )


def deliver(
    weights: AdapterWeights,
    delivery: Delivery,
    as_json: bool,
    facts: dict[str, Any] | None = None,
    read: AdapterWeights | None = None,
) -> Delivered:
    """Write the adapter, and print what was written; `facts` of the verb go into the JSON.

    `read` is the adapter before it was cut, against which the loss is told.
    """
    from lora_lab.workshop.deliver import deliver as write

    with progress() as report:
        result = write(weights, delivery, report, read=read)
    if as_json:
        print_json({**result.facts, **(facts or {})})
        return result
    out.print(f"wrote {result.path} ({result.size})")
    for line in result.words:
        out.print(line)
    for note in result.notes:
        out.print(note, style="yellow")
    return result


@contextmanager
def progress() -> Iterator[Report]:
    """A bar on stderr for what takes long."""
    from rich.progress import Progress

    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, share: float) -> None:
            bar.update(task, description=what, total=1.0 if share >= 0 else None,
                       completed=max(share, 0.0))  # fmt: skip

        yield report
