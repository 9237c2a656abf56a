"""A run that first pretrains its base: nothing pretends that there is an adapter already."""

from dataclasses import replace

import pytest

from lora_lab.config import changed
from lora_lab.hyperparameters import KNOBS, Hyperparameters
from lora_lab.records import State
from tests.ui.seen import words

STAGE, WHY = "pretraining the base", "for the adapter, in stage 2"


@pytest.fixture
def in_stages(qtbot, window, presets, sessions_made, monkeypatch, fake_session):
    """The window on a run in its first stage, and what brings it to its second one."""
    config = changed(presets[0].config, hyper={"rank": 1, "alpha": 1.0}, max_steps=100)
    adapter = fake_session.loaded

    def first(self):
        loaded = adapter(self)
        plain = Hyperparameters(learning_rate=1e-3)
        return replace(loaded, stage=STAGE, variant="full", hyper=plain, max_steps=6_000,
                       goal=6_000, locked=tuple((name, WHY) for name in KNOBS))  # fmt: skip

    monkeypatch.setattr(fake_session, "loaded", first)
    window.open(config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED, timeout=20_000)
    session = sessions_made[-1]

    def second():
        session.waiting.append(adapter(session))
        qtbot.waitUntil(lambda: not window.sessions.standing.loaded.stage, timeout=20_000)

    return window, second


def test_what_is_shown_is_of_the_stage_or_says_of_which_it_is(in_stages):
    window, second = in_stages
    assert STAGE in window.windowTitle()
    (said,) = [text for text in words(window.setup_dock) if "Stage 1 of 2" in text]
    assert "6,000 steps" in said
    assert "100 steps" not in said
    for name, value in (("rank", 1), ("alpha", 1.0)):
        slider = window.hyper_dock.sliders[name]
        assert slider.value() == value, "the preset's own, not a default of the first stage"
        assert not slider.isMovable()
        assert slider.note() == WHY
        assert not [text for text in words(slider) if "applied" in text]
    second()
    assert not [text for text in words(window.setup_dock) if "Stage 1 of 2" in text]
    assert window.hyper_dock.sliders["rank"].isMovable()
    assert window.hyper_dock.sliders["rank"].value() == 1


def test_nothing_can_be_done_with_an_adapter_that_is_not_there(in_stages):
    window, second = in_stages
    commands = window.commands
    of_adapter = (commands.adapter, commands.merge, commands.export, commands.find_rate,
                  commands.intruders, commands.suggest_rank)  # fmt: skip
    tips = [action.toolTip() for action in of_adapter]
    for action in of_adapter:
        assert not action.isEnabled()
        assert "there is no adapter yet" in action.toolTip()
    assert commands.train.isEnabled()
    assert commands.evaluate.isEnabled()
    second()
    assert commands.adapter.isEnabled()
    assert commands.find_rate.isEnabled()
    assert all(a.toolTip() != tip for a, tip in zip(of_adapter, tips, strict=True))
