"""Resizing a rank-64 adapter of a 7B-shaped model to rank 16, against dense SVDs.

    python tests/benchmarks/bench_resize.py [--layers 32] [--dense 1]

32 blocks of q, k, v, o (4096²), gate, up (11008 × 4096), down (4096 × 11008). Opening, resizing and
verified writing run in a process of their own, whose peak memory is printed beside the file's size.
The dense way (ΔW formed, torch.linalg.svd) is timed on `--dense` layers of each shape and scaled
up.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights
from lora_lab.formats import peft

SHAPES = {
    "self_attn.q_proj": (4096, 4096), "self_attn.k_proj": (4096, 4096),
    "self_attn.v_proj": (4096, 4096), "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (11008, 4096), "mlp.up_proj": (11008, 4096), "mlp.down_proj": (4096, 11008),
}  # fmt: skip
WORK = """
import resource, sys, time
from pathlib import Path
from lora_lab.formats.recognise import open_adapter
from lora_lab.formats.verify import export
from lora_lab.workshop import ranks
from lora_lab.workshop.resize import resized
import torch
def now(key):
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith(key)) * 1024
torch.linalg.svd(torch.ones(3, 3))
before, began = now("VmRSS"), time.perf_counter()
weights = open_adapter(sys.argv[1])
opened = time.perf_counter()
found = ranks.measured(weights)
made, cuts = resized(weights, ranks.by_rank(found, 16))
cut = time.perf_counter()
del weights
report = export(made, Path(sys.argv[2]))
done = time.perf_counter()
print(opened - began, cut - opened, done - cut, now("VmHWM") - before, report.largest_error)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--dense", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "adapter"
        size = write(made, arguments.layers)
        done = subprocess.run(
            [sys.executable, "-c", WORK, str(made), f"{folder}/out"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    opened, cut, wrote, peak, error = map(float, done.stdout.split())
    print(f"opening {opened:6.1f} s   resizing {cut:6.1f} s   verified writing {wrote:6.1f} s")
    print(f"together {opened + cut + wrote:6.1f} s   largest error of the file {error:.1e}")
    print(f"peak memory {peak / 1e6:,.0f} MB, {peak / size:.2f} x the file's {size / 1e6:,.0f} MB")
    if arguments.dense:
        dense = dense_seconds(arguments.dense) * arguments.layers
        print(f"dense SVDs {dense:,.0f} s: {dense / cut:.0f} x as long as resizing")


def write(folder: Path, blocks: int) -> int:
    layers = []
    for block in range(blocks):
        for name, (out, inputs) in SHAPES.items():
            A, B = torch.randn(64, inputs), torch.randn(out, 64) * torch.linspace(1, 0.01, 64)
            layers.append(LayerWeights(f"model.layers.{block}.{name}", A, B, 128.0, 2.0))
    peft.save(AdapterWeights("lora", tuple(layers)), folder)
    return (folder / peft.TENSORS).stat().st_size


def dense_seconds(rounds: int) -> float:
    """Seconds of one block."""
    total = 0.0
    for out, inputs in ((4096, 4096), (11008, 4096)):
        began = time.perf_counter()
        for _ in range(rounds):
            A, B = torch.randn(64, inputs), torch.randn(out, 64)
            torch.linalg.svd(2 * B @ A, full_matrices=False)
        total += (time.perf_counter() - began) / rounds * (4 if out == inputs else 3)
    return total


if __name__ == "__main__":
    main()
