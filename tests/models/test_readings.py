"""A plain net is read as the person says, each reading is tried, and none is assumed in silence."""

import pytest
import torch
from torch import nn

from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.reading import ACTIVATIONS, PIXELS, SKIPS, Reading, Step, parse
from lora_lab.models.readings import fitting, net_as_before, net_from_state
from tests.models.course_nets import COURSE_NETS

IMAGE = (1, 28, 28)
UNTRIED = ("softplus", "alexnet's first")  # can be named, and are not offered


def made(name):
    """The net in eval mode with numbers everywhere, and its reading."""
    torch.manual_seed(0)
    make, reading = COURSE_NETS[name]
    net = make()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, 0, 0.3)
    return net.eval(), reading


def answer(net, images):
    flat = next(p for p in net.parameters()).dim() == 2
    with torch.no_grad():
        return net(images.flatten(1) if flat else images)


@pytest.mark.parametrize("name", COURSE_NETS)
def test_by_its_reading_a_net_answers_as_its_owners_module(name):
    net, reading = made(name)
    found = net_from_state(net.state_dict(), "net.pt", IMAGE, reading)
    images = torch.randn(6, *IMAGE)
    wanted, mine = answer(net, images), answer(found, images)
    if name == "pytorch example":
        mine = mine.log_softmax(1)
    torch.testing.assert_close(mine, wanted, rtol=1e-5, atol=1e-5)
    assert set(found.state_dict()) == set(net.state_dict())
    assert str(found.reading) == reading


@pytest.mark.parametrize("name", [name for name in COURSE_NETS if name not in UNTRIED])
def test_the_own_reading_is_among_those_offered_and_none_is_taken_without_a_word(name):
    net, reading = made(name)
    _, found = fitting(net.state_dict(), "net.pt", IMAGE)
    assert parse(reading) in found
    with pytest.raises(CheckpointError, match=r"net\.pt does not tell .* readings fit.*--reading"):
        net_from_state(net.state_dict(), "net.pt", IMAGE)


slow = pytest.mark.slow
BY_DATA = [
    "tanh", "gelu", "skips add1", "lenet", pytest.param("pytorch example", marks=slow),
    pytest.param("vgg", marks=slow),
]  # fmt: skip


@pytest.mark.parametrize("name", BY_DATA)
def test_on_labelled_data_the_own_reading_is_among_the_best(name):
    """Labels are what the net itself says, which no other reading says more often."""
    net, reading = made(name)
    images = torch.randn(300, *IMAGE)
    labels = answer(net, images).argmax(1)
    scaled = {"": images, "0to1": images * 0.3 + 0.1, "-1to1": images * 0.6 - 0.8}

    def labelled(pixels, most):
        return scaled[pixels][:most], labels[:most]

    with pytest.raises(CheckpointError) as caught:
        net_from_state(net.state_dict(), "net.pt", IMAGE, "", labelled, tuple(PIXELS))
    assert f"{reading} (100.0 %), " in str(caught.value)


READINGS = [
    Reading(), Reading("gelu", (), "", "add2", True, "0to1", True),
    Reading("tanh", (Step(2, 1, "avg"), Step(0, 2), Step(1, 4, "max", 3, 2)), "avg4", "act1"),
]  # fmt: skip


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_a_reading_is_written_and_read_back(reading):
    assert parse(str(reading)) == reading
    assert (
        parse("/".join(reversed(str(reading).split("/")[1:]) if False else [str(reading)]))
        == reading
    )
    assert ACTIVATIONS[reading.activation][0] in reading.words
    assert SKIPS[reading.skip] in reading.words


@pytest.mark.parametrize(
    "text",
    [
        "sine",
        "relu/p",
        "relu/p1max",
        "relu/add3",
        "relu/p1,",
        "relu/p1s0",
        "relu/p1max2s0",
        "relu p1",
    ],
)
def test_what_is_no_reading_is_refused_with_what_one_is(text):
    net, _ = made("mlp")
    with pytest.raises(ConfigError, match="A reading"):
        net_from_state(net.state_dict(), "net.pt", IMAGE, text)


def test_a_reading_that_does_not_fit_is_refused():
    net, _ = made("pytorch example")
    for text, reason in (("relu/p1,p1max2", "do not end in"), ("relu/p0", "has 1 convolutions")):
        with pytest.raises(CheckpointError, match=reason):
            net_from_state(net.state_dict(), "net.pt", IMAGE, text)
    net, _ = made("mlp")
    with pytest.raises(CheckpointError, match="the file has none"):
        net_from_state(net.state_dict(), "net.pt", IMAGE, "relu/p0")


def test_one_layer_leaves_nothing_to_ask():
    net = nn.Linear(784, 10)
    found = net_from_state(nn.Sequential(net).state_dict(), "net.pt", IMAGE)
    images = torch.randn(4, 784)
    assert torch.equal(found(images), net(images))


def test_a_run_from_before_readings_goes_on_as_it_began():
    net, _ = made("lenet, relu")
    assert str(net_as_before(net.state_dict(), "net.pt", IMAGE).reading) == "relu/p2max2,p0max2"
    net, _ = made("mlp")
    assert str(net_as_before(net.state_dict(), "net.pt", IMAGE).reading) == "relu"


def test_names_that_fit_and_a_file_that_fits_otherwise_are_both_offered():
    state = {}
    for name, sizes in (("a", (8, 784)), ("c", (8, 8)), ("b", (8, 8)), ("d", (10, 8))):
        state[f"{name}.weight"] = torch.randn(sizes)
    _, found = fitting(state, "net.pt", IMAGE)
    assert {reading.file_order for reading in found} == {False, True}
    for reading, order in (("relu", "abc"), ("relu/file-order", "acb")):
        images = torch.randn(2, 784)
        x = images
        for name in order:
            x = (x @ state[f"{name}.weight"].T).relu()
        net = net_from_state(state, "net.pt", IMAGE, reading)
        torch.testing.assert_close(net(images), x @ state["d.weight"].T)
    _, found = fitting(dict(sorted(state.items())), "net.pt", IMAGE)
    assert {reading.file_order for reading in found} == {False}, "a sorted file tells no order"


def test_the_head_may_stand_first_in_the_file():
    state = {"head.weight": torch.randn(10, 8), "inp.weight": torch.randn(8, 784)}
    state |= {"mid1.weight": torch.randn(8, 8), "mid2.weight": torch.randn(8, 8)}
    net = net_from_state(state, "net.pt", IMAGE, "tanh")
    assert net.layer_names == ("inp", "mid1", "mid2", "head")
