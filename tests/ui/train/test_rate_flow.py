"""The search for a rate and the suggested ranks, as a person goes through them."""

import math

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette

from lora_lab.config import changed
from lora_lab.hyperparameters import Hyperparameters
from lora_lab.measured import (
    RankHint,
    RankHintRecord,
    RateFoundRecord,
    RatePointRecord,
)
from lora_lab.records import ErrorRecord, State, frozen_array
from lora_lab.training.commands import FindRate, SuggestRank
from lora_lab.ui.train.rate_dialog import RateDialog, two_figures
from tests.ui.seen import words

RATES = np.geomspace(1e-6, 1, 30)
LOSSES = np.concatenate([np.full(12, 2.0), np.linspace(2, 1, 10), np.linspace(1, 9, 8)])


def found(steepest=3.14159e-3, third=6.9e-3, diverged=True, checked=()):
    return RateFoundRecord(
        7, frozen_array(RATES), frozen_array(LOSSES), frozen_array(LOSSES), steepest, third,
        diverged, 1.0, checked,
    )  # fmt: skip


def hints(present=8):
    return RankHintRecord(
        9, present, 0.5, 0.9,
        (RankHint(0.95, (2, 3, 3), 3, 0.5123, 0.89), RankHint(0.99, (5, 8, 7), 8, 0.5, 0.9)),
    )  # fmt: skip


@pytest.fixture
def asked(intercept):
    """Commands that the session was given; records are answered by the test."""
    return intercept(FindRate, SuggestRank)


def say(qtbot, session, record):
    """The session says it, and the window has heard it."""
    session.waiting.append(record)
    qtbot.waitUntil(lambda: not any(waits is record for waits in session.waiting))


def test_a_rate_is_found_seen_and_used(qtbot, window, asked, sessions_made):
    window.hyper_dock.find_link.click()
    dialog = window.flows.rate.dialog
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    assert dialog.busy
    assert "r = 8, α = 16" in dialog.message.text()
    assert not dialog.use_buttons[0].isEnabled()
    for number, (rate, loss) in enumerate(zip(RATES[:5], LOSSES, strict=False), 1):
        say(qtbot, sessions_made[0], RatePointRecord(7, number, 30, rate, loss))
    assert (dialog.progress.value(), dialog.progress.maximum()) == (5, 30)
    say(qtbot, sessions_made[0], found())
    assert not dialog.busy
    assert dialog.progress.isHidden()
    assert "restored" in dialog.message.text()
    assert [button.text() for button in dialog.use_buttons] == ["Use 0.0031", "Use 0.0069"]
    items = dialog.plot.getPlotItem().items
    marks = [item.value() for item in items if isinstance(item, pg.InfiniteLine)]
    assert marks == pytest.approx([math.log10(3.14159e-3), math.log10(6.9e-3)])
    assert "0.0031" in dialog.plot.accessibleDescription()
    dialog.use_buttons[0].click()
    assert window.hyper_dock.requested.learning_rate == 0.0031
    assert window.hyper_dock.sliders["learning_rate"].value() == 0.0031
    qtbot.waitUntil(lambda: sessions_made[0].hyper.learning_rate == 0.0031, timeout=20_000)
    dialog.again_button.click()
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)


def test_a_search_is_cancelled_by_the_button_and_by_closing(qtbot, window, asked, sessions_made):
    broken = []
    sessions_made[0].controls.cancel = broken.append
    window.commands.find_rate.trigger()
    dialog = window.flows.rate.dialog
    dialog.cancel_button.click()
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    assert broken[0] is asked[0]
    assert "Cancelled" in dialog.message.text()
    say(qtbot, sessions_made[0], RatePointRecord(7, 1, 30, 1e-6, 2.0))  # was on its way
    assert dialog.cancel_button.isHidden()
    dialog.again_button.click()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: len(asked) == 2, timeout=20_000)
    assert broken[1] is asked[1]
    assert len(broken) == 2
    assert not dialog.isVisible()


@pytest.mark.parametrize("kind", ["flat", "failed"])
def test_what_could_not_be_found_is_told(qtbot, window, asked, sessions_made, kind):
    window.commands.find_rate.trigger()
    dialog = window.flows.rate.dialog
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    failed = ErrorRecord(7, "A step does not fit into memory.", command="FindRate")
    say(qtbot, sessions_made[0], failed if kind == "failed" else found(math.nan, math.nan, False))
    expected = "does not fit" if kind == "failed" else "did not fall"
    assert expected in dialog.message.text()
    assert not dialog.busy
    assert not any(button.isEnabled() for button in dialog.use_buttons)


def test_the_picture_shows_the_fall_and_not_the_blow_up(qtbot):
    dialog = RateDialog(Hyperparameters)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.ask()
    dialog.show_result(found())
    (left, right), (low, high) = dialog.plot.view.viewRange()
    assert left == pytest.approx(-6, abs=0.1)
    assert right == pytest.approx(0, abs=0.1)
    assert low < 1
    assert 2 < high < 3
    for ground in (Qt.GlobalColor.black, Qt.GlobalColor.white):
        dialog.setPalette(QPalette(ground))  # another scheme
        assert [text.count("falls fastest") for text in words(dialog) if "fastest" in text] == [1]


@pytest.mark.parametrize(("rate", "shown"), [(3.14159e-3, 0.0031), (0.333, 0.33), (1.05e-6, 1e-6)])
def test_a_rule_of_thumb_has_two_figures(rate, shown):
    assert two_figures(rate) == pytest.approx(shown, rel=0.06)
    assert len(f"{two_figures(rate):e}".rstrip("0").split("e")[0].rstrip("0").replace(".", "")) <= 2


def test_a_rank_is_suggested_with_its_loss_and_used(qtbot, window, asked, sessions_made):
    assert not window.commands.suggest_rank.isEnabled()  # nothing is trained yet
    assert not window.hyper_dock.suggest_link.isEnabled()
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.sessions.step > 0, timeout=20_000)
    window.hyper_dock.suggest_link.click()
    dialog = window.flows.hint.dialog
    qtbot.waitUntil(lambda: asked == [SuggestRank()], timeout=20_000)
    assert dialog.busy
    say(qtbot, sessions_made[0], hints())
    assert not dialog.busy
    assert "hint" in dialog.message.text()
    for told in ("95 %", "3", "0.5123", "89.0 %", "unchanged"):
        assert told in dialog.summary().split(", ")
    assert [button.isEnabled() for button in dialog.use_buttons] == [True, False]  # 8 is present
    dialog.use_buttons[0].click()
    assert window.hyper_dock.requested.rank == 3
    qtbot.waitUntil(lambda: sessions_made[0].hyper.rank == 3, timeout=20_000)
    dialog.help_button.click()
    assert window.flows.help.book.page.name == "choosing-a-rank"


def test_a_refused_suggestion_says_why_and_all_of_the_rank_is_told(
    qtbot, window, asked, sessions_made
):
    window.flows.hint.start()
    dialog = window.flows.hint.dialog
    qtbot.waitUntil(lambda: len(asked) == 1, timeout=20_000)
    say(qtbot, sessions_made[0], ErrorRecord(0, "ΔW is zero.", command="SuggestRank"))
    assert dialog.message.text() == "ΔW is zero."
    dialog.again_button.click()
    record = hints()
    say(qtbot, sessions_made[0], RankHintRecord(9, 8, 0.5, None, record.hints[1:]))
    assert "a larger rank" in dialog.message.text()


def test_a_search_that_went_with_its_run_cancels_nothing_of_the_next_one(
    qtbot, window, asked, presets, sessions_made
):
    window.flows.rate.start()
    search = window.flows.rate.command
    window.open(presets[1].config)
    qtbot.waitUntil(lambda: window.flows.rate.dialog is None, timeout=20_000)
    assert window.sessions.shown.session is sessions_made[1]
    assert not sessions_made[1].controls.is_cancelled(search)


def test_what_could_not_be_opened_ends_no_search_of_the_run_that_stays(
    qtbot, window, asked, presets, sessions_made
):
    window.flows.rate.start()
    window.flows.hint.start()
    window.open(changed(presets[1].config, model="broken"))
    qtbot.waitUntil(lambda: window.sessions.gave_up, timeout=20_000)
    assert window.flows.rate.dialog.busy
    assert window.flows.hint.dialog.busy
    for failed, still in (("", (True, True)), ("FindRate", (False, True)),
                          ("SuggestRank", (False, False))):  # fmt: skip
        record = ErrorRecord(0, "It cannot be done here.", command=failed)
        say(qtbot, sessions_made[0], record)
        assert (window.flows.rate.dialog.busy, window.flows.hint.dialog.busy) == still


def test_links_can_be_reached_and_pressed_by_keyboard(qtbot, window, asked):
    link = window.hyper_dock.find_link
    assert link.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert link.accessibleName()
    for key in (Qt.Key.Key_Space, Qt.Key.Key_Return):
        qtbot.keyClick(link, key)
        assert window.flows.rate.dialog.isVisible()
        window.flows.rate.close()
    assert window.state is State.PAUSED  # Space has trained nothing


UP, KEPT = (6.9e-3, 1.24, 128.0), (2.3e-3, 1.24, 1.23)


@pytest.mark.parametrize(("steepest", "third", "checked", "names"), [
    (3e-3, 6.9e-3, ((6.9e-3, 1.24, 1.2),), ["falls fastest at", "a third of the"]),
    (1e-3, 2.3e-3, (UP, KEPT), ["falls fastest at", "largest tried that did not raise"]),
    (2.3e-3, 2.3e-3, (UP, KEPT), ["largest tried that did not raise", "a third of the"]),
    (math.nan, math.nan, (UP,), ["falls fastest at", "a third of the"]),
])  # fmt: skip
def test_a_rate_that_was_lowered_is_not_called_what_it_is_not(
    qtbot, steepest, third, checked, names
):
    dialog = RateDialog(Hyperparameters)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.show_result(found(steepest, third, checked=checked))
    rows = [text for text in words(dialog) if "╌" in text or "┈" in text]
    assert len(rows) == 2
    assert all(name in row for name, row in zip(names, rows, strict=True)), rows
    lowered = math.isclose(steepest, KEPT[0])
    assert dialog.use_buttons[1].isEnabled() == (not lowered and not math.isnan(third))
    if lowered:
        assert "fastest" not in dialog.plot.accessibleDescription()
