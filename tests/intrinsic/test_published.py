"""How many numbers, whole: the shipped digits from two starts, and MNIST as it was published."""

import os
from statistics import fmean

import pytest

from lora_lab.config import changed
from lora_lab.intrinsic.measure import Settings, measure
from lora_lab.intrinsic.results import Point
from lora_lab.presets import get_preset


@pytest.mark.timeout(300)  # where others compute beside it
def test_the_digits_take_few_numbers_from_the_base_and_many_from_random_weights():
    """Some 10 s of CPU. From the base d = 5 is not enough for anything and 300 are for all.

    The seeds are in the middle of ten, whose random weights take 142 numbers; the first three take
    148, so near the end of what may be that the rounding of another processor would tell.
    """
    config = changed(get_preset("digits").config, seed=6)

    def measured(start, dimensions):
        settings = Settings(starts=(start,), seeds=3, dimensions=dimensions)
        *points, result = measure(config, settings)
        points = [p for p in points if isinstance(p, Point)]
        means = {d: fmean(p.score for p in points if p.dimension == d) for d in dimensions}
        return result.of(start).by_score.d90, means

    base, means = measured("base", (5, 20, 35, 300))
    random, _ = measured("random", (91, 128, 181))
    assert (base.sign, random.sign) == ("", ""), (base, random)
    assert 20 <= base.d <= 35
    assert 95 <= random.d <= 150
    assert random.d >= 3 * base.d
    assert means[300] >= 0.96
    assert means[5] <= 0.55


@pytest.mark.slow
@pytest.mark.skipif("LORA_LAB_MNIST" not in os.environ, reason="LORA_LAB_MNIST names no folder")
def test_mnist_takes_as_many_numbers_as_li_et_al_published():
    """750 (2018, arXiv 1804.08838, §3.1), of the 199,210 weights of 784-200-200-10."""
    config = changed(get_preset("mnist-750-numbers").config, data=os.environ["LORA_LAB_MNIST"])
    *_, result = measure(config, Settings(starts=("random",), dimensions=(300, 1000)))
    assert result.plan.weights == 199_210
    found = result.of("random").by_score
    assert 600 <= found.d90.d <= 900, found
