"""A plain net is recognised by names and shapes, keeps the names, and refuses what is none."""

import copy
import itertools

import pytest
import torch
from torch import nn

from lora_lab.adapters.inject import inject, remove
from lora_lab.errors import CheckpointError
from lora_lab.models.plain import MLP, check_fits, mlp, mlp_from_state


def state_of(sizes, names, bias=True):
    state = {}
    for (inputs, outputs), name in zip(itertools.pairwise(sizes), names, strict=True):
        state[f"{name}.weight"] = torch.randn(outputs, inputs)
        if bias:
            state[f"{name}.bias"] = torch.randn(outputs)
    return state


def by_hand(state, names, x):
    for index, name in enumerate(names):
        x = x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", 0.0)
        x = x.clamp(min=0) if index < len(names) - 1 else x
    return x


SIZES = (6, 5, 4, 3)
NAMES = [
    ("fc1", "fc2", "fc3"),
    ("0", "2", "4"),
    ("net.0", "net.2", "net.10"),  # by number, not by letter
    ("input", "hidden", "output"),  # only the shapes tell the order
    ("encoder.first", "encoder.deep.second", "head"),
]


@pytest.mark.parametrize("names", NAMES, ids="-".join)
@pytest.mark.parametrize("bias", [True, False])
def test_the_net_of_a_state_keeps_its_keys_and_computes_it(names, bias):
    state = state_of(SIZES, names, bias)
    shuffled = dict(sorted(state.items(), key=lambda pair: pair[0][::-1]))
    net = mlp_from_state(shuffled)
    assert isinstance(net, MLP)
    assert net.state_dict().keys() == state.keys()
    assert net.layer_names == names
    assert (net.inputs, net.outputs) == (6, 3)
    x = torch.randn(7, 6)
    torch.testing.assert_close(net(x), by_hand(state, names, x))
    torch.testing.assert_close(copy.deepcopy(net)(x), net(x))


def test_equal_sizes_follow_the_names_then_the_file():
    square = state_of((4, 4, 4), ("b", "a"))
    assert mlp_from_state(square).layer_names == ("a", "b")


def test_it_fits_the_module_that_the_state_came_from():
    theirs = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))
    net = mlp_from_state(theirs.state_dict())
    x = torch.randn(2, 6)
    torch.testing.assert_close(net(x), theirs(x))
    theirs.load_state_dict(net.state_dict())


def test_half_precision_becomes_float32_and_the_state_is_not_shared():
    state = {"fc.weight": torch.ones(2, 3, dtype=torch.bfloat16)}
    net = mlp_from_state(state)
    assert net.fc.weight.dtype == torch.float32
    again = {"fc.weight": torch.ones(2, 3)}
    net = mlp_from_state(again)
    again["fc.weight"].zero_()
    assert net.fc.weight.sum() == 6


def test_adapters_take_the_places_and_leave_them():
    net = mlp((6, 5, 3), names=("body.one", "head"))
    x = torch.randn(2, 6)
    before = net(x)
    layers = inject(net, rank=2, alpha=4.0)
    assert list(layers) == ["body.one", "head"]
    assert torch.equal(net(x), before)
    with torch.no_grad():
        layers["head"].lora_B.fill_(1.0)
    assert not torch.equal(net(x), before)
    remove(net)
    assert torch.equal(net(x), before)


W = torch.zeros
MISFITS = {
    "empty": {},
    "convolution": {"conv.weight": W(4, 3, 3, 3), "conv.bias": W(4)},
    "norm-of-nothing": {**state_of((4, 4), ["fc"]), "norm.weight": W(4), "norm.bias": W(4)},
    "statistics": {**state_of((4, 4), ["fc"]), "bn.running_mean": W(4)},
    "bias-of-nothing": {**state_of((4, 4), ["fc"]), "other.bias": W(4)},
    "bias-too-long": {"fc.weight": W(4, 3), "fc.bias": W(3)},
    "no-chain": {"a.weight": W(4, 3), "b.weight": W(4, 5)},
    "integers": {"fc.weight": torch.zeros(4, 3, dtype=torch.int8)},
    "no-outputs": {"fc.weight": W(0, 3)},
    "bare": {"weight": W(4, 3)},
    "odd-name": {"../x.weight": W(4, 3)},
    "method-name": {"forward.weight": W(4, 3)},
    "layer-in-layer": {"a.weight": W(4, 3), "a.b.weight": W(2, 4)},
    "transformer": {f"h.{i}.attn.c_attn.weight": W(4, 12) for i in range(40)},
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_is_no_plain_net_is_refused(name):
    with pytest.raises(CheckpointError) as caught:
        mlp_from_state(MISFITS[name], "net.pt")
    message = str(caught.value)
    assert message.startswith("net.pt: ")
    assert message.endswith(".")
    assert len(message) < 500


def test_a_misfit_is_listed():
    with pytest.raises(CheckpointError, match=r"conv\.weight \(4 × 3 × 3 × 3\)"):
        mlp_from_state(MISFITS["convolution"])


def test_a_net_that_does_not_fit_the_task():
    net = mlp((784, 10))
    check_fits(net, 784, 10)
    with pytest.raises(
        CheckpointError, match=r"a\.pt: the net takes 784 inputs, the task gives 64"
    ):
        check_fits(net, 64, 10, "a.pt")
    with pytest.raises(CheckpointError, match="has 10 outputs, the task has 2 classes"):
        check_fits(net, 784, 2)
