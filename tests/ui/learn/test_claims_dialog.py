"""The page Without regret: expected before, queued by a button, the verdict as the runs end."""

import pytest
from PySide6.QtCore import Qt

from lora_lab import paths
from lora_lab.presets import get_preset
from lora_lab.studies import claim_list
from lora_lab.ui.learn.claims_dialog import ClaimsDialog
from tests.studies.trained import train_all


@pytest.fixture
def page(qtbot, monkeypatch):
    short = changed_steps(claim_list.CLAIMS["first-steps"])
    monkeypatch.setitem(claim_list.CLAIMS, "first-steps", short)
    dialog = ClaimsDialog(lambda: get_preset("digits").config)
    qtbot.addWidget(dialog)
    dialog.show()
    yield dialog
    dialog.finish()


def changed_steps(claim):
    return type(claim)(**{**vars(claim), "steps": 6})


def choose(qtbot, page, name):
    page.list.setCurrentRow(page.names.index(name))
    qtbot.waitUntil(lambda: name in page.standings, timeout=60_000)


def test_a_claim_is_tried_and_judged(qtbot, page):
    queued = []
    page.queue_requested.connect(queued.append)
    assert page.says.text()
    assert page.expected.text()
    choose(qtbot, page, "first-steps")
    assert page.measured.text() == "—"
    assert "0 of 12 runs are there" in page.price.text()
    qtbot.mouseClick(page.button, Qt.MouseButton.LeftButton)
    train_all(queued[0], paths.runs())
    page.refresh()
    qtbot.waitUntil(lambda: "All 12 runs" in page.price.text(), timeout=60_000)
    assert "Training loss" in page.measured.text()
    assert page.verdict.text() in (claim_list.AGREES, claim_list.DIFFERS, claim_list.OPEN)
    assert page.list.currentItem().text()[0] in "✓≠"
    assert not page.button.isEnabled()


def test_what_cannot_be_tried_says_why_and_another_model_begins_anew(qtbot, page):
    choose(qtbot, page, "mlp-layers")
    assert "attention layers" in page.price.text()
    assert not page.button.isEnabled()


def test_without_a_model_it_asks_for_one(qtbot):
    dialog = ClaimsDialog(lambda: None)
    qtbot.addWidget(dialog)
    dialog.show()
    assert "Open a model first" in dialog.price.text()
    dialog.finish()
