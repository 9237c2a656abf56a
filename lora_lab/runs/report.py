"""One page on a run: a single HTML file without script or other files, for screen and paper."""

from __future__ import annotations

import io
import math
from collections import deque
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import lora_lab
from lora_lab import paths
from lora_lab.choices import OPTIMIZERS
from lora_lab.errors import LabError, system_reason
from lora_lab.exported import ExportReport
from lora_lab.figures import size_words
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.names import legible
from lora_lab.projections import PROJECTIONS, STRUCTURES
from lora_lab.runs.folder import EXPORTS
from lora_lab.runs.lines import parsed
from lora_lab.runs.listing import RunSummary, summary_of
from lora_lab.runs.own_files import read_own
from lora_lab.runs.report_figures import BARS, PANELS, counts, curve, spectra
from lora_lab.runs.row_shape import shape_flaw
from lora_lab.runs.story import Story, story_of
from lora_lab.setting import setting_of
from lora_lab.variants import VARIANTS

EDITS, CHECKS, TROUBLES, PARENTS = 7, 4, 2, 4  # rows of each table
LARGEST = 2**26  # bytes of the list of exports
FIGURES = 20  # of a task, at the top of the page
LONGEST = 90  # characters of a sentence in a table


def report_of(run: Path) -> str:
    """The page of the run in this folder, as HTML; raises LabError where there is no run."""
    story, summary = story_of(run), summary_of(run)
    title = summary.label or summary.name
    parts = [
        _head(story, summary, title),
        _figures(story, summary),
        _section("Loss", curve(story), _legend(story)),
        _section("Singular values of ΔW", _spectra(story)),
        _columns(story, run, summary),
        _foot(story),
    ]
    style = (paths.resources() / "report.css").read_text("utf-8")
    return legible(
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<title>{escape(title)} – LoRA Lab</title><style>\n{style}</style></head>\n"
        f"<body><main>\n{''.join(part for part in parts)}\n</main></body></html>\n"
    )


def _columns(story: Story, run: Path, summary: RunSummary) -> str:
    """What is given in words: beside the settings what happened, or the parameters alone."""
    settings = _section("Settings", _pairs(_settings(story)))
    parameters = _section("Parameters", _parameters(story))
    ancestry = _section("Ancestry", _ancestry(run, summary))
    happened = (
        _section("Edits during training", _edits(story))
        + _section("Export checks", _checks(story))
        + _section("Problems", _troubles(story))
    )
    left, right = settings, parameters + ancestry
    if happened:
        left, right = settings + parameters + ancestry, happened
    return f"<div class='two'><div>{left}</div><div>{right}</div></div>"


def _section(title: str, body: str, beside: str = "") -> str:
    if not body:
        return ""
    return f"<section><h2>{title}{beside}</h2>{body}</section>\n"


def _head(story: Story, summary: RunSummary, title: str) -> str:
    loaded, config = story.loaded, story.config
    state = summary.state or "not recorded"
    ended = f"{state} at step {summary.step or story.last_step:,}"
    last = story.last("StateRecord")
    why = str(last.get("message") or "") if last else ""
    started = str(story.about.get("started", ""))[:16].replace("T", " ")
    headline = [
        loaded["title"] if loaded["title"] == config.task else f"{loaded['title']} ({config.task})",
        f"{config.variant} on {loaded['base'] or 'its own base'}",
        f"{loaded['device']}, {loaded['dtype']}",
        *([f"begun {started}"] if started else []),
    ]
    note = f"<p class='note'>{escape(summary.note)}</p>" if summary.note else ""
    why = f"<p class='note'>{escape(why)}</p>" if why else ""
    return (
        f"<header><h1>{escape(title)}</h1><span class='state {escape(summary.state)}'>"
        f"{escape(ended)}</span><p>{escape(' · '.join(headline))}</p>{why}{note}</header>\n"
    )


def _figures(story: Story, summary: RunSummary) -> str:
    """The numbers that one asks for first."""
    evals = story.of("EvalRecord")
    on = [row for row in evals if row["enabled"]]
    off = [row for row in evals if not row["enabled"]]
    step = story.last("StepRecord") or {}
    cells = [("loss, last step", _number(step.get("loss", math.nan)))]
    finite = [row for row in on if math.isfinite(row["loss"])]
    if finite:
        best = min(finite, key=lambda row: row["loss"])
        cells.append((f"best validation loss, step {best['step']:,}", _number(best["loss"])))
    shares = [row["accuracy"] for row in (*off[:1], *on[-1:]) if row["accuracy"] is not None]
    if on and off and len(shares) == 2:
        cells.append(("accuracy, off → on", f"{100 * shares[0]:.1f} → {100 * shares[1]:.1f} %"))
    before = dict(off[0].get("figures", ())) if off else {}
    for name, after in on[-1].get("figures", ())[:FIGURES] if on and off else ():
        values = f"{_number(before.get(name, math.nan))} → {_number(after)}"
        cells.append((f"{name}, off → on", values))
    count = story.last("CountsRecord")
    if count:
        share = 100 * count["adapter"] / max(1, story.loaded["base_parameters"])
        cells.append((f"trained, {share:.3g} % of the base", f"{count['adapter']:,}"))
    if VARIANTS[story.config.variant].factored:
        cells.append(("rank, α at the end", f"{summary.rank}, {summary.alpha:g}"))
    if math.isfinite(summary.seconds):
        cells.append(("of training", _time(summary.seconds)))
    shown = "".join(f"<div><b>{escape(v)}</b><span>{escape(k)}</span></div>" for k, v in cells)
    return f"<div class='figures'>{shown}</div>\n"


def _legend(story: Story) -> str:
    evals = story.of("EvalRecord")
    entries = ["<i class='k loss'></i>training"]
    entries += ["<i class='k held'></i>validation"] if any(r["enabled"] for r in evals) else []
    entries += ["<i class='k off'></i>validation, adapter off"] if evals else []
    entries += ["<i class='k mark'></i>edit"] if story.edits else []
    return f"<span class='legend'>{' '.join(entries)}</span>"


def _spectra(story: Story) -> str:
    row = story.last("SpectrumRecord")
    if row is None or not row["layers"]:
        return ""
    truth = story.loaded.get("true_sigma")
    layers = row["layers"]
    more = f", {PANELS} of {len(layers)} layers" if len(layers) > PANELS else ""
    cut = any(len(layer["sigma"]) > BARS for layer in layers[:PANELS])
    first = f", the first {BARS} of each" if cut else ""
    known = "; lines: σ of the change that is to be learned" if truth else ""
    words = f"Step {row['step']:,}{more}{first}; each on its own scale from 0{known}."
    return f"{spectra(row, truth)}<p class='caption'>{words}</p>"


def _settings(story: Story) -> list[tuple[str, str]]:
    config, start = story.config, story.start
    variant = VARIANTS[config.variant]
    rate = f"{start.learning_rate:g}, {config.schedule}"
    warmup = config.warmup(config.max_steps)
    rate += f", {warmup} steps of warm-up" if warmup else ""
    data = story.last("DataRecord")
    rows = f"{config.batch_size}"
    if data and data.get("epoch_steps"):
        rows = f"as many as fit into {config.batch_tokens:,} tokens"
    rows += f" in {config.accumulation} parts" if config.accumulation > 1 else ""
    clip = config.max_grad_norm if start.max_grad_norm is None else start.max_grad_norm
    ratio = config.b_rate_ratio
    held = ""
    if data:
        held = f"{data['train_rows']:,} rows, {data['validation_rows']:,} validation rows"
    settings = [
        ("rank r, α at the start", f"{start.rank}, {start.alpha:g}"),
        ("init", config.init),
        ("numbers d at the start", f"{start.dimension:,}" if variant.shared else ""),
        ("structure", STRUCTURES[config.structure].title if variant.shared else ""),
        ("projection", PROJECTIONS[config.projection].title if variant.shared else ""),
        ("continues", Path(config.adapter).name if config.adapter else ""),
        ("targets", ", ".join(config.targets) or "all linear layers"),
        ("layers adapted", f"{len(story.loaded['layers'])}"),
        ("learning rate", rate),
        ("LoRA+ ratio", f"{ratio:g}" if ratio != 1 else ""),
        ("optimizer", config.optimizer),
        ("weight decay", f"{start.weight_decay:g}" if start.weight_decay else ""),
        ("dropout", f"{start.dropout:g}" if start.dropout else ""),
        ("max grad norm", f"{clip:g}" if clip else ""),
        ("label smoothing", f"{config.label_smoothing:g}" if config.label_smoothing else ""),
        ("class weights", config.class_weights if config.class_weights != "none" else ""),
        ("batch", rows),
        ("steps requested", f"{config.max_steps:,}"),
        ("data", Path(config.data).name if config.data else "ships with the lab"),
        ("", held),
        ("classes", ", ".join(story.loaded["trained_classes"][:10])),
        ("seed", str(config.seed)),
    ]
    if not variant.factored:
        of_factors = ("rank r, α at the start", "init", "dropout")
        settings = [row for row in settings if row[0] not in of_factors]
    return [(name, value) for name, value in settings if value]


def _parameters(story: Story) -> str:
    row = story.last("CountsRecord")
    if row is None:
        return ""
    layers = story.loaded["layers"]
    full = sum(layer["shape"][0] * layer["shape"][1] for layer in layers)
    base = story.loaded["base_parameters"]
    rows = [
        (f"{story.config.variant}: {row['adapter']:,}", row["adapter"], "bar"),
        (f"full, same layers: {full:,}", full, "full"),
        (f"the whole base: {base:,}", base, "base"),
    ]
    words = ""
    if VARIANTS[story.config.variant].factored and row["adapter"]:
        words = f"{full / row['adapter']:,.1f} times fewer than full fine-tuning of these layers"
        if OPTIMIZERS[story.config.optimizer].states(0.0) == 2:
            words += (
                f"; Adam's averages take {size_words(8 * row['adapter'])} in place of "
                f"{size_words(8 * full)}"
            )
        words = f"<p class='caption'>Logarithmic. {words}.</p>"
    return counts(rows) + words


def _edits(story: Story) -> str:
    edits = story.edits
    if not edits:
        return ""
    rows = []
    for number, row in enumerate(edits[:EDITS], 1):
        changes = ", ".join(
            f"{setting_of(Hyperparameters, field).name} {_value(old)} → {_value(new)}"
            for field, old, new in row["changes"]
        )
        rows.append((str(number), f"{row['step']:,}", _cut(changes)))
    if len(edits) > EDITS:
        rows.append(("…", "", f"and {len(edits) - EDITS:,} more, up to step {edits[-1]['step']:,}"))
    return _table(("", "step", "what"), rows)


def _checks(story: Story) -> str:
    """What was measured of every file that was exported, from the window or the command line."""
    reports = deque((row["report"] for row in story.of("ExportedRecord")), CHECKS)
    path = story.path / EXPORTS
    try:
        data = read_own(path, LARGEST)
    except FileNotFoundError:
        data = b""
    except OSError as error:
        raise LabError(f"{path} cannot be read: {system_reason(error)}.") from error
    for number, line in enumerate(io.BytesIO(data), 1):
        if (value := parsed(line)) is None:
            continue  # torn
        if part := shape_flaw(value, ExportReport):
            raise LabError(f"{path} is damaged: line {number:,} has no {part} as it should be.")
        reports.append(value)
    rows = []
    for row in reports:
        errors = [layer["error"] for layer in row.get("layers", ())]
        worst = "–" if not errors else f"{max(errors):.1e}" if max(errors) else "0"
        name = _cut(Path(str(row.get("path", ""))).name, 32)
        size = size_words(row.get("bytes", 0))
        step = f"{row['of_step']:,}" if row.get("of_step", -1) >= 0 else ""
        digest = str(row.get("sha256", ""))[:8]
        rows.append((str(row.get("format", "")), name, step, size, worst, digest))
    head = ("format", "file", "of step", "size", "largest error", "SHA-256")
    return _table(head, rows) if rows else ""


def _troubles(story: Story) -> str:
    met = [(r["step"], r["message"]) for r in story.rows
           if r.get("record") in ("NonFiniteRecord", "ErrorRecord")]  # fmt: skip
    rows = [(f"{step:,}", _cut(message)) for step, message in met[:TROUBLES]]
    if len(met) > TROUBLES:
        rows.append(("", f"and {len(met) - TROUBLES:,} more, in the run's log"))
    return _table(("step", "message"), rows) if rows else ""


def _ancestry(run: Path, summary: RunSummary) -> str:
    """The runs that this one branched from, as far as they are beside it."""
    rows = []
    while summary.parent and len(rows) < PARENTS:
        name, step = summary.parent, summary.parent_step
        try:
            summary = summary_of(run.parent / name)
            rows.append((f"{step:,}", name, summary.label or summary.title))
        except LabError:
            rows.append((f"{step:,}", name, "not here"))
            break
    return _table(("at step", "of run", ""), rows) if rows else ""


def _foot(story: Story) -> str:
    versions = story.about.get("versions", {})
    libraries = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    prints = [
        f"{what} {str(story.about.get(key) or '')[:12]}"
        for what, key in (("base", "base_fingerprint"), ("data", "data_fingerprint"))
        if story.about.get(key)
    ]
    program = f"page by LoRA Lab {lora_lab.__version__}"
    words = [f"Run {story.path.name}", libraries, *prints, program]
    return f"<footer>{escape(' · '.join(word for word in words if word))}</footer>"


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(
        f"<dt>{escape(k)}</dt><dd>{escape(_cut(v))}</dd>" for k, v in rows) + "</dl>"  # fmt: skip


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(word)}</th>" for word in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "–" if value is None else str(value).replace("_", " ")


def _cut(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not finite"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
