"""Runs of a study, trained into a folder in few steps, as the queue trains them."""

from pathlib import Path

from lora_lab.training.controls import Controls
from lora_lab.training.run import run
from tests.training.opened import opening


def train_all(configs, folder: Path) -> None:
    """One run folder each, by its number."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, config in enumerate(configs):
        for _ in run(opening(config, folder=folder / f"run-{number:03}"), Controls(config.hyper)):
            pass
