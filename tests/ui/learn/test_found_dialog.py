"""The page What did LoRA find?: the price before, figures as runs end, and the runs behind them."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from lora_lab import paths
from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.ui.learn.found_dialog import AMPLIFIED, MAPS, FoundDialog
from lora_lab.ui.widgets.rows import Role
from tests.studies.trained import train_all

LAYERS, RANKS = 0, 1  # tabs


def few(**settings):
    """Settings of which each run takes four steps."""
    return changed(get_preset("digits").config, max_steps=4, **settings)


class Page:
    """The dialog over a config that a test may exchange, and what it asked for."""

    def __init__(self, qtbot, config):
        self.config, self.queued, self.opened = config, [], []
        self.dialog = FoundDialog(lambda: self.config)
        self.dialog.queue_requested.connect(self.queued.append)
        self.dialog.run_requested.connect(self.opened.append)
        qtbot.addWidget(self.dialog)
        self.dialog.seeds.setValue(2)
        self.dialog.ranks_edit.setText("1, 2")
        self.dialog.show()


@pytest.fixture
def page(qtbot):
    made = Page(qtbot, few())
    yield made
    made.dialog.finish()


def opened(qtbot, page):
    qtbot.waitUntil(lambda: page.dialog.standing is not None, timeout=60_000)
    return page.dialog


def test_without_a_model_there_is_no_pair_to_choose(qtbot):
    made = Page(qtbot, None)
    for box in (made.dialog.maps.kind, made.dialog.maps.layer):
        assert box.count() == 0
        assert not box.isEnabled()
    made.config = few()
    made.dialog.prepare()
    opened(qtbot, made)
    assert made.dialog.maps.kind.itemText(0).startswith("ranks 1 and 2")
    assert made.dialog.maps.kind.isEnabled()
    made.dialog.finish()


def test_the_price_is_said_before_and_each_tab_queues_what_it_needs(qtbot, page):
    dialog = opened(qtbot, page)
    assert "0 of 12 runs are there" in dialog.price.text()  # 2 ranks, 3 rates, 2 seeds
    assert "12 more of 4 steps" in dialog.price.text()
    qtbot.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    assert len(page.queued[0]) == 12
    assert not dialog.button.isEnabled()
    dialog.tabs.setCurrentIndex(LAYERS)
    assert "0 of 48 runs are there" in dialog.price.text()  # 7 sets and full training
    qtbot.mouseClick(dialog.button, Qt.MouseButton.LeftButton)
    assert len(page.queued[1]) == 48


def test_figures_appear_as_runs_end_and_rows_open_their_runs(qtbot, page):
    dialog = opened(qtbot, page)
    configs = dialog.standing.todo["ranks"]
    assert dialog.standing.layers == ()
    train_all(configs, paths.runs())
    dialog.refresh()
    qtbot.waitUntil(lambda: "All 12 runs" in dialog.price.text(), timeout=60_000)
    assert dialog.ranks.table.model().rowCount() == 2
    assert "±" in dialog.ranks.rows[0].loss.words
    assert dialog.sentence.text().startswith("Rank ")
    assert " runs of rank 2 share " in dialog.details.text()
    qtbot.waitUntil(lambda: dialog.maps.now.phi.size > 0, timeout=60_000)
    assert dialog.maps.now.phi.shape == (1, 2)
    assert "2 pairs of runs" in dialog.maps.words.text()
    assert dialog.maps.steps.steps == (0, 1, 2, 4)
    words = dialog.maps.start_words
    assert words.text() == "at the start: no directions, ΔW is 0"
    view = dialog.maps.view
    for name, said in (("A", "at the start"), ("right", "at the start: no directions, ΔW is 0")):
        view.setCurrentIndex(view.findData(name))
        view.activated.emit(view.currentIndex())
        qtbot.waitUntil(lambda said=said: words.text() == said, timeout=60_000)
    model = dialog.amplified.table.model()
    qtbot.waitUntil(lambda: model.rowCount() == 6, timeout=60_000)  # 3 layers, 2 ranks
    actions = dialog.ranks.runs_menu.actions()
    assert [action.text().partition(":")[0] for action in actions] == ["seed 0", "seed 1"]
    actions[1].trigger()
    assert page.opened == [str(dialog.ranks.rows[0].loss.runs[1].path)]

    dialog.tabs.setCurrentIndex(AMPLIFIED)
    dialog.amplified.steps.slider.setValue(0)
    heads = [
        model.headerData(column, Qt.Orientation.Horizontal, Role.DisplayRole)
        for column in range(model.columnCount())
    ]
    factor = heads.index("factor")
    qtbot.waitUntil(lambda: model.data(model.index(0, factor)) == "—", timeout=60_000)
    assert "ΔW is zero" in dialog.amplified.words.text()
    dialog.tabs.setCurrentIndex(MAPS)
    dialog.maps.steps.slider.setValue(0)
    qtbot.waitUntil(lambda: bool(np.isnan(dialog.maps.now.phi).all()), timeout=60_000)
    assert "Nothing has moved" in dialog.maps.words.text()


def test_another_model_is_opened_anew_and_bad_input_is_a_sentence(qtbot, page):
    dialog = opened(qtbot, page)
    dialog.ranks_edit.setText("1, many")
    dialog.prepare()
    assert "whole number" in dialog.price.text()
    assert not dialog.button.isEnabled()
    dialog.ranks_edit.setText("1, 999")
    dialog.prepare()
    qtbot.waitUntil(lambda: "Rank 999 is above" in dialog.price.text(), timeout=60_000)
    dialog.ranks_edit.setText("1")
    page.config = changed(get_preset("known-rank").config, max_steps=4)
    dialog.prepare()
    assert opened(qtbot, page).standing.wanted == {"layers": 0, "ranks": 6}
    dialog.tabs.setCurrentIndex(LAYERS)
    assert "nothing to compare" in dialog.price.text()
    page.config = None
    dialog.prepare()
    assert "Open a model first" in dialog.price.text()
