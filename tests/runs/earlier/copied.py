"""A copy of the run of an earlier lab, and the losses with which that lab went on from it."""

import json
import shutil
from pathlib import Path

import torch

HERE = Path(__file__).parent
CUT, END = 17, 24  # the step of its newest checkpoint, and the one at which its stage ends


def earlier_run(folder: Path) -> Path:
    """The run in a place where it may be written to."""
    return Path(shutil.copytree(HERE / "run", folder / "earlier"))


def earlier_losses() -> tuple[dict[int, float], float]:
    """Losses by step, and the relative difference that this machine may make to them."""
    made = json.loads((HERE / "losses.json").read_text())
    here = (str(torch.__version__), torch.backends.cpu.get_cpu_capability())
    tolerance = 0.0 if here == (made["torch"], made["cpu"]) else 1e-5
    return {int(step): float.fromhex(x) for step, x in made["losses"].items()}, tolerance
