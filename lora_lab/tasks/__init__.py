"""TASKS: what can be learned; a new one is a file in this folder and a row of `task_info`."""

from __future__ import annotations

from importlib import import_module

from lora_lab import task_info
from lora_lab.tasks.base import Evaluation, Task


def _task(where: str) -> type[Task]:
    file, name = where.split(":")
    return getattr(import_module(f"{__name__}.{file}"), name)


TASKS: dict[str, type[Task]] = {name: _task(row.task) for name, row in task_info.TASKS.items()}

__all__ = ["TASKS", "Evaluation", "Task"]
