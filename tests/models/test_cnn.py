"""Convolutional nets are recognised from names and shapes, and answer as they did."""

import pytest
import torch
from torch import nn

from lora_lab.errors import CheckpointError
from lora_lab.models.readings import net_as_before, net_from_state


def block(inputs, outputs, padding=1, norm=False, pool=True):
    parts = [nn.Conv2d(inputs, outputs, 3, padding=padding)]
    parts += [nn.BatchNorm2d(outputs)] if norm else []
    return [*parts, nn.ReLU(), *([nn.MaxPool2d(2)] if pool else [])]


class Averaged(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(*block(1, 6), *block(6, 9))
        self.head = nn.Linear(9, 3)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


NETS = {
    "padded and pooled": lambda: nn.Sequential(
        *block(1, 4), *block(4, 8), nn.Flatten(), nn.Linear(8 * 49, 16), nn.ReLU(), nn.Linear(16, 3)
    ),
    "not padded": lambda: nn.Sequential(
        *block(1, 4, 0), *block(4, 8, 0), nn.Flatten(), nn.Linear(8 * 25, 3)
    ),
    "not pooled": lambda: nn.Sequential(*block(1, 4, pool=False), nn.Flatten(), nn.Linear(3136, 3)),
    "normed": lambda: nn.Sequential(
        *block(1, 4, norm=True), *block(4, 8, norm=True), nn.Flatten(), nn.Linear(8 * 49, 3)
    ),
    "each in its way": lambda: nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 3),
    ),
    "averaged": Averaged,
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_a_net_of_a_run_from_before_readings_answers_as_it_did(name):
    torch.manual_seed(0)
    net = NETS[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    found = net_as_before(net.state_dict(), "net.pt", (1, 28, 28))
    named = net_from_state(net.state_dict(), "net.pt", (1, 28, 28), str(found.reading))
    images = torch.randn(5, 1, 28, 28)
    assert torch.allclose(found(images), net.eval()(images), atol=1e-6)
    assert torch.equal(found(images), named(images))
    assert set(found.state_dict()) == set(net.state_dict())
    assert "convolutions" in found.reading.words


def test_a_plain_net_is_still_one():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert net_from_state(net.state_dict(), "net.pt", (1, 2, 2), "relu").flat


conv, linear = torch.randn(4, 1, 3, 3), torch.randn(3, 784)
BAD = {
    "channels do not follow": {
        "a.weight": conv, "b.weight": torch.randn(4, 3, 3, 3), "c.weight": linear,
    },
    "no linear end": {"a.weight": conv},
    "sizes do not follow": {"a.weight": conv, "b.weight": torch.randn(3, 777)},
    "another tensor": {"a.weight": conv, "b.weight": linear, "c.scale": torch.ones(3)},
    "three dimensions": {"a.weight": conv, "b.weight": linear, "c.weight": torch.ones(3, 3, 3)},
    "a chain that breaks": {"a.weight": conv, "b.weight": linear, "c.weight": torch.ones(2, 5)},
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_net_is_listed(name):
    with pytest.raises(CheckpointError, match=r"net\.pt: this is not a plain net.*Found a\.weight"):
        net_from_state(BAD[name], "net.pt", (1, 28, 28))
