"""The paper's tables and figures on the digits, at the tolerances that were measured for them."""

from itertools import product

import pytest

from lora_lab.presets import get_preset
from lora_lab.studies.plan import Settings
from lora_lab.studies.reading import Reading
from tests.studies.trained import train_all

pytestmark = pytest.mark.slow
SETTINGS = Settings(ranks=(4, 8, 32), seeds=3, rates=(3e-3,), steps=1000)


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """s = 2 and a constant rate, as the anchors have it."""
    preset = get_preset("digits").config
    hyper = preset.hyper.model_copy(update={"alpha": 8.0})
    config = preset.model_copy(update={"schedule": "constant", "hyper": hyper})
    folder = tmp_path_factory.mktemp("paper") / "runs"
    made = Reading(config, SETTINGS, folder=folder)
    sets = [made.plan.by_set[name, 3e-3, 0] for name in ("fc1", "fc2")]
    train_all([*made.plan.by_rank.values(), *sets], folder)
    made.look()
    return made


def test_figure_3_two_ranks_share_their_first_direction(reading):
    """Published picture; measured φ(1,1) ≥ .5 and φ(8,8) ≤ .3 in fc2."""
    found = reading.maps("ranks", "fc2", "right", 1000).now
    assert found.at(1)[0] >= 0.5
    assert found.at(8)[0] <= 0.3
    assert found.at(1)[2] == 1 / 128
    assert found.at(8)[2] == 8 / 128


def test_figure_4_two_seeds_share_their_first_directions_and_not_the_rest(reading):
    found = reading.maps("seeds", "fc2", "right", 1000).now
    assert found.at(1)[0] >= 0.5
    assert found.at(32)[0] == pytest.approx(found.at(32)[2], abs=0.1)


def test_table_7_is_ordered_and_its_factor_falls_with_the_rank(reading):
    rows = {(rank, row.layer): row for rank, row in reading.amplification(1000)}
    for rank, layer in product((4, 8, 32), ("fc1", "fc2")):
        row = rows[rank, layer]
        assert row.middle("in_random") < row.middle("in_delta") < row.middle("in_own")
    for layer in ("fc1", "fc2"):
        factors = [rows[rank, layer].middle("factor") for rank in (4, 8, 32)]
        assert factors == sorted(factors, reverse=True)


def test_where_beats_how_much(reading):
    """fc1 alone never learns the 9, at four times the rank of all layers; fc2 alone does."""
    scores = {row.name: row.accuracy for row in reading.look().sets}
    assert scores["fc1"].mean <= 0.5
    assert scores["fc2"].mean >= 0.95
