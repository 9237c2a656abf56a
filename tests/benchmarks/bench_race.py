"""Races of LoRA ranks on the preset `digits` beside the same runs alone, and in a stack.

    python tests/benchmarks/bench_race.py [--steps 2000] [--rounds 5] [--batch 32]

CPU seconds of one thread, the best of rounds in turn: other programs do not count. And how many
numbers: when the first marks are there and when all is measured, of the page's own settings.
"""

import argparse
import os
import tempfile
import time

os.environ["LORA_LAB_HOME"] = tempfile.mkdtemp()

import torch

from lora_lab.config import changed
from lora_lab.intrinsic.measure import Measurement, Settings
from lora_lab.intrinsic.results import Point, Result
from lora_lab.presets import get_preset
from lora_lab.race.race import Race

RANKS = (1, 2, 4, 8)


def configs(steps, batch):
    config = changed(get_preset("digits").config, digits=(), max_steps=steps, batch_size=batch,
                     eval_steps=steps)  # fmt: skip
    hyper = config.hyper.model_dump()
    return {f"r {r}": changed(config, hyper={**hyper, "rank": r}) for r in RANKS}


def seconds(race):
    began = time.process_time()
    while race.running:
        race.step()
    return time.process_time() - began


def races(steps, rounds, batch):
    took = {"alone": [], "interleaved": [], "stacked": []}
    for _ in range(rounds):
        lanes = configs(steps, batch)
        took["alone"].append(sum(seconds(Race({name: c})) for name, c in lanes.items()))
        took["interleaved"].append(seconds(Race(lanes)))
        took["stacked"].append(seconds(Race(lanes, stacked=True)))
    best = {name: min(found) for name, found in took.items()}
    print(f"{len(RANKS)} ranks, {steps:,} steps of {batch}: alone {best['alone']:.2f} s, "
          f"interleaved {best['interleaved'] / best['alone']:.2f} of it, "
          f"stacked {best['interleaved'] / best['stacked']:.2f} times as fast")  # fmt: skip


def dimension():
    measurement = Measurement(get_preset("digits").config, Settings())
    began, first = time.process_time(), None
    for item in measurement.run():
        if first is None and isinstance(item, Point) and item.dimension:
            first = time.process_time() - began
        if isinstance(item, Result):
            print(item.sentence())
    print(f"how many numbers: first marks after {first:.1f} s, all after "
          f"{time.process_time() - began:.0f} s, {measurement.plan.runs} runs at most")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    races(given.steps, given.rounds, given.batch)
    dimension()
