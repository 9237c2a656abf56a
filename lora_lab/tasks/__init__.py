"""TASKS: the things that can be learned; a new one is a file in this folder and a line here."""

from __future__ import annotations

from lora_lab.tasks.base import Evaluation, Task
from lora_lab.tasks.digits import DigitsTask
from lora_lab.tasks.known_rank import KnownRankTask
from lora_lab.tasks.mnist import MnistTask

TASKS: dict[str, type[Task]] = {task.name: task for task in (DigitsTask, KnownRankTask, MnistTask)}

__all__ = ["TASKS", "Evaluation", "Task"]
