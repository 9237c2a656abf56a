"""Learning and forgetting are told in one sentence and drawn as two curves, whatever names them."""

from dataclasses import replace

import pytest

from lora_lab.records import EvalRecord, ResumedRecord
from lora_lab.ui.panels.before_after import BeforeAfterPanel
from lora_lab.ui.panels.class_bars import ClassBars, LossBars
from lora_lab.ui.panels.forgetting import both
from lora_lab.ui.panels.overlays import Overlay
from lora_lab.ui.preview import feed, samples
from tests.spent import processor_seconds
from tests.ui.seen import named

OLD_LOSS = {"keep_loss": 2.5}
OLD_SHARE = {"keep_loss": 2.5, "keep_accuracy": 0.61}


def evaluation(step, enabled, accuracy=None, **more):
    return EvalRecord(step, enabled, 1.5 if enabled else 3.0, accuracy, **more)


def digit(step, enabled):
    return replace(
        evaluation(step, enabled, 0.5), correct=(*(5,) * 9, 3 if enabled else 1), total=(10,) * 10
    )


@pytest.fixture
def panel(qtbot):
    made = BeforeAfterPanel()
    qtbot.addWidget(made)
    made.resize(500, 340)
    made.show()
    return made


CASES = {
    "classes": ("digits", digit, "9s: 10 % → 30 %; other classes: 50 % → 50 %", 30.0, 50.0),
    "losses": (
        "known-rank",
        lambda s, on: evaluation(s, on, **OLD_LOSS),
        "Loss, new task: 3.00 → 1.50; retention set: 2.50 → 2.50",
        1.5,
        2.5,
    ),
    "shares": (
        "known-rank",
        lambda s, on: evaluation(s, on, 0.9 if on else 0.2, **OLD_SHARE),
        "new task: 20 % → 90 %; retention set: 61 % → 61 %",
        90.0,
        61.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_both_tasks_are_told_and_drawn(panel, name):
    preset, make, sentence, new, old = CASES[name]
    loaded, *_ = samples(preset, 10)
    panel.standing.take(loaded)
    feed(panel, [make(0, False), *(make(step, True) for step in (0, 5, 9))])
    panel.redraw()
    assert named(panel, "Learned and forgotten").text() == sentence
    assert sentence in panel.summary()
    assert panel.steps_button.isChecked() == (not loaded.classes)
    panel.steps_button.setChecked(True)
    assert panel.curves.isVisible()
    drawn = [panel.curves.shown()[task] for task in ("new task", "old task")]
    for (x, y), last in zip(drawn, (new, old), strict=True):
        assert x.tolist() == [0, 5, 9]
        assert y[-1] == pytest.approx(last)
    ticks = panel.curves.left.tickStrings([50.0, 100.0], 1.0, 50.0)
    assert ticks == (["50", "100"] if name == "losses" else ["50 %", "100 %"])
    styles = {
        curve.opts["pen"].style() for curve in panel.curves.getPlotItem().curves if curve.name()
    }
    assert len(styles) == 2, "told apart without colours"
    assert sentence in panel.curves.accessibleDescription()
    feed(panel, [ResumedRecord(5, (0, 100))])
    panel.redraw()
    assert panel.curves.shown()["new task"][0].tolist() == [0, 5]
    panel.steps_button.setChecked(False)
    assert not panel.curves.isVisible()


def test_where_nothing_old_is_measured_nothing_is_said_of_it(panel):
    loaded, *_ = samples("known-rank", 10)
    panel.standing.take(loaded)
    feed(panel, [evaluation(0, False), evaluation(3, True)])
    panel.redraw()
    assert not named(panel, "Learned and forgotten").isVisible()
    assert not panel.steps_button.isVisible()
    assert not panel.curves.isVisible()
    assert panel.findChild(LossBars).isVisible()


def test_only_runs_that_are_measured_alike_are_shown_beside(panel):
    loaded, *_ = samples("digits", 10)
    theirs = [
        ("digits", loaded.classes),
        ("digits", ("cat", "dog")),
        ("causal_lm", ()),
        ("", ()),
    ]
    panel.set_overlays(
        [Overlay(f"/{place}", f"run {place}", place, evaluation=digit(9, True), measure=measure)
         for place, measure in enumerate(theirs)]
    )  # fmt: skip
    panel.standing.take(loaded)
    feed(panel, [digit(0, False), digit(5, True)])
    panel.redraw()
    assert [shares for _, shares in panel.findChild(ClassBars).others] == [(*(0.5,) * 9, 0.3)]
    loaded, *_ = samples("known-rank", 10)
    panel.standing.take(loaded)
    feed(panel, [evaluation(0, False), evaluation(5, True)])
    panel.redraw()
    assert panel.findChild(LossBars).others == ()


def test_hundred_thousand_classes_are_told_apart_in_no_time():
    loaded, *_ = samples("digits", 10)
    names = tuple(map(str, range(100_000)))
    loaded = replace(loaded, classes=names, trained_classes=names[::2])
    counts = (1,) * len(names)
    before = processor_seconds()
    found = both(EvalRecord(1, True, 1.0, 1.0, counts, counts), loaded)
    assert processor_seconds() - before < 1.0
    assert (found.new, found.old) == (1.0, 1.0)
