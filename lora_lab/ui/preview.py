"""One panel alone with believable records: `python -m lora_lab.ui.preview loss [--dark]`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import (
    Direction,
    DirectionsRecord,
    Excited,
    GeneratedRecord,
    InterferenceRecord,
    LayerPairs,
    WrittenTokens,
)
from lora_lab.opening_records import DataRecord, DataRow, LayerInfo, LoadedRecord
from lora_lab.records import (
    AppliedRecord,
    CountsRecord,
    EvalRecord,
    LayerSpectrum,
    Record,
    SpectrumRecord,
    StepRecord,
    frozen_array,
)
from lora_lab.ui.panels import PANELS
from lora_lab.ui.panels.panel import Panel
from lora_lab.ui.style import theme

SAMPLES = ("digits", "known-rank", "text")
_SIGMA_D = np.array([3.0, 1.6, 0.7, 0.25])


def samples(preset: str = "digits", steps: int = 2000) -> list[Record]:
    """A run as the session would send it: loaded, counted, measured, stepped, edited, measured."""
    return {"digits": _digits, "known-rank": _known_rank, "text": _text}[preset](steps)


def _spectrum(name: str, sigma: np.ndarray, rank: int, alpha: float) -> LayerSpectrum:
    squares = np.square(sigma)
    total = float(squares.sum())
    share = sigma / sigma.sum() if total else sigma
    entropy = -float((share[share > 0] * np.log(share[share > 0])).sum())
    return LayerSpectrum(
        name=name,
        sigma=frozen_array(sigma),
        numerical_rank=int((sigma > 1e-6 * sigma[0]).sum()) if total else 0,
        stable_rank=total / float(squares[0]) if total else math.nan,
        effective_rank=math.exp(entropy) if total else math.nan,
        delta_norm=math.sqrt(total),
        rank=rank,
        alpha=alpha,
        scaling=alpha / rank,
    )


def _digits(steps: int) -> list[Record]:
    rng = np.random.default_rng(0)
    shapes = {"net.0": (128, 64), "net.2": (128, 128), "net.4": (10, 128)}
    layers = tuple(LayerInfo(n, s, 6.0 + 3 * i) for i, (n, s) in enumerate(shapes.items()))
    base = sum(o * i + o for o, i in shapes.values())
    hyper = Hyperparameters(rank=4, alpha=8)
    classes = tuple(str(digit) for digit in range(10))
    total = (36, 36, 35, 37, 36, 37, 37, 36, 33, 36)
    off = (36, 34, 35, 37, 36, 37, 37, 36, 31, 1)
    per_layer = tuple((n, 4 * sum(s)) for n, s in shapes.items())
    records: list[Record] = [
        LoadedRecord(
            "digits", "", "digits", "lora", "optical digits without the 9", "cpu", "float32",
            layers, base, 128, steps, hyper, classes, ("9",),
        ),
        CountsRecord(0, sum(n for _, n in per_layer), base, per_layer),
        EvalRecord(0, False, 2.31, sum(off) / sum(total), off, total),
    ]  # fmt: skip
    noise = np.exp(rng.normal(0, 0.35, steps))
    course = 7.5 * np.exp(-np.arange(steps) / (steps / 22)) + 0.025
    course[steps // 2 :] *= 0.55
    for step in range(1, steps + 1):
        loss = float(course[step - 1] * noise[step - 1])
        records.append(StepRecord(step, loss, 1e-3, step / 800))
        if step == steps // 2:
            hyper = Hyperparameters(rank=8, alpha=16)
            changes = (("rank", 4, 8), ("alpha", 8.0, 16.0))
            records.append(AppliedRecord(step, hyper, changes))
        if step % max(1, steps // 16) == 0:
            loss = float(2.3 * math.exp(-step / (steps / 6)) + 0.9 * step / steps + 0.3)
            lost = (1, 0, 2, 9, 1, 6, 0, 2, 7, 0)
            on = tuple(t - k for t, k in zip(total, lost, strict=True))
            records.append(EvalRecord(step, True, loss, sum(on) / sum(total), on, total))
            grown = 1 - math.exp(-4 * step / steps)
            records.append(SpectrumRecord(step, _digits_spectrum(grown, hyper.rank, shapes)))
    per_layer = tuple((n, 8 * sum(s)) for n, s in shapes.items())
    return [
        *records,
        CountsRecord(steps, sum(n for _, n in per_layer), base, per_layer),
        _directions(steps, "net.4"), _interference(steps, shapes),
        SpectrumRecord(steps, _digits_spectrum(1.0, 8, shapes)),
    ]  # fmt: skip


def _digits_spectrum(grown: float, rank: int, names: Iterable[str]) -> tuple[LayerSpectrum, ...]:
    rows = []
    for place, name in enumerate(names):
        sigma = grown * (4.0 - place) * np.exp(-np.arange(rank) * (0.45 + 0.2 * place))
        if place == 2:
            sigma[6:] = np.array([3e-9, 1e-9])[: len(sigma[6:])]
        rows.append(_spectrum(name, sigma, rank, 2 * rank))
    return tuple(rows)


def _known_rank(steps: int) -> list[Record]:
    d = 64
    layers = (LayerInfo("linear", (d, d), 8.0),)
    hyper = Hyperparameters(rank=2, alpha=2, learning_rate=1e-2)
    floor = tuple(float(np.square(_SIGMA_D[r:]).sum()) / d for r in range(9))
    true = frozen_array(np.concatenate([_SIGMA_D, np.zeros(d - 4)]))
    start = float(np.square(_SIGMA_D).sum()) / d
    records: list[Record] = [
        LoadedRecord(
            "known-rank", "", "known_rank", "lora", "W0, whitened inputs", "cpu", "float32",
            layers, d * d, d, steps, hyper, loss_floor=floor, true_sigma=true,
        ),
        CountsRecord(0, 2 * 2 * d, d * d, (("linear", 4 * d),)),
        EvalRecord(0, False, start),
    ]  # fmt: skip
    half = steps // 2
    for step in range(1, steps + 1):
        if step == half:
            hyper = Hyperparameters(rank=8, alpha=8, learning_rate=1e-2)
            records.append(AppliedRecord(step, hyper, (("rank", 2, 8), ("alpha", 2.0, 8.0))))
        at = step if step < half else step - half
        tail, top = (floor[2], start) if step < half else (0.0, floor[2])
        loss = tail + (top - tail) * math.exp(-at / (steps / 80)) + 1e-13
        records.append(StepRecord(step, loss, 1e-2, step / 1500))
        if step % max(1, steps // 20) == 0:
            records.append(EvalRecord(step, True, loss))
            grown = 1 - np.exp(-(np.arange(1, 5)[::-1] ** 1.5) * step / steps)
            early = (_SIGMA_D * grown)[: hyper.rank]
            early = np.concatenate([early, 1e-8 / np.arange(1, hyper.rank - len(early) + 1)])
            records.append(SpectrumRecord(step, (_spectrum("linear", early, hyper.rank, 8),)))
    sigma = np.concatenate([_SIGMA_D * [1, 1, 0.999, 0.97], [4e-8, 2e-8, 1e-8, 6e-9]])
    counts = CountsRecord(steps, 16 * d, d * d, (("linear", 16 * d),))
    spectrum = SpectrumRecord(steps, (_spectrum("linear", sigma, 8, 8),))
    return [*records, counts, _directions(steps, "linear"), spectrum]


def _text(steps: int) -> list[Record]:
    """A language model on prompts and completions."""
    rng = np.random.default_rng(1)
    shapes = {"layers.0.self_attn.q_proj": (576, 576), "layers.0.mlp.down_proj": (576, 1536)}
    layers = tuple(LayerInfo(n, s, 20.0) for n, s in shapes.items())
    prompt = "Review: A film that knows what it wants.\nVerdict:"
    words = [*prompt.replace(" ", "| ").split("|"), " positive", "<|end|>"]
    rows = tuple(
        DataRow(1 + 3 * i, tuple(words), tuple(i >= len(words) - 2 for i in range(len(words))))
        for i in range(20)
    )
    lengths = np.clip(rng.lognormal(4.6, 0.6, 1900), 8, 900).astype(np.int64)
    hyper = Hyperparameters(rank=8, alpha=16)
    per_layer = tuple((n, 8 * sum(s)) for n, s in shapes.items())
    records: list[Record] = [
        LoadedRecord(
            "causal_lm", "", "causal_lm", "lora", "a small language model", "cpu", "float32",
            layers, 134_515_008, 576, steps, hyper, generates=True, prompts=(prompt,),
        ),
        CountsRecord(0, sum(n for _, n in per_layer), 134_515_008, per_layer),
        DataRecord(
            "reviews.jsonl", "prompt + completion", ("prompt", "completion", "stars"),
            (("prompt", "prompt"), ("completion", "completion")),
            1900, 100, rows, lengths, 512,
            int((lengths > 512).sum()), int(np.minimum(lengths, 512).sum()), 3800,
            notes=("2 rows were left out (line 17: not JSON; line 90: the prompt is empty)",),
        ),
        EvalRecord(0, False, 6.9),
    ]  # fmt: skip
    for step in range(1, steps + 1):
        records.append(StepRecord(step, 0.3 + 6.6 * math.exp(-step / (steps / 9)), 2e-4, step / 2))
        if step % max(1, steps // 8) == 0:
            loss = 0.35 + 6.5 * math.exp(-step / (steps / 9)) + 0.2 * step / steps
            records.append(EvalRecord(step, True, loss, best=step <= steps * 0.7))
    rows_of = [_spectrum(n, np.exp(-np.arange(8) * 0.6), 8, 16) for n in shapes]
    text_off = " The film is a film that knows what it wants. The film is"
    return [
        *records,
        SpectrumRecord(steps, tuple(rows_of)),
        GeneratedRecord(0, prompt, text_off, text_off, 1.0),
        GeneratedRecord(steps, prompt, text_off, " positive", 1.0),
        _directions(steps, [*shapes][-1], " positive", " dull", " good", "\n", " fine", " bad"),
    ]


def _directions(step: int, layer: str, *words: str) -> DirectionsRecord:
    """Two directions, with the tokens that they write and rows that excite them."""
    ends = [tuple((word, 9.0 - place) for place, word in enumerate(words[at::2])) for at in (0, 1)]
    tokens = WrittenTokens(*ends) if words else None
    rows = tuple(
        Excited(3 + n, 4.1 - n, "a film that knows", " what", " it wants", "", None)
        for n in range(3)
    )
    share = [Direction(2.3 / n, 0.7 / n, tokens, rows, None) for n in (1, 2)]
    why = "" if words else "u is in the layer's own outputs: only a language model's have tokens"
    return DirectionsRecord(step, layer, 8, tuple(share), why, True, 200, "", 0.03)


def _interference(step: int, names: Iterable[str]) -> InterferenceRecord:
    """The adapter in training beside a file."""
    pair = frozen_array([[1.0, -0.12], [-0.12, 1.0]])
    angles = frozen_array([[0.0, 81.0], [81.0, 0.0]])
    layers = tuple(LayerPairs(name, pair, angles, angles) for name in names)
    return InterferenceRecord(step, ("", "another.safetensors"), pair, layers)


def feed(panel: Panel, records: Iterable[Record]) -> None:
    """Give a panel that stands alone what the window would: of a load it starts afresh."""
    waiting: list[Record] = []
    for record in records:
        if isinstance(record, LoadedRecord):
            _collect(panel, waiting)
            panel.standing.take(record)
            waiting = []
        else:
            waiting.append(record)
    _collect(panel, waiting)


def _collect(panel: Panel, records: list[Record]) -> None:
    panel.receive(records)
    for record in records:
        panel.standing.take(record)


def main(arguments: list[str] | None = None) -> int:
    """Show one panel, or save its picture."""
    parser = argparse.ArgumentParser(prog="python -m lora_lab.ui.preview", description=__doc__)
    parser.add_argument("panel", choices=PANELS)
    parser.add_argument("--preset", choices=SAMPLES, default="digits")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--size", default="500x340")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument(
        "--request-rank", type=int, default=0, help="a rank that is not yet applied"
    )
    parser.add_argument("--empty", action="store_true", help="only loaded, nothing measured")
    parser.add_argument("--save", help="write a PNG and leave")
    requested = parser.parse_args(arguments)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply(app, "dark" if requested.dark else "light")
    panel = PANELS[requested.panel]()
    width, height = (int(n) for n in requested.size.split("x"))
    panel.resize(width, height)
    panel.setWindowTitle(panel.title)
    records = samples(requested.preset, requested.steps)
    feed(panel, records[:1] if requested.empty else records)
    if requested.request_rank:
        panel.standing.preview(Hyperparameters(rank=requested.request_rank))
    panel.show()
    timer = QTimer(interval=33)
    timer.timeout.connect(lambda: panel.redraw() if panel.dirty else None)
    timer.start()
    if requested.save:
        QTimer.singleShot(700, lambda: (panel.grab().save(requested.save), app.quit()))
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
