"""Draws the pictures of the handbook: real runs with fixed seeds, in the lab's own panels.

    QT_QPA_PLATFORM=offscreen python resources/help/make_pictures.py [NAME …]

Steps, edits and validations come at fixed steps, so that the same machine draws the same curves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QPoint, QTimer
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QApplication, QWidget

from lora_lab.config import RunConfig, changed
from lora_lab.measured import RateFoundRecord
from lora_lab.presets import get_preset
from lora_lab.records import (
    AppliedRecord,
    Record,
    SpectrumRecord,
    StepRecord,
)
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.measure.rank_hint import rank_hints
from lora_lab.training.measure.rate_finder import find_rate
from lora_lab.ui.panels import PANELS
from lora_lab.ui.preview import feed
from lora_lab.ui.style import theme
from lora_lab.ui.train.hint_dialog import HintDialog
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.ui.train.rate_dialog import RateDialog

HERE = Path(__file__).resolve().parent
SCALE = 2  # pixels per point: sharp on dense screens


def recorded(config: RunConfig, edits: dict[int, dict] | None = None) -> Iterator[Record]:
    """The records of a whole run; `edits` are made after the steps that they are named by."""
    experiment, controls = Experiment.build(config), Controls(config.hyper)
    yield experiment.loaded()
    for record in train(experiment, controls):
        yield record
        if isinstance(record, StepRecord) and record.step in (edits or {}):
            controls.set_hyper(changed(controls.hyper, **edits[record.step]))


def preset(name: str, **settings) -> RunConfig:
    """A preset with some settings of its own; values of the sliders go by `hyper`."""
    config = get_preset(name).config
    hyper = changed(config.hyper, **settings.pop("hyper", {}))
    return changed(config, hyper=hyper, **settings)


def panel(key: str, config: RunConfig, records: Iterator[Record]) -> QWidget:
    """A panel that has seen a run."""
    made = PANELS[key]()
    made.standing.config = config
    for record in records:
        feed(made, [record])
    return made


def keep(widget: QWidget, name: str, width: int, height: int) -> None:
    """Draw the widget at that size and write it beside the pages."""
    widget.resize(width, height)
    widget.show()
    for _ in range(3):  # what is laid out when it is shown asks for room once more
        QApplication.processEvents()
        if hasattr(widget, "redraw"):
            widget.redraw()
        height = max(height, widget.minimumSizeHint().height())
        widget.resize(width, height)
    if (focused := QApplication.focusWidget()) is not None:
        focused.clearFocus()  # no caret in a field
    picture = QPixmap(SCALE * width, SCALE * height)
    picture.setDevicePixelRatio(SCALE)
    picture.fill(theme.current().panel)
    widget.render(picture, QPoint())
    path = HERE / f"{name}.png"
    picture.save(str(path))
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    widget.close()
    widget.deleteLater()


def wait_for(come: Callable[[], bool]) -> None:
    """Let a window and its threads live until it is so: QTest.qWait would hold Python meanwhile."""
    loop, timer = QEventLoop(), QTimer(interval=20)
    timer.timeout.connect(lambda: come() and loop.quit())
    timer.start()
    loop.exec()


def rank() -> None:
    """Known rank: the loss stands on the tail of ranks 1, 2 and 3, and falls at 4."""
    config = preset("known-rank", max_steps=1600, eval_steps=10, hyper={"rank": 1, "alpha": 8.0})
    edits = {400: {"rank": 2}, 800: {"rank": 3}, 1200: {"rank": 4}}
    keep(panel("loss", config, recorded(config, edits)), "rank", 640, 330)


def alpha() -> None:
    """α doubled and brought back in both meanings, on a run that has converged."""
    config = preset("known-rank", max_steps=900, eval_steps=10, hyper={"rank": 2, "alpha": 8.0})
    edits = {
        300: {"alpha": 16.0, "alpha_mode": "scale_effect"},
        450: {"alpha": 32.0, "alpha_mode": "keep_function"},
    }
    keep(panel("loss", config, recorded(config, edits)), "alpha", 640, 330)


def forgetting() -> None:
    """Digits: what learning the 9 from 9s alone does to the others."""
    config = preset("digits", max_steps=2500, eval_steps=250, hyper={"learning_rate": 5e-5})
    keep(panel("before_after", config, recorded(config)), "forgetting", 640, 420)


def controls() -> None:
    """The dock of sliders on a run that is going."""
    settings = {
        "weight_decay": 0.01,
        "dropout": 0.05,
        "learning_rate": 2e-4,
        "rank": 8,
        "alpha": 16.0,
    }
    config = preset("digits", max_steps=400, eval_steps=400, schedule="constant", hyper=settings)
    dock = HyperparametersDock()
    dock.standing.config = config
    for record in recorded(config):
        dock.standing.take(record)
        if isinstance(record, AppliedRecord):
            dock.note_applied(record)
        elif isinstance(record, SpectrumRecord):
            dock.set_spectrum(record)
        elif isinstance(record, StepRecord):
            dock.set_step(record)
    keep(dock, "controls", 325, 318)


def learning_rate() -> None:
    """The finder on the untrained known-rank preset."""
    experiment = Experiment.build(preset("known-rank", hyper={"rank": 4, "alpha": 8.0}))
    dialog = RateDialog(lambda: experiment.hyper)
    dialog.begin()
    for record in find_rate(experiment, 80):
        if isinstance(record, RateFoundRecord):
            dialog.show_result(record)
    keep(dialog, "learning-rate", 600, 430)


def choosing_a_rank() -> None:
    """Suggested ranks for a ΔW of rank 16 that has learned all ten digits."""
    config = preset("digits", max_steps=2500, eval_steps=500, digits=(), hyper={
        "learning_rate": 5e-4, "rank": 16, "alpha": 16.0,
    })  # fmt: skip
    experiment = Experiment.build(config)
    for _ in train(experiment, Controls(config.hyper)):
        pass
    dialog = HintDialog()
    for record in rank_hints(experiment, (0.8, 0.95, 0.99)):
        dialog.show_result(record)
    keep(dialog, "choosing-a-rank", 560, 230)


PICTURES: dict[str, Callable[[], None]] = {
    made.__name__: made
    for made in (rank, alpha, forgetting, controls, learning_rate, choosing_a_rank)
}


def main(names: list[str]) -> None:
    """Draw the pictures of these names, or all."""
    app = QApplication.instance() or QApplication(sys.argv[:1])
    theme.apply(app, "light")
    for name in names or PICTURES:
        PICTURES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
