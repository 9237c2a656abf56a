"""The rank race page: price before, lanes that are moved in mid-race, pause, and a clean end."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.training.opening import Resume
from lora_lab.ui.learn.race_dialog import RaceDialog


def config(steps=400, **settings):
    base = get_preset("digits").config
    hyper = {**base.hyper.model_dump(), "learning_rate": 1e-3}
    return changed(base, digits=(), max_steps=steps, eval_steps=20, hyper=hyper, **settings)


@pytest.fixture
def page(qtbot):
    dialog = RaceDialog(config)
    dialog.ranks.setText("1, 4")
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.button.isEnabled() and len(dialog.lanes) == 2, timeout=30_000)
    yield dialog
    dialog.finish()


def press(qtbot, page):
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)


def ended(page):
    return page.now.resting and all(lane.step == page.now.goal for lane in page.now.lanes)


def test_the_price_is_said_before_and_the_lanes_run_to_their_end(qtbot, page):
    assert "400 rounds of 2 steps" in page.price.text()
    assert page.button.text() == "&Start"
    press(qtbot, page)
    qtbot.waitUntil(lambda: ended(page), timeout=60_000)
    assert not page.button.isEnabled()
    assert "least validation loss" in page.sentence.text()
    assert set(page.plot.shown()) == {"A", "B"}
    assert page.lanes["A"].cut.text() not in ("", "–")
    assert page.lanes["B"].cut.text() == "–"
    page.again_button.click()
    qtbot.waitUntil(lambda: page.button.isEnabled(), timeout=30_000)
    assert page.button.text() == "&Start"


@pytest.mark.parametrize(("typed", "lanes"), [("1 4", 2), ("1,2,4", 3), ("3", 1)])
def test_the_price_counts_the_lanes_however_their_ranks_are_typed(qtbot, typed, lanes):
    dialog = RaceDialog(config)
    dialog.ranks.setText(typed)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: len(dialog.lanes) == lanes, timeout=30_000)
    assert f"rounds of {lanes} steps" in dialog.price.text()
    dialog.finish()


def test_a_lane_is_cloned_moved_dropped_and_another_added_in_mid_race(qtbot):
    dialog = RaceDialog(lambda: config(4000))
    dialog.ranks.setText("1, 4")
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.button.isEnabled(), timeout=30_000)
    press(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.now.steps > 5, timeout=30_000)
    dialog.lanes["B"].cloned.emit("B")
    dialog.add_button.click()
    dialog.lanes["A"].dropped.emit("A")
    qtbot.waitUntil(lambda: set(dialog.lanes) == {"B", "C", "D"}, timeout=30_000)
    assert "cloned from B" in dialog.lanes["C"].words.text()
    assert "begins at step 0" in dialog.lanes["D"].words.text()
    dialog.lanes["B"].rank.setValue(6)
    qtbot.waitUntil(lambda: dialog.now.lanes[0].trained == 6 * 458, timeout=30_000)
    press(qtbot, dialog)
    qtbot.waitUntil(lambda: not dialog.running, timeout=30_000)
    assert dialog.button.text() == "&Continue"
    dialog.close()
    assert not dialog.running
    assert not dialog.isVisible()
    dialog.finish()


def test_escape_pauses_first_and_closes_then_and_a_close_in_mid_race_closes(qtbot):
    page = RaceDialog(lambda: config(400_000))
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: page.button.isEnabled(), timeout=60_000)
    press(qtbot, page)
    qtbot.waitUntil(lambda: page.running, timeout=60_000)
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert page.isVisible()
    qtbot.waitUntil(lambda: not page.running, timeout=60_000)
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.isVisible()
    page.show()
    qtbot.waitUntil(lambda: page.button.isEnabled(), timeout=60_000)
    press(qtbot, page)
    page.close()
    assert not page.isVisible()
    assert not page.running
    page.finish()


def test_what_is_refused_is_said_and_the_race_goes_on(qtbot, page):
    press(qtbot, page)
    page.lanes["B"].edited.emit("B", {"learning_rate": -1.0})
    qtbot.waitUntil(lambda: "learning_rate" in page.price.text(), timeout=30_000)
    assert page.price.property("role") == "error"
    qtbot.waitUntil(lambda: ended(page), timeout=60_000)


def test_a_lane_is_kept_as_a_run_for_the_window_to_open(qtbot, page):
    press(qtbot, page)
    qtbot.waitUntil(lambda: page.now.steps > 5, timeout=30_000)
    with qtbot.waitSignal(page.run_kept, timeout=30_000) as kept:
        page.lanes["B"].opened.emit("B")
    assert Resume.at(Path(kept.args[0])).config.hyper.rank == 4


@pytest.mark.parametrize(("make", "ranks", "words"), [
    (lambda: None, "1, 4", "Open a model first"),
    (config, "", "Name a rank"),
    (config, "4, x", "x"),
    (config, "4, 2, 4", "Rank 4 is named twice"),
    (config, "500", "500"),
    (lambda: config(variant="full"), "1, 4", "no base to share"),
    (lambda: config(model="/nowhere/net.safetensors"), "1", "net.safetensors"),
])  # fmt: skip
def test_what_cannot_race_is_refused_with_the_reason(qtbot, make, ranks, words):
    dialog = RaceDialog(make)
    dialog.ranks.setText(ranks)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: words in dialog.price.text(), timeout=30_000)
    assert dialog.price.property("role") == "error"
    assert not dialog.button.isEnabled()
    dialog.finish()
