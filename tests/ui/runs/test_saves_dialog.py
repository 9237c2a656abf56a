"""The list of checkpoints: each named by what it is, and none that would restore another."""

from pathlib import Path

import pytest

from lora_lab.ui.runs.saves_dialog import SavesDialog


@pytest.fixture
def dialog(qtbot):
    made = SavesDialog()
    qtbot.addWidget(made)
    return made


def rows(dialog):
    """Step and reason of each row."""
    model = dialog.table.model()
    return [
        (model.index(row, 0).data(), model.index(row, 2).data()) for row in range(model.rowCount())
    ]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (
            ("step-000000001", "step-000000844"),
            [("844", "latest checkpoint"), ("1", "earlier checkpoint")],
        ),
        (
            ("kept-000000040", "step-000000050", "step-000000060"),
            [
                ("60", "latest checkpoint"),
                ("50", "earlier checkpoint"),
                ("40", "before an edit"),
            ],
        ),
        # Of two at one step the engine restores that from before the edit: only it is offered.
        (
            ("kept-000000060", "step-000000050", "step-000000060"),
            [("60", "before an edit"), ("50", "earlier checkpoint")],
        ),
    ],
)
def test_each_row_is_what_would_be_restored(dialog, tmp_path, names, shown):
    dialog.show_saves([(int(name[-9:]), tmp_path / name) for name in names])
    assert rows(dialog) == shown
    assert dialog.steps == tuple(int(step) for step, _ in shown)


def test_the_row_near_a_step_is_chosen(qtbot, dialog):
    dialog.show_saves([(1, Path("step-000000001")), (90, Path("step-000000090"))], near=20)
    with qtbot.waitSignal(dialog.back_requested) as asked:
        dialog.back_button.click()
    assert asked.args == [1]
