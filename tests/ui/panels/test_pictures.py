"""What the presets learn from is seen in the Data panel, and so is what they get wrong."""

import pytest
from PySide6.QtWidgets import QComboBox, QListWidget

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.records import EvalRecord, State
from lora_lab.ui.panels.data import DataPanel
from tests.ui.seen import buttons, named, words


def data_panel(qtbot, lab, preset):
    config = get_preset(preset).config
    quick = {**config.hyper.model_dump(), "learning_rate": 3e-3}
    lab.open(changed(config, max_steps=600, schedule="constant", hyper=quick))
    qtbot.waitUntil(lambda: lab.state is State.PAUSED, timeout=60_000)
    panel = next(p for p in lab.panels if isinstance(p, DataPanel))
    lab.host.bring("data")
    qtbot.waitUntil(lambda: bool(panel.figure_data()["row"]))
    panel.redraw()
    return panel


PRESETS = {
    "digits": ("images, 8 × 8 pixels, 1 channel", 20, "9"),
    "known-rank": ("256 inputs of 32 numbers, 48 targets each", 4, "W₀ (48 × 32)"),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_shows_its_data(qtbot, lab, preset):
    panel = data_panel(qtbot, lab, preset)
    form, count, first = PRESETS[preset]
    assert form in words(panel)
    pictures = named(panel, "Images of the data", QListWidget)
    assert (pictures.count(), pictures.item(0).text()) == (count, first)
    assert not pictures.item(0).icon().isNull()
    assert panel.wrong_button.isVisible() == (preset == "digits")


def test_wrong_answers_are_seen_by_class_and_follow_the_training(qtbot, lab):
    panel = data_panel(qtbot, lab, "digits")
    evaluations = []
    lab.sessions.on(EvalRecord, evaluations.append)
    buttons(panel)["wrong answers"].click()
    panel.redraw()
    combo = named(panel, "Class of the images", QComboBox)
    qtbot.waitUntil(lambda: combo.isVisible() and combo.count() == 11)
    nine = combo.findData(9)
    assert combo.itemText(nine) == "9: 45 of 45 wrong", "the base model never saw one"
    combo.setCurrentIndex(nine)
    pictures = named(panel, "Misclassified images", QListWidget)
    assert pictures.count() == 12
    assert all(pictures.item(i).text().startswith("9 → ") for i in range(12))
    lab.commands.train.trigger()
    qtbot.waitUntil(lambda: lab.state is State.FINISHED, timeout=60_000)
    last = evaluations[-1]
    wrong = last.total[9] - last.correct[9]
    assert wrong < 45
    text = f"9: {wrong} of 45 wrong"
    qtbot.waitUntil(lambda: combo.itemText(combo.findData(9)) == text, timeout=20_000)
    assert combo.currentData() == 9, "what is chosen stays chosen"
    assert pictures.count() == min(12, wrong)
    buttons(panel)["wrong answers"].click()
    panel.redraw()
    assert named(panel, "Images of the data", QListWidget).isVisible()
