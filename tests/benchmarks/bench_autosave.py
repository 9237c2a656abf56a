"""What saving in mid-run costs: an adapter of 20 MB with Adam's averages, every five seconds.

    python tests/benchmarks/bench_autosave.py [--seconds 120]

A stack of linear layers with rank-64 adapters trains in turns of ten seconds, with the journal of a
run (records, a checkpoint every 5 s, the adapter in PEFT's form every 30 s: all that a run does)
and without. Prints the share of the time, and the longest that a step was held up. Other programs
hold up steps as well: the turns without a journal say by how much.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from lora_lab.adapters.inject import inject
from lora_lab.adapters.weights import AdapterWeights
from lora_lab.allocator import keep_freed_memory
from lora_lab.presets import get_preset
from lora_lab.records import NewsRecord, StepRecord
from lora_lab.runs import writer
from lora_lab.training.batch_order import BatchOrder
from lora_lab.training.best import Best
from lora_lab.training.optim import build_optimizer
from lora_lab.training.saving.journal import Journal

WIDTH, LAYERS, RANK = 1024, 40, 64  # 40 · 64 · 2048 numbers: 21 MB in float32
ROWS = 8  # of a batch
TURN = 10.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120.0, help="of all turns together")
    parser.add_argument("--nice", type=int, default=writer.LAST, help="of the writer's thread")
    arguments = parser.parse_args()
    writer.LAST = arguments.nice
    keep_freed_memory()  # as the command does
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)))
    layers = inject(net, variant="lora", rank=RANK, alpha=64, targets=["all-linear"])
    config = get_preset("digits").config
    optimizer = build_optimizer(layers.values(), config, config.hyper)
    run = experiment_like(layers, optimizer, config)
    x = torch.randn(ROWS, WIDTH)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = net(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    for _ in range(5):
        step()
    idle: list[float] = []  # steps while nothing is written, with or without a journal
    busy: list[float] = []  # while the writer writes
    noting: list[float] = []  # what the journal takes of the training thread, a step
    plain: list[float] = []  # steps without a journal
    worked: list[float] = []  # the same in time of the processor, which others cannot inflate
    spent = processor = 0.0
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.new(run, Path(folder) / "run")
        for turn in range(max(2, round(arguments.seconds / TURN))):
            until = time.perf_counter() + TURN
            while time.perf_counter() < until:
                writing = journal.saves.writer.busy
                began, before = time.perf_counter(), time.process_time()
                loss = step()
                made, ticks = time.perf_counter(), time.thread_time()
                if turn % 2 == 0:
                    plain.append(made - began)
                    if not writing:
                        idle.append(made - began)
                    continue
                run.step += 1
                run.training_seconds = made
                for record in journal.note(StepRecord(run.step, loss, 1e-3, made)):
                    assert not isinstance(record, NewsRecord), record
                noting.append(time.perf_counter() - made)
                worked.append(time.thread_time() - ticks)
                processor += time.process_time() - before
                spent += time.perf_counter() - began
                (busy if writing else idle).append(time.perf_counter() - began)
        journal.close()
    size = sum(p.numel() for layer in layers.values() for p in layer.adapter_parameters())
    middle, writing = statistics.median(idle or busy), statistics.median(busy or idle)
    share = (sum(noting) + len(busy) * max(0.0, writing - middle)) / spent
    print(f"adapter {4 * size / 1e6:.1f} MB; a step {1000 * middle:.1f} ms in the middle")
    print(f"in the training thread {100 * sum(noting) / spent:.3f} % of the time, at most "
          f"{1000 * max(noting):.1f} ms at a step")  # fmt: skip
    print(f"in time of the processor {100 * sum(worked) / processor:.3f} %, at most "
          f"{1000 * max(worked):.1f} ms at a step")  # fmt: skip
    print(f"steps while the writer writes {len(busy)} of {len(noting)}, "
          f"{1000 * writing:.1f} ms in the middle")  # fmt: skip
    print(f"both together {100 * share:.2f} % of the time")
    for name, times in (("without a journal", plain), ("while nothing is written", idle),
                        ("while the writer writes", busy)):  # fmt: skip
        ordered = sorted(times) or [middle]
        late = [1000 * (ordered[int(len(ordered) * q)] - middle) for q in (0.99, 0.999)]
        print(f"steps {name}: late by {late[0]:.1f} ms (1 in 100), {late[1]:.1f} ms (1 in 1,000), "
              f"at most {1000 * (ordered[-1] - middle):.1f} ms")  # fmt: skip


def experiment_like(layers: dict, optimizer: torch.optim.Optimizer, config: object) -> object:
    """As much of an Experiment as a journal looks at."""
    parameters = [p for layer in layers.values() for p in layer.adapter_parameters()]

    def weights() -> AdapterWeights:
        return AdapterWeights("lora", tuple(layer.layer_weights() for layer in layers.values()))

    return SimpleNamespace(
        layers=layers, optimizer=optimizer, generator=torch.Generator(), step=0, edits=0,
        device=torch.device("cpu"), batches=BatchOrder(lambda skip: iter(())), training_seconds=0.0,
        stage=(0, 10**6), task=SimpleNamespace(data=None, kept=None), config=config,
        hyper=config.hyper, ramps=[], base_fingerprint="", accumulation=1, best=Best(), halvings=0,
        has_factors=True, weights=weights, parameters=lambda: parameters,
        loaded=lambda: NewsRecord(0, "a net for measuring"),
    )  # fmt: skip


if __name__ == "__main__":
    main()
