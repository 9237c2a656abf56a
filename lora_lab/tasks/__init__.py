"""TASKS: the things that can be learned; a new one is a file in this folder and a line here."""

from __future__ import annotations

from lora_lab.tasks.base import Evaluation, Task
from lora_lab.tasks.causal_lm import CausalLmTask
from lora_lab.tasks.digits import DigitsTask
from lora_lab.tasks.image_classification import ImageClassificationTask
from lora_lab.tasks.known_rank import KnownRankTask
from lora_lab.tasks.mnist import MnistTask
from lora_lab.tasks.text_classification import TextClassificationTask

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        DigitsTask, KnownRankTask, MnistTask, CausalLmTask, TextClassificationTask,
        ImageClassificationTask,
    )
}  # fmt: skip

__all__ = ["TASKS", "Evaluation", "Task"]
