"""What it saves that rows which begin alike share what they begin with.

    python tests/benchmarks/bench_prefix.py MODEL_DIR DATA.jsonl [--characters 280 1000] [--steps 4]

The rows of DATA.jsonl (prompt and completion) get a system prompt of so many characters first.
Prints the processor time of steps of 16 with and without `share_prefix`, in turn on the same
batches in one process, and how far losses and gradients are apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch

from lora_lab.allocator import keep_freed_memory
from lora_lab.config import changed
from lora_lab.presets import starting_config
from lora_lab.training.experiment import Experiment
from lora_lab.training.gradients import gradients

SYSTEM = (
    "You are a careful assistant that reads what guests write about films, books and restaurants. "
    "Answer in one word whether they liked it; never explain, and do not repeat the question. "
    "If a text is ironic, answer what the writer means. Of two opinions take the later one. "
)


def measure(arguments: argparse.Namespace, characters: int, folder: str) -> None:
    text = (SYSTEM * (1 + characters // len(SYSTEM)))[:characters] + "\n\n"
    rows = [json.loads(line) for line in Path(arguments.data).read_text("utf-8").splitlines()]
    data = Path(folder, f"{characters}.jsonl")
    data.write_text("\n".join(
        json.dumps({"prompt": text + row["prompt"], "completion": row["completion"]})
        for row in rows[:400]
    ))  # fmt: skip
    config = starting_config(
        "causal_lm", model=arguments.model, data=str(data), validation=0.0, accumulation=1,
        max_steps=100, share_prefix=True,
    )  # fmt: skip
    experiment = Experiment.build(config)
    for layer in experiment.layers.values():  # as if something were learned
        torch.nn.init.normal_(layer.lora_B, std=0.01)
    for batch in islice(experiment.task.batches(config.batch_size, 0), arguments.steps):
        losses, seconds, gradient, fed = [], [], [], []
        for share in (False, True):
            experiment.task.config = changed(config, share_prefix=share)
            fed.append(sum(part.ids.numel() for part, _ in experiment.task.parts(batch, 1)))
            began = time.thread_time()
            losses.append(gradients(experiment, batch).loss)
            seconds.append(time.thread_time() - began)
            gradient.append(torch.cat([
                layer.lora_A.grad.flatten() for layer in experiment.layers.values()
            ]))  # fmt: skip
        apart = float((gradient[0] - gradient[1]).norm() / gradient[0].norm())
        print(
            f"{characters} characters: {fed[0]:5} tokens -> {fed[1]:5}   {seconds[0]:6.2f} s -> "
            f"{seconds[1]:6.2f} s of processor time: {seconds[0] / seconds[1]:.2f} x   losses "
            f"{abs(losses[0] - losses[1]):.0e} apart, gradients {apart:.0e}", flush=True,
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--characters", type=int, nargs="+", default=[280, 1000])
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        for characters in arguments.characters:
            measure(arguments, characters, folder)


if __name__ == "__main__":
    main()
