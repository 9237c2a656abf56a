"""Opening a checkpoint, against transformers' from_pretrained.

    python tests/benchmarks/bench_open.py MODEL_DIR [--rounds 5]

from_pretrained maps the file and reads nothing until a number is asked for, and a mapped file that
shrinks takes the process with it; the lab reads by copy, checks the header, and looks for NaN. So
from_pretrained is timed twice: alone, and until every weight has been read once. Interleaved in one
process, medians. Peak memory is that of a process of its own, beyond its imports.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

MEMORY = """
import sys
from transformers import AutoModelForCausalLM, LlamaForCausalLM
from lora_lab.models.hf_folder import open_model
def status(key):
    return next(int(x.split()[1]) for x in open("/proc/self/status") if x.startswith(key)) * 1024
before = status("VmRSS")
if sys.argv[2] == "lab":
    model = open_model(sys.argv[1], "causal_lm").module
else:
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
    sum(float(p.sum()) for p in model.parameters())
print(status("VmHWM") - before)
"""


def mapped(folder: str) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def touched(folder: str) -> torch.nn.Module:
    model = mapped(folder)
    for parameter in model.parameters():
        parameter.detach().sum()
    return model


def copied(folder: str) -> torch.nn.Module:
    """from_pretrained, with its own weights: what a training loop that moves them has."""
    model = mapped(folder)
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    return model


def lab(folder: str) -> torch.nn.Module:
    from lora_lab.models.hf_folder import open_model

    return open_model(folder, "causal_lm").module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    from transformers.utils import logging

    logging.disable_progress_bar()
    ways = {"from_pretrained": mapped, "… and read once": touched, "… and copied": copied,
            "lab": lab}  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            model = way(arguments.model)
            seconds[name].append(time.perf_counter() - began)
            del model
            gc.collect()
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    for name, value in medians.items():
        ratio = medians["lab"] / value
        print(f"{name:18} {value:7.3f} s   the lab takes {ratio:.2f} x that")
    size = (Path(arguments.model) / "model.safetensors").stat().st_size
    for name in ("lab", "from_pretrained"):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, arguments.model, name],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        print(f"{name:18} {int(done.stdout) / size:.2f} x the file in memory at its peak")


if __name__ == "__main__":
    main()
