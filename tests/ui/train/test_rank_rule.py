"""What stays when the rank moves: by rule in the engine, and by the word beside the slider."""

import math

import pytest

from lora_lab.hyperparameters import Hyperparameters
from lora_lab.records import State
from lora_lab.rules import RANK_RULES, alpha_with_rank, scaling_of
from lora_lab.ui.train.hyperparameters import HyperparametersDock
from lora_lab.variants import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("rank", [1, 3, 8, 64])
def test_s_stays_where_it_is_kept(variant, rank):
    hyper = Hyperparameters(rank=8, alpha=24)
    alpha = alpha_with_rank(hyper, rank, "s", variant)
    moved = hyper.model_copy(update={"rank": rank, "alpha": alpha})
    before, after = scaling_of(hyper, variant), scaling_of(moved, variant)
    assert math.isclose(before, after, rel_tol=1e-11) or before != before
    assert alpha_with_rank(hyper, rank, "alpha", variant) == 24
    assert alpha_with_rank(hyper, rank, "2r", variant) == 2 * rank


def test_alpha_follows_the_rank_by_the_rule_that_is_chosen(qtbot, window, presets, sessions_made):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    dock = window.hyper_dock
    rank, alpha = dock.sliders["rank"], dock.sliders["alpha"]
    assert dock.rank_rule.link.text() == "keep s", "else a lower rank would seem to learn faster"
    rank.edit.setValue(4)
    assert alpha.value() == 8
    dock.rank_rule.actions["alpha"].trigger()
    rank.edit.setValue(5)
    assert alpha.value() == 8
    dock.rank_rule.actions["2r"].trigger()
    rank.edit.setValue(6)
    assert alpha.value() == 12
    qtbot.waitUntil(lambda: sessions_made[-1].hyper.alpha == 12)
    assert sessions_made[-1].hyper.rank == 6
    again = HyperparametersDock()
    qtbot.addWidget(again)
    assert again.rank_rule.value() == "2r", "it is remembered"
    assert set(dock.rank_rule.actions) == set(RANK_RULES)


def test_the_forecast_while_the_slider_moves_has_the_same_alpha(qtbot, window, presets):
    window.open(presets[0].config)
    qtbot.waitUntil(lambda: window.state is State.PAUSED)
    standing = window.sessions.standing
    slider = window.hyper_dock.sliders["rank"].slider
    slider.setSliderDown(True)
    slider.setValue(1)
    assert (standing.foreseen.rank, standing.foreseen.alpha) == (2, 4)
    slider.setSliderDown(False)
    assert window.hyper_dock.requested.alpha == 4
