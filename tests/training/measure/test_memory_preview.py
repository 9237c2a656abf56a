"""The memory preview: the parts of a step's peak, without a trace; a reason where it fails."""

import pytest
import torch

from lora_lab.config import changed
from lora_lab.presets import get_preset
from lora_lab.training.commands import EstimateMemory
from lora_lab.training.experiment import Experiment


def asked(experiment):
    (record,) = EstimateMemory().run(experiment, None)
    return record


@pytest.mark.parametrize(
    ("fields", "kept"),
    [({}, 2), ({"variant": "dora"}, 2), ({"variant": "full"}, 2),
     ({"optimizer": "sgd", "momentum": 0.9}, 1), ({"optimizer": "sgd"}, 0),
     ({"optimizer": "muon"}, 1)],
)  # fmt: skip
def test_it_counts_what_trains_and_what_the_optimizer_keeps(fields, kept):
    experiment = Experiment.build(changed(get_preset("digits").config, **fields))
    record = asked(experiment)
    trained = sum(p.numel() for p in experiment.parameters()) * 4
    held = sum(t.numel() * t.element_size() for t in experiment.model.state_dict().values())
    assert record.gradients == trained
    assert trained * kept <= record.optimizer <= trained * kept + 100
    assert record.weights >= held
    assert record.activations > 0
    assert record.peak > held + trained * (1 + kept)


def test_frozen_layers_need_no_gradients():
    config = get_preset("digits").config
    frozen = changed(config.hyper, frozen_layers=("fc1", "fc2"))
    record = asked(Experiment.build(changed(config, hyper=frozen)))
    assert record.gradients == 4 * (10 + 64) * 4  # fc3 at rank 4


def test_the_run_goes_on_as_if_it_had_not_been_asked():
    one, other = (Experiment.build(get_preset("digits").config) for _ in range(2))
    torch.manual_seed(0)
    asked(one)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(3))
    for a, b in zip(next(one.batches), next(other.batches), strict=True):
        assert torch.equal(a, b)
    assert one.model.training


def test_a_step_that_cannot_be_estimated_is_a_reason_and_no_failure():
    experiment = Experiment.build(get_preset("digits").config)

    def loss(model, batch):
        value = model(batch[0]).sum()
        return value if value.item() > 0 else -value

    experiment.task.loss = loss
    record = asked(experiment)
    assert record.peak == 0
    assert "cannot be estimated" in record.reason
