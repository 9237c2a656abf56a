"""What keeping the activations below the lowest adapter saves, epoch by epoch.

    python tests/benchmarks/bench_trunk.py MODEL_DIR DATA.jsonl [--rows 64] [--epochs 3]

The top third of the layers is adapted. Runs that keep what the others answer, that compute it in
each step, and that call the whole model take their steps in turn in one process; printed are the
CPU seconds of each epoch, the ratios to the run that keeps, and how far the losses are apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch

BATCH = 16


def experiment_of(arguments: argparse.Namespace, data: str, **settings: Any) -> Any:
    from lora_lab.presets import starting_config
    from lora_lab.training.experiment import Experiment

    plain = starting_config("causal_lm", model=arguments.model, data=data)
    names = [layer.name for layer in Experiment.build(plain).layers.values()]
    numbers = {name: int(name.split(".layers.")[1].split(".")[0]) for name in names}
    lowest = 2 * (max(numbers.values()) + 1) // 3
    return Experiment.build(starting_config(
        "causal_lm", model=arguments.model, data=data, validation=0.0, batch_size=BATCH,
        targets=tuple(n for n in names if numbers[n] >= lowest), warmup_steps=0, eval_steps=10**6,
        max_steps=arguments.epochs * (arguments.rows // BATCH), hyper={"learning_rate": 1e-3},
        dtype=arguments.dtype, **settings,
    ))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    from lora_lab.allocator import keep_freed_memory
    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.loop import train

    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(arguments.data).read_text(encoding="utf-8").splitlines(keepends=True)
        data = Path(folder, "rows.jsonl")
        data.write_text("".join(rows[: arguments.rows]), encoding="utf-8")
        runs = {
            "kept": experiment_of(arguments, str(data)),
            "computed": experiment_of(arguments, str(data), trunk_cache=0.0),
            "whole model": experiment_of(arguments, str(data)),
        }
        runs["whole model"].task.head.trunks.clear()
        steps = {name: train(run, Controls(run.hyper)) for name, run in runs.items()}
        per_epoch = arguments.rows // BATCH
        cpu: dict[str, list[float]] = {name: [] for name in runs}
        losses: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(arguments.epochs * per_epoch):
            for name, records in steps.items():
                began = time.process_time()
                for record in records:
                    if isinstance(record, StepRecord):
                        losses[name].append(record.loss)
                        break
                cpu[name].append(time.process_time() - began)
    for name in runs:
        epochs = [sum(cpu[name][i : i + per_epoch]) for i in range(0, len(cpu[name]), per_epoch)]
        pairs = zip(cpu[name][per_epoch:], cpu["kept"][per_epoch:], strict=True)
        ratio = statistics.median(a / b for a, b in pairs)
        apart = max(abs(a - b) for a, b in zip(losses[name], losses["kept"], strict=True))
        shown = "  ".join(f"{seconds:6.2f}" for seconds in epochs)
        print(
            f"{name:12} CPU s per epoch: {shown}   over kept, from the second on: {ratio:.2f} x   "
            f"losses apart by {apart:.1e}"
        )


if __name__ == "__main__":
    main()
