"""Opening a file of rows: time, memory, the second opening, and what the data report costs.

    python tests/benchmarks/bench_data.py MODEL_DIR [--rows 120000] [--form chat] [--against TREE]

Each opening is a process of its own, whose imports and tokenizer are not counted; with --against
those of another tree of the lab are interleaved. The rows are sentences of random words, some 375
bytes each. Prints wall and processor time, and memory at the peak beyond what was there before.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TREE = Path(__file__).parents[2]

OPEN = """
import json, sys, time
import torch
from lora_lab.config import RunConfig
from lora_lab.models.tokenizer_file import open_tokenizer
from lora_lab.tasks import TASKS
def status(key):
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith(key)) * 1024
open_tokenizer(sys.argv[1])
config = RunConfig(task="causal_lm", model=sys.argv[1], data=sys.argv[2], validation=0.05)
before, wall, processor = status("VmRSS"), time.perf_counter(), time.process_time()
task = TASKS["causal_lm"].open(config)
found = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor,
         "peak": status("VmHWM") - before, "rows": task.rows, "tokens": task.data.tokens}
began = time.process_time()
if hasattr(task.train, "duplicates"):
    task.train.duplicates(task.held_out)
found["report"] = time.process_time() - began
print(json.dumps(found))
"""


def write_rows(path: Path, count: int, form: str) -> None:
    generator = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 9))) for _ in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        for _ in range(count):
            asked, said = (" ".join(generator.choices(words, k=k)) for k in (14, 30))
            row = {"instruction": asked, "input": "", "output": said}
            if form == "chat":
                row = {"messages": [{"role": "user", "content": asked},
                                    {"role": "assistant", "content": said}]}  # fmt: skip
            file.write(json.dumps(row) + "\n")


def opened(tree: Path, home: Path, model: str, data: Path) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "LORA_LAB_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", OPEN, model, str(data)],
        capture_output=True, text=True, check=True, env=environment, cwd=data.parent,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--form", choices=("chat", "instruction"), default="chat")
    parser.add_argument("--against", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "rows.jsonl"
        write_rows(data, arguments.rows, arguments.form)
        print(f"{arguments.rows:,} rows, {data.stat().st_size / 1e6:.1f} MB, {arguments.form}")
        trees = {"the lab": TREE} | ({"against": arguments.against} if arguments.against else {})
        found: dict[str, list[dict[str, float]]] = {}
        for turn in range(arguments.rounds):
            for name, tree in trees.items():
                for which in ("first", "second"):
                    home = Path(folder) / f"{name}-{turn}"
                    figures = opened(tree, home, arguments.model, data)
                    found.setdefault(f"{name}, {which} opening", []).append(figures)
        for name, rounds in found.items():
            one = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
            print(
                f"{name:24} {one['wall']:7.2f} s, processor {one['processor']:7.2f} s, "
                f"+{one['peak'] / 2**20:.0f} MB at the peak, {one['rows']:,.0f} rows, "
                f"{one['tokens']:,.0f} tokens; rows that stand twice: {one['report']:.3f} s"
            )


if __name__ == "__main__":
    main()
