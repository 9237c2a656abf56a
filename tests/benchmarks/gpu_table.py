"""One table of an accelerator: the lab's step beside PEFT's, TRL's and Unsloth's.

    python tests/benchmarks/gpu_table.py [--device cuda] [--seconds 450] [--json FILE]
        [--shapes 135M 1.5B 7B] [--tiny] [--rank 8] [--tokens 4x512] [--rounds 7]

Llamas of three shapes get random weights (bfloat16; on a CPU float32) on the device itself. The
rows of a shape share its tensors and take turns in one process, in an order that turns; compiled
rows do so with the lab's plain step alone. Printed are medians over rounds. A library that is not
installed, a shape that does not fit and a row for which no time is left say so in place of a
figure. The last lines are the table in Markdown and its JSON.

6P-equivalent: 6 · parameters in matrices · tokens, what full training would take, per second, over
the card's peak in bfloat16: as its maker states it, else what a large product reaches here.

Compiled rows have edits of the rank in mid-run; their note tells how many graphs those made. Four
ways: adapters in the graph as torch takes them, a graph for each rank (after eight of them torch
compiles no more); with `ranks free`, where a parameter's shape is no constant: one more graph at
the first edit and none after it; `padded` by zeros to a common rank, so that no shape changes,
which CUDA graphs need; and `apart`, out of the graph, with a break at each layer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from gpu_contenders import CONTENDERS, NotHere, Work
from gpu_heartbeat import heartbeat

LIBRARIES = ("torch", "transformers", "peft", "trl", "unsloth", "bitsandbytes")
SHAPES: dict[str, dict[str, int]] = {  # of a LlamaConfig
    "135M": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
             "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152},
    "1.5B": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
             "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936},
    "7B": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32000},
}  # fmt: skip
TINY = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128}  # fmt: skip
# Dense bfloat16, without sparsity, of the makers' data sheets, in 1e12 per second.
PEAKS = {
    "B200": 2250, "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121,
    "A10": 125, "RTX 4090": 165, "RTX 3090": 71, "MI300X": 1307,
}  # fmt: skip


@dataclass
class Row:
    """What stands in a line: figures, or why there are none."""

    shape: str
    name: str
    step_ms: float | None = None
    over_lab: float | None = None  # the lab's plain step over this one; below 1 this is quicker
    tokens_per_s: float | None = None
    of_peak: float | None = None  # 6P-equivalent
    memory_mib: float | None = None  # beyond the loaded weights, at the most
    note: str = ""
    figures: dict[str, float] = field(default_factory=dict)


class Clock:
    """What is left of the time for all rows, dealt out evenly."""

    def __init__(self, seconds: float, rows: int) -> None:
        self.end, self.rows = time.perf_counter() + seconds, rows

    @property
    def left(self) -> float:
        return self.end - time.perf_counter()

    def share(self) -> float:
        """Seconds for the next row."""
        share = self.left / max(1, self.rows)
        self.rows -= 1
        return share


def synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def allocated(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0


def timed(step: Callable[[], Any], device: torch.device) -> float:
    synchronize(device)
    began = time.perf_counter()
    step()
    synchronize(device)
    return time.perf_counter() - began


def reason_of(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:120] if said else ''}".rstrip(": ")


def peak_of(device: torch.device, asked: argparse.Namespace) -> tuple[float, str]:
    """Operations per second in bfloat16, and where that is from."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for known, tera in PEAKS.items():
            if known.lower() in name.lower():
                return tera * 1e12, f"{tera} TFLOP/s, as the maker states it"
    n = 256 if asked.tiny else 8192
    a = torch.randn(n, n, device=device, dtype=torch.bfloat16)
    times = [timed(lambda: a @ a, device) for _ in range(12)]
    rate = 2 * n**3 / min(times[2:])
    return rate, f"{rate / 1e12:.3g} TFLOP/s, measured by a product of {n}²"


def heading(device: torch.device, asked: argparse.Namespace, peak: str) -> list[str]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    versions = []
    for library in LIBRARIES:
        try:
            versions.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            versions.append(f"{library} not installed")
    return [
        f"{name}; {', '.join(versions)}; Python {sys.version.split()[0]}",
        f"{str(asked.dtype)[6:]}, rank {asked.rank} on all linear layers, {asked.tokens} tokens a "
        f"step, medians of up to {asked.rounds} rounds in turns; peak of bfloat16: {peak}",
    ]


def shape_rows(
    shape: str, asked: argparse.Namespace, device: torch.device, peak: float, clock: Clock
) -> list[Row]:
    """All contenders over one model."""
    names = list(CONTENDERS)
    config = TINY if asked.tiny else SHAPES[shape]
    if clock.left <= 0:
        clock.rows -= len(names)
        return [Row(shape, name, note="dropped: no time left") for name in names]
    try:
        work = Work.of(shape, config, asked, device)
    except (RuntimeError, MemoryError) as error:
        clock.rows -= len(names)
        return [Row(shape, name, note=f"the model: {reason_of(error)}") for name in names]
    rows: dict[str, Row] = {}
    running: dict[str, Any] = {}
    for name in names:
        row = rows[name] = Row(shape, name)
        budget = clock.share()
        if budget <= 0:
            row.note = "dropped: no time left"
            continue
        began = time.perf_counter()
        try:
            contender = first_steps(CONTENDERS[name], work, row)
            row.note = contender.edited(min(budget, clock.left) - (time.perf_counter() - began))
            if contender.compiled:  # graphs of one are taken for another's, so it is here alone
                pair = {"lab": running["lab"], name: contender} if "lab" in running else {}
                left = budget - (time.perf_counter() - began)
                times = rounds(pair or {name: contender}, device, asked.rounds, left)
                fill(row, times[name], times.get("lab", []), work, peak)
                torch._dynamo.reset()
            else:
                running[name] = contender
        except NotHere as error:
            row.note = str(error)
        except Exception as error:  # noqa: BLE001  # of any library: the other rows are wanted
            row.note = f"failed: {reason_of(error)}"
            if asked.debug:
                traceback.print_exc()
    found = rounds(running, device, asked.rounds, max(1.0, clock.left / (2 * clock.rows + 2)))
    for name, times in found.items():
        fill(rows[name], times, found.get("lab", []), work, peak)
    sigma = rows["σ of all layers"]
    if sigma.over_lab:
        sigma.note = f"once in a hundred steps that is {1 / sigma.over_lab:.2g} % of the time"
    work.close()
    return list(rows.values())


def first_steps(make: Callable[[Work], Any], work: Work, row: Row) -> Any:
    """A contender after two steps, of which the first may compile, and its peak of memory."""
    on_gpu, held = work.device.type == "cuda", allocated(work.device)
    contender = make(work)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(work.device)
    contender.step()
    contender.step()
    synchronize(work.device)
    if on_gpu:
        row.memory_mib = (torch.cuda.max_memory_allocated(work.device) - held) / 2**20
    return contender


def rounds(
    running: dict[str, Any], device: torch.device, most: int, seconds: float
) -> dict[str, list[float]]:
    """Seconds of each one's step, in rounds in which all take their turn; one at the least."""
    found: dict[str, list[float]] = {name: [] for name in running}
    order, deadline = list(running), time.perf_counter() + seconds
    for turn in range(most if order else 0):
        at = turn % len(order)
        for name in order[at:] + order[:at]:
            found[name].append(timed(running[name].step, device))
        if time.perf_counter() > deadline:
            break
    return found


def fill(row: Row, times: list[float], lab: list[float], work: Any, peak: float) -> None:
    seconds = statistics.median(times)
    row.step_ms = 1e3 * seconds
    row.tokens_per_s = work.tokens / seconds
    row.of_peak = 6 * work.parameters * work.tokens / seconds / peak
    if lab:
        row.over_lab = statistics.median(a / b for a, b in zip(lab, times, strict=True))


def markdown(rows: list[Row]) -> list[str]:
    def text(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    lines = ["| model | row | ms a step | the lab's ÷ it | tokens/s | 6P of peak | MiB | note |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in rows:
        figures = (
            text(row.step_ms, ".3g"), text(row.over_lab, ".2f"), text(row.tokens_per_s, ",.0f"),
            text(row.of_peak, ".1%"), text(row.memory_mib, ",.0f"),
        )  # fmt: skip
        lines.append(f"| {' | '.join((row.shape, row.name, *figures, row.note))} |")
    return lines


def main(words: list[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--tiny", action="store_true", help="models of one small layer, for tests")
    parser.add_argument("--seconds", type=float, default=450.0, help="for all rows together")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--tokens", default="4x512", help="rows x tokens of a step")
    parser.add_argument("--json", help="where the rows go as JSON as well")
    parser.add_argument("--debug", action="store_true")
    asked = parser.parse_args(words)
    warnings.simplefilter("ignore")
    device = torch.device(asked.device)
    # On a CPU the lab's layers look at numbers of half precision, which a graph cannot.
    asked.dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
    asked.tokens = "2x16" if asked.tiny else asked.tokens
    torch.manual_seed(0)
    peak, how = peak_of(device, asked)
    clock = Clock(asked.seconds, len(asked.shapes) * len(CONTENDERS))
    print(*(lines := heading(device, asked, how)), sep="\n", flush=True)
    rows: list[Row] = []
    try:
        figures, note = heartbeat(asked, device)
        rows.append(Row("digits", "heartbeat", figures["loop_ms"], note=note, figures=figures))
    except Exception as error:  # noqa: BLE001  # the other rows are wanted
        rows.append(Row("digits", "heartbeat", note=f"failed: {reason_of(error)}"))
    for shape in asked.shapes:
        rows += shape_rows(shape, asked, device, peak, clock)
        print(*markdown([row for row in rows if row.shape == shape]), sep="\n", flush=True)
    print("", *lines, "", *markdown(rows), "", sep="\n")
    whole = {"heading": lines, "rows": [asdict(row) for row in rows]}
    print(json.dumps(whole))
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump(whole, file, indent=1)
    return rows


if __name__ == "__main__":
    main()
