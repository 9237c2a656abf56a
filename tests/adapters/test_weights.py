"""The one meaning of an adapter's factors, and where memory does not hold what they stand for."""

from types import SimpleNamespace

import psutil
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lora_lab.adapters.weights import LayerWeights
from lora_lab.errors import AdapterError


def test_a_change_that_memory_does_not_hold_is_refused_before_it_is_made(monkeypatch):
    thin = LayerWeights("a", torch.ones(1, 3000), torch.ones(2000, 1), 1.0, 0.5)
    assert thin.delta_weight().eq(0.5).all()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**25))
    with pytest.raises(AdapterError, match=r"'a': its ΔW of 2,000 × 3,000 takes 0.0 GB"):
        thin.delta_weight()


def test_a_change_takes_the_memory_that_was_asked_for_and_no_more():
    thin = LayerWeights("a", torch.ones(1, 300), torch.ones(200, 1), 1.0, 0.5)
    made = set()

    class Watched(TorchDispatchMode):
        def __torch_dispatch__(self, what, types, args=(), kwargs=None):
            out = what(*args, **kwargs or {})
            if out.numel() == 300 * 200:
                made.add(out.data_ptr())
            return out

    with Watched():
        delta = thin.delta_weight()
    assert made == {delta.data_ptr()}


def test_thin_factors_of_millions_are_no_matrix():
    thin = LayerWeights("a", torch.ones(1, 2**24), torch.ones(2**24, 1), 1.0, 1.0)
    with pytest.raises(AdapterError, match=r"16,777,216 × 16,777,216 takes 2251799.8 GB"):
        thin.delta_weight()
