"""The merge preview: its words, its lines, and the way from the menu to them."""

import math

import pytest
from PySide6.QtWidgets import QLabel

from lora_lab.measured import LayerMerge, MergeRecord
from lora_lab.records import State
from lora_lab.ui.adapter.merge_dialog import MergeDialog, loss_words, verdict, worst_layer

DTYPES = ("float32", "bfloat16", "float16")
NAN = math.nan


def record(*loss, size=0.03, layers=None, share=1.0):
    layers = layers or (
        LayerMerge("fc1", (4, 4), size, loss),
        LayerMerge("fc2", (4, 4), size, loss),
    )
    return MergeRecord(120, DTYPES, loss, size, layers, share)


@pytest.mark.parametrize(
    ("made", "role", "words"),
    [
        (record(1e-8, 0.004, 0.001), "good", "keeps ΔW in all of these"),
        (record(1e-8, 0.38, 0.004), "warn", "lose 38 % of ΔW in bfloat16. Export the adapter, "
         "which keeps ΔW exactly, or merge in float32 or float16."),
        (record(1e-8, 0.9, math.inf), "warn", "lose 90 % of ΔW in bfloat16 and overflow in "
         "float16. Export the adapter, which keeps ΔW exactly, or merge in float32."),
        (record(0.2, 1.2, 1.1), "warn", "lose 20 % of ΔW in float32 and lose all of it of ΔW"),
        (record(NAN, NAN, NAN, size=0.0), "warn", "ΔW is zero: there is nothing to merge"),
        (record(0.6, 1.0, 1.0, size=1e-8), "warn", "ΔW is zero"),  # rounding alone
        (record(NAN, NAN, NAN, size=NAN), "error", "not finite"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_would_be_lost_and_what_to_do(made, role, words):
    said = verdict(made)
    assert said[0] == role
    assert words in said[1]


@pytest.mark.parametrize(
    ("loss", "words"),
    [(0.0, "0 %"), (0.38, "38 %"), (1e-9, "< 0.0001 %"), (1.3, "all of it"), (math.inf, "overflow"),
     (NAN, "—")],
)  # fmt: skip
def test_a_loss_in_words(loss, words):
    assert loss_words(loss) == words


def test_the_worst_layer_is_one_that_has_something_to_lose():
    layers = (
        LayerMerge("a", (2, 2), 0.0, (NAN,) * 3),
        LayerMerge("b", (2, 2), 0.1, (0.1, 0.2, 0.9)),
        LayerMerge("c", (2, 2), 0.1, (0.2, 0.1, 0.3)),
    )
    made = record(0.1, 0.1, 0.5, layers=layers)
    assert [worst_layer(made, place).name for place in range(3)] == ["c", "b", "b"]
    assert worst_layer(record(NAN, NAN, NAN), 0) is None


@pytest.fixture
def dialog(qtbot):
    made = MergeDialog()
    qtbot.addWidget(made)
    made.show()
    return made


def texts(dialog):
    return [label.text() for label in dialog.lines.findChildren(QLabel)]


def test_it_shows_a_line_per_type_and_the_layers_beneath(dialog):
    dialog.show_result(record(1e-8, 0.38, 0.05, share=0.25))
    assert set(DTYPES) <= set(texts(dialog))
    assert {"38 %", "5 %"} <= set(texts(dialog))
    assert dialog.about_label.text() == "‖ΔW‖ / ‖W‖ = 3 %, at step 120, from 25% of the entries"
    assert dialog.table.cells.rows[1] == ("fc2", "3 %", "< 0.0001 %", "38 %", "5 %")
    dialog.show_result(record(NAN, NAN, NAN, size=0.0))
    assert "zero" in dialog.message.text()
    assert not dialog.lines.isVisible()
    assert not dialog.table.isVisible()


# -- in the window ---------------------------------------------------------------------------


@pytest.fixture
def opened(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    return window


def test_from_the_menu_to_the_figures(qtbot, opened):
    menu = next(m for m in opened.commands.menus if m.title() == "&Adapter")
    entry = next(a for a in menu.actions() if a.text() == "Merge preview…")
    entry.trigger()
    dialog = opened.flows.merge.dialog
    assert dialog.isVisible()
    assert dialog.busy
    qtbot.waitUntil(lambda: not dialog.busy)
    assert "ΔW is zero" in dialog.message.text()
    opened.sessions.toggle()
    qtbot.waitUntil(lambda: opened.sessions.step > 10)
    dialog.again_button.click()
    qtbot.waitUntil(lambda: "bfloat16" in dialog.message.text())
    assert opened.state is State.RUNNING
    dialog.close()
    assert not dialog.isVisible()
    entry.trigger()
    assert opened.flows.merge.dialog.isVisible()


def test_another_model_puts_it_away(qtbot, opened):
    opened.commands.merge.trigger()
    opened.setup_dock.choose_preset("known-rank")
    qtbot.waitUntil(lambda: opened.windowTitle().startswith("Fake known-rank"))
    assert opened.flows.merge.dialog is None


def test_a_failure_is_told_in_it(qtbot, opened):
    from lora_lab.records import ErrorRecord

    opened.sessions.shown.session.serve = lambda command: None  # it is never answered
    opened.commands.merge.trigger()
    dialog, arrived = opened.flows.merge.dialog, opened.sessions.shown.arrived
    arrived.emit(ErrorRecord(0, "The disk is full."))
    arrived.emit(ErrorRecord(0, "It is untrained.", command="Export"))
    assert dialog.busy
    arrived.emit(ErrorRecord(0, "Out of memory.", command="MergePreview"))
    assert opened.flows.merge.dialog.message.text() == "Out of memory."
    assert opened.flows.merge.dialog.again_button.isEnabled()


def test_it_cannot_be_asked_for_before_a_model_stands(window):
    assert not window.commands.merge.isEnabled()
