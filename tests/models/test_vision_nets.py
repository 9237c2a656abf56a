"""A file's net is told by names and shapes where neither torchvision nor timm is installed."""

import importlib.util

import pytest
import torch

from lora_lab.errors import CheckpointError, ConfigError
from lora_lab.models.vision_build import candidates, missing
from lora_lab.models.vision_nets import current_names, is_reading, parse, recognised

ALEXNET = {  # as torchvision has it
    "features.0": (64, 3, 11, 11), "features.3": (192, 64, 5, 5), "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3), "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216), "classifier.4": (4096, 4096), "classifier.6": (1000, 4096),
}  # fmt: skip


def tensors(**other):
    """AlexNet's tensors without their numbers; `other` are shapes of weights."""
    found = {}
    for name, shape in (ALEXNET | {k.replace("_", "."): v for k, v in other.items()}).items():
        found[f"{name}.weight"] = torch.empty(shape, device="meta")
        found[f"{name}.bias"] = torch.empty(shape[:1], device="meta")
    return found


def names(state):
    exact, alike = recognised({name: tuple(t.shape) for name, t in state.items()})
    return [str(n) for n in exact], [str(n) for n in alike]


@pytest.mark.parametrize("classes", [1000, 7])
def test_a_net_is_told_whatever_its_number_of_classes(classes):
    state = tensors(classifier_6=(classes, 4096))
    assert names(state) == (["torchvision:alexnet"], ["torchvision:alexnet"])


def test_other_shapes_and_other_names_are_no_such_net():
    grey = tensors(features_0=(64, 1, 11, 11))
    assert names(grey) == ([], ["torchvision:alexnet"])
    with pytest.raises(CheckpointError, match="torchvision's alexnet, which has tensors of other"):
        candidates(grey, "net.pt")
    assert names({f"x.{name}": t for name, t in tensors().items()}) == ([], [])
    assert candidates({f"x.{name}": t for name, t in tensors().items()}, "net.pt") == []


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="it is installed")
def test_where_the_library_is_not_installed_the_command_is_named():
    assert missing("torchvision") == "torchvision is not installed"
    with pytest.raises(CheckpointError, match=r"torchvision's alexnet.*pip install torchvision"):
        candidates(tensors(), "net.pt")
    with pytest.raises(CheckpointError, match="pip install torchvision"):
        candidates(tensors(), "net.pt", "torchvision:alexnet")


def test_a_reading_of_another_net_is_refused():
    with pytest.raises(CheckpointError, match=r"not have the tensors of timm's resnet18.*alexnet"):
        candidates(tensors(), "net.pt", "timm:resnet18")
    assert candidates(tensors(), "net.pt", "relu/p2s4max3s2") == []


@pytest.mark.parametrize(
    ("text", "pixels", "size"),
    [("timm:vit_tiny_patch16_224", "", 0), ("torchvision:resnet18/0to1", "0to1", 0),
     ("torchvision:resnet18/-1to1/32", "-1to1", 32), ("torchvision:resnet18//32", "", 32)],
)  # fmt: skip
def test_a_reading_is_what_it_writes(text, pixels, size):
    net = parse(text)
    assert (str(net), net.pixels, net.size) == (text, pixels, size)
    assert is_reading(text)


@pytest.mark.parametrize(
    "text", ["timm:", "timm:../x", "torchvision:resnet18/2to3", "torchvision:resnet18//0"]
)
def test_what_is_no_reading_is_said(text):
    with pytest.raises(ConfigError, match="torchvision:NAME"):
        parse(text)


def test_names_of_old_densenets_are_todays():
    old = "features.denseblock1.denselayer2.norm.1.weight"
    assert current_names([old, "x.norm.1.weight"]) == {
        old: "features.denseblock1.denselayer2.norm1.weight", "x.norm.1.weight": "x.norm.1.weight",
    }  # fmt: skip
