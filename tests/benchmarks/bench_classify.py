"""An encoder with a classification head on real rows, against transformers.Trainer with peft.

    python tests/benchmarks/bench_classify.py MODEL_DIR DATA.csv [--steps 400] [--seed 0]

Both train rank 8, α 16 on all linear layers and a fresh head, batches of 16, the same rate with
linear decay, on the same rows, and are measured on the same validation ones. Prints accuracy and
examples per second of each.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

RATE, BATCH = 5e-4, 16


def config_of(arguments: argparse.Namespace) -> Any:
    from lora_lab.presets import starting_config

    return starting_config(
        "text_classification", model=arguments.model, data=arguments.data, seed=arguments.seed,
        max_steps=arguments.steps, batch_size=BATCH, eval_steps=10**6, schedule="linear",
        hyper={"rank": 8, "alpha": 16, "learning_rate": RATE},
    )  # fmt: skip


def lab(arguments: argparse.Namespace) -> tuple[float, float]:
    from lora_lab.records import EvalRecord, StepRecord
    from lora_lab.training.controls import Controls
    from lora_lab.training.opening import New
    from lora_lab.training.run import run

    config = config_of(arguments)
    accuracy = seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for record in run(New(config, Path(folder) / "run"), Controls(config.hyper)):
            if isinstance(record, EvalRecord) and record.enabled:
                accuracy = record.accuracy or 0.0
            elif isinstance(record, StepRecord):
                seconds = record.seconds
    return accuracy, arguments.steps * BATCH / seconds


def peft(arguments: argparse.Namespace) -> tuple[float, float]:
    from peft import LoraConfig, TaskType, get_peft_model
    from transformers import (
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    from lora_lab.tasks.text_classification import TextClassificationTask

    task = TextClassificationTask.open(config_of(arguments))  # for the very same rows
    torch.manual_seed(arguments.seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        arguments.model, num_labels=len(task.classes)
    )
    config = LoraConfig(task_type=TaskType.SEQ_CLS, r=8, lora_alpha=16, target_modules="all-linear")
    model = get_peft_model(model, config)

    class Rows(torch.utils.data.Dataset):
        def __init__(self, found: Any) -> None:
            self.found = found

        def __len__(self) -> int:
            return len(self.found.labels)

        def __getitem__(self, row: int) -> dict[str, Any]:
            ids = self.found.examples[row].ids.tolist()
            return {"input_ids": ids, "labels": int(self.found.labels[row])}

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            TrainingArguments(
                folder, per_device_train_batch_size=BATCH, max_steps=arguments.steps,
                learning_rate=RATE, lr_scheduler_type="linear", seed=arguments.seed,
                report_to=[], save_strategy="no", logging_steps=10**6, use_cpu=True,
                disable_tqdm=True,
            ),
            train_dataset=Rows(task.train),
            data_collator=DataCollatorWithPadding(task_tokenizer(arguments)),
        )  # fmt: skip
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        logits = trainer.predict(Rows(task.held_out)).predictions
    accuracy = float(np.mean(logits.argmax(1) == task.held_out.labels))
    return accuracy, arguments.steps * BATCH / seconds


def task_tokenizer(arguments: argparse.Namespace) -> Any:
    from lora_lab.models.tokenizer_file import open_tokenizer

    return open_tokenizer(arguments.model)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    found = {"lab": lab(arguments), "peft": peft(arguments)}
    for name, (accuracy, speed) in found.items():
        print(f"{name:5} accuracy {accuracy:.4f}   {speed:6.1f} examples/s")
    print(f"the lab: {found['lab'][1] / found['peft'][1]:.2f} x the examples per second")


if __name__ == "__main__":
    main()
