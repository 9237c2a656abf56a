"""What others train with: transformers.Trainer with peft, and TRL's SFTTrainer in its settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

ROWS, PARTS = 8, 2  # a step of the Trainer's default batch, accumulated twice
PACKED_TOKENS = 256  # of a packed row: TRL's quickest on short reviews; its default of 1,024 is not

# Of SFTConfig, beside what all share. Its own defaults are bf16 autocast over float32 weights and
# gradient checkpointing.
PLAIN = {"bf16": False, "gradient_checkpointing": False}
TRL: dict[str, dict[str, Any]] = {
    "trl": {},
    "trl-float32": PLAIN,
    "trl-padding-free": {**PLAIN, "padding_free": True, "max_length": None},
    "trl-packed": {**PLAIN, "packing": True, "max_length": PACKED_TOKENS},
}


def rows_of(task: Any) -> list[dict[str, Any]]:
    """The very tokens of the lab's training rows, in the Trainer's words."""
    return [
        {
            "input_ids": example.ids.tolist(),
            "labels": [
                int(token) if asked else -100
                for token, asked in zip(example.ids, example.supervised, strict=True)
            ],
        }
        for example in task.train.examples
    ]


def settings(arguments: argparse.Namespace, folder: str, rate: float) -> dict[str, Any]:
    return {
        "output_dir": folder, "max_steps": arguments.steps, "per_device_train_batch_size": ROWS,
        "gradient_accumulation_steps": PARTS, "learning_rate": rate, "logging_steps": 1,
        "save_strategy": "no", "report_to": [], "seed": arguments.seed, "use_cpu": True,
        "disable_tqdm": True,
    }  # fmt: skip


def base_and_adapter(arguments: argparse.Namespace) -> tuple[Any, Any]:
    import torch
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
    adapter = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    return model, adapter


def trainer_of(
    arguments: argparse.Namespace,
    rows: list[dict[str, Any]],
    folder: str,
    rate: float,
    order: list[int] | None = None,
) -> Any:
    """transformers.Trainer on a peft model with their defaults; `order` gives it our batches."""
    from peft import get_peft_model
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = get_peft_model(*base_and_adapter(arguments))

    class Ordered(Trainer):
        def _get_train_sampler(self, *_: Any):
            return order if order is not None else super()._get_train_sampler()

    return Ordered(
        model=model, args=TrainingArguments(**settings(arguments, folder, rate)),
        train_dataset=[{**row, "attention_mask": [1] * len(row["input_ids"])} for row in rows],
        data_collator=DataCollatorForSeq2Seq(tokenizer, padding=True),
    )  # fmt: skip


def sft_trainer_of(
    name: str, arguments: argparse.Namespace, rows: list[dict[str, Any]], folder: str, rate: float
) -> Any:
    """TRL's SFTTrainer, settings of the row `name`, on the same tokens.

    A step of packed rows has about as many examples as one of the others, and there are as many
    steps as make up for the difference.
    """
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    model, adapter = base_and_adapter(arguments)
    own = {**settings(arguments, folder, rate), **TRL[name]}
    if own.get("packing"):
        per_row = PACKED_TOKENS * len(rows) / sum(len(row["input_ids"]) for row in rows)
        own["per_device_train_batch_size"] = max(1, round(ROWS / per_row))
    trainer = SFTTrainer(
        model=model, args=SFTConfig(**own), train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(arguments.model), peft_config=adapter,
    )  # fmt: skip
    if own.get("packing"):
        step = own["per_device_train_batch_size"] * PARTS * len(rows) / len(trainer.train_dataset)
        trainer.args.max_steps = round(arguments.steps * ROWS * PARTS / step)
    return trainer


def counted(trainer: Any) -> Callable[[], tuple[int, int]]:
    """What asks, after training, how many examples and tokens the model was given."""
    seen = [0, 0]

    def count(_model: Any, _args: Any, inputs: dict[str, Any]) -> None:
        ids, places = inputs["input_ids"], inputs.get("position_ids")
        seen[0] += len(ids) if places is None else int((places == 0).sum())
        seen[1] += ids.numel()

    trainer.model.register_forward_pre_hook(count, with_kwargs=True)
    return lambda: (seen[0], seen[1])
