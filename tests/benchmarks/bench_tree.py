"""The tree of modules for 2,000 of them: to open it, to follow a run, to search and to sort it.

    python tests/benchmarks/bench_tree.py [modules]

Times are of the window's thread, painting included (QT_QPA_PLATFORM=offscreen where there is no
display). The last line is for 210 layers, as SmolLM2-135M has them, at ten spectra in a second.
"""

import os
import statistics
import sys
from time import perf_counter, thread_time

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.opening_records import LayerInfo, LoadedRecord, TargetInfo
from lora_lab.records import CountsRecord, LayerSpectrum, SpectrumRecord, frozen_array
from lora_lab.ui.layers.dock import LayersDock
from lora_lab.ui.layers.facts import SIZE
from lora_lab.ui.style import theme

PARTS = (
    *(f"self_attn.{p}_proj" for p in "qkvo"),
    *(f"mlp.{p}_proj" for p in ("up", "gate", "down")),
)
RANK = 8
SIGMA = frozen_array(0.9 ** np.arange(RANK))


def loaded(count: int) -> LoadedRecord:
    """A model of `count` modules that are all adapted, and two norms in each of its blocks."""
    names = [f"model.layers.{i // 7}.{PARTS[i % 7]}" for i in range(count)]
    norms = [f"model.layers.{i}.{n}_norm" for i in range(-(-count // 7)) for n in ("in", "post")]
    shape = (512, 512)
    return LoadedRecord(
        "bench", "", "causal_lm", "lora", "bench", "cpu", "float32",
        tuple(LayerInfo(name, shape, 20.0, max_rank=512) for name in names),
        count * 512 * 512, 512, 1000, Hyperparameters(rank=RANK),
        adaptable=tuple(TargetInfo(name, "linear", shape) for name in names),
        modules=(
            *((name, "Linear", shape, 512 * 512) for name in names),
            *((name, "RMSNorm", (512,), 512) for name in norms),
        ),
    )  # fmt: skip


def spectrum(record: LoadedRecord, step: int) -> SpectrumRecord:
    rng = np.random.default_rng(step)
    moved = rng.lognormal(-1, 1, len(record.layers))
    rows = (
        LayerSpectrum(layer.name, SIGMA, RANK, 2.0, 1 + 6 * (size % 1), size, RANK, 16.0, 2.0)
        for layer, size in zip(record.layers, moved.tolist(), strict=True)
    )
    return SpectrumRecord(step, tuple(rows))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    app = QApplication(sys.argv[:1])
    theme.apply(app, "light")
    dock = LayersDock()
    dock.resize(480, 330)
    dock.show()
    app.processEvents()

    def painted() -> None:
        app.processEvents()
        dock.grab()

    def timed(call, times: int = 1) -> str:
        spent, busy = [], []
        for turn in range(times):
            began, worked = perf_counter(), thread_time()
            call(turn)
            spent.append(1000 * (perf_counter() - began))
            busy.append(1000 * (thread_time() - worked))
        said = f"{statistics.median(spent):.1f} ms, {statistics.median(busy):.1f} of the processor"
        return said + (f" (worst {max(spent):.1f} and {max(busy):.1f})" if times > 1 else "")

    def open_it(record: LoadedRecord, alike: bool) -> None:
        dock.standing.take(record)
        dock.alike_button.setChecked(alike)
        painted()

    def follow(records: list[SpectrumRecord], turn: int) -> None:
        """What the window spends on one spectrum: take it, look what differs, paint that."""
        dock.set_spectrum(records[turn])
        dock._draw_soon.stop()
        dock._draw()
        app.processEvents()

    def find(text: str) -> None:
        dock.search.setText(text)
        painted()

    def sort(turn: int) -> None:
        orders = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
        dock.tree.header().setSortIndicator(SIZE, orders[turn % 2])
        painted()

    def request(turn: int) -> None:
        dock.standing.request(changed(Hyperparameters(), rank=RANK + turn % 7 + 1))
        app.processEvents()

    large, small = loaded(count), loaded(210)
    told = len(large.modules)
    print(f"{count:,} adapted modules of {told:,}, {app.platformName()}, 480 × 330 pixels")
    print(f"open, like ones together: {timed(lambda _: open_it(large, True), 5)}")
    print(f"open, and then by name:   {timed(lambda _: open_it(large, False), 5)}")
    print(f"all rows opened:          {timed(lambda _: (dock.tree.expandAll(), painted()))}")
    for record, name in ((large, f"{count:,}"), (small, "210")):
        records = [spectrum(record, step) for step in range(30)]
        for alike in (True, False):
            open_it(record, alike)
            dock.tree.expandAll()
            painted()
            counts = CountsRecord(0, 0, 0, tuple((i.name, 8192) for i in record.layers))
            dock.set_counts(counts)
            spent = timed(lambda turn, r=records: follow(r, turn), 30)
            print(f"a spectrum of {name} layers, {'alike' if alike else 'by name'}, "
                  f"all opened: {spent}")  # fmt: skip
    open_it(large, False)
    for text in ("layers.1", "*.q_proj", "layers.7.mlp", ""):
        print(f"search {text!r:15} {timed(lambda _, text=text: find(text))}")
    print(f"sort by ‖ΔW‖/‖W‖:         {timed(sort, 6)}")
    print(f"a rank requested:            {timed(request, 20)}")


if __name__ == "__main__":
    main()
