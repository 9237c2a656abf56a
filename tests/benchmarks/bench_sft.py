"""Fine-tuning a real language model on real rows, against transformers.Trainer with peft.

    python tests/benchmarks/bench_sft.py MODEL_DIR DATA.jsonl [--steps 40] [--rounds 3]

Prints as ratios: examples per second, peak memory beyond the loaded model, and the largest
difference of the loss per step where both get the same batches from the same start. Both train rank
8 on all linear layers in float32 with an effective batch of 16; the Trainer and peft have their
defaults (8 rows at a time, two accumulated; rows padded to the longest; AdamW, linear decay).
Speed and memory are measured in processes of their own, one after the other in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

RATE, BATCH = 2e-4, 16


def config_of(arguments: argparse.Namespace, **settings: Any):
    from lora_lab.presets import starting_config

    return starting_config(
        "causal_lm", model=arguments.model, data=arguments.data, max_steps=arguments.steps,
        validation=0.0, warmup_steps=0, schedule="linear", batch_size=BATCH, seed=arguments.seed,
        eval_steps=10**6, hyper={"learning_rate": RATE}, **settings,
    )  # fmt: skip


def resident() -> int:
    import psutil

    return psutil.Process().memory_info().rss


def peak() -> int:
    """Most resident memory of this process since it began, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the kernel does not tell VmHWM")


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def lab(arguments: argparse.Namespace) -> dict[str, Any]:
    """The lab's own loop, in its defaults."""
    from lora_lab.allocator import keep_freed_memory

    keep_freed_memory()
    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train

    config = config_of(arguments)
    experiment = Experiment.build(config)
    before = resident()
    forget_peak()
    began, losses = time.perf_counter(), []
    for record in train(experiment, Controls(config.hyper)):
        if isinstance(record, StepRecord):
            losses.append(record.loss)
    seconds = time.perf_counter() - began
    rows = min(len(losses) * BATCH, experiment.task.rows)
    return {"examples": rows, "seconds": seconds, "memory": peak() - before, "losses": losses}


def trainer_of(
    arguments: argparse.Namespace, rows: list[dict[str, Any]], folder: str, order: list[int] | None
):
    """transformers.Trainer on a peft model with their defaults; `order` gives it our batches."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainingArguments,
    )

    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = get_peft_model(
        model, LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    )

    class Ordered(Trainer):
        def _get_train_sampler(self, *_: Any):
            return order if order is not None else super()._get_train_sampler()

    settings = TrainingArguments(
        output_dir=folder, max_steps=arguments.steps, per_device_train_batch_size=8,
        gradient_accumulation_steps=2, learning_rate=RATE, logging_steps=1, save_strategy="no",
        report_to=[], seed=arguments.seed, use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    collator = DataCollatorForSeq2Seq(tokenizer, padding=True)
    return Ordered(model=model, args=settings, train_dataset=rows, data_collator=collator)


def rows_of(task: Any) -> list[dict[str, Any]]:
    """The very tokens of the lab's rows, in the Trainer's words."""
    return [
        {
            "input_ids": example.ids.tolist(),
            "attention_mask": [1] * len(example.ids),
            "labels": [
                int(token) if asked else -100
                for token, asked in zip(example.ids, example.supervised, strict=True)
            ],
        }
        for example in task.train.examples
    ]


def peft(arguments: argparse.Namespace) -> dict[str, Any]:
    """The Trainer and peft."""
    from lora_lab.tasks import TASKS

    if not arguments.default_malloc:
        from lora_lab.allocator import keep_freed_memory

        keep_freed_memory()
    task = TASKS["causal_lm"].open(config_of(arguments))
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(arguments, rows_of(task), folder, None)
        before = resident()
        forget_peak()
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    rows = arguments.steps * BATCH
    return {"examples": rows, "seconds": seconds, "memory": peak() - before, "losses": losses}


def curve(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both on the same batches from the same factors; the losses of every step."""
    import torch

    from lora_lab.records import StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.experiment import Experiment
    from lora_lab.training.loop import train

    config = config_of(arguments)
    experiment = Experiment.build(config)
    start = {name: layer.lora_A.detach().clone() for name, layer in experiment.layers.items()}
    batches = experiment.task.batches(BATCH, config.seed)
    order: list[int] = []
    for _ in range(arguments.steps):
        batch = [i for row in next(batches) for i in row]
        assert len(batch) == BATCH, "take fewer steps: the Trainer's last batch would differ"
        order += batch
    ours = [
        record.loss
        for record in train(experiment, Controls(config.hyper))
        if isinstance(record, StepRecord)
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(arguments, rows_of(experiment.task), folder, order)
        for name, A in start.items():
            layer = trainer.model.base_model.model.get_submodule(name)
            with torch.no_grad():
                layer.lora_A["default"].weight.copy_(A)
        trainer.train()
    theirs = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"ours": ours, "theirs": theirs}


CONTENDERS = {"lab": lab, "peft": peft, "curve": curve}


def in_a_process(contender: str, arguments: argparse.Namespace) -> dict[str, Any]:
    words = [sys.executable, __file__, arguments.model, arguments.data, "--only", contender]
    words += ["--steps", str(arguments.steps), "--seed", str(arguments.seed)]
    words += ["--default-malloc"] if arguments.default_malloc else []
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--default-malloc", action="store_true", help="as peft's users have it")
    arguments = parser.parse_args()
    if arguments.only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            print(json.dumps(CONTENDERS[arguments.only](arguments)))
        return
    found: dict[str, list[dict[str, Any]]] = {"lab": [], "peft": []}
    for round_ in range(arguments.rounds):
        for contender, results in found.items():
            results.append(in_a_process(contender, arguments))
            last = results[-1]
            print(
                f"round {round_ + 1} {contender:5} {last['examples'] / last['seconds']:6.2f} "
                f"examples/s  {last['memory'] / 2**20:6.0f} MiB beyond the model",
                flush=True,
            )

    def median(contender: str, figure: str) -> float:
        rates = {"rate": lambda r: r["examples"] / r["seconds"], "memory": lambda r: r["memory"]}
        return statistics.median(rates[figure](r) for r in found[contender])

    print(f"examples per second: {median('lab', 'rate') / median('peft', 'rate'):.2f} x the "
          "Trainer's")  # fmt: skip
    print(f"peak memory beyond the model: {median('lab', 'memory') / median('peft', 'memory'):.2f} "
          "x the Trainer's")  # fmt: skip
    both = in_a_process("curve", arguments)
    apart = [abs(a - b) for a, b in zip(both["ours"], both["theirs"], strict=True)]
    print(f"loss per step on the same batches: at most {max(apart):.1e} apart in {len(apart)} "
          f"steps ({both['ours'][0]:.4f} -> {both['ours'][-1]:.4f})")  # fmt: skip


if __name__ == "__main__":
    main()
