"""The cut of the SVD bench dragged through a 256 × 256 picture: the page, and the paint it causes.

xvfb-run -a env QT_QPA_PLATFORM=xcb python tests/benchmarks/bench_svd.py [scale factor]
"""

import os
import sys
from time import perf_counter, thread_time

if len(sys.argv) > 1:
    os.environ["QT_SCALE_FACTOR"] = sys.argv[1]

import numpy as np
from PySide6.QtWidgets import QApplication

from lora_lab.ui.bench.dialog import BenchDialog
from lora_lab.ui.bench.samples import SAMPLES
from lora_lab.ui.style import theme


def main() -> None:
    app = QApplication(sys.argv[:1])
    theme.apply(app, "light")
    dialog = BenchDialog()
    page = dialog.page
    dialog.show()
    for index, sample in enumerate(SAMPLES):
        if not sample.title.endswith("256 × 256"):
            continue
        before, began = page.analysis, perf_counter()
        page.source.choose(index)
        while page.analysis is before:
            app.processEvents()
        taken = perf_counter() - began
        times, own = [], []
        for k in [*range(1, 257), *range(255, 0, -5)]:
            began, worked = perf_counter(), thread_time()
            page.slider.setValue(k)
            app.processEvents()
            times.append(1000 * (perf_counter() - began))
            own.append(1000 * (thread_time() - worked))
        middle, late, worst = np.percentile(times, [50, 95, 100])
        print(
            f"{sample.title}: taken apart in {1000 * taken:.0f} ms; a drag takes "
            f"{middle:.1f} ms, p95 {late:.1f} ms, at most {worst:.1f} ms; of the window's thread "
            f"p95 {np.percentile(own, 95):.1f} ms"
        )
    dialog.finish()
    dialog.close()


if __name__ == "__main__":
    main()
