"""Draws the pictures of the pages in *Learn*: each is measured here and now, in some minutes.

    QT_QPA_PLATFORM=offscreen python resources/help/make_learn_pictures.py [NAME …]

What is measured is the same wherever it is made, but for the rounding of the machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from make_pictures import wait_for
from PySide6.QtCore import QRect
from PySide6.QtGui import QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QHBoxLayout, QVBoxLayout, QWidget

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.ui.learn.dimension_dialog import DimensionDialog
from lora_lab.ui.learn.numbers_dialog import EASY, HARD, NumbersDialog
from lora_lab.ui.learn.race_dialog import RaceDialog
from lora_lab.ui.style import theme
from lora_lab.ui.widgets.labels import label
from lora_lab.ui.widgets.legend import Legend

HERE = Path(__file__).resolve().parent


def dimension() -> QPixmap:
    """Scores of subspaces of growing size, from the base and from random weights."""
    page = DimensionDialog(lambda: get_preset("digits").config)
    page.resize(820, 520)
    page.show()
    wait_for(lambda: page.button.isEnabled())
    page.button.click()
    wait_for(lambda: not page.training)
    picture = page.grab(QRect(0, 0, page.width(), page.button.y()))  # without this machine's price
    page.finish()
    return picture


def equal_count() -> QPixmap:
    """Both tasks beside each other."""
    page = NumbersDialog(lambda: None)
    page.show()
    sheet = QWidget()
    sheet.setAutoFillBackground(True)
    column = QVBoxLayout(sheet)
    row, legend = QHBoxLayout(), Legend()
    for task, title in ((EASY, "easy: the 9s"), (HARD, "hard: pixels shuffled")):
        page.task_box.setCurrentIndex(page.task_box.findData(task))
        page.task_box.activated.emit(page.task_box.currentIndex())
        wait_for(lambda: page.button.isEnabled())
        page.button.click()
        wait_for(lambda: not page.training)
        side = QVBoxLayout()
        side.addWidget(label(title, "title"))
        side.addWidget(page.plot, 1)
        row.addLayout(side)
    column.addWidget(legend)
    column.addLayout(row)
    legend.show_rows(page.plot.legend_rows(page.plot.result.plan.methods))
    for plot in page.pages.values():
        plot.show()
    sheet.resize(960, 400)
    sheet.show()
    QTest.qWait(200)
    for plot in page.pages.values():
        plot.redraw()
    picture = sheet.grab()
    page.finish()
    return picture


def race() -> QPixmap:
    """Four ranks at the end, and one that was cloned on the way and given another rank."""
    base = get_preset("digits").config
    hyper = {**base.hyper.model_dump(), "learning_rate": 3e-3}
    config = changed(base, digits=(), max_steps=1500, eval_steps=100, hyper=hyper)
    page = RaceDialog(lambda: config)
    page.resize(980, 600)
    page.show()
    wait_for(lambda: page.button.isEnabled())
    page.button.click()
    wait_for(lambda: page.now.steps > 300)
    page.lanes["D"].cloned.emit("D")
    wait_for(lambda: "E" in page.lanes)
    page.lanes["E"].rank.setValue(2)
    wait_for(lambda: page.now.resting)
    QTest.qWait(200)
    picture = page.grab(QRect(0, 0, page.width(), page.button.y()))
    page.finish()
    return picture


PICTURES = {"d90": dimension, "rank-or-numbers": equal_count, "rank-race": race}


def main(names: list[str]) -> None:
    """Draw those of these names; none: all."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LORA_LAB_HOME"] = folder
        app = QApplication(sys.argv[:1])
        theme.apply(app, "light")
        for name in names or PICTURES:
            PICTURES[name]().save(str(HERE / f"{name}.png"), "PNG", 0)
            print(name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
