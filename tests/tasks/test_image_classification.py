"""Images in folders are learned by a ViT, by a convolutional net, by an MLP, and by a factory's."""

import importlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from lora_lab.errors import CheckpointError, DataError, LabError
from lora_lab.formats.verify import export
from lora_lab.models.factory import agree
from lora_lab.opening_records import DataRecord, LoadedRecord
from lora_lab.presets import starting_config
from lora_lab.records import EvalRecord, StepRecord
from lora_lab.tasks.image_classification import ImageClassificationTask
from lora_lab.training.controls import Controls
from lora_lab.training.experiment import Experiment
from lora_lab.training.loop import train
from lora_lab.training.opening import New
from lora_lab.training.run import run
from tests.models.tiny import save


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 140)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(24):
            pixels = random.integers(low, low + 110, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    return str(tmp_path / "images")


def mlp(path):
    net = nn.Sequential(nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 2))
    save_file(net.state_dict(), path)


def cnn(path):
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 2)
    )
    torch.save(net.state_dict(), path)


BASES = {
    "vit": lambda folder: save(folder / "vit", "vit") and folder / "vit",
    "mlp.safetensors": lambda folder: mlp(folder / "mlp.safetensors"),
    "cnn.pt": lambda folder: cnn(folder / "cnn.pt"),
}

READINGS = {"mlp.safetensors": "relu", "cnn.pt": "relu/p1max2"}


def config_of(model, data, **settings):
    base = {
        "batch_size": 8,
        "validation": 0.25,
        "max_steps": 25,
        "hyper": {"rank": 2, "learning_rate": 1e-2},
    }
    return starting_config(
        "image_classification", model=str(model), data=data, **{**base, **settings}
    )


@pytest.mark.parametrize("name", BASES)
def test_a_run_tells_light_from_dark(tmp_path, data, name):
    torch.manual_seed(0)
    BASES[name](tmp_path)
    config = config_of(tmp_path / name, data, reading=READINGS.get(name, ""))
    seen = list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    (table,) = [r for r in seen if isinstance(r, DataRecord)]
    assert (table.classes, table.class_counts, table.validation_counts) == (
        ("dark", "light"), (18, 18), (6, 6),
    )  # fmt: skip
    assert table.rows[0].image.shape == (8, 8, 3)
    assert [row.label for row in table.rows[:4]] == ["dark", "light"] * 2
    evaluations = [r for r in seen if isinstance(r, EvalRecord) and r.enabled]
    assert evaluations[-1].accuracy == 1.0
    assert evaluations[-1].confusion == ((6, 0), (0, 6))
    losses = [r.loss for r in seen if isinstance(r, StepRecord)]
    assert losses[-1] < losses[0]
    (loaded,) = [r for r in seen if isinstance(r, LoadedRecord)]
    assert (name in READINGS) == any("was read as" in note for note in loaded.notes)


def test_inputs_are_as_the_model_says(tmp_path, data):
    save(tmp_path / "vit", "vit")
    task = ImageClassificationTask.open(config_of(tmp_path / "vit", data))
    task.to(torch.device("cpu"), torch.float32)
    images, labels = next(task.batches(8, 0))
    assert images.shape == (8, 3, 8, 8)
    assert labels.shape == (8,)
    assert images.min() >= -1
    assert images.max() <= 1
    every = task._inputs(task.images)
    wanted = (task.images.permute(0, 3, 1, 2).double() / 255 - 0.5) / 0.5
    torch.testing.assert_close(every.double(), wanted, rtol=0, atol=1e-6)


def test_validation_images_may_lack_a_class_and_have_no_other(tmp_path, data):
    save(tmp_path / "vit", "vit")
    extra = tmp_path / "extra"
    (extra / "light").mkdir(parents=True)
    for i in range(3):
        Image.new("RGB", (8, 8), (200, 200, 30 * i)).save(extra / "light" / f"{i}.png")
    config = config_of(tmp_path / "vit", data, validation_data=str(extra))
    task = ImageClassificationTask.open(config)
    assert task.data.validation_counts == (0, 3)
    assert task.held_labels.tolist() == [1, 1, 1]
    (extra / "grey").mkdir()
    Image.new("RGB", (8, 8), (90, 90, 90)).save(extra / "grey" / "1.png")
    with pytest.raises(DataError, match="grey"):
        ImageClassificationTask.open(config)


@pytest.mark.parametrize("name", READINGS)
def test_a_plain_net_is_not_read_before_its_reading_is_named(tmp_path, data, name):
    BASES[name](tmp_path)
    task = ImageClassificationTask.open(config_of(tmp_path / name, data))
    with pytest.raises(CheckpointError, match=r"Correct of 36 of these images.*--reading "):
        task.base_model()


@pytest.mark.parametrize(("pixels", "mean", "std"), [("0to1", 0, 1), ("-1to1", 0.5, 0.5)])
def test_a_reading_says_what_a_net_takes_of_a_pixel(tmp_path, data, pixels, mean, std):
    BASES["mlp.safetensors"](tmp_path)
    config = config_of(tmp_path / "mlp.safetensors", data, reading=f"relu/{pixels}")
    task = ImageClassificationTask.open(config)
    task.to(torch.device("cpu"), torch.float32)
    images, _ = next(task.batches(36, 0))
    wanted = ((task.images / 255 - mean) / std).permute(0, 3, 1, 2)
    assert torch.allclose(images.sum(0), wanted.sum(0), atol=1e-4)


CODE = """
from torch import nn
def make():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Tanh(), nn.Linear(4, 2))
"""


def test_a_factorys_net_is_trained(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_net_of_this_test.py").write_text(CODE)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 4), nn.Tanh(), nn.Linear(4, 2))
    torch.save(net.state_dict(), tmp_path / "net.pt")
    config = config_of(tmp_path / "net.pt", data, factory="a_net_of_this_test:make", max_steps=40)
    agree(config.factory)
    try:
        seen = list(run(New(config, tmp_path / "run"), Controls(config.hyper)))
    finally:
        sys.modules.pop("a_net_of_this_test", None)
    assert [r for r in seen if isinstance(r, EvalRecord)][-1].accuracy > 0.9


HEADS = """
import torch
from torch import nn
def net(outputs, dropout=0.0):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, outputs))
def for_two():
    return net(2)
def for_ten():
    return net(10)
class Added(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(192, 10), nn.Linear(192, 10)
    def forward(self, x):
        return self.one(x.flatten(1)) + self.two(x.flatten(1))
"""


@pytest.mark.parametrize("function", ["for_two", "for_ten"])
def test_a_factorys_net_of_other_classes_gets_a_head_that_is_exported(
    tmp_path, data, monkeypatch, function
):
    """The file has ten classes; the function builds the net for the data's two, or for its ten."""
    from peft import PeftModel

    monkeypatch.chdir(tmp_path)
    (tmp_path / "heads_of_this_test.py").write_text(HEADS)
    torch.manual_seed(0)
    ten = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 10))
    torch.save(ten.state_dict(), tmp_path / "net.pt")
    config = config_of(tmp_path / "net.pt", data, factory=f"heads_of_this_test:{function}")
    agree(config.factory)
    try:
        experiment = Experiment.build(config)
        assert experiment.task.new_layers == ("3",)
        assert any("another number of classes" in note for note in experiment.task.notes)
        assert torch.equal(experiment.model.get_submodule("1").base_layer.weight, ten[1].weight)
        again = Experiment.build(config)
        assert torch.equal(*(e.model.get_submodule("3").weight for e in (experiment, again)))
        seen = list(train(experiment, Controls(experiment.hyper)))
    finally:
        sys.modules.pop("heads_of_this_test", None)
    assert [r for r in seen if isinstance(r, EvalRecord)][-1].accuracy > 0.9
    export(experiment.weights(), tmp_path / "peft")
    two = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 2))
    two[1].load_state_dict(ten[1].state_dict())
    tuned = PeftModel.from_pretrained(two, str(tmp_path / "peft")).eval()
    images = torch.randn(5, 3, 8, 8)
    with torch.no_grad():
        assert torch.allclose(tuned(images), experiment.model.eval()(images), atol=1e-5)


def test_an_answer_that_no_one_layer_gives_gets_no_head(tmp_path, data, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "added_of_this_test.py").write_text(HEADS)
    state = {f"{n}.{p}": torch.randn(s) for n in ("one", "two")
             for p, s in (("weight", (10, 192)), ("bias", (10,)))}  # fmt: skip
    torch.save(state, tmp_path / "net.pt")
    config = config_of(tmp_path / "net.pt", data, factory="added_of_this_test:Added")
    agree(config.factory)
    try:
        with pytest.raises(CheckpointError, match="10,\\) numbers for 2 classes"):
            Experiment.build(config)
    finally:
        sys.modules.pop("added_of_this_test", None)


OWN = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.mid = nn.utils.parametrizations.spectral_norm(nn.Linear(256, 8))
        self.out = nn.Linear(8, 2)
    def forward(self, x):
        return self.out(torch.tanh(self.mid(torch.relu(self.conv(x)).flatten(1))))
class Pair(Net):
    def forward(self, x):
        return super().forward(x), x
class Failing(Net):
    def forward(self, x):
        raise KeyError("its own")
class InPlace(Net):
    def forward(self, x):
        x = torch.tanh(self.conv(x))
        y = torch.tanh(self.mid(x.flatten(1)))
        y.mul_(2)
        return self.out(y)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Net → a config of a factory's net of one channel, on gray images as files have them."""
    random = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 140)):
        (tmp_path / "gray" / name).mkdir(parents=True)
        for i in range(12):
            pixels = random.integers(low, low + 110, (8, 8)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "gray" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_of_this_test.py").write_text(OWN)

    def config(name, data=None):
        factory = f"own_of_this_test:{name}"
        agree(factory)
        torch.save(getattr(sys.modules["own_of_this_test"], name)().state_dict(), "own.pt")
        data = data or str(tmp_path / "gray")
        return config_of(tmp_path / "own.pt", data, factory=factory, max_steps=3, epochs=None)

    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("own_of_this_test")
    yield config
    sys.modules.pop("own_of_this_test")


def test_gray_files_are_given_to_a_net_of_one_channel(own, data):
    experiment = Experiment.build(own("Net"))
    assert experiment.task.images.shape[1:] == experiment.task.held_images.shape[1:] == (8, 8, 1)
    assert any("one channel" in note for note in experiment.loaded().notes)
    with pytest.raises(CheckpointError, match="in 3 channels"):
        Experiment.build(own("Net", data))  # of colour, which would be lost


def test_a_spectral_norm_stays_the_bases(own):
    experiment = Experiment.build(own("Net"))
    before = {name: b.clone() for name, b in experiment.model.named_buffers()}
    assert any(name.endswith("_u") for name in before)
    list(train(experiment, Controls(experiment.hyper)))
    assert all(torch.equal(before[n], b) for n, b in experiment.model.named_buffers())


@pytest.mark.parametrize(
    ("name", "reason"), [("Pair", "answers with a tuple"), ("Failing", "does not take images")]
)
def test_what_a_factorys_net_gives_is_told_before_training(own, name, reason):
    with pytest.raises(CheckpointError, match=reason):
        Experiment.build(own(name))


def test_a_net_that_overwrites_what_it_needs_is_told_so(own):
    experiment = Experiment.build(own("InPlace"))
    with pytest.raises(LabError, match="own code fails in a step of training"):
        list(train(experiment, Controls(experiment.hyper)))


def test_what_does_not_fit_is_said(tmp_path, data):
    net = nn.Sequential(nn.Linear(192, 16), nn.ReLU(), nn.Linear(16, 5))
    save_file(net.state_dict(), tmp_path / "five.safetensors")
    task = ImageClassificationTask.open(config_of(tmp_path / "five.safetensors", data))
    with pytest.raises(CheckpointError, match=r"five\.safetensors.*2 classes"):
        task.base_model()
    net = nn.Sequential(nn.Linear(191, 16), nn.ReLU(), nn.Linear(16, 2))
    save_file(net.state_dict(), tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match="191 inputs are no square image"):
        ImageClassificationTask.open(config_of(tmp_path / "odd.safetensors", data))
    (tmp_path / "one" / "only").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "one" / "only" / "1.png")
    save(tmp_path / "vit", "vit")
    with pytest.raises(DataError, match="one class"):
        ImageClassificationTask.open(config_of(tmp_path / "vit", str(tmp_path / "one")))
