"""How many numbers, whole: the shipped digits from two starts, and MNIST as it was published."""

import os
from statistics import fmean

import pytest

from lora_lab.config import changed
from lora_lab.intrinsic.measure import Settings, measure
from lora_lab.intrinsic.results import Point
from lora_lab.presets import get_preset

pytestmark = pytest.mark.slow


def test_the_digits_take_few_numbers_from_the_base_and_many_from_random_weights():
    """Some 36 s of CPU; d = 5 is not enough for anything and 300 are for all."""
    settings = Settings(seeds=4, dimensions=(5, 16, 23, 32, 45, 64, 91, 128, 181, 300))
    *points, result = measure(get_preset("digits").config, settings)
    base, random = (result.of(start).by_score.d90.d for start in ("base", "random"))
    assert 20 <= base <= 35
    assert 95 <= random <= 150
    assert random >= 3 * base

    def mean(d):
        mine = [p for p in points if isinstance(p, Point) and (p.start, p.dimension) == ("base", d)]
        return fmean(p.score for p in mine)

    assert mean(300) >= 0.96
    assert mean(5) <= 0.55


@pytest.mark.skipif("LORA_LAB_MNIST" not in os.environ, reason="LORA_LAB_MNIST names no folder")
def test_mnist_takes_as_many_numbers_as_li_et_al_published():
    """750 (2018, arXiv 1804.08838, §3.1), of the 199,210 weights of 784-200-200-10."""
    config = changed(get_preset("mnist-750-numbers").config, data=os.environ["LORA_LAB_MNIST"])
    *_, result = measure(config, Settings(starts=("random",), dimensions=(300, 1000)))
    assert result.plan.weights == 199_210
    found = result.of("random").by_score
    assert 600 <= found.d90.d <= 900, found
