"""Counting intruders as a command: the figures of the analysis, bounded, and nothing is touched."""

import pytest
import torch

from lora_lab.analysis.intruders import intruder_dimensions
from lora_lab.config import changed
from lora_lab.errors import LabError
from lora_lab.presets import get_preset
from lora_lab.training.commands import CountIntruders
from lora_lab.training.experiment import Experiment
from lora_lab.training.measure import intruder_count as room


@pytest.fixture
def experiment():
    made = Experiment.build(changed(get_preset("digits").config, variant="lora"))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for p in made.parameters():
            p.add_(torch.randn(p.shape, generator=generator))
    return made


def test_each_layer_is_counted_as_the_analysis_says(experiment):
    before = [p.clone() for p in experiment.model.parameters()]
    seen = 0
    for name, layer in experiment.layers.items():
        (record,) = CountIntruders(name, 6, 0.6).run(experiment, None)
        wanted = intruder_dimensions(layer.matrix, layer, 6, 0.6)
        assert record.places == tuple(i + 1 for i in wanted.indices)
        assert record.similarity == wanted.similarity
        assert (record.step, record.layer, record.checked) == (0, name, wanted.checked)
        seen += len(record.places)
    assert seen, "noise of this size makes some"
    assert all(
        torch.equal(a, b) for a, b in zip(before, experiment.model.parameters(), strict=True)
    )


def test_what_is_too_large_or_unknown_is_said(experiment, monkeypatch):
    monkeypatch.setattr(room, "LARGEST", 1)
    name = next(iter(experiment.layers))
    (record,) = CountIntruders(name).run(experiment, None)
    assert "too long" in record.reason
    assert not record.places
    with pytest.raises(LabError, match="not adapted"):
        list(CountIntruders("nowhere").run(experiment, None))
