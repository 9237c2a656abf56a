"""Draws the picture of *What LoRA finds*: runs of two ranks, and the directions that they share.

QT_QPA_PLATFORM=offscreen python resources/help/make_found_pictures.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from make_pictures import keep
from PySide6.QtWidgets import QApplication

from lora_lab.presets import get_preset
from lora_lab.studies.plan import Settings
from lora_lab.studies.reading import Reading
from lora_lab.training.controls import Controls
from lora_lab.training.opening import New
from lora_lab.training.run import run
from lora_lab.ui.learn.found_maps import FoundMaps
from lora_lab.ui.style import theme

SETTINGS = Settings(ranks=(8, 32), seeds=3, rates=(1e-2,), steps=400)
LAYER = "fc2"


def main() -> None:
    """Train the runs into a folder of their own, and keep the picture."""
    app = QApplication([])
    with tempfile.TemporaryDirectory() as home:
        os.environ["LORA_LAB_HOME"] = home
        reading = Reading(get_preset("digits").config, SETTINGS)
        for number, config in enumerate(reading.plan.by_rank.values()):
            folder = Path(home) / "runs" / f"run-{number}"
            for _ in run(New(config, folder), Controls(config.hyper)):
                pass
        standing = reading.look()
        theme.apply(app, "light")
        page = FoundMaps()
        page.show_choices(standing.two, standing.layers, standing.steps)
        page.show_maps(reading.maps("ranks", LAYER, "right", standing.run_steps))
        keep(page, "what-lora-finds", 640, 330)


if __name__ == "__main__":
    main()
