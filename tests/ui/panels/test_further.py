"""What a task measures besides its loss stands beside it, adapter off and on."""

import math

import pytest

from lora_lab.records import EvalRecord
from lora_lab.ui.panels.before_after import BeforeAfterPanel
from lora_lab.ui.panels.further import further
from lora_lab.ui.preview import feed, samples
from tests.ui.seen import named

PAIR = (
    EvalRecord(0, False, 0.693, 0.0, figures=(("reward margin", 0.0),)),
    EvalRecord(9, True, 0.25, 0.75, figures=(("reward margin", 1.5),)),
)


def test_every_figure_is_told_with_the_adapter_off_and_on(qtbot):
    panel = BeforeAfterPanel()
    qtbot.addWidget(panel)
    loaded, *_ = samples("known-rank", 10)
    panel.standing.take(loaded)
    feed(panel, PAIR)
    panel.redraw()
    assert named(panel, "Validation loss, off → on").text() == "0.693 → 0.250"
    assert named(panel, "Accuracy, off → on").text() == "0.0 % → 75.0 %"
    assert named(panel, "Reward margin, off → on").text() == "0 → 1.50"
    assert "Reward margin 0 → 1.50" in panel.summary()
    assert panel.figure_data()["reward margin"] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("off", "value", "words"),
    [(None, 0.5, "— → 0.500"), (math.nan, 0.5, "— → 0.500"), (0.25, math.nan, "0.250 → —")],
)
def test_what_is_not_defined_is_a_dash(off, value, words):
    before = None if off is None else EvalRecord(0, False, 1.0, figures=(("Pearson r", off),))
    now = EvalRecord(5, True, 0.5, figures=(("Pearson r", value),))
    assert further(before, now) == [("Pearson r", words)]
    assert further(before, EvalRecord(5, True, 0.5)) == []
