"""What saving in mid-run costs: an adapter of 20 MB with Adam's averages, every five seconds.

    python tests/benchmarks/bench_autosave.py [--seconds 60]

A stack of linear layers with rank-64 adapters trains twice for as long, with and without saving, in
turns of ten seconds. Prints the share of the time, and the longest that a step was held up.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.formats import peft
from lora_lab.presets import get_preset
from lora_lab.runs.checkpoints import write_checkpoint
from lora_lab.runs.folder import RunFolder
from lora_lab.runs.writer import Writer
from lora_lab.training.course import Course
from lora_lab.training.optim import build_optimizer
from lora_lab.training.state import state_of

WIDTH, LAYERS, RANK = 1024, 40, 64  # 40 · 64 · 2048 numbers: 21 MB in float32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--adapter-every", type=int, default=6, help="saves")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
    layers = inject(net, variant="lora", rank=RANK, alpha=64, targets=["all-linear"])
    config = get_preset("digits").config
    optimizer = build_optimizer(layers.values(), config, config.hyper)
    run = experiment_like(layers, optimizer, config)
    x = torch.randn(64, WIDTH)

    def step() -> float:
        began = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        net(x).square().mean().backward()
        optimizer.step()
        return time.perf_counter() - began

    for _ in range(5):
        step()
    times: dict[bool, list[float]] = {True: [], False: []}
    held: list[float] = []
    copies: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(max(2, round(arguments.seconds / 10))):
            saving = bool(turn % 2)
            writer = Writer()
            until = time.perf_counter() + 10
            due = time.perf_counter() + 5 if saving else float("inf")
            while time.perf_counter() < until:
                took = step()
                if time.perf_counter() >= due:
                    due += 5
                    began = time.perf_counter()
                    tensors, facts = state_of(run)
                    rows = ()
                    if run.step % arguments.adapter_every == 0:
                        rows = tuple(layer.layer_weights() for layer in layers.values())
                    run.step += 1
                    writer.offer(partial(save, Path(folder), run.step, tensors, facts, rows))
                    copies.append(time.perf_counter() - began)
                    took += copies[-1]
                if saving:
                    held.append(took)
                times[saving].append(took)
            writer.close()
    with_saving, without = (statistics.fmean(times[s]) for s in (True, False))
    middle = statistics.median(times[False])
    size = sum(p.numel() for layer in layers.values() for p in layer.adapter_parameters())
    print(f"adapter {4 * size / 1e6:.1f} MB, step {1000 * middle:.1f} ms in the middle")
    print(f"copying {1000 * statistics.median(copies):.1f} ms, at most {1000 * max(copies):.1f} ms")
    print(f"share of the time {100 * sum(copies) / sum(times[True]):.2f} % in the training thread,")
    print(f"{100 * (with_saving / without - 1):.2f} % slower with all that the writer does")
    print(f"longest step beyond the longest without: "
          f"{1000 * (max(held) - max(times[False])):.1f} ms")  # fmt: skip


def save(folder: Path, step: int, tensors: dict, facts: dict, rows: tuple) -> None:
    """As the journal's job does."""
    write_checkpoint(folder, step, tensors, {**facts, "step": step})
    if rows:
        RunFolder(folder).save_adapter(AdapterWeights("lora", rows), peft.save)


def experiment_like(layers: dict, optimizer: torch.optim.Optimizer, config: object) -> object:
    """As much of an Experiment as a checkpoint looks at."""
    return SimpleNamespace(
        layers=layers, optimizer=optimizer, generator=torch.Generator(), step=0,
        device=torch.device("cpu"), batches=Course(iter(())), training_seconds=0.0, leg=(0, 1),
        hyper=config.hyper, ramps=[], best=SimpleNamespace(step=0, loss=0.0, unimproved=0),
        base_fingerprint="", accumulation=1, halvings=0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
