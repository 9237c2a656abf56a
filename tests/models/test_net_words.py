"""The card of a file of weights says what net it is of, and what is needed to open it."""

import pytest
import torch
from torch import nn

from lora_lab.models.inspect import describe
from lora_lab.models.net_words import net_words
from tests.models.test_vision_nets import tensors

CNN = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 7))
ASKED = "asked once data is chosen"


@pytest.mark.parametrize(
    ("state", "details"),
    [
        (CNN.state_dict(),
         [("layers", "1 convolution, 1 linear layer"), ("takes", "images of 3 channels"),
          ("tells apart", "7 classes"), ("activation and pooling", ASKED)]),
        (nn.Sequential(nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 10)).state_dict(),
         [("layers", "2 linear layers"), ("takes", "images of 784 numbers"),
          ("tells apart", "10 classes"), ("activation", ASKED)]),
    ],
    ids=["cnn", "mlp"],
)  # fmt: skip
@pytest.mark.parametrize("around", ["", "module.", "state_dict"])
def test_a_plain_net_is_told_in_the_words_of_its_data(tmp_path, state, details, around):
    """As Lightning or DistributedDataParallel save it, too."""
    if around == "state_dict":
        state = {"epoch": 3, "state_dict": state, "optimizer_states": [{}]}
    else:
        state = {around + key: tensor for key, tensor in state.items()}
    torch.save(state, tmp_path / "net.ckpt")
    card = describe(tmp_path / "net.ckpt")
    assert list(card.details) == details
    assert card.notes == ()


def test_a_file_that_belongs_to_a_folder_or_to_no_plain_net_says_so(tmp_path):
    lstm = nn.LSTM(4, 5).state_dict()
    torch.save(lstm, tmp_path / "net.pt")
    (note,) = describe(tmp_path / "net.pt").notes
    assert "module:function" in note
    (tmp_path / "config.json").write_text("{}")
    (note,) = describe(tmp_path / "net.pt").notes
    assert note == f"config.json lies beside it: choose the folder {tmp_path.name}"


def test_a_net_of_a_library_is_named(tmp_path):
    shapes = {name: tuple(t.shape) for name, t in tensors(classifier_6=(5, 4096)).items()}
    details, _ = net_words(tmp_path / "net.pt", shapes)
    assert details == (("net", "torchvision's alexnet"),)
    grey = {name: tuple(t.shape) for name, t in tensors(features_0=(64, 1, 11, 11)).items()}
    details, notes = net_words(tmp_path / "net.pt", grey)
    assert details == (("net", "torchvision's alexnet"),)
    assert "other shapes" in notes[0]
