"""Training on after the end says how many steps with which schedule, and then does just that."""

import math

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication

from lora_lab.config import RunConfig, changed
from lora_lab.records import State, StateRecord, StepRecord
from lora_lab.rules import stage_ahead
from lora_lab.training.controls import Controls
from lora_lab.ui.train.continue_dialog import ContinueDialog, ask_further
from tests.training.driven_run import DrivenRun, digits


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("cosine", 0, "40,000 more steps, to step 80,000. The learning rate starts again at "
         "4e-6; then it falls to 6.17e-15 at the last step (cosine schedule)."),
        ("linear", 100, "40,000 more steps, to step 80,000. The learning rate starts again at "
         "4e-8 and reaches 4e-6 in 100 steps; then it falls to 1e-10 at the last step "
         "(linear schedule)."),
        ("constant", 0, "40,000 more steps, to step 80,000. The learning rate starts again at "
         "4e-6; then it stays (constant schedule)."),
    ],
)  # fmt: skip
def test_what_it_says(qtbot, schedule, warmup, expected):
    config = RunConfig(task="digits", max_steps=40_000, schedule=schedule, warmup_steps=warmup)
    dialog = ContinueDialog(config, 4e-6, 40_000)
    qtbot.addWidget(dialog)
    assert dialog.words.text() == expected
    dialog.steps_box.selectAll()
    qtbot.keyClicks(dialog.steps_box, "1,500")
    qtbot.keyClick(dialog.steps_box, Qt.Key.Key_Return)
    assert "1,500 more steps, to step 41,500" in dialog.words.text()


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_the_loop_has_just_these_rates(schedule):
    """Those that are foretold, against those of the steps that are made."""
    run = DrivenRun(digits(steps=6, schedule=schedule, warmup_steps=2))
    controls: Controls = run.controls
    while not (isinstance(r := run.next(StateRecord), StateRecord) and r.state is State.FINISHED):
        pass
    ahead = stage_ahead(run.experiment.config, run.experiment.hyper.learning_rate, 6, 10)
    controls.resume(10)
    rates = [run.next(StepRecord).learning_rate for _ in range(10)]
    assert (rates[0], rates[-1]) == (ahead.first, ahead.last)
    assert max(rates) == ahead.peak
    if schedule == "cosine":
        assert rates[-1] == ahead.peak * 0.5 * (1 + math.cos(math.pi * 7 / 8))
    end = run.next(StateRecord)
    assert (end.state, end.step) == (State.FINISHED, ahead.end)


def test_train_asks_first_and_cancel_leaves_the_run_as_it_is(qtbot, window, presets, sessions_made):
    window.open(changed(presets[0].config, max_steps=20))
    qtbot.waitUntil(window.commands.train.isEnabled, timeout=20_000)
    window.ask_further = lambda config, rate, step: ask_further(config, rate, step, window)
    window.commands.train.trigger()
    qtbot.waitUntil(lambda: window.state is State.FINISHED, timeout=20_000)
    ended = sessions_made[0].step
    for press in (Qt.Key.Key_Escape, Qt.Key.Key_Return):

        def answer(press=press):
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, ContinueDialog)
            dialog.steps_box.selectAll()
            qtbot.keyClicks(dialog.steps_box, "35")
            qtbot.keyClick(dialog.steps_box, press)

        QTimer.singleShot(0, answer)
        window.commands.train.trigger()
        if press == Qt.Key.Key_Escape:
            assert sessions_made[0].step == ended
            assert window.state is State.FINISHED
    goal = ended + 35
    qtbot.waitUntil(lambda: window.sessions.standing.goal == goal, timeout=20_000)
