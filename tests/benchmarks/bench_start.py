"""Time from process start to the first paint, and from there to the first training point.

    xvfb-run -a python tests/benchmarks/bench_start.py [rounds]

Each round is a fresh process of the real program on the preset it opens with; Train is pressed as
soon as it is ready.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

CHILD = """
import os, sys, time
started = float(os.environ["STARTED"])
from lora_lab.opening_records import LoadedRecord
from lora_lab.records import StepRecord
from lora_lab.ui import app
from lora_lab.ui.shell.main_window import MainWindow

built = MainWindow.__init__

def init(self, *args):
    built(self, *args)
    self.painted.connect(lambda: marks.setdefault("paint", time.time() - started))
    self.sessions.on(LoadedRecord, lambda _: self.sessions.toggle())
    self.sessions.on(StepRecord, lambda _: (marks.setdefault("step", time.time() - started),
                                             self.leave()))

marks = {}
MainWindow.__init__ = init
app.run()
print(marks["paint"], marks["step"])
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    paints, points = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as home:
            environment = {**os.environ, "LORA_LAB_HOME": home, "STARTED": str(time.time())}
            done = subprocess.run(
                [sys.executable, "-c", CHILD], env=environment, capture_output=True, text=True
            )
        if done.returncode:
            sys.exit(done.stderr)
        paint, step = map(float, done.stdout.split())
        paints.append(paint)
        points.append(step - paint)
    platform = os.environ.get("QT_QPA_PLATFORM", "the system's")
    print(f"{rounds} starts, {os.cpu_count()} cores, Qt platform {platform}")
    for name, values in (("first paint", paints), ("then first training point", points)):
        print(f"{name:28} median {statistics.median(values):.2f} s, worst {max(values):.2f} s")


if __name__ == "__main__":
    main()
