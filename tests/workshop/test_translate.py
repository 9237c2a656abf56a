"""The same adapter in the words of other programs."""

import math

import pytest

from lora_lab.workshop.translate import TOOLS, translations


def test_defaults_differ_320_fold():
    scales = [tool.scaling for tool in TOOLS]
    assert max(scales) / min(scales) == pytest.approx(320)


def test_alpha_strength_and_rate_give_the_same_change():
    for row in translations(alpha=16, rank=8, rate=1e-4, scaling=2.0):
        assert row.strength * row.default == pytest.approx(2.0)
        assert row.rate * row.default == pytest.approx(2e-4)
        assert math.isnan(row.alpha) or row.alpha / 8 == pytest.approx(2.0)
