"""What other loaders would drop or misread, said where an adapter is opened."""

from dataclasses import replace

import pytest
import torch

from lora_lab.adapters.weights import AdapterWeights, LayerWeights, WholeLayer
from lora_lab.formats.elsewhere import elsewhere
from lora_lab.formats.peft import save
from lora_lab.formats.recognise import open_adapter

ONE = LayerWeights("a.x", torch.ones(2, 3), torch.ones(4, 2), 4.0, 2.0)
TWO = replace(ONE, name="a.y")

CASES = {
    "nothing": (AdapterWeights("lora", (ONE, TWO)), None),
    "dora": (AdapterWeights("dora", (replace(ONE, magnitude=torch.ones(4)),)), "llama.cpp refuse"),
    "rslora": (AdapterWeights("rslora", (replace(ONE, scaling=4 / 2**0.5),)), "√r too small"),
    "scales": (
        AdapterWeights("lora", (ONE, replace(TWO, alpha=2.0, scaling=1.0))), "vLLM applies the α/r",
    ),
    "ranks": (
        AdapterWeights("lora", (ONE, replace(TWO, lora_A=torch.ones(1, 3),
                       lora_B=torch.ones(4, 1), alpha=2.0))), "one α to all",
    ),
    "whole": (AdapterWeights("lora", (ONE,), (WholeLayer("head", torch.ones(2, 2)),)), "refuse"),
    "embedding": (AdapterWeights("lora", (replace(ONE, kind="embedding"),)), "vLLM adapt emb"),
    "convolution": (AdapterWeights("lora", (replace(ONE, kind="conv"),)), "ComfyUI adapt convol"),
    "one alpha": (
        AdapterWeights("lora", (ONE, replace(TWO, lora_A=torch.ones(1, 3),
                       lora_B=torch.ones(4, 1), alpha=4.0, scaling=4.0))), "vLLM applies",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_said_once_and_only_where_it_is_so(name):
    weights, words = CASES[name]
    found = elsewhere(weights)
    assert len(found) == (0 if words is None else 1)
    assert words is None or words in found[0]


def test_opening_tells_the_rule_and_who_would_miss_it(tmp_path):
    save(CASES["rslora"][0], tmp_path)
    notes = open_adapter(tmp_path).extra["notes"]
    assert "α/√r" in notes[0]
    assert "√r too small" in notes[-1]
