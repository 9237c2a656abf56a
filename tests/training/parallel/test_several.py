"""A device that stands for several processes: its spelling, who may have it, what is started."""

import pytest
import torch

from lora_lab.config import changed
from lora_lab.device_name import MOST, first, split
from lora_lab.errors import ConfigError
from lora_lab.presets import get_preset
from lora_lab.training.devices import device_choices, find_device
from lora_lab.training.experiment import Experiment
from lora_lab.training.parallel import launch
from lora_lab.training.parallel.launch import together
from lora_lab.training.parallel.place import Place

SPELLINGS = {
    "2 × cuda": (2, "cuda", "2 × cuda"), "3xcpu": (3, "cpu", "3 × cpu"),
    " 2 * cpu": (2, "cpu", "2 × cpu"), "4X cuda": (4, "cuda", "4 × cuda"),
    "1 × cpu": (1, "cpu", "cpu"), "cpu": (1, "cpu", "cpu"), "cuda:1": (1, "cuda:1", "cuda:1"),
    "mps": (1, "mps", "mps"),
}  # fmt: skip


def digits(device):
    return changed(get_preset("digits").config, device=device)


@pytest.mark.parametrize(("written", "means"), SPELLINGS.items())
def test_a_device_says_how_many_processes(written, means):
    config = digits(written)
    assert (config.processes, first(config.device), config.device) == means
    assert split(written) == means[:2]


@pytest.mark.parametrize("name", ["2 × mps", "0 × cpu", f"{MOST + 1}xcpu", "2 × cuda:1", "2x"])
def test_several_of_what_there_is_one_of_are_refused(name):
    with pytest.raises(ConfigError, match="device must be N × cpu or N × cuda with N from 1"):
        digits(name)


@pytest.mark.parametrize(("cards", "offered"), [(1, []), (2, ["2 × cuda"]), (4, ["4 × cuda"])])
def test_several_cards_are_offered_as_one_device(monkeypatch, cards, offered):
    cuda = {"is_available": lambda: True, "device_count": lambda: cards,
            "get_device_name": "card {}".format,
            "is_bf16_supported": lambda including_emulation: True}  # fmt: skip
    for name, answer in cuda.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    names = [choice.name for choice in device_choices() if choice.available]
    assert names[: 1 + cards] == ["cpu", *(f"cuda:{i}" for i in range(cards))]
    assert [name for name in names if split(name)[0] > 1] == offered


def test_what_is_for_one_process_refuses_several():
    with pytest.raises(ConfigError, match=r"2 × cpu is a run in 2 processes.*choose cpu"):
        find_device("2 × cpu")
    with pytest.raises(ConfigError, match="is a run in 2 processes"):
        Experiment.build(digits("2 × cpu"))


def test_torchrun_and_the_device_agree_on_the_number():
    assert Place(1, 2, 1).device("2 × cuda") == "cuda:1"
    words = "torchrun has started 3 processes, and the device 2 × cpu is 2 of them.*--device cpu"
    with pytest.raises(ConfigError, match=words):
        Place(1, 3, 1).device("2 × cpu")


def test_one_process_is_alone_and_starts_none(monkeypatch):
    monkeypatch.setattr(launch.subprocess, "Popen", None)
    with together(digits("cpu")) as group:
        assert group is None


def test_a_process_that_does_not_start_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(launch, "MODULE", "nowhere")
    monkeypatch.setattr(launch.tempfile, "tempdir", str(tmp_path))
    threads = torch.get_num_threads()
    words = r"Process 1 of 2 has ended \(code 1\)"
    with pytest.raises(launch.LabError, match=words), together(digits("2 × cpu")):
        pass
    assert not list(tmp_path.iterdir())
    assert torch.get_num_threads() == threads
