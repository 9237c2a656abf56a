"""Comparisons against dense formulas."""

import math
from dataclasses import replace

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights
from lora_lab.errors import AdapterError
from lora_lab.workshop.compare import compare
from tests.workshop.test_combine import adapter


def test_cosine_ratio_and_difference_are_those_of_the_dense_changes():
    one, two = adapter(1), adapter(2, rank=2, s=0.5)
    found = compare(one, two)
    for row, x, y in zip(found.layers, one.layers, two.layers, strict=True):
        a, b = x.delta_weight(), y.delta_weight()
        assert row.cosine == pytest.approx(float((a * b).sum() / (a.norm() * b.norm())), abs=1e-12)
        assert row.ratio == pytest.approx(float(b.norm() / a.norm()))
        assert row.difference == pytest.approx(float((b - a).norm() / a.norm()))
        assert row.phi.shape == (3, 2)
        assert len(row.angles) == 2


def test_an_adapter_is_like_itself_in_any_gauge():
    one = adapter(1)
    M = torch.eye(3) + 0.3 * torch.randn(3, 3, generator=torch.Generator().manual_seed(5))
    turned = [
        replace(x, lora_A=M @ x.lora_A, lora_B=x.lora_B @ torch.linalg.inv(M)) for x in one.layers
    ]
    for row in compare(one, AdapterWeights("lora", tuple(turned))).layers:
        assert row.cosine == pytest.approx(1, abs=1e-6)
        assert row.overlap == pytest.approx(1, abs=1e-5)
        assert row.angles.max() < 0.1
        assert row.difference < 1e-5


def test_layers_of_one_alone_and_empty_ones_are_said():
    one, two = adapter(1), adapter(2, names=("b.x", "c.x"))
    silent = replace(two.layers[0], lora_B=torch.zeros(8, 3))
    found = compare(one, AdapterWeights("lora", (silent, two.layers[1])))
    assert (found.only_first, found.only_second) == (("a.x",), ("c.x",))
    (row,) = found.layers
    assert math.isnan(row.cosine)
    assert row.ratio == 0
    assert row.difference == pytest.approx(1)
    with pytest.raises(AdapterError, match="no layer in common"):
        compare(one, adapter(1, names=("z",)))
